"""Putting, finding, listing and deleting definitions."""

from __future__ import annotations

import pytest

from coalmine.catalog import Catalog
from coalmine.errors import CoalmineError, NotFoundError
from coalmine.model import Definition, Destination, Route, VirtualService
from coalmine.model.canary import Canary
from tests.coalmine.catalog.support import REPORT, document, function, route, upstream

FULL = Route.model_validate(
    {
        "name": "full",
        "virtual_service": "coalmine",
        "match": {
            "path": {"template": "/pets/{id}"},
            "methods": ["get"],
            "headers": [{"name": "x-canary", "exact": "true"}],
            "query": [{"name": "beta", "present": True}],
            "source_cidrs": ["10.0.0.0/8"],
        },
        "destinations": [
            {"upstream": "u", "function": "f", "weight": 9, "parameters": {"a": 1, "b": 1.0, "c": True, "d": "1"}}
        ],
        "sticky": {"cookie": {"name": "c"}},
        "mirror": {"upstream": "m", "function": "mf"},
        "request_headers": {"set": {"a": "b"}},
        "priority": -3,
    }
)
CANARY = Canary(
    name="full",
    virtual_service="coalmine",
    destination=Destination(upstream="v2", function="f"),
    percent=10,
    before=FULL,
    written=FULL,
)


@pytest.mark.parametrize(
    ("kind", "definition"),
    [
        ("upstream", upstream(labels={"app": "petstore"}, discovery={"document_url": "/x", "interval_seconds": 2.5})),
        ("virtual_service", VirtualService(name="coalmine", domains=("*.example.com", "example.com"))),
        ("route", FULL),
        ("canary", CANARY),
    ],
    ids=["upstream", "virtual service", "route", "canary"],
)
def test_what_was_put_is_found_as_it_was_and_can_be_deleted(
    catalog: Catalog, kind: str, definition: Definition
) -> None:
    name = definition.name  # type: ignore[attr-defined]
    with catalog.write() as writer:
        assert getattr(writer, f"put_{kind}")(definition) is True
        assert getattr(writer, f"put_{kind}")(definition) is False
    with catalog.read() as reader:
        assert getattr(reader, f"find_{kind}")(name) == definition
    with catalog.write() as writer:
        assert getattr(writer, f"delete_{kind}")(name) is True
        assert getattr(writer, f"delete_{kind}")(name) is False
        assert getattr(writer, f"find_{kind}")(name) is None


def test_canaries_are_listed_by_name(catalog: Catalog) -> None:
    other = CANARY.model_copy(update={"name": "another", "percent": 50})
    with catalog.write() as writer:
        writer.put_canary(CANARY)
        writer.put_canary(other)
        assert writer.list_canaries() == (other, CANARY)


@pytest.mark.parametrize("kind", ["upstream", "virtual_service", "route"])
def test_a_missing_name_is_told_with_the_nearest_one(catalog: Catalog, kind: str) -> None:
    definitions = {
        "upstream": upstream("petstore"),
        "virtual_service": VirtualService(name="petstore"),
        "route": route("petstore"),
    }
    with catalog.write() as writer:
        getattr(writer, f"put_{kind}")(definitions[kind])
        with pytest.raises(NotFoundError, match="'petstor'") as caught:
            getattr(writer, f"get_{kind}")("petstor")
        assert caught.value.hint == "did you mean petstore?"
        with pytest.raises(NotFoundError) as caught:
            getattr(writer, f"get_{kind}")("zzzzzz")
        assert caught.value.hint is None
        assert getattr(writer, f"get_{kind}")("petstore") == definitions[kind]


@pytest.mark.parametrize("name", ["'; DROP TABLE route; --", "%", "_", "\x00", "\ud800", "r\x00", 'r" OR 1=1'])
def test_no_name_is_more_than_a_name(catalog: Catalog, name: str) -> None:
    with catalog.write() as writer:
        writer.put_route(route("r"))
        writer.put_upstream(upstream("u"))
    with catalog.read() as reader:
        assert reader.find_route(name) is None
        assert reader.find_upstream(name) is None
        assert reader.find_function("u", name) is None
        assert reader.find_report(name) is None
        assert reader.documents_of(name) == ()
        assert reader.functions_of(name) == ()
        assert reader.function_names(name) == []
        assert reader.routes_using(name) == []
        assert reader.routes_using("u", name) == []
        with pytest.raises(NotFoundError):
            reader.get_function(name, "f")
        assert reader.names("route") == ["r"]
    with catalog.write() as writer:
        assert writer.delete_route(name) is False


