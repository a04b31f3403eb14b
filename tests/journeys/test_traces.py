"""Traces of real workers, as a collector takes them over OTLP/HTTP."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from coalmine.errors import StartupError
from coalmine.serve import traces
from coalmine.settings import Settings
from tests.proxy.support.client import RawClient, request
from tests.proxy.support.upstream import Peer, RawUpstream, Seen, free_port, ok
from tests.support.collector import Collector, Taken
from tests.support.processes import ROOT, Coalmine, ask, clean_environment, run_coalmine, wait_until

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ENVIRON = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}


class Site:
    def __init__(self, coalmine: Coalmine, upstream: RawUpstream, collector: Collector) -> None:
        self.coalmine, self.upstream, self.collector = coalmine, upstream, collector

    def ask(self, method: str, target: str, *headers: str) -> tuple[int, Taken]:
        """The status, and the server's span, once it was taken."""
        known = len(self.collector.servers())
        status = ask_proxy(self.coalmine, method, target, *headers)
        wait_until(lambda: len(self.collector.servers()) > known, "the span of the request is taken")
        return status, self.collector.servers()[-1]


def ask_proxy(coalmine: Coalmine, method: str, target: str, *headers: str) -> int:
    where = urlsplit(coalmine.proxy)
    with RawClient((str(where.hostname), int(where.port or 0))) as client:
        return client.ask(request(method, target, *headers, host="shop.test")).status


def answer_busy_first(peer: Peer, seen: Seen) -> None:
    status = "503 Busy" if seen.target.startswith("/busy") and "resent" not in seen.target else "200 OK"
    peer.send(ok(b"ok", status=status))


