"""The worker against real services and a real catalog."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from coalmine.catalog import Catalog
from coalmine.errors import CatalogError, NotFoundError
from coalmine.model import Discovery, Function, Upstream
from discovery import worker
from discovery.options import ProbeOptions
from discovery.worker import DiscoveryWorker
from tests.discovery.services import petstore, reply, serving, with_etag

INTERVAL = 1.0


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(f"sqlite:///{tmp_path / 'coalmine.db'}")
    catalog.migrate()
    yield catalog
    catalog.close()


class Bench:
    """A worker, its catalog, and how often it published."""

    def __init__(self, catalog: Catalog, **options: Any) -> None:
        self.catalog = catalog
        self.published = 0
        self.worker = DiscoveryWorker(catalog, changed=self._publish, options=ProbeOptions(**options))

    def _publish(self) -> None:
        self.published += 1

    def add(self, name: str, *endpoints: str, **discovery: Any) -> None:
        given = Discovery(**{"interval_seconds": INTERVAL, **discovery})
        with self.catalog.write() as writer:
            writer.put_upstream(Upstream(name=name, endpoints=endpoints, discovery=given))

    def functions(self, name: str = "pets") -> dict[str, Function]:
        with self.catalog.read() as reader:
            return {function.name: function for function in reader.functions_of(name)}

    def states(self, name: str = "pets") -> dict[str, str]:
        return {key: function.state for key, function in self.functions(name).items()}

    def report(self, name: str = "pets") -> Any:
        with self.catalog.read() as reader:
            return reader.find_report(name)

    async def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> float:
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < seconds, "it did not happen in time"
            await asyncio.sleep(0.02)
        return time.monotonic() - started

    @asynccontextmanager
    async def running(self) -> Any:
        task = asyncio.create_task(self.worker.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def run(bench: Bench, scene: Callable[[], Awaitable[None]]) -> None:
    async def play() -> None:
        try:
            await scene()
        finally:
            await bench.worker.close()

    asyncio.run(play())


def test_a_new_upstream_is_probed_at_once_and_its_functions_are_published(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({"/swagger.json": petstore()}) as service:

        async def scene() -> None:
            async with bench.running():
                await asyncio.sleep(0.1)
                bench.add("pets", service.origin)
                bench.worker.wake()
                await bench.until(lambda: len(bench.functions()) == 3, 20.0)  # unasked it would look after 30 s
                await bench.until(lambda: bench.published == 1)

        run(bench, scene)
    assert bench.functions()["findPetById"].path == "/api/pets/{id}"
    assert bench.report().state == "discovered"
    assert [attempt.outcome for attempt in bench.report().attempts] == ["not_found", "taken"]


def test_a_changed_document_is_noticed_within_one_interval(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({"/swagger.json": petstore()}) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            async with bench.running():
                await bench.until(lambda: len(bench.functions()) == 3)
                service.pages["/swagger.json"] = petstore("feedPet")
                took = await bench.until(lambda: "feedPet" in bench.functions())
                assert took < INTERVAL + 0.3

        run(bench, scene)


def test_a_function_that_disappears_is_removed_and_returns_under_its_name(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({"/swagger.json": petstore("feedPet")}) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            await bench.worker.probe_now("pets")
            first_seen = bench.functions()["feedPet"].first_seen
            service.pages["/swagger.json"] = petstore()
            assert (await bench.worker.probe_now("pets")).functions == 3
            assert bench.states()["feedPet"] == "removed"
            service.pages["/swagger.json"] = petstore("feedPet")
            await bench.worker.probe_now("pets")
            assert bench.states()["feedPet"] == "active"
            assert bench.functions()["feedPet"].first_seen == first_seen
            assert bench.published == 3

        run(bench, scene)


def test_the_last_good_functions_stay_while_the_service_is_down(catalog: Catalog) -> None:
    bench = Bench(catalog)

    async def scene() -> None:
        with serving({"/swagger.json": petstore()}) as service:
            port = service.server.server_address[1]
            bench.add("pets", service.origin)
            await bench.worker.probe_now("pets")
        down = await bench.worker.probe_now("pets")
        assert (down.state, down.functions) == ("stale", 3)
        assert [attempt.outcome for attempt in down.attempts] == ["unreachable"]
        assert set(bench.states().values()) == {"active"}
        with serving({"/swagger.json": petstore()}, port):
            assert (await bench.worker.probe_now("pets")).state == "discovered"
        assert bench.report().state == "discovered"
        assert bench.published == 1

    run(bench, scene)


def test_unchanged_bytes_cost_one_conditional_request_and_nothing_else(catalog: Catalog) -> None:
    bench = Bench(catalog)
    page = with_etag(json.dumps(petstore()).encode(), '"one"')
    with serving({"/swagger.json": page}) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            await bench.worker.probe_now("pets")
            stored = bench.report()
            service.asked.clear()
            again = await bench.worker.probe_now("pets")
            assert service.paths == ["/swagger.json"]
            assert service.asked[0][1]["If-None-Match"] == '"one"'
            assert [attempt.status for attempt in again.attempts] == [304]
            assert again.seconds == round(again.seconds, 3)
            assert bench.report() == stored
            assert bench.published == 1

        run(bench, scene)


def test_a_restart_reads_again_what_it_knows_without_a_search_and_publishes_nothing(catalog: Catalog) -> None:
    first, second = Bench(catalog), Bench(catalog)
    page = with_etag(json.dumps(petstore()).encode(), '"one"')
    with serving({"/swagger.json": page}) as service:
        first.add("pets", service.origin)

        async def before() -> None:
            await first.worker.probe_now("pets")

        async def after() -> None:
            service.asked.clear()
            assert (await second.worker.probe_now("pets")).state == "discovered"
            assert service.paths == ["/swagger.json"]
            assert second.published == 0

        run(first, before)
        run(second, after)


def test_a_moved_document_is_searched_for(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({"/swagger.json": petstore()}) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            await bench.worker.probe_now("pets")
            service.pages["/v3/api-docs"] = service.pages.pop("/swagger.json")
            moved = await bench.worker.probe_now("pets")
            assert moved.document_url == service.origin + "/v3/api-docs"
            assert moved.attempts[0].outcome == "not_found"
            assert set(bench.states().values()) == {"active"}

        run(bench, scene)


def test_a_document_url_is_the_only_one_that_is_asked(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving(
        {"/swagger.json": petstore(), "/hidden/api.yaml": b"openapi: 3.0.0\npaths: {/a: {get: {}}}"}
    ) as service:
        bench.add("pets", service.origin, document_url="/hidden/api.yaml")

        async def scene() -> None:
            report = await bench.worker.probe_now("pets")
            assert (report.state, service.paths) == ("discovered", ["/hidden/api.yaml"])
            assert list(bench.functions()) == ["get.a"]

        run(bench, scene)


def test_an_upstream_that_is_switched_off_is_not_asked(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({"/swagger.json": petstore()}) as service:
        bench.add("pets", service.origin, enabled=False)

        async def scene() -> None:
            async with bench.running():
                await asyncio.sleep(0.2)
                assert (await bench.worker.probe_now("pets")).state == "disabled"

        run(bench, scene)
        assert service.asked == []


def test_an_unknown_upstream_cannot_be_probed(catalog: Catalog) -> None:
    bench = Bench(catalog)

    async def scene() -> None:
        with pytest.raises(NotFoundError):
            await bench.worker.probe_now("pets")

    run(bench, scene)


def test_a_service_without_a_document_tells_what_was_tried(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({}) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            report = await bench.worker.probe_now("pets")
            assert report.state == "not_found"
            assert len(report.attempts) == len(set(service.paths)) > 30
            assert {attempt.outcome for attempt in report.attempts} == {"not_found"}
            assert all(attempt.reason for attempt in report.attempts)

        run(bench, scene)


def test_a_valid_document_without_paths_is_empty_and_no_error(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({"/openapi.json": {"openapi": "3.1.0", "info": {}, "webhooks": {"new": {"post": {}}}}}) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            assert (await bench.worker.probe_now("pets")).state == "empty"
            assert bench.functions() == {}

        run(bench, scene)


def test_one_slow_service_does_not_hold_up_the_others(catalog: Catalog) -> None:
    bench = Bench(catalog, timeout_seconds=1.0, max_at_once=2, max_per_host=8)

    def never(handler: Any) -> None:
        time.sleep(1.5)

    with serving({"/openapi.json": never}) as slow, serving({"/openapi.json": petstore()}) as fast:
        bench.add("a-slow", slow.origin)
        for number in range(5):
            bench.add(f"fast-{number}", fast.origin)

        async def scene() -> None:
            async with bench.running():
                names = [f"fast-{number}" for number in range(5)]
                assert await bench.until(lambda: all(bench.functions(name) for name in names), 20.0)

        run(bench, scene)


def test_a_removed_upstream_is_forgotten(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({"/swagger.json": petstore()}) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            async with bench.running():
                await bench.until(lambda: len(bench.functions()) == 3)
                with catalog.write() as writer:
                    writer.delete_upstream("pets")
                bench.worker.wake()
                await asyncio.sleep(0.2)
                service.asked.clear()
                await asyncio.sleep(INTERVAL + 0.2)
                assert service.asked == []

        run(bench, scene)


def test_the_other_endpoint_is_asked_when_the_first_is_down(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({}) as dead:
        gone = dead.origin
    with serving({"/swagger.json": petstore()}) as service:
        bench.add("pets", gone, service.origin)

        async def scene() -> None:
            report = await bench.worker.probe_now("pets")
            assert report.state == "discovered"
            assert report.document_url == gone + "/swagger.json", "one document has one URL, whoever answers"
            again = await bench.worker.probe_now("pets")
            assert [attempt.outcome for attempt in again.attempts] == ["unreachable", "unchanged"]

        run(bench, scene)


def test_a_failing_catalog_does_not_end_the_loop(catalog: Catalog) -> None:
    class Moody:
        def __init__(self) -> None:
            self.broken = True

        def __getattr__(self, name: str) -> Any:
            if self.broken:
                raise RuntimeError("the disk is on fire")
            return getattr(catalog, name)

    bench = Bench(catalog)
    moody = Moody()
    worker = DiscoveryWorker(moody, changed=lambda: None)  # type: ignore[arg-type]
    bench.worker = worker
    with serving({"/swagger.json": petstore()}) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            async with bench.running():
                await asyncio.sleep(0.1)
                moody.broken = False
                worker.wake()
                await bench.until(lambda: len(bench.functions()) == 3)

        run(bench, scene)


GROUPS = {
    "configUrl": "/v3/api-docs/swagger-config",
    "urls": [{"url": "/v3/api-docs/a", "name": "a"}, {"url": "/v3/api-docs/b"}],
}


def _grouped() -> dict[str, Any]:
    return {
        "/v3/api-docs/swagger-config": GROUPS,
        "/v3/api-docs/a": petstore(base="/a"),
        "/v3/api-docs/b": petstore(base="/b"),
    }


def test_grouped_documents_are_merged_and_each_function_remembers_its_own(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving(_grouped()) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            report = await bench.worker.probe_now("pets")
            assert report.functions == 6
            urls = {function.path: function.document_url for function in bench.functions().values()}
            assert urls["/a/pets"] == service.origin + "/v3/api-docs/a"
            assert urls["/b/pets"] == service.origin + "/v3/api-docs/b"
            service.asked.clear()
            assert (await bench.worker.probe_now("pets")).functions == 6
            assert service.paths == ["/v3/api-docs/swagger-config", "/v3/api-docs/a", "/v3/api-docs/b"]

        run(bench, scene)


def test_nothing_is_removed_while_one_of_several_documents_fails(catalog: Catalog) -> None:
    first, second = Bench(catalog), Bench(catalog)
    with serving(_grouped()) as service:
        first.add("pets", service.origin)

        async def before() -> None:
            await first.worker.probe_now("pets")

        async def after() -> None:
            service.pages["/v3/api-docs/b"] = reply(500)
            await second.worker.probe_now("pets")
            assert len(second.functions()) == 6
            assert set(second.states().values()) == {"active"}
            service.pages["/v3/api-docs/b"] = petstore("more", base="/b")
            await second.worker.probe_now("pets")
            assert len(second.functions()) == 7

        run(first, before)
        run(second, after)


def test_a_namesake_that_comes_later_does_not_take_the_name(catalog: Catalog) -> None:
    bench = Bench(catalog)
    with serving({"/openapi.json": {"openapi": "3.0.0", "paths": {"/z": {"get": {"operationId": "same"}}}}}) as service:
        bench.add("pets", service.origin)

        async def scene() -> None:
            await bench.worker.probe_now("pets")
            both = {"/a": {"get": {"operationId": "same"}}, "/z": {"get": {"operationId": "same"}}}
            service.pages["/openapi.json"] = {"openapi": "3.0.0", "paths": both}
            report = await bench.worker.probe_now("pets")
            assert {name: each.path for name, each in bench.functions().items()} == {"same": "/z", "get.a": "/a"}
            assert [each.where for each in report.problems if each.code == "function_renamed"] == [
                "functions/pets/get.a"
            ]

        run(bench, scene)


def test_a_document_that_is_given_is_taken_and_the_service_is_not_asked(catalog: Catalog) -> None:
    bench = Bench(catalog)
    text = "swagger: 2.0\nbasePath: /api\npaths: {/pets: {get: {operationId: findPets}}}\n"
    with serving({"/swagger.json": petstore()}) as service:
        bench.add("pets", service.origin, document=text)

        async def scene() -> None:
            assert (await bench.worker.probe_now("pets")).state == "discovered"
            assert {name: each.path for name, each in bench.functions().items()} == {"findPets": "/api/pets"}
            again = await bench.worker.probe_now("pets")
            assert [attempt.outcome for attempt in again.attempts] == ["unchanged"]
            assert (service.asked, bench.published) == ([], 1)
            bench.add("pets", service.origin, document="nonsense")
            wrong = await bench.worker.probe_now("pets")
            assert (wrong.state, wrong.attempts[0].outcome) == ("stale", "not_a_document")

        run(bench, scene)


def test_known_upstreams_are_asked_again_one_after_the_other_after_a_start_and_new_ones_at_once(
    catalog: Catalog,
) -> None:
    with serving({"/swagger.json": petstore()}) as service:
        first = Bench(catalog)
        for number in range(20):
            first.add(f"pets-{number}", service.origin, interval_seconds=2.0)

        async def learn() -> None:
            async with first.running():
                await first.until(lambda: len(catalog_unread(catalog)) == 0)

        run(first, learn)
        service.asked.clear()
        second = Bench(catalog)
        second.add("new", service.origin)

        async def start() -> None:
            async with second.running():
                await second.until(lambda: second.report("new") is not None)
                assert service.paths.count("/swagger.json") <= 10
                await second.until(lambda: service.paths.count("/swagger.json") >= 21)

        run(second, start)


def catalog_unread(catalog: Catalog) -> frozenset[str]:
    with catalog.read() as reader:
        return reader.unread()


def test_groups_that_come_later_are_noticed_when_the_single_document_changes(catalog: Catalog) -> None:
    bench = Bench(catalog)

    async def scene() -> None:
        with serving({"/v3/api-docs": petstore()}) as service:
            bench.add("pets", service.origin)
            await bench.worker.probe_now("pets")
            service.pages["/v3/api-docs"] = petstore("more")
            await bench.worker.probe_now("pets")
            assert len(bench.functions()) == 4
            service.pages |= {
                "/v3/api-docs": petstore("even", "more"),
                "/v3/api-docs/swagger-config": {"urls": [{"url": "/v3/api-docs/one"}, {"url": "/v3/api-docs/two"}]},
                "/v3/api-docs/one": petstore("more"),
                "/v3/api-docs/two": petstore("other"),
            }
            await bench.worker.probe_now("pets")
            assert sorted(bench.states()) == ["addPet", "findPetById", "findPets", "more", "other"]
            with catalog.read() as reader:
                found = [one.url.removeprefix(service.origin) for one in reader.documents_of("pets")]
            assert found == ["/v3/api-docs/one", "/v3/api-docs/two"]

    run(bench, scene)


ENABLED, DISABLED = {"coalmine.discovery": "enabled"}, {"coalmine.discovery": "disabled"}
OTHER = {"coalmine.discovery": "what?"}
# mode, labels, discovery.enabled -> whether it is probed
MODES: list[tuple[str, dict[str, str], bool | None, bool]] = [
    ("deny", {}, None, True),
    ("deny", OTHER, None, True),
    ("deny", DISABLED, None, False),
    ("deny", DISABLED, True, True),
    ("deny", {}, False, False),
    ("allow", {}, None, False),
    ("allow", OTHER, None, False),
    ("allow", ENABLED, None, True),
    ("allow", ENABLED, False, False),
    ("allow", {}, True, True),
]


@pytest.mark.parametrize(("mode", "labels", "enabled", "probed"), MODES)
def test_labels_decide_where_the_definition_does_not(
    catalog: Catalog, mode: str, labels: dict[str, str], enabled: bool | None, probed: bool
) -> None:
    bench = Bench(catalog, mode=mode)

    async def scene() -> None:
        with serving({"/swagger.json": petstore()}) as service:
            given = Discovery(enabled=enabled)
            upstream = Upstream(name="pets", endpoints=(service.origin,), labels=labels, discovery=given)
            with catalog.write() as writer:
                writer.put_upstream(upstream)
            async with bench.running():
                await bench.until(lambda: bench.report() is not None)
            assert bool(service.asked) == probed
            assert bench.report().state == ("discovered" if probed else "disabled")
            if not probed:
                assert ("label" in bench.report().detail) == (enabled is None)

    run(bench, scene)


def test_a_given_document_is_read_whatever_the_labels_say(catalog: Catalog) -> None:
    bench = Bench(catalog, mode="allow")

    async def scene() -> None:
        bench.add("pets", "http://127.0.0.1:1", document=json.dumps(petstore()))
        assert (await bench.worker.probe_now("pets")).state == "discovered"

    run(bench, scene)


def test_functions_stay_while_discovery_is_off_and_are_looked_for_when_it_is_on_again(catalog: Catalog) -> None:
    bench = Bench(catalog)

    async def scene() -> None:
        with serving({"/swagger.json": petstore()}) as service:
            bench.add("pets", service.origin)
            async with bench.running():
                await bench.until(lambda: bench.report() is not None)
                for enabled, state in ((False, "disabled"), (None, "discovered")):
                    bench.add("pets", service.origin, enabled=enabled)
                    bench.worker.wake()
                    await bench.until(lambda state=state: bench.report().state == state)  # type: ignore[misc]
                    assert (bench.report().functions, len(bench.functions())) == (3, 3)

    run(bench, scene)


def test_a_report_that_cannot_be_written_is_written_later(
    catalog: Catalog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(catalog)
    real, failed = worker.save_disabled, []

    def fail_once(*given: Any) -> Any:
        if not failed:
            failed.append(True)
            raise CatalogError("the disk is full")
        return real(*given)

    monkeypatch.setattr(worker, "save_disabled", fail_once)

    async def scene() -> None:
        bench.add("pets", "http://127.0.0.1:1", enabled=False)
        async with bench.running():
            await bench.until(lambda: bool(failed))
            bench.worker.wake()
            await bench.until(lambda: bench.report() is not None)

    run(bench, scene)
    assert "it is tried again" in caplog.text


def test_each_content_of_a_document_is_kept_as_it_was_read_and_as_it_came(catalog: Catalog) -> None:
    bench = Bench(catalog)

    async def scene() -> None:
        first, second = json.dumps(petstore()).encode(), json.dumps(petstore("new")).encode()
        with serving({"/swagger.json": first}) as service:
            bench.add("pets", service.origin)
            await bench.worker.probe_now("pets")
            await bench.worker.probe_now("pets")
            service.pages["/swagger.json"] = second
            await bench.worker.probe_now("pets")
            del service.pages["/swagger.json"]
            await bench.worker.probe_now("pets")
        with catalog.read() as reader:
            revisions = reader.document_revisions
            assert revisions.numbers("pets") == [1, 2]
            assert [one.function_count for one in revisions.page("pets").items] == [4, 3]
            assert list((revisions.find_texts("pets", 1) or {}).values()) == [first]
            assert {one.name for one in revisions.get_content("pets", 2).functions} >= {"new", "findPets"}

    run(bench, scene)
