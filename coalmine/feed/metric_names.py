"""Every metric: its name, what it is, its labels and what it means. Tests compare this table, /metrics and the docs.

``key`` is the name in what workers tell, where they tell it. A counter's name ends in ``_total`` on the wire alone.
This file performs no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coalmine.feed.stats import LABELS

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class MetricName:
    key: str
    kind: Kind
    labels: tuple[str, ...]
    help: str

    @property
    def name(self) -> str:
        return f"coalmine_{self.key}"

    @property
    def sample(self) -> str:
        """As it is asked for: counters with their ending."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _counter(key: str, help: str, *labels: str) -> MetricName:
    return MetricName(key, "counter", labels, help)


def _gauge(key: str, help: str, *labels: str) -> MetricName:
    return MetricName(key, "gauge", labels, help)


# By virtual service, route, function, upstream and code.
REQUESTS = _counter("requests", "requests that were answered, or left by their client (code 499)", *LABELS)
REQUEST_BYTES = _counter("request_bytes", "bytes of content that clients sent", *LABELS)
RESPONSE_BYTES = _counter("response_bytes", "bytes of content that clients were sent", *LABELS)
DURATION = MetricName(
    "request_duration_seconds", "histogram", LABELS, "from the head of the request to the end of the answer"
)
UPSTREAM_DURATION = MetricName(
    "upstream_duration_seconds",
    "histogram",
    LABELS,
    "from the request's way to the upstream to the head of its answer; where one came, of the last try",
)

# What workers tell beside; sums over all of them.
TOLD: tuple[MetricName, ...] = (
    _counter("problem_replies", "answers that the gateway gave itself, by the code of the problem", "code"),
    _counter("bad_requests", "messages that were no valid requests and were refused"),
    _counter("connections", "connections that clients opened"),
    _counter("connections_refused", "connections that were turned away because there were too many"),
    _counter("requests_refused", "requests that were answered 503 because too many were in flight"),
    _counter("upstream_connections_opened", "connections that were opened to endpoints"),
    _counter("upstream_connections_reused", "requests to endpoints over a connection that was there already"),
    _counter("connect_failures", "connections to endpoints that could not be opened, by reason", "reason"),
    _counter("stale_connections", "requests sent again because the kept connection had just been closed"),
    _counter("retries", "tries after the first one that a route asked for"),
    _counter("retries_refused", "retries that the budget of the upstream did not allow"),
    _counter("timeouts", "deadlines that passed: of an upstream's answer or of a client's body"),
    _counter("ejections", "endpoints that were left out for a while for their failures"),
    _counter("health_checks", "active health checks that ended"),
    _counter("health_checks_failed", "those that failed"),
    _counter("mirrors", "copies of requests that were sent to mirrors"),
    _counter("mirrors_dropped", "copies that were not sent: a body too large, too many under way, or no such upstream"),
    _counter("tls_handshakes_failed", "TLS handshakes of clients that failed"),
    _counter("tunnels", "connections that became tunnels (WebSocket)"),
    _counter("access_log_lines", "lines of the access log that were written"),
    _counter("access_log_dropped", "lines of the access log that were dropped because nobody took them"),
    _counter("spans_exported", "spans of traces that the collector took"),
    _counter("spans_dropped", "spans that were dropped because too many waited"),
    _counter("spans_undelivered", "spans that the collector did not take"),
    _counter("worker_cpu_seconds", "processor time of the workers, by number", "worker"),
    _gauge("client_connections", "connections of clients that are open"),
    _gauge("requests_in_flight", "requests that are being answered; the other connections are idle"),
    _gauge("upstream_connections", "connections to endpoints that are open"),
    _gauge("upstream_connections_idle", "those of them that wait for the next request"),
    _gauge("endpoints_unhealthy", "endpoints that active checks found down"),
    _gauge("endpoints_ejected", "endpoints that are left out for their failures"),
    _gauge(
        "certificate_expiry_timestamp_seconds",
        "when a certificate of the gateway ends; 0: it cannot be read",
        "certificate",
    ),
)

# What the control process knows.
BUILD_INFO = _gauge("build_info", "1; the version of Coalmine", "version")
SNAPSHOT_INFO = _gauge("snapshot_info", "1; the version of the snapshot that is served", "version")
SNAPSHOT_AGE = _gauge("snapshot_age_seconds", "since that snapshot was published by this control process")
WORKERS = _gauge("workers", "workers that are connected")
WORKERS_CURRENT = _gauge("workers_current", "workers that serve the current snapshot")
WORKER_INFO = _gauge("worker_info", "1; the snapshot that a worker serves", "worker", "pid", "version")
WORKER_LAG = _gauge("worker_snapshot_lag_seconds", "for how long a worker has not served the current one", "worker")
WORKER_RSS = _gauge("worker_resident_memory_bytes", "memory of a worker", "worker")
WORKER_FDS = _gauge("worker_open_fds", "open file descriptors of a worker", "worker")
CONTROL_CPU = _counter("control_cpu_seconds", "processor time of the control process since its start")
CONTROL_RSS = _gauge("control_resident_memory_bytes", "memory of the control process")
CONTROL_FDS = _gauge("control_open_fds", "open file descriptors of the control process")
PROBLEMS = _gauge(
    "problems", "definitions that are not served as written, and files for TLS that cannot be used", "severity"
)
CATALOG_UP = _gauge("catalog_up", "whether the catalog can be read; while not, what follows is missing")
OBJECTS = _gauge("objects", "definitions in the catalog", "kind")
FUNCTIONS = _gauge("functions", "functions of an upstream", "upstream")
PROBES = _counter(
    "discovery_probes", "probes since the start of the control process, by what became of them", "outcome"
)
LAST_SUCCESS = _gauge("discovery_last_success_timestamp_seconds", "when a document was last read", "upstream")
DISCOVERY_STATE = _gauge("discovery_state", "1 for the state that discovery of an upstream is in", "upstream", "state")

METRICS: tuple[MetricName, ...] = (
    REQUESTS,
    DURATION,
    UPSTREAM_DURATION,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    *TOLD,
    BUILD_INFO,
    SNAPSHOT_INFO,
    SNAPSHOT_AGE,
    WORKERS,
    WORKERS_CURRENT,
    WORKER_INFO,
    WORKER_LAG,
    WORKER_RSS,
    WORKER_FDS,
    CONTROL_CPU,
    CONTROL_RSS,
    CONTROL_FDS,
    PROBLEMS,
    CATALOG_UP,
    OBJECTS,
    FUNCTIONS,
    PROBES,
    LAST_SUCCESS,
    DISCOVERY_STATE,
)
