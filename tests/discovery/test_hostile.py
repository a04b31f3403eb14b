"""Every hostile answer is refused or read, with a reason, in bounded time; the parser survives or is replaced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coalmine.catalog import Catalog
from coalmine.model import Discovery, ProbeReport, Upstream
from discovery.options import ProbeOptions
from discovery.worker import DiscoveryWorker
from tests.discovery.hostile import DOCUMENT, MEGABYTE, READ, REFUSED, Read, Refused
from tests.discovery.services import petstore, serving

TIMEOUT = 1.0
OPTIONS = ProbeOptions(timeout_seconds=TIMEOUT, max_bytes=2 * MEGABYTE)


class Bench:
    """One worker for all rows, as in life: what one document does to it, the next one would feel."""

    def __init__(self, path: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.catalog = Catalog(f"sqlite:///{path / 'coalmine.db'}")
        self.catalog.migrate()
        self.worker = DiscoveryWorker(self.catalog, changed=lambda: None, options=OPTIONS)

    def probe(self, origin: str) -> ProbeReport:
        with self.catalog.write() as writer:
            writer.delete_upstream("hostile")
            given = Discovery(document_url=DOCUMENT, interval_seconds=60)
            writer.put_upstream(Upstream(name="hostile", endpoints=(origin,), discovery=given))
        return self.loop.run_until_complete(self.worker.probe_now("hostile"))

    def close(self) -> None:
        self.loop.run_until_complete(self.worker.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.catalog.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("hostile"))
    yield bench
    bench.close()


@pytest.mark.parametrize("row", REFUSED, ids=[row.sentence for row in REFUSED])
def test_is_refused_with_a_reason(bench: Bench, row: Refused) -> None:
    with serving({DOCUMENT: row.page}) as service:
        started = time.monotonic()
        report = bench.probe(service.origin)
        took = time.monotonic() - started
    assert [attempt.outcome for attempt in report.attempts] == [row.outcome], report.attempts
    assert row.detail in report.attempts[0].detail
    assert report.attempts[0].detail and len(report.detail) < 1000
    assert report.functions == 0
    assert took < TIMEOUT + 30, "the parsing process is ended by the wall clock at the latest"
    if row.outcome not in ("too_complex",):
        assert took < TIMEOUT + 10


@pytest.mark.parametrize("row", READ, ids=[row.sentence for row in READ])
def test_is_read_and_stays_harmless(bench: Bench, row: Read) -> None:
    with serving({DOCUMENT: row.page, "/real.json": petstore()}) as service:
        report = bench.probe(service.origin)
        with bench.catalog.read() as reader:
            names = {function.name for function in reader.functions_of("hostile")}
    assert report.state == "discovered", report.detail
    assert names == row.functions if isinstance(row.functions, set) else len(names) == row.functions
    assert all(len(name) <= 200 and name.isprintable() for name in names)
    codes = {problem.code for problem in report.problems}
    assert row.problem in codes if row.problem else codes <= {"document_invalid"}
    assert len(report.problems) <= 301


def test_the_next_document_is_read_as_if_nothing_had_been(bench: Bench) -> None:
    with serving({DOCUMENT: petstore()}) as service:
        assert bench.probe(service.origin).functions == 3


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[fe80::1]", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]",
     "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "100.100.100.200", "[fd00:ec2::254]", "224.0.0.1"],
)  # fmt: skip
def test_metadata_services_are_refused_in_every_spelling(bench: Bench, host: str) -> None:
    report = bench.probe(f"http://{host}")
    assert [attempt.outcome for attempt in report.attempts] == ["address_refused"]
    assert report.state == "unreachable"
