"""What becomes of routes when the functions that they use change or leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coalmine.catalog import Catalog
from coalmine.model import Document, Function
from coalmine.model.pin import Pin
from coalmine.routing.build import build_snapshot
from discovery.pins import Pinning, Published, keep_used
from tests.coalmine.catalog.support import document, function, route
from tests.discovery.services import Page, petstore, serving
from tests.discovery.test_worker import Bench

NOW = datetime(2026, 2, 3, tzinfo=UTC)
OWNER = {"name": "owner", "in": "query", "required": True}
LIMIT = {"name": "limit", "in": "query"}
PET = {"$ref": "#/definitions/Pet"}


def takes(*parameters: dict[str, Any], **more: Any) -> Function:
    return function("f", parameters=parameters, document_url="/openapi.json", **more)


def made_of(**components: Any) -> Document:
    return document(components={"definitions": components})


def find(
    old: Function, new: Function | None, pins: list[Pin] | None = None, *documents: Document, times: int = 1
) -> list[Pin]:
    before, after = documents or (made_of(), made_of())
    pinning = Pinning(Published([old], [before]), Published([new] if new else [], [after]), NOW)
    return pinning.find([(f"r{number}", "f") for number in range(times)], pins or [])


BODY = {"content_types": ["application/json"], "schema": PET}
LAX, STRICT = {"type": "object"}, {"type": "object", "required": ["name"]}
CASES: dict[str, tuple[Function, Function | None, bool]] = {
    "nothing changed": (takes(), takes(), False),
    "a parameter became needed": (takes(), takes(OWNER), True),
    "a parameter that can be left out": (takes(), takes(LIMIT), False),
    "it moved: the gateway finds it": (takes(), takes(path="/elsewhere", method="PUT"), False),
    "it left": (takes(), None, False),
    "it is marked as gone": (takes(), takes(OWNER, state="removed"), False),
    "it came back as it was": (takes(state="removed"), takes(), False),
    "it came back and needs more": (takes(state="removed"), takes(OWNER), True),
}


@pytest.mark.parametrize(("old", "new", "pinned"), CASES.values(), ids=CASES)
def test_a_route_is_pinned_where_its_callers_would_notice(old: Function, new: Function | None, pinned: bool) -> None:
    found = find(old, new)
    assert [(pin.route, pin.definition, pin.since) for pin in found] == ([("r0", old, NOW)] if pinned else [])


def test_every_route_that_uses_it_is_pinned_and_one_that_is_already_keeps_what_it_has() -> None:
    first = find(takes(), takes(OWNER))[0].model_copy(update={"since": datetime(2026, 1, 1, tzinfo=UTC)})
    found = find(takes(OWNER), takes(OWNER, OWNER | {"name": "region"}), [first], times=2)
    assert [(pin.route, len(pin.definition.parameters), pin.since.month) for pin in found] == [
        ("r0", 0, 1),
        ("r1", 1, 2),
    ]
    assert [len(pin.reasons) for pin in found] == [2, 1]


def test_many_reasons_are_counted() -> None:
    (pin,) = find(takes(), takes(*(OWNER | {"name": name} for name in "abcde")))
    assert len(pin.reasons) == 4
    assert pin.reasons[-1] == "and 2 more"


def test_the_pin_goes_when_the_service_takes_it_back_and_stays_when_the_function_leaves() -> None:
    pins = find(takes(), takes(OWNER))
    assert find(takes(OWNER), takes(), pins) == []
    assert find(takes(OWNER), None, pins) == pins


def test_a_function_that_nobody_knew_is_taken_as_it_is() -> None:
    pinning = Pinning(Published([], []), Published([takes(OWNER)], []), NOW)
    assert pinning.find([("r", "f"), ("r", "other")], []) == []


def test_schemas_that_a_function_only_refers_to_count() -> None:
    one = takes(request_body=BODY)
    before, after = made_of(Pet=LAX), made_of(Pet=STRICT)
    (pin,) = find(one, one, None, before, after)
    assert "request-property-became-required" in pin.reasons[0] or "required" in pin.reasons[0]
    assert pin.document is not None
    assert pin.document.components == {"definitions": {"Pet": LAX}}
    assert find(one, one, [pin], after, after) == [pin]
    assert find(one, one, [pin], after, before) == []


def test_a_pin_holds_what_its_function_refers_to_and_nothing_else() -> None:
    schemas = {
        "Pet": {"properties": {"owner": {"$ref": "#/components/schemas/Owner"}, "self": PET}},
        "Owner": {"allOf": [{"$ref": "#/components/schemas/Pet"}]},
        "Other": {},
    }
    whole = document(components={"components": {"schemas": schemas, "responses": {"Gone": {}}}})
    inside = {"$ref": "#/components/schemas/Pet/properties/owner"}
    one = takes(LIMIT | {"schema": inside}, request_body={"schema": {"$ref": "#/components/schemas/Nobody"}})
    kept = keep_used(one, whole).components
    assert kept == {"components": {"schemas": {"Pet": schemas["Pet"], "Owner": schemas["Owner"]}}}
    assert keep_used(takes(), whole).components == {}


# The whole way ---------------------------------------------------------------------------------------


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(f"sqlite:///{tmp_path / 'coalmine.db'}")
    catalog.migrate()
    yield catalog
    catalog.close()


def needing_owner() -> dict[str, Any]:
    changed = petstore()
    changed["paths"]["/pets"]["get"]["parameters"] = [OWNER | {"type": "string"}]
    return changed


class Story:
    """One service, one route to its findPets, and what is served of it."""

    def __init__(self, catalog: Catalog, pages: dict[str, Page], bench: Bench) -> None:
        self.catalog, self.pages, self.bench = catalog, pages, bench

    async def publish(self, page: Page) -> None:
        self.pages["/swagger.json"] = page
        await self.bench.worker.probe_now("pets")

    def write_route(self) -> None:
        with self.catalog.write() as writer:
            writer.put_route(route("r", to="pets", function="findPets"))

    def served(self) -> tuple[list[str], list[str]]:
        """Codes of the route's problems, and the parameters of the function that it calls."""
        with self.catalog.read() as reader:
            snapshot = build_snapshot(reader.load_definitions())
        call = snapshot.virtual_services[0].routes[0].destinations[0].call
        assert call is not None
        return [one.code for one in snapshot.problems], [one.name for one in call.parameters]


