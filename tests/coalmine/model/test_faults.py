"""Pydantic's errors as faults."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from coalmine.errors import DefinitionError
from coalmine.model import Function, Route, Upstream, VirtualService
from coalmine.model.faults import find_keys, join_pointer
from coalmine.model.salvage import parse_definition

ROUTE: dict[str, Any] = {"name": "r", "destinations": [{"upstream": "u"}]}
ENDPOINT = "http://127.0.0.1:1"


def destination(**values: Any) -> dict[str, Any]:
    return ROUTE | {"destinations": [{"upstream": "u"} | values]}


# model, body, pointer, code, words of the detail, hint
CASES = [
    pytest.param(Route, [], "", "wrong_type", "a list is given where an object should be", None, id="no object"),
    pytest.param(Route, ROUTE | {"name": 5}, "/name", "wrong_type", "5 should be a valid string", None, id="a number"),
    pytest.param(
        Route,
        ROUTE | {"name": "A"},
        "/name",
        "invalid_value",
        '"A" is not a name',
        "a name has at most 63",
        id="name",
    ),
    pytest.param(
        Route, {"destinations": [{"upstream": "u"}]}, "/name", "missing_key", "'name' is missing", None, id="missing"
    ),
    pytest.param(
        Route,
        destination(parameters={"a/b~": []}),
        "/destinations/0/parameters/a~1b~0",
        "wrong_type",
        "a list should be a valid string or a valid integer or a valid number or a valid boolean",
        None,
        id="no member of a union, at a key that needs escaping",
    ),
    pytest.param(
        Route,
        ROUTE | {"request_headers": {"set": {"a b": "c"}}},
        "/request_headers/set/a b",
        "invalid_value",
        "is not a token",
        None,
        id="a bad key of a dictionary",
    ),
    pytest.param(
        Route,
        ROUTE | {"sticky": {"zzz": 1, "header": "x"}},
        "/sticky/zzz",
        "unknown_key",
        "'zzz' is not a key",
        "known keys: cookie, header, source_address",
        id="an unknown key that is near to none",
    ),
    pytest.param(
        Route,
        ROUTE | {"sticky": {"cookie": {"nmae": "x"}}},
        "/sticky/cookie/nmae",
        "unknown_key",
        "",
        "did you mean name?",
        id="an unknown key below optional ones",
    ),
    pytest.param(
        Route,
        destination(weight=0),
        "/destinations",
        "no_weight",
        "all zero",
        "give one of them",
        id="a verdict on the whole gets a place",
    ),
    pytest.param(
        Route,
        ROUTE | {"redirect": {"host": "x"}},
        "",
        "invalid_value",
        "exactly one of",
        None,
        id="a verdict on the whole that has none",
    ),
    pytest.param(
        Upstream,
        {"name": "u", "endpoints": [ENDPOINT, ENDPOINT]},
        "/endpoints",
        "invalid_value",
        "stands twice",
        None,
        id="an endpoint twice",
    ),
    pytest.param(
        VirtualService,
        {"name": "v", "domains": ["a:80"]},
        "/domains/0",
        "invalid_value",
        "'a:80' is not a domain",
        None,
        id="an item of a list",
    ),
    pytest.param(
        VirtualService,
        {"name": "v", "domains": {"a": 1}},
        "/domains",
        "wrong_type",
        "an object should be a valid list",
        None,
        id="an object where a list should be",
    ),
    pytest.param(
        VirtualService,
        {"name": "v" * 80},
        "/name",
        "invalid_value",
        "... is not a name",
        "",
        id="long values are told in short",
    ),
    pytest.param(
        VirtualService, {"name": None}, "/name", "wrong_type", "null should be a valid string", None, id="null"
    ),
    pytest.param(
        VirtualService, {"name": True}, "/name", "wrong_type", "true should be a valid string", None, id="a boolean"
    ),
]


@pytest.mark.parametrize(("model", "body", "pointer", "code", "detail", "hint"), CASES)
def test_one_fault(model: type[BaseModel], body: Any, pointer: str, code: str, detail: str, hint: str | None) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_definition(model, body)
    (fault,) = caught.value.faults
    assert (fault.pointer, fault.code) == (pointer, code)
    assert detail in fault.detail
    assert hint in fault.hint if hint and fault.hint else not hint


def test_what_is_right_is_parsed() -> None:
    assert parse_definition(Route, ROUTE).destinations[0].upstream == "u"


def test_keys_are_told_as_people_write_them() -> None:
    assert {"in", "schema"} <= set(find_keys(Function, ("parameters", 0)))
    assert find_keys(Route, ("name", "deeper")) == []
    assert find_keys(Route, ("nonsense",)) == []


def test_pointers_are_escaped() -> None:
    assert join_pointer(["a/b", 0, "~"]) == "/a~1b/0/~0"
    assert join_pointer([]) == ""
