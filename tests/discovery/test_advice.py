"""Advice follows functions: once for each content, and nobody waits for it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coalmine.catalog import Catalog
from coalmine.model import Finding
from discovery import advice
from tests.discovery.services import petstore, serving
from tests.discovery.test_worker import Bench

BAD = {"openapi": "3.0.3", "info": {"title": "T", "version": "1"}, "paths": {"/a/{id}": {"get": {"responses": {}}}}}
ANSWER = b'{"violations": [["/paths", "told"]]}'
# A validating process that writes a line for each document that it is asked about.
TELLING = """
import sys, struct
from discovery.child import read_frame
while (frame := read_frame(sys.stdin.buffer)) is not None:
    open({log!r}, "a").write(str(len(frame)) + "\\n")
    sys.stdout.buffer.write(struct.pack(">I", len({answer!r})) + {answer!r}); sys.stdout.flush()
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(f"sqlite:///{tmp_path / 'coalmine.db'}")
    catalog.migrate()
    yield catalog
    catalog.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "_PAUSE_SECONDS", 0.0)


def play(catalog: Catalog, scene: Callable[[Bench], Any], command: str | None = None) -> None:
    async def run() -> None:
        bench = Bench(catalog)
        if command is not None:
            bench.worker._advisor._process._command = (sys.executable, "-c", command)
        try:
            await scene(bench)
        finally:
            await bench.worker.close()

    asyncio.run(run())


def findings(catalog: Catalog, name: str) -> list[tuple[Finding, ...] | None]:
    with catalog.read() as reader:
        return [one.findings for one in reader.documents_of(name)]


def test_findings_follow_the_functions_and_stay(catalog: Catalog) -> None:
    async def scene(bench: Bench) -> None:
        with serving({"/openapi.json": json.dumps(BAD).encode()}) as service:
            bench.add("pets", service.origin)
            first = await bench.worker.probe_now("pets")
            assert len(bench.functions()) == 1
            assert not any("was not resolved" in problem.detail for problem in first.problems)
            assert findings(catalog, "pets") == [None]
            await bench.worker._advisor.idle()
            problems = [one for one in bench.report().problems if "was not resolved" in one.detail]
            assert [(one.code, one.where, one.severity) for one in problems] == [
                ("document_invalid", "upstreams/pets#/paths/~1a~1{id}/get", "warning")
            ]
            assert (await bench.worker.probe_now("pets")).problems == bench.report().problems

    play(catalog, scene)


def test_each_content_is_checked_once_even_after_a_restart(catalog: Catalog, tmp_path: Path) -> None:
    log = tmp_path / "asked"
    command = TELLING.format(log=str(log), answer=ANSWER)

    async def scene(bench: Bench) -> None:
        with serving({"/openapi.json": json.dumps(BAD).encode()}) as service:
            for name in ("pets", "cats"):
                bench.add(name, service.origin)
                await bench.worker.probe_now(name)
            await bench.worker._advisor.idle()
            assert findings(catalog, "cats") == [(Finding(pointer="/paths", detail="told"),)]
            assert bench.worker._advisor._process._process is None, "it is not kept for nothing"
            service.pages["/openapi.json"] = json.dumps(petstore()).encode()
            await bench.worker.probe_now("pets")
            await bench.worker._advisor.idle()

    async def again(bench: Bench) -> None:
        with serving({"/openapi.json": json.dumps(BAD).encode()}) as service:
            bench.add("cats", service.origin)
            await bench.worker.probe_now("cats")
            await bench.worker._advisor.idle()
            assert any(one.detail == "told" for one in bench.report("cats").problems)

    play(catalog, scene, command)
    assert len(log.read_text().splitlines()) == 2
    play(catalog, again, command)
    assert len(log.read_text().splitlines()) == 2


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "print('nonsense' * 100)"])
def test_a_process_that_dies_is_told_as_a_finding(catalog: Catalog, code: str) -> None:
    async def scene(bench: Bench) -> None:
        bench.add("pets", "http://127.0.0.1:1", document=json.dumps(BAD))
        await bench.worker.probe_now("pets")
        await bench.worker._advisor.idle()
        (found,) = findings(catalog, "pets")
        assert found is not None
        assert "was given up" in found[0].detail

    play(catalog, scene, code)


def test_a_document_whose_text_is_not_kept_is_not_checked(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coalmine.catalog.document_revisions._MAX_TEXTS", 10)

    async def scene(bench: Bench) -> None:
        bench.add("pets", "http://127.0.0.1:1", document=json.dumps(BAD))
        await bench.worker.probe_now("pets")
        await bench.worker._advisor.idle()
        assert findings(catalog, "pets") == [(Finding(detail=advice.TOO_LARGE),)]

    play(catalog, scene)


def test_an_upstream_that_is_deleted_meanwhile_is_forgotten(catalog: Catalog) -> None:
    async def scene(bench: Bench) -> None:
        bench.add("pets", "http://127.0.0.1:1", document=json.dumps(BAD))
        await bench.worker.probe_now("pets")
        with catalog.write() as writer:
            writer.delete_upstream("pets")
        await bench.worker._advisor.idle()
        await bench.worker._take_findings("pets", {"x": ()})
        assert bench.report() is None

    play(catalog, scene)


def test_a_failure_costs_that_upstream_only(catalog: Catalog, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(bench: Bench) -> None:
        real = bench.worker._advisor._load
        bench.worker._advisor._load = lambda name: real(name) if name == "cats" else 1 / 0  # type: ignore[method-assign, assignment, return-value]
        for name in ("pets", "cats"):
            bench.add(name, "http://127.0.0.1:1", document=json.dumps(BAD))
            await bench.worker.probe_now(name)
        await bench.worker._advisor.idle()
        assert findings(catalog, "pets") == [None]
        assert findings(catalog, "cats") != [None]

    play(catalog, scene)
    assert "checking the documents of pets failed" in caplog.text


def test_it_waits_for_quiet_but_not_for_ever(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(advice, "_MAX_PAUSES", 4)

    async def scene(bench: Bench) -> None:
        looked: list[float] = []
        now = asyncio.get_running_loop().time
        bench.worker._advisor._load = lambda name: looked.append(now()) or {}  # type: ignore[func-returns-value, method-assign]
        started = now()
        while not looked:
            bench.worker._advisor.look_at("pets")
            await asyncio.sleep(0.01)
        assert 0.15 < looked[0] - started < 2

    play(catalog, scene)
