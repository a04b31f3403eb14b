"""What a new reading changes, as a table of what was known and what is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coalmine.model import Function
from discovery.found import Found
from discovery.naming import Known, Named
from discovery.reconcile import Changes, known_names, reconcile

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOW = BEFORE + timedelta(days=1)


def named(name: str, path: str = "/a", summary: str | None = None) -> Named:
    return Named(name, name, Found(method="GET", path=path, summary=summary))


def function(name: str, path: str = "/a", state: str = "active", **more: object) -> Function:
    values = {"upstream": "u", "method": "GET", "first_seen": BEFORE, "last_seen": BEFORE, **more}
    return Function(name=name, path=path, state=state, **values)  # type: ignore[arg-type]


def lists(changes: Changes) -> dict[str, list[str]]:
    kinds = ("added", "changed", "removed", "returned", "unchanged")
    return {kind: [each.name for each in getattr(changes, kind)] for kind in kinds if getattr(changes, kind)}


ROWS = [
    ("nothing is nothing", [], [], {}, False),
    ("a new one is added", [], [named("a")], {"added": ["a"]}, True),
    ("the same one is unchanged", [function("a")], [named("a")], {"unchanged": ["a"]}, False),
    ("another path is a change", [function("a", "/old")], [named("a")], {"changed": ["a"]}, True),
    ("another summary is a change", [function("a")], [named("a", summary="s")], {"changed": ["a"]}, True),
    ("one that is gone is removed", [function("a")], [], {"removed": ["a"]}, True),
    ("one that was gone stays removed without news", [function("a", state="removed")], [], {}, False),
    ("one that was gone returns", [function("a", state="removed")], [named("a")], {"returned": ["a"]}, True),
]


@pytest.mark.parametrize(
    ("known", "there", "expected", "matters"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_reconcile(known: list[Function], there: list[Named], expected: dict[str, list[str]], matters: bool) -> None:
    changes = reconcile("u", known, there, NOW)
    assert lists(changes) == expected
    assert changes.matter is matters
    assert len(changes.present) == len(there)
    assert len(changes.all) == sum(map(len, expected.values()))


def test_times() -> None:
    changes = reconcile("u", [function("a"), function("gone")], [named("a"), named("b", "/b")], NOW)
    assert [(each.name, each.first_seen, each.last_seen) for each in changes.all] == [
        ("b", NOW, NOW), ("a", BEFORE, NOW), ("gone", BEFORE, BEFORE),
    ]  # fmt: skip


def test_nothing_is_removed_by_an_incomplete_reading() -> None:
    assert lists(reconcile("u", [function("a")], [], NOW, complete=False)) == {}


def test_the_name_of_the_active_function_counts() -> None:
    known = [function("now"), function("then", state="removed"), function("other", "/b", state="removed")]
    assert known_names(known) == {("GET", "/a"): Known("now"), ("GET", "/b"): Known("other")}