def play(catalog: Catalog, scene: Callable[[Story], Any]) -> None:
    async def run() -> None:
        with serving({}) as service:
            bench = Bench(catalog)
            bench.add("pets", service.origin)
            story = Story(catalog, service.pages, bench)
            try:
                await story.publish(petstore())
                story.write_route()
                await scene(story)
            finally:
                await bench.worker.close()

    asyncio.run(run())


def test_a_breaking_change_is_told_and_not_taken_until_the_route_is_written_again(catalog: Catalog) -> None:
    async def scene(story: Story) -> None:
        assert story.served() == ([], [])
        published = story.bench.published
        await story.publish(needing_owner())
        assert story.served() == (["function_changed"], [])
        assert story.bench.published == published + 1
        story.write_route()
        assert story.served() == ([], ["owner"])

    play(catalog, scene)


def test_what_the_service_takes_back_is_forgotten(catalog: Catalog) -> None:
    async def scene(story: Story) -> None:
        await story.publish(needing_owner())
        await story.publish(petstore())
        assert story.served() == ([], [])

    play(catalog, scene)


def test_a_removed_function_comes_back_under_its_name_and_is_not_taken_where_it_breaks(catalog: Catalog) -> None:
    async def scene(story: Story) -> None:
        without = petstore()
        del without["paths"]["/pets"]["get"]
        await story.publish(without)
        assert story.served() == (["function_removed"], [])
        await story.publish(needing_owner())
        assert story.bench.states()["findPets"] == "active"
        assert story.served() == (["function_changed"], [])
        await story.publish(without)
        assert story.served() == (["function_changed", "function_removed"], [])
        await story.publish(petstore())
        assert story.served() == ([], [])

    play(catalog, scene)


def test_a_route_that_is_written_while_the_change_is_saved_is_pinned_too(catalog: Catalog) -> None:
    async def scene(story: Story) -> None:
        real, written = catalog.write, []

        def write() -> Any:
            if not written:
                written.append(True)
                with real() as writer:
                    writer.put_route(route("late", to="pets", function="findPets"))
            return real()

        catalog.write = write  # type: ignore[method-assign]
        await story.publish(needing_owner())
        with catalog.read() as reader:
            assert [pin.route for pin in reader.pins_of("pets")] == ["late", "r"]

    play(catalog, scene)


def test_pins_go_with_their_route_and_their_upstream(catalog: Catalog) -> None:
    async def scene(story: Story) -> None:
        with catalog.write() as writer:
            writer.put_route(route("other", to="pets", function="findPets"))
        await story.publish(needing_owner())
        with catalog.write() as writer:
            writer.delete_route("other")
            assert [pin.route for pin in writer.pins_of("pets")] == ["r"]
            writer.delete_upstream("pets")
            assert writer.pins_of("pets") == ()

    play(catalog, scene)
