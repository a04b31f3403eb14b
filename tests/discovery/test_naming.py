"""Names are unique, bounded, and depend on nothing but the operations and the names given before."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.found import Found
from discovery.naming import MAX_NAME, Known, derive_name, identity, name_functions


def op(method: str, path: str, operation_id: str | None = None) -> Found:
    return Found(method=method, path=path, operation_id=operation_id)


def names(*operations: Found, known: dict[tuple[str, str], Known] | None = None) -> dict[str, str]:
    return {f"{each.found.method} {each.found.path}": each.name for each in name_functions(operations, known or {})}


ROWS = [
    ("the operationId", [op("GET", "/a", "getA")], {}, {"GET /a": "getA"}),
    ("else method and path", [op("GET", "/api/pets/{id}")], {}, {"GET /api/pets/{id}": "get.api.pets.{id}"}),
    ("an operationId that is a step in a path is none", [op("GET", "/a", "..")], {}, {"GET /a": "get.a"}),
    ("the root", [op("GET", "/")], {}, {"GET /": "get."}),
    (
        "of two with the same operationId the first by path has it",
        [op("GET", "/b", "x"), op("GET", "/a", "x")],
        {},
        {"GET /a": "x", "GET /b": "get.b"},
    ),
    (
        "the one that had it keeps it",
        [op("GET", "/b", "x"), op("GET", "/a", "x")],
        {("GET", "/b"): Known("x", "x")},
        {"GET /a": "get.a", "GET /b": "x"},
    ),
    (
        "the other one keeps what it had too",
        [op("GET", "/b", "x"), op("GET", "/a", "x")],
        {("GET", "/b"): Known("x", "x"), ("GET", "/a"): Known("second", "x")},
        {"GET /a": "second", "GET /b": "x"},
    ),
    (
        "a namesake that stays behind does not inherit the name of the one that left",
        [op("GET", "/b", "x")],
        {("GET", "/a"): Known("x", "x"), ("GET", "/b"): Known("get.b", "x")},
        {"GET /b": "get.b"},
    ),
    (
        "one that comes back finds its name",
        [op("GET", "/b", "x"), op("GET", "/a", "x")],
        {("GET", "/a"): Known("x", "x"), ("GET", "/b"): Known("get.b", "x")},
        {"GET /a": "x", "GET /b": "get.b"},
    ),
    (
        "an operation that gets an operationId is named by it",
        [op("GET", "/a", "getA")],
        {("GET", "/a"): Known("get.a")},
        {"GET /a": "getA"},
    ),
    (
        "a changed operationId is followed",
        [op("GET", "/a", "new")],
        {("GET", "/a"): Known("old", "old")},
        {"GET /a": "new"},
    ),
    (
        "a moved operationId moves",
        [op("GET", "/a", "findPetsOld"), op("GET", "/v2/a", "findPets")],
        {("GET", "/a"): Known("findPets", "findPets")},
        {"GET /a": "findPetsOld", "GET /v2/a": "findPets"},
    ),
    (
        "method and path together count",
        [op("GET", "/a", "x"), op("PUT", "/a", "x")],
        {},
        {"GET /a": "x", "PUT /a": "put.a"},
    ),
]


@pytest.mark.parametrize(("operations", "known", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_name(operations: list[Found], known: dict[tuple[str, str], Known], expected: dict[str, str]) -> None:
    assert names(*operations, known=known) == expected


def test_derived_names_that_are_equal_are_told_apart() -> None:
    given = names(op("GET", "/a/b"), op("GET", "/a.b"))
    assert given["GET /a.b"] == "get.a.b"
    assert given["GET /a/b"].startswith("get.a.b-")


def test_a_document_that_claims_our_own_digests_gets_further_ones() -> None:
    digest = names(op("GET", "/a/b"), op("GET", "/a.b"))["GET /a/b"]
    given = names(op("GET", "/a/b"), op("GET", "/a.b"), op("GET", "/evil", digest))
    assert given["GET /evil"] == digest
    assert len(set(given.values())) == 3


def test_long_names_are_cut_and_stay_different() -> None:
    long = "/" + "x" * 500
    assert len(derive_name("GET", long)) == MAX_NAME
    assert derive_name("GET", long) != derive_name("GET", long + "y")
    assert len(names(op("GET", "/a", "n" * 300))["GET /a"]) == MAX_NAME


_OPERATIONS = st.lists(
    st.builds(
        op,
        st.sampled_from(["GET", "PUT", "x"]),
        st.text("/a.{}-", min_size=1, max_size=6),
        st.none() | st.sampled_from(["a", "b", "get.a", "get./", "n" * 300]) | st.text(min_size=1, max_size=3),
    ),
    max_size=12,
    unique_by=identity,
)


@given(_OPERATIONS, st.randoms(use_true_random=False))
def test_names_are_unique_bounded_and_independent_of_order(operations: list[Found], chance: random.Random) -> None:
    first = names(*operations)
    assert len(set(first.values())) == len(operations)
    assert all(0 < len(name) <= MAX_NAME for name in first.values())
    shuffled = list(operations)
    chance.shuffle(shuffled)
    assert names(*shuffled) == first


@given(_OPERATIONS)
def test_names_stay_when_nothing_changes(operations: list[Found]) -> None:
    first = name_functions(operations, {})
    known = {identity(each.found): Known(each.name, each.found.operation_id) for each in first}
    assert name_functions(operations, known) == first


@given(_OPERATIONS, st.data())
def test_whoever_leaves_changes_no_name_and_comes_back_to_its_own(operations: list[Found], data: st.DataObject) -> None:
    first = name_functions(operations, {})
    known = {identity(each.found): Known(each.name, each.found.operation_id) for each in first}
    staying = data.draw(st.lists(st.sampled_from(operations), unique_by=identity)) if operations else []
    kept = {identity(each): known[identity(each)].name for each in staying}
    assert {identity(each.found): each.name for each in name_functions(staying, known)} == kept
    assert name_functions(operations, known) == first


@given(_OPERATIONS, _OPERATIONS)
def test_newcomers_take_no_name_from_those_that_want_it_and_have_it(before: list[Found], after: list[Found]) -> None:
    old = name_functions(before, {})
    known = {identity(each.found): Known(each.name, each.found.operation_id) for each in old}
    kept = {identity(each.found): each.name for each in old if each.name == each.wanted}
    present = {identity(each) for each in before}
    together = [*before, *(each for each in after if identity(each) not in present)]
    given = {identity(each.found): each.name for each in name_functions(together, known)}
    assert {key: given[key] for key in kept} == kept
