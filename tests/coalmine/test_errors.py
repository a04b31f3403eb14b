"""The exception tree, and the one table of codes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from coalmine import errors
from coalmine.errors import CODES, CoalmineError, DefinitionError, Fault, nearest

ROOT = Path(__file__).parent.parent.parent


def exceptions() -> list[type[CoalmineError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, CoalmineError) and value is not CoalmineError
    ]


@pytest.mark.parametrize("exception", exceptions(), ids=lambda exception: exception.__name__)
def test_every_exception_has_a_code_of_the_table_and_stands_in_the_tree(exception: type[CoalmineError]) -> None:
    assert exception.code in CODES
    assert exception.__name__ in (errors.__doc__ or "")


def test_every_code_named_in_the_sources_is_in_the_table() -> None:
    """``code="..."`` and Problem/Fault/Reply literals; a typo would leave the documented set."""
    unknown = set()
    for package in ("coalmine", "discovery", "admin_api", "proxy"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.keyword)
                    and node.arg in ("code", "problem")
                    and isinstance(node.value, ast.Constant)
                ):
                    value = node.value.value
                    if isinstance(value, str) and re.fullmatch(r"[a-z]+(_[a-z]+)+", value) and value not in CODES:
                        unknown.add(f"{path.relative_to(ROOT)}: {value}")
    assert sorted(unknown) == []


def test_one_fault_is_the_detail_and_several_are_counted() -> None:
    one = Fault("/name", "missing_key", "name is missing")
    assert DefinitionError([one]).detail == "name is missing"
    assert DefinitionError([one, one]).detail == "2 faults, nothing was changed"
    assert DefinitionError([one], detail="said otherwise").detail == "said otherwise"


def test_a_code_can_be_given_to_one_exception() -> None:
    assert CoalmineError("x", code="invalid_query").code == "invalid_query"
    assert CoalmineError("x", hint="try y").hint == "try y"


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("findPet", ["findPets", "addPet"], "findPets"),
        ("FINDPETS", ["findPets"], "findPets"),
        ("zzz", ["findPets"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_name(name: str, names: list[str], expected: str | None) -> None:
    assert nearest(name, names) == expected