def test_replacing_a_route_keeps_its_age_and_making_it_anew_does_not(catalog: Catalog) -> None:
    with catalog.write() as writer:
        for name in ("b", "a", "c"):
            writer.put_route(route(name))
        writer.put_route(route("b", priority=5))
    with catalog.read() as reader:
        assert [found.name for found in reader.load_definitions().routes] == ["b", "a", "c"]
    with catalog.write() as writer:
        writer.delete_route("c")
        writer.delete_route("b")
        writer.put_route(route("b"))
    with catalog.read() as reader:
        assert [found.name for found in reader.load_definitions().routes] == ["a", "b"]


def test_definitions_hold_the_functions_that_routes_use_or_all(catalog: Catalog) -> None:
    used = ["destination", "mirrored", "gone"]
    with catalog.write() as writer:
        writer.put_upstream(upstream("u"))
        functions = [function(name, state="removed" if name == "gone" else "active") for name in (*used, "unused")]
        writer.save_discovery("u", functions=functions, report=REPORT, documents=None)
        writer.put_route(route("a", function="destination", mirror={"upstream": "u", "function": "mirrored"}))
        writer.put_route(route("b", function="gone"))
        writer.put_route(route("c"))
        writer.put_virtual_service(VirtualService(name="v"))
    with catalog.read() as reader:
        some, everything = reader.load_definitions(), reader.load_definitions(all_functions=True)
    assert [found.name for found in some.functions] == sorted(used)
    assert [found.name for found in everything.functions] == sorted([*used, "unused"])
    assert [found.name for found in some.virtual_services] == ["v"]
    assert [found.name for found in some.upstreams] == ["u"]


def test_documents_are_loaded_only_for_routes_that_validate(catalog: Catalog) -> None:
    with catalog.write() as writer:
        for name in ("u", "w"):
            writer.put_upstream(upstream(name))
            kept = [document(upstream=name)]
            report = REPORT.model_copy(update={"upstream": name})
            writer.save_discovery(name, functions=[], report=report, documents=kept)
        writer.put_route(route("plain", to="w", function="f"))
        writer.put_route(route("no-function", validate=True))
        assert writer.load_definitions().documents == ()
        writer.put_route(route("r", function="f", validate=True))
    with catalog.read() as reader:
        loaded = reader.load_definitions().documents
    assert loaded == (document(),)
    with catalog.read() as reader:
        assert reader.load_definitions().documents[0] is loaded[0]
    with catalog.write() as writer:
        writer.delete_route("r")
        assert writer.load_definitions().documents == ()


def test_loading_again_reads_only_what_changed_and_nothing_that_was_undone(catalog: Catalog) -> None:
    with catalog.write() as writer:
        for number in range(3):
            writer.put_route(route(f"r{number}"))
    with catalog.read() as reader:
        first = reader.load_definitions().routes
    with catalog.write() as writer:
        writer.put_route(route("r1", priority=1))
        writer.delete_route("r2")
        assert [found.priority for found in writer.load_definitions().routes] == [0, 1]
        writer.rollback()
    with catalog.write() as writer:
        writer.put_route(route("r0", priority=2))
    with catalog.read() as reader:
        second = reader.load_definitions().routes
    assert [found.priority for found in second] == [2, 0, 0]
    assert second[2] == first[2] and second[1] == first[1]
    with catalog.read() as reader:
        assert all(again is before for again, before in zip(reader.load_definitions().routes, second, strict=True))


@pytest.mark.parametrize(
    ("report", "enabled", "pending"),
    [
        pytest.param(None, True, True, id="never probed"),
        pytest.param(REPORT.model_copy(update={"last_success_at": None}), True, True, id="probed in vain"),
        pytest.param(REPORT, True, False, id="read"),
        pytest.param(REPORT.model_copy(update={"state": "stale"}), True, False, id="read before, unreachable now"),
        pytest.param(None, False, False, id="not to be probed"),
    ],
)
def test_an_upstream_is_pending_until_its_document_was_read(
    catalog: Catalog, report: object, enabled: bool, pending: bool
) -> None:
    with catalog.write() as writer:
        writer.put_upstream(upstream("u", discovery={"enabled": enabled}))
        if report is not None:
            writer.save_discovery("u", functions=[], report=report, documents=None)  # type: ignore[arg-type]
        assert writer.load_definitions().pending == (frozenset({"u"}) if pending else frozenset())


