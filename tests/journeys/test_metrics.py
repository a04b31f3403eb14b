"""What /metrics says is what clients saw: real workers, real traffic of every kind, exact equality."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.proxy.support.client import RawClient, request
from tests.proxy.support.upstream import Peer, RawUpstream, Seen, free_port, ok
from tests.support.processes import Coalmine, ask, run_coalmine, wait_until

Samples = dict[tuple[str, ...], float]


def scrape(coalmine: Coalmine) -> Samples:
    """Values by name and the values of labels in the order of their names; histograms without their buckets."""
    found: Samples = {}
    for family in text_string_to_metric_families(ask(f"{coalmine.admin}/metrics").body.decode()):
        for sample in family.samples:
            if "le" not in sample.labels:
                found[sample.name, *(sample.labels[label] for label in sorted(sample.labels))] = sample.value
    return found


def grown(before: Samples, after: Samples) -> Samples:
    """What has changed, among what only grows."""
    kept = {name: value - before.get(name, 0) for name, value in after.items()}
    return {name: value for name, value in kept.items() if value and name[0].endswith(("_total", "_count"))}


def script(peer: Peer, seen: Seen) -> None:
    """By path: an error, no answer at all, or ``ok``."""
    if seen.target.startswith("/broken"):
        peer.reset()
    if seen.target.startswith("/slow"):
        peer.receive()
    status = "500 Oops" if seen.target.startswith("/oops") else "503 Busy" if "busy" in seen.target else "200 OK"
    peer.send(ok(b"ok", status=status))


def route(name: str, upstream: str = "up", **more: Any) -> dict[str, Any]:
    made = {"name": name, "virtual_service": "main", "match": {"path": {"prefix": f"/{name}"}}}
    forwards = not {"direct_response", "redirect"} & more.keys()
    return {**made, **({"destinations": [{"upstream": upstream}]} if forwards else {}), **more}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Coalmine, RawUpstream]]:
    with (
        RawUpstream(script) as upstream,
        run_coalmine(tmp_path_factory.mktemp("metrics"), workers=2, arguments=["--no-discovery"]) as coalmine,
    ):
        config = {
            "upstreams": [
                {"name": "up", "endpoints": [upstream.origin]},
                {"name": "nobody", "endpoints": [f"http://127.0.0.1:{free_port()}"]},
            ],
            "virtual_services": [{"name": "main"}],
            "routes": [
                route("plain"),
                route("oops"),
                route("slow", timeout_seconds=30),
                route("late", timeout_seconds=0.2, rewrite={"prefix": "/slow"}),
                route("broken"),
                route("busy", retries={"attempts": 2, "on": ["5xx"]}),
                route("copied", mirror={"upstream": "up", "percent": 100}),
                route("nobody", upstream="nobody"),
                route("said", direct_response={"status": 418, "body": "short and stout"}),
                route("moved", redirect={"path": "/plain"}),
            ],
        }
        assert coalmine.api("config", method="PUT", body=config).status == 200
        yield coalmine, upstream


class Clients:
    """Asks, and keeps count of what came back."""

    def __init__(self, coalmine: Coalmine) -> None:
        where = urlsplit(coalmine.proxy)
        self.address = (str(where.hostname), int(where.port or 0))
        self.codes: Counter[tuple[str, str]] = Counter()
        self.content = 0

    def ask(self, name: str, count: int, *, route: str | None = None, body: bytes = b"") -> None:
        for _ in range(count):
            with RawClient(self.address) as client:
                answer = client.ask(request("POST" if body else "GET", f"/{name}", body=body))
            assert answer.complete
            self.codes[name if route is None else route, str(answer.status)] += 1
            self.content += len(answer.body)

    def abort(self, upstream: RawUpstream, name: str, count: int) -> None:
        """Leave while the upstream has not answered."""
        for _ in range(count):
            asked = len(upstream.seen)
            with RawClient(self.address) as client:
                client.send(request("GET", f"/{name}"))
                upstream.wait(asked + 1)
                client.reset()
            self.codes[name, "499"] += 1

    def send_nonsense(self, count: int) -> None:
        for _ in range(count):
            with RawClient(self.address) as client:
                assert client.ask(b"NONSENSE\r\n\r\n").status == 400
            self.codes["", "400"] += 1


def test_every_request_is_counted_once_under_the_code_that_its_client_got(
    site: tuple[Coalmine, RawUpstream],
) -> None:
    coalmine, upstream = site
    before = scrape(coalmine)
    clients = Clients(coalmine)
    clients.ask("plain", 20)
    clients.ask("plain", 3, body=b"x" * 1000)
    clients.ask("copied", 5)
    clients.ask("oops", 4)
    clients.ask("busy", 2)
    clients.ask("broken", 3)
    clients.ask("late", 2)
    clients.ask("nobody", 2)
    clients.ask("said", 3)
    clients.ask("moved", 2)
    clients.ask("elsewhere", 6, route="")
    clients.send_nonsense(4)
    clients.abort(upstream, "slow", 3)
    wait_until(lambda: clients.codes == seen(grown(before, scrape(coalmine))), "all that was asked is counted")
    found = grown(before, scrape(coalmine))
    assert seen(found) == clients.codes
    sums = {name[0]: sum(found[one] for one in found if one[0] == name[0]) for name in found}
    total = sum(clients.codes.values())
    assert sums["coalmine_requests_total"] == sums["coalmine_request_duration_seconds_count"] == total
    assert sums["coalmine_upstream_duration_seconds_count"] == 20 + 3 + 5 + 4 + 2
    assert sums["coalmine_request_bytes_total"] == 3000
    nonsense = 4 * len(RawAnswer(clients.address).body)
    assert sums["coalmine_response_bytes_total"] == clients.content + nonsense
    assert sums["coalmine_retries_total"] == 2 * 2
    assert sums["coalmine_mirrors_total"] == 5
    assert sums["coalmine_timeouts_total"] == 2
    assert sums["coalmine_connections_total"] == total
    assert sums["coalmine_bad_requests_total"] == 4
    assert found["coalmine_connect_failures_total", "refused"] == 2
    assert {name[1]: value for name, value in found.items() if name[0] == "coalmine_problem_replies_total"} == {
        "no_route": 6, "bad_request": 4, "upstream_reset": 3, "upstream_timeout": 2, "upstream_unreachable": 2,
    }  # fmt: skip


def seen(found: Samples) -> Counter[tuple[str, str]]:
    """By route and code."""
    return Counter({(name[3], name[1]): int(n) for name, n in found.items() if name[0] == "coalmine_requests_total"})


class RawAnswer:
    """The answer to what is no request."""

    def __init__(self, address: tuple[str, int]) -> None:
        with RawClient(address) as client:
            self.body = client.ask(b"NONSENSE\r\n\r\n").body


def growing(samples: Samples) -> Samples:
    """What may never go backwards while ``coalmine serve`` runs."""
    own = ("coalmine_control_cpu_seconds_total", "coalmine_discovery_probes_total")
    return {name: value for name, value in samples.items() if name[0].endswith(("_total", "_count", "_sum"))
            and name[0] not in own}  # fmt: skip


def shrunk(before: Samples, after: Samples) -> list[tuple[str, ...]]:
    return [name for name, value in growing(before).items() if after.get(name, 0) < value]


@pytest.mark.parametrize("kinds", [["worker"], ["control"], ["worker", "control", "worker"]], ids="-".join)
def test_no_counter_goes_backwards_when_processes_are_killed(
    site: tuple[Coalmine, RawUpstream], kinds: list[str]
) -> None:
    coalmine, _ = site
    clients = Clients(coalmine)
    clients.ask("plain", 10)
    before = scrape(coalmine)
    for kind in kinds:
        old = coalmine.children()[kind]
        os.kill(old[0], signal.SIGKILL)
        wait_until(lambda kind=kind, old=old: len(set(coalmine.children()[kind]) - set(old)) == 1, f"another {kind}")
        wait_until(lambda: scrape(coalmine).get(("coalmine_workers",)) == 2, "both workers are there")
    after = scrape(coalmine)
    assert shrunk(before, after) == []
    assert seen(after) == seen(before)


def test_no_counter_goes_backwards_at_a_reload(site: tuple[Coalmine, RawUpstream]) -> None:
    coalmine, _ = site
    clients = Clients(coalmine)
    clients.ask("plain", 10)
    before, old = scrape(coalmine), coalmine.children()
    coalmine.process.send_signal(signal.SIGHUP)
    renewed = lambda: all(set(coalmine.children()[kind]).isdisjoint(old[kind]) for kind in old)  # noqa: E731
    wait_until(renewed, "every process is another one", 30)
    wait_until(lambda: scrape(coalmine).get(("coalmine_workers",)) == 2, "both workers are there")
    after = scrape(coalmine)
    assert shrunk(before, after) == []
    assert seen(after) == seen(before)


def test_no_counter_goes_backwards_when_routes_are_removed_and_come_back(site: tuple[Coalmine, RawUpstream]) -> None:
    coalmine, _ = site
    clients = Clients(coalmine)
    clients.ask("said", 4)
    before = scrape(coalmine)
    definition = coalmine.api("routes/said").json
    assert coalmine.api("routes/said", method="DELETE").status == 204
    assert shrunk(before, scrape(coalmine)) == []
    kept = {key: definition[key] for key in ("name", "virtual_service", "match", "direct_response")}
    assert coalmine.api("routes", method="POST", body=kept).status == 201
    clients.ask("said", 1)
    after = scrape(coalmine)
    assert shrunk(before, after) == []
    assert seen(after)["said", "418"] == seen(before)["said", "418"] + 1


def test_workers_are_told_apart_with_what_they_serve(site: tuple[Coalmine, RawUpstream]) -> None:
    coalmine, _ = site
    found = scrape(coalmine)
    version = next(name[1] for name in found if name[0] == "coalmine_snapshot_info")
    infos = sorted(name[1:] for name in found if name[0] == "coalmine_worker_info")
    assert sorted(int(pid) for pid, _, _ in infos) == sorted(coalmine.children()["worker"])
    assert sorted(number for _, _, number in infos) == ["1", "2"]
    assert {one for _, one, _ in infos} == {version}
    for number in ("1", "2"):
        assert found["coalmine_worker_snapshot_lag_seconds", number] == 0
        assert found["coalmine_worker_resident_memory_bytes", number] > 1_000_000
        assert found["coalmine_worker_open_fds", number] > 3
        assert found["coalmine_worker_cpu_seconds_total", number] > 0
    assert found["coalmine_snapshot_age_seconds",] >= 0


def test_a_worker_counts_on_its_way_out(tmp_path: Path) -> None:
    with RawUpstream() as upstream, run_coalmine(tmp_path, arguments=["--no-discovery"]) as coalmine:
        coalmine.api("upstreams", method="POST", body={"name": "up", "endpoints": [upstream.origin]})
        coalmine.api("virtual-services", method="POST", body={"name": "main"})
        coalmine.api("routes", method="POST", body=route("plain"))
        clients = Clients(coalmine)
        clients.ask("plain", 7)
        (worker,) = coalmine.children()["worker"]
        os.kill(worker, signal.SIGTERM)
        wait_until(lambda: set(coalmine.children()["worker"]) - {worker}, "another worker")
        clients.ask("plain", 2)
        wait_until(lambda: scrape(coalmine).get(("coalmine_workers",)) == 1, "it is connected")
        assert seen(scrape(coalmine)) == clients.codes
