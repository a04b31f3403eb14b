"""What a catalog holds of its tables without reading them is what anybody finds who reads them."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import text

from coalmine.catalog import Catalog, Writer
from coalmine.errors import CatalogError
from coalmine.model import Definitions, VirtualService
from coalmine.model.revision import Signature
from tests.coalmine.catalog.support import NOW, REPORT, document, function, route, upstream

UPSTREAMS = ("u", "v", "w")
FUNCTIONS = ("f", "g", "h")
ROUTES = tuple(f"r{number}" for number in range(6))


def read_by_somebody_else(catalog: Catalog) -> Definitions:
    other = Catalog(f"sqlite:///{catalog.path}")
    try:
        with other.read() as reader:
            return reader.load_definitions()
    finally:
        other.close()


def put_route(writer: Writer, draw: random.Random) -> None:
    to, name = draw.choice(UPSTREAMS), draw.choice((None, *FUNCTIONS))
    writer.put_route(route(draw.choice(ROUTES), to=to, function=name, validate=draw.random() < 0.3))


def save_discovery(writer: Writer, draw: random.Random) -> None:
    name = draw.choice(UPSTREAMS)
    found = [
        function(one, upstream=name, summary=str(draw.random()), state=draw.choice(("active", "removed")))
        for one in draw.sample(FUNCTIONS, 2)
    ]
    report = REPORT.model_copy(update={"upstream": name, "last_success_at": draw.choice((NOW, None))})
    documents = draw.choice(([], [document(upstream=name, size_bytes=draw.randrange(99))], None))
    writer.save_discovery(name, functions=found, report=report, documents=documents)


ACTIONS: tuple[Callable[[Writer, random.Random], object], ...] = (
    put_route,
    put_route,
    save_discovery,
    lambda writer, draw: writer.delete_route(draw.choice(ROUTES)),
    lambda writer, draw: writer.put_upstream(upstream(draw.choice(UPSTREAMS), labels={"n": str(draw.randrange(3))})),
    lambda writer, draw: writer.delete_upstream(draw.choice(UPSTREAMS)),
    lambda writer, draw: writer.put_virtual_service(VirtualService(name=draw.choice(UPSTREAMS))),
    lambda writer, draw: writer.delete_virtual_service(draw.choice(UPSTREAMS)),
    lambda writer, draw: writer.claim([f"routes/{draw.choice(ROUTES)}"], "set"),
    lambda writer, draw: writer.load_definitions(),
    lambda writer, draw: writer.load_state(),
    lambda writer, draw: writer.list_changes(),
    lambda writer, draw: writer.rollback() if draw.random() < 0.3 else None,
)


@pytest.mark.parametrize("seed", range(12))
def test_after_any_writes_it_is_what_is_in_the_file(catalog: Catalog, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(25):
        with catalog.write() as writer:
            for _ in range(draw.randrange(1, 5)):
                draw.choice(ACTIONS)(writer, draw)
            inside = writer.load_definitions()
            rolled_back = writer.rolled_back
        found = catalog.load_definitions()
        assert found == read_by_somebody_else(catalog)
        assert rolled_back or found == inside


def test_what_has_not_changed_is_the_same_object(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.put_upstream(upstream())
        writer.put_route(route("a"))
        writer.put_route(route("b"))
    before = catalog.load_definitions()
    with catalog.write() as writer:
        writer.put_route(route("b", priority=1))
    after = catalog.load_definitions()
    assert after.routes[0] is before.routes[0]
    assert after.upstreams is before.upstreams
    assert [one.priority for one in after.routes] == [0, 1]
    assert catalog.load_definitions() is after


def test_what_another_process_wrote_is_seen(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.put_route(route("a"))
        writer.put_route(route("b"))
    catalog.load_definitions()
    with closing(sqlite3.connect(catalog.path)) as other:
        other.execute("DELETE FROM route WHERE name = 'a'")
        other.commit()
    assert [one.name for one in catalog.load_definitions().routes] == ["b"]
    with closing(sqlite3.connect(catalog.path)) as other:
        other.execute("DELETE FROM route WHERE name = 'b'")
        other.commit()
    with catalog.write() as writer:
        assert writer.find_route("b") is None
        assert writer.put_route(route("b"))


def test_what_was_refused_leaves_nothing_behind(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.put_route(route("a"))
    with pytest.raises(ZeroDivisionError), catalog.write() as writer:
        writer.put_route(route("b"))
        writer.delete_route("a")
        raise ZeroDivisionError
    assert [one.name for one in catalog.load_definitions().routes] == ["a"]


def test_what_could_not_be_committed_leaves_nothing_behind(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.put_route(route("a"))
    with pytest.raises(CatalogError), catalog.write() as writer:
        writer.put_route(route("b"))
        writer._run(text("PRAGMA defer_foreign_keys=ON"))
        writer._run(text("INSERT INTO route_use VALUES ('nobody', 'u', '')"))
    assert [one.name for one in catalog.load_definitions().routes] == ["a"]
    with catalog.write() as writer:
        writer.put_route(route("c"))
    assert [one.name for one in catalog.load_definitions().routes] == ["a", "c"]


def test_while_somebody_writes_definitions_are_those_of_the_last_write(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.put_route(route("a"))
        writer.load_definitions()
    with catalog.write() as writer:
        writer.put_route(route("b"))
        assert [one.name for one in catalog.load_definitions().routes] == ["a"]


def test_a_revision_tells_changes_in_the_order_of_what_there_is(catalog: Catalog) -> None:
    with catalog.write() as writer:
        for name in ("b", "a", "gone"):
            writer.put_route(route(name))
    with catalog.write() as writer:
        writer.delete_route("gone")
        writer.put_route(route("a", priority=1))
        writer.put_route(route("b", priority=1))
        writer.put_upstream(upstream())
        told = [change.object for change in writer.list_changes().objects]
        number = writer.record(Signature(actor="test", at=NOW, summary="s"))
    assert told == ["upstreams/u", "routes/b", "routes/a", "routes/gone"]
    assert number == 2


def test_many_new_names_are_listed_in_order(catalog: Catalog) -> None:
    names = [f"u{number}" for number in (3, 1, 2, 10)]
    with catalog.write() as writer:
        for name in names:
            writer.put_upstream(upstream(name))
        assert [one.name for one in writer.load_upstreams()] == sorted(names)
    assert catalog.load_definitions() == read_by_somebody_else(catalog)