def configure(coalmine: Coalmine, upstream: RawUpstream) -> None:
    def route(name: str, path: dict[str, str], **more: Any) -> dict[str, Any]:
        return {"name": name, "virtual_service": "main", "match": {"path": path},
                "destinations": [{"upstream": "up"}], **more}  # fmt: skip

    config = {
        "upstreams": [
            {"name": "up", "endpoints": [upstream.origin]},
            {"name": "nobody", "endpoints": [f"http://127.0.0.1:{free_port()}"]},
        ],
        "virtual_services": [{"name": "main"}],
        "routes": [
            route("pet", {"template": "/pets/{id}"}),
            route("busy", {"prefix": "/busy"}, retries={"attempts": 1, "on": ["5xx"]}),
            route("nobody", {"exact": "/nobody"}, destinations=[{"upstream": "nobody"}]),
        ],
    }
    assert coalmine.api("config", method="PUT", body=config).status == 200


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Collector() as collector, RawUpstream(answer_busy_first) as upstream:
        environ = {**ENVIRON, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        folder = tmp_path_factory.mktemp("traces")
        with run_coalmine(folder, arguments=["--traces", "--no-discovery"], environ=environ) as coalmine:
            configure(coalmine, upstream)
            yield Site(coalmine, upstream, collector)


def test_a_request_has_a_span_and_a_call_that_the_upstream_belongs_to(site: Site) -> None:
    parent = [f"traceparent: 00-{TRACE}-{SPAN}-01", "tracestate: a=1", "User-Agent: test"]
    status, server = site.ask("GET", "/pets/7?key=secret", *parent)
    (call,) = site.collector.calls_of(server)
    assert (status, server.name, call.name) == (200, "GET /pets/{id}", "GET")
    assert (server.trace_id, server.parent_id, call.trace_id) == (TRACE, SPAN, TRACE)
    seen = site.upstream.seen[-1]
    assert seen.values("traceparent") == [f"00-{TRACE}-{call.span_id}-01"]
    assert seen.values("tracestate") == ["a=1"]
    assert server.attributes == {
        "http.request.method": "GET", "http.route": "/pets/{id}", "http.response.status_code": 200,
        "http.request.body.size": 0, "http.response.body.size": 2, "url.scheme": "http", "url.path": "/pets/7",
        "url.query": "key=*", "server.address": "shop.test", "client.address": "127.0.0.1",
        "network.protocol.version": "1.1", "user_agent.original": "test", "coalmine.virtual_service": "main",
        "coalmine.route": "pet", "coalmine.upstream": "up",
    }  # fmt: skip
    assert call.attributes["http.response.status_code"] == 200
    assert call.attributes["server.port"] == site.upstream.port
    assert "secret" not in str(call.attributes)
    assert not server.failed and not call.failed
    begun, ended = server.span.start_time_unix_nano, server.span.end_time_unix_nano
    assert begun <= call.span.start_time_unix_nano <= call.span.end_time_unix_nano <= ended
    assert abs(ended / 1e9 - time.time()) < 60
    assert server.resource["service.name"] == "coalmine"
    assert server.resource["deployment.environment.name"] == "test"
    assert set(site.collector.paths) == {"/v1/traces"}


def test_a_request_without_a_trace_begins_one(site: Site) -> None:
    _, server = site.ask("GET", "/pets/8")
    (call,) = site.collector.calls_of(server)
    assert (server.parent_id, len(server.trace_id)) == ("", 32)
    assert site.upstream.seen[-1].values("traceparent") == [f"00-{server.trace_id}-{call.span_id}-01"]


def test_a_malformed_parent_begins_a_new_trace_without_its_state(site: Site) -> None:
    _, server = site.ask("GET", "/pets/9", f"traceparent: 00-{TRACE}-{SPAN}", "tracestate: a=1")
    assert server.trace_id != TRACE and server.parent_id == ""
    assert site.upstream.seen[-1].values("tracestate") == []


def test_each_try_is_a_call(site: Site) -> None:
    status, server = site.ask("GET", "/busy")
    first, second = site.collector.calls_of(server)
    assert (status, server.failed, server.attributes["error.type"]) == (503, True, "503")
    assert [one.attributes["http.response.status_code"] for one in (first, second)] == [503, 503]
    assert "http.request.resend_count" not in first.attributes
    assert second.attributes["http.request.resend_count"] == 1
    assert first.failed and second.failed
    told = [seen.values("traceparent")[0].split("-")[2] for seen in site.upstream.seen[-2:]]
    assert told == [first.span_id, second.span_id]


def test_an_endpoint_that_cannot_be_reached_is_a_call_that_failed(site: Site) -> None:
    status, server = site.ask("GET", "/nobody")
    (call,) = site.collector.calls_of(server)
    assert (status, server.attributes["coalmine.problem"]) == (502, "upstream_unreachable")
    assert (call.failed, call.attributes["error.type"]) == (True, "connect-failure")


def test_what_no_route_takes_has_a_span_and_no_call(site: Site) -> None:
    status, server = site.ask("BREW", "/elsewhere")
    assert (status, server.name, server.attributes["http.request.method"]) == (404, "HTTP", "_OTHER")
    assert server.attributes["http.request.method_original"] == "BREW"
    assert "http.route" not in server.attributes and not server.failed
    assert site.collector.calls_of(server) == []


def test_a_parent_that_is_not_sampled_has_no_span_and_those_behind_are_told(site: Site) -> None:
    before = len(site.collector.spans)
    assert ask_proxy(site.coalmine, "GET", "/pets/1", f"traceparent: 00-{TRACE}-{SPAN}-00") == 200
    (told,) = site.upstream.seen[-1].values("traceparent")
    assert told.startswith(f"00-{TRACE}-") and told.endswith("-00") and SPAN not in told
    _, server = site.ask("GET", "/pets/2")  # later, and taken already
    assert len(site.collector.spans) - before <= 2
    assert server.attributes["url.path"] == "/pets/2"


def counter(coalmine: Coalmine, name: str) -> float:
    body = ask(f"{coalmine.admin}/metrics").body.decode()
    return float(next(line.split()[1] for line in body.splitlines() if line.startswith(f"{name} ")))


def test_a_collector_that_is_down_costs_spans_and_no_request(tmp_path: Path) -> None:
    environ = {
        **ENVIRON, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "OTEL_BSP_MAX_QUEUE_SIZE": "8",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }  # fmt: skip
    with (
        RawUpstream(answer_busy_first) as upstream,
        run_coalmine(tmp_path, arguments=["--traces", "--no-discovery"], environ=environ) as coalmine,
    ):
        configure(coalmine, upstream)
        for number in range(40):
            assert ask_proxy(coalmine, "GET", f"/pets/{number}") == 200
        wait_until(lambda: counter(coalmine, "coalmine_spans_dropped_total") > 0, "spans are dropped")
        wait_until(lambda: counter(coalmine, "coalmine_spans_undelivered_total") > 0, "some were tried to be sent")
        assert counter(coalmine, "coalmine_spans_exported_total") == 0


def test_a_share_of_the_traces_is_sampled(tmp_path: Path) -> None:
    with Collector() as collector, RawUpstream(answer_busy_first) as upstream:
        environ = {**ENVIRON, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "edge"}
        environ |= {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
        with run_coalmine(tmp_path, arguments=["--traces", "--no-discovery"], environ=environ) as coalmine:
            configure(coalmine, upstream)
            for number in range(100):
                assert ask_proxy(coalmine, "GET", f"/pets/{number}") == 200
            told = [seen.values("traceparent")[0][-2:] for seen in upstream.seen]
            wait_until(lambda: len(collector.servers()) == told.count("01"), "those that were sampled are taken")
        assert 20 < told.count("01") < 80
        assert collector.servers()[0].resource["service.name"] == "edge"


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_NEEDED", ("opentelemetry.sdk", "opentelemetry.no_such_thing.at_all"))
    traces.check_traces(Settings())
    with pytest.raises(StartupError) as caught:
        traces.check_traces(Settings(traces=True))
    assert "pip install 'coalmine[otel]'" in str(caught.value.hint)


def test_a_worker_without_traces_knows_nothing_of_them() -> None:
    code = "import sys, coalmine.serve.worker; print([name for name in sys.modules if 'opentelemetry' in name])"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"