def test_routes_are_found_by_what_they_send_to(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.put_route(route("plain", to="a"))
        writer.put_route(route("f", to="a", function="f"))
        writer.put_route(route("mirror", to="b", mirror={"upstream": "a", "function": "f"}))
        writer.put_route(route("moved", to="a"))
        writer.put_route(route("moved", to="b", virtual_service="v"))
        assert writer.routes_using("a") == ["f", "mirror", "plain"]
        assert writer.routes_using("a", "f") == ["f", "mirror"]
        assert writer.routes_using("zzz") == []
        names = lambda **filters: [found.name for found in writer.list_routes(**filters).items]  # noqa: E731
        assert names(upstream="b") == ["mirror", "moved"]
        assert names(function="f") == ["f", "mirror"]
        assert names(upstream="a", function="f") == ["f", "mirror"]
        assert names(upstream="b", function="f") == []
        assert names(virtual_service="v") == ["moved"]
        assert names(virtual_service="default", upstream="b") == ["mirror"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["one", "two"]),
        ({"q": "ONE"}, ["one"]),
        ({"q": "9002"}, ["two"]),
        ({"q": "team=b 9002"}, ["two"]),
        ({"q": "%"}, []),
        ({"q": "\x00"}, []),
        ({"q": "  "}, ["one", "two"]),
        ({"label": "team=a"}, ["one"]),
        ({"label": "team"}, ["one", "two"]),
        ({"label": "team="}, []),
        ({"label": "x=y=z"}, ["one"]),
        ({"label": "$.team"}, []),
        ({"label": "team=a", "q": "two"}, []),
    ],
    ids=str,
)
def test_upstreams_are_searched(catalog: Catalog, filters: dict[str, str], names: list[str]) -> None:
    with catalog.write() as writer:
        writer.put_upstream(upstream("one", labels={"team": "a", "x": "y=z"}))
        writer.put_upstream(upstream("two", endpoints=["http://127.0.0.1:9002"], labels={"team": "b"}))
        page = writer.list_upstreams(**filters)  # type: ignore[arg-type]
    assert [found.name for found in page.items] == names
    assert page.total == len(names)


def test_virtual_services_and_routes_are_searched_by_what_people_know_of_them(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.put_virtual_service(VirtualService(name="shop", domains=("shop.example.com",)))
        writer.put_route(route("r1", function="findPets", match={"path": {"regex": "/Pets.*"}}))
        writer.put_route(route("r2", match={"path": {"exact": "/x"}}))
        assert writer.list_virtual_services(q="example.COM").total == 1
        assert writer.list_virtual_services(q="other").total == 0
        assert [found.name for found in writer.list_routes(q="findpets").items] == ["r1"]
        assert [found.name for found in writer.list_routes(q="/pets.*").items] == ["r1"]
        assert [found.name for found in writer.list_routes(q="/x").items] == ["r2"]


def test_pages_follow_one_another_without_gap_or_repeat(catalog: Catalog) -> None:
    with catalog.write() as writer:
        for number in range(25):
            writer.put_route(route(f"r{number:02}"))
    with catalog.read() as reader:
        names, cursor, sizes = [], None, []
        while True:
            page = reader.list_routes(limit=10, cursor=cursor)
            names += [found.name for found in page.items]
            sizes.append((len(page.items), page.total))
            cursor = page.next_cursor
            if cursor is None:
                break
    assert names == [f"r{number:02}" for number in range(25)]
    assert sizes == [(10, 25), (10, 25), (5, 25)]


@pytest.mark.parametrize(
    "query",
    [
        *({"cursor": cursor} for cursor in ("", "x", "%%%", "é", "bnVsbA", "WzFd", "W10", "WyJhIiwiYiJd", "[" * 9999)),
        *({"limit": limit} for limit in (0, -1, 1001)),
        {"q": "\ud800"},
        {"virtual_service": "\ud800"},
        {"function": "\ud800"},
    ],
    ids=lambda query: ascii(query)[:40],
)
def test_a_query_that_makes_no_sense_is_the_callers_fault(catalog: Catalog, query: dict[str, object]) -> None:
    with catalog.read() as reader, pytest.raises(CoalmineError) as caught:
        reader.list_routes(**query)  # type: ignore[arg-type]
    assert caught.value.code == "invalid_query"
