"""Revisions: one for each transaction that changed something, and the way back to any of them."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coalmine.catalog import Catalog, Writer, restore
from coalmine.errors import CatalogError, CoalmineError, DefinitionError, NotFoundError
from coalmine.model import VirtualService
from coalmine.model.revision import Effect, Signature
from tests.coalmine.catalog.support import REPORT, function, route, upstream

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def sign(actor: str = "api", summary: str = "a test") -> Signature:
    return Signature(actor=actor, at=NOW, summary=summary, effect=Effect())


def put(catalog: Catalog, *names: str, actor: str = "api", **more: Any) -> int | None:
    with catalog.write() as writer:
        for name in names:
            writer.put_route(route(name, **more))
        return writer.record(sign(actor))


def numbers(catalog: Catalog, **filters: Any) -> list[int]:
    with catalog.read() as reader:
        return [revision.number for revision in reader.revisions.page(**filters).items]


def everything(catalog: Catalog) -> tuple[Any, ...]:
    """What people wrote, routes by age, and to whom it belongs."""
    with catalog.read() as reader:
        state = reader.load_state()
        owners = {name: owned.owner for name, owned in state.owners.items()}
        return list(state.objects.items()), owners


def test_a_write_is_one_revision_and_says_what_it_changed(catalog: Catalog) -> None:
    assert put(catalog, "a", "b") == 1
    assert put(catalog, "a", "c", timeout_seconds=3) == 2
    with catalog.read() as reader:
        revision = reader.revisions.get(2)
        changes = reader.revisions.changes(2)
    assert (revision.number, revision.actor, revision.at, revision.summary) == (2, "api", NOW, "a test")
    assert revision.objects == {"change": 1, "add": 1}
    assert [(change.object, change.action) for change in changes] == [("routes/a", "change"), ("routes/c", "add")]
    assert "timeout_seconds" not in (changes[0].before or {})
    assert (changes[0].after or {})["timeout_seconds"] == 3


def change_nothing(writer: Writer) -> None:
    writer.put_route(route("a"))


def change_and_take_back(writer: Writer) -> None:
    writer.put_route(route("a", timeout_seconds=9))
    writer.put_route(route("b"))
    writer.delete_route("b")
    writer.put_route(route("a"))


def try_only(writer: Writer) -> None:
    writer.put_route(route("b"))
    writer.rollback()


def discover(writer: Writer) -> None:
    writer.save_discovery("u", functions=[function("f", summary="new")], report=REPORT, documents=None)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(change_nothing, id="what was there is written again"),
        pytest.param(change_and_take_back, id="what was written is taken back"),
        pytest.param(try_only, id="a dry run"),
        pytest.param(discover, id="a probe: nobody wrote anything"),
        pytest.param(lambda writer: writer.delete_route("nothing"), id="nothing is deleted"),
    ],
)
def test_what_changes_nothing_is_no_revision(catalog: Catalog, write: Any) -> None:
    with catalog.write() as writer:
        writer.put_upstream(upstream("u"))
        writer.put_route(route("a"))
    with catalog.write() as writer:
        write(writer)
    assert numbers(catalog) == [1]
    assert put(catalog, "c") == 2


def test_a_write_that_fails_is_no_revision(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError), catalog.write() as writer:
        writer.put_route(route("a"))
        writer.record(sign())
        writer.get_route("b")
    assert numbers(catalog) == []
    assert put(catalog, "a") == 1


def test_a_write_that_nobody_signed_is_a_revision_all_the_same(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.put_route(route("a"))
    with catalog.read() as reader:
        assert reader.revisions.get(1).actor == "catalog"


def test_nothing_is_written_behind_a_revision(catalog: Catalog) -> None:
    with pytest.raises(AssertionError), catalog.write() as writer:
        writer.put_route(route("a"))
        writer.record(sign())
        writer.put_route(route("b"))


def test_the_oldest_go_and_numbers_never_come_back(tmp_path: Path) -> None:
    for kept in (3, 3, 1, 0):  # as after restarts
        catalog = Catalog(f"sqlite:///{tmp_path}/c.db", revisions=kept)
        catalog.migrate()
        first = put(catalog, f"r{random.random()}".replace(".", "-")) or 0
        for step in range(4):
            assert put(catalog, f"s{first}-{step}") == first + step + 1
        assert numbers(catalog) == [first + 4 - step for step in range(kept)]
        catalog.close()
    assert first == 16
    with closing(sqlite3.connect(catalog.path)) as connection:
        assert connection.execute("SELECT count(*) FROM change").fetchone() == (0,)


def test_listed_newest_first_by_page_object_and_actor(catalog: Catalog) -> None:
    for index in range(7):
        put(catalog, f"r{index % 3}", actor=("api", "cli ann@here", "client")[index % 3], timeout_seconds=index + 1)
    assert numbers(catalog) == [7, 6, 5, 4, 3, 2, 1]
    assert numbers(catalog, object="routes/r1") == [5, 2]
    assert numbers(catalog, actor="cli ann@here") == numbers(catalog, actor="cli") == [5, 2]
    assert numbers(catalog, actor="cl") == numbers(catalog, object="routes/r9") == []
    seen: list[int] = []
    cursor = None
    with catalog.read() as reader:
        while True:
            page = reader.revisions.page(cursor=cursor, limit=3)
            assert page.total == 7
            seen += [revision.number for revision in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_a_cursor_of_another_listing_is_refused(catalog: Catalog) -> None:
    put(catalog, "a", "b")
    with catalog.read() as reader:
        cursor = reader.list_routes(limit=1).next_cursor
        with pytest.raises(CoalmineError, match="not one that a listing gave out"):
            reader.revisions.page(cursor=cursor)


@pytest.mark.parametrize("number", [-1, 3, 99])
def test_what_is_not_kept_is_not_found(catalog: Catalog, number: int) -> None:
    put(catalog, "a")
    put(catalog, "b")
    with catalog.read() as reader:
        for ask in (reader.revisions.get, reader.revisions.changes, lambda n: reader.revisions.between(1, n)):
            with pytest.raises(NotFoundError) as caught:
                ask(number)
            assert caught.value.hint == "1 to 2 are kept; the setting --revisions says how many"


def test_between_two_revisions_each_object_stands_once_in_either_direction(catalog: Catalog) -> None:
    put(catalog, "a", "b")
    put(catalog, "a", timeout_seconds=2)
    put(catalog, "c", "d")
    with catalog.write() as writer:
        writer.put_route(route("a", timeout_seconds=4))
        writer.delete_route("b")
        writer.delete_route("c")
    with catalog.read() as reader:
        forth, _ = reader.revisions.between(1, 4)
        back, _ = reader.revisions.between(4, 1)
        same, moved = reader.revisions.between(2, 2)
        all_of_it, _ = reader.revisions.between(0, 4)
    assert [(one.object, one.action) for one in forth] == [
        ("routes/a", "change"),
        ("routes/d", "add"),
        ("routes/b", "remove"),
    ]
    assert {(one.object, one.action) for one in back} == {
        ("routes/a", "change"),
        ("routes/d", "remove"),
        ("routes/b", "add"),
    }
    assert (forth[0].before or {}).get("timeout_seconds") is None and (back[0].after or {}) == forth[0].before
    assert (same, moved) == ([], False)
    assert {one.object for one in all_of_it} == {"routes/a", "routes/d"}


def test_a_damaged_revision_is_noticed(catalog: Catalog) -> None:
    put(catalog, "a")
    with closing(sqlite3.connect(catalog.path)) as connection, connection:
        connection.execute("UPDATE change SET document = replace(document, '\"u\"', '\"v\"')")
    with catalog.read() as reader, pytest.raises(CatalogError, match=r"revision 1 .* its checksum is wrong"):
        reader.revisions.changes(1)


def write_anything(writer: Writer, chance: random.Random) -> None:
    """Some puts and deletes of every kind, with owners; now and then all routes in another order."""
    for _ in range(chance.randint(1, 4)):
        name = f"n{chance.randint(0, 6)}"
        kind = chance.choice(["upstream", "service", "route", "route", "delete", "delete", "order", "claim"])
        if kind == "upstream":
            writer.put_upstream(upstream(name, labels={"x": str(chance.randint(0, 9))}))
        elif kind == "service":
            writer.put_virtual_service(VirtualService(name=name, domains=(f"d{chance.randint(0, 9)}.example",)))
        elif kind == "route":
            writer.put_route(route(name, timeout_seconds=chance.randint(1, 9)))
        elif kind == "delete":
            chance.choice([writer.delete_upstream, writer.delete_virtual_service, writer.delete_route])(name)
        elif kind == "order":
            routes = list(writer.load_definitions().routes)
            chance.shuffle(routes)
            for one in routes:
                writer.delete_route(one.name)
            for one in routes:
                writer.put_route(one)
        elif writer.names("route"):
            writer.claim([f"routes/{chance.choice(writer.names('route'))}"], chance.choice(["shop", "zoo"]))


@pytest.mark.parametrize("seed", range(12))
def test_every_state_of_the_past_is_restored_exactly(catalog: Catalog, seed: int) -> None:
    chance = random.Random(seed)
    states = {0: everything(catalog)}
    for _ in range(25):
        with catalog.write() as writer:
            write_anything(writer, chance)
            number = writer.record(sign())
        if number is not None:
            states[number] = everything(catalog)
    for number in chance.sample(sorted(states), 8):
        with catalog.write() as writer:
            restore(writer, number)
            made = writer.record(sign(summary=f"rollback to {number}"))
        assert everything(catalog) == states[number]
        if made is not None:
            states[made] = states[number]


def test_what_is_as_it_was_is_left_alone(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.put_upstream(upstream("u"))
        writer.put_route(route("a"))
        writer.save_discovery("u", functions=[function("f")], report=REPORT, documents=None)
    put(catalog, "b")
    with catalog.write() as writer:
        restore(writer, 1)
        assert [change.object for change in writer.list_changes().objects] == ["routes/b"]
        assert writer.function_names("u") == ["f"]


def test_what_a_later_version_does_not_allow_any_more_is_named_and_nothing_is_restored(catalog: Catalog) -> None:
    from coalmine.catalog.documents import _seal

    put(catalog, "a")
    with catalog.write() as writer:
        writer.delete_route("a")
    with closing(sqlite3.connect(catalog.path)) as connection, connection:
        (text,) = connection.execute("SELECT document FROM change WHERE revision = 2").fetchone()
        document = json.dumps(json.loads(text) | {"before": {"name": "a", "old_key": 1}})
        connection.execute("UPDATE change SET document = ?, seal = ? WHERE revision = 2", [document, _seal(document)])
    with pytest.raises(DefinitionError) as caught, catalog.write() as writer:
        restore(writer, 1)
    assert caught.value.faults[0].pointer == "/routes/a"
    assert numbers(catalog) == [2, 1]


def test_a_revision_is_as_small_as_its_change(catalog: Catalog) -> None:
    put(catalog, *(f"r{number:04}" for number in range(1000)))
    put(catalog, "r0500", timeout_seconds=3)
    with catalog.write() as writer:
        writer.delete_route("r0400")
    with closing(sqlite3.connect(catalog.path)) as connection:
        sizes = connection.execute(
            "SELECT sum(length(c.document)) + length(r.document) + coalesce(length(r.route_order), 0)"
            " FROM revision r JOIN change c ON c.revision = r.number GROUP BY r.number ORDER BY r.number"
        ).fetchall()
    assert sizes[0][0] > 100_000
    assert max(sizes[1][0], sizes[2][0]) < 4000
