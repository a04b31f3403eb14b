"""Definitions as far as they can be read."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.errors import DefinitionError, Fault
from coalmine.model import Route, Upstream, VirtualService
from coalmine.model.faults import sort_faults, split_pointer
from coalmine.model.salvage import Reading, parse_definition, read_definition

ENDPOINT = "http://127.0.0.1:1"
TO = [{"upstream": "u"}]


def short(reading: Reading[Any]) -> dict[str, Any]:
    assert reading.definition is not None
    made: dict[str, Any] = reading.definition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return made


# the text; what is told, in the order of the text; what is left of it
ROUTES: dict[str, tuple[dict[str, Any], list[str], dict[str, Any]]] = {
    "a wrong value is its default": (
        {"name": "r", "destinations": [{"upstream": "u", "weight": "x"}]},
        ["/destinations/0/weight"],
        {"name": "r", "destinations": TO},
    ),
    "a required value has a stand-in": (
        {"name": "A", "destinations": [{"upstream": 5, "function": "f"}]},
        ["/name", "/destinations/0/upstream"],
        {"name": "unreadable", "destinations": [{"upstream": "unreadable", "function": "f"}]},
    ),
    "an item that is nothing at all is left out": (
        {"name": "r", "destinations": [5, *TO]},
        ["/destinations/0"],
        {"name": "r", "destinations": TO},
    ),
    "a list without a readable item is not there, and nothing is said of that": (
        {"name": "r", "destinations": [5, 6]},
        ["/destinations/0", "/destinations/1"],
        {"name": "r", "direct_response": {}},
    ),
    "two actions are told even where the name is none": (
        {"name": "A", "destinations": TO, "redirect": {"host": "x"}},
        ["", "/name"],
        {"name": "unreadable", "destinations": TO},
    ),
    "no action at all": ({"name": "r"}, [""], {"name": "r", "direct_response": {}}),
    "a misspelt action is not missed as well": (
        {"name": "r", "destinatons": TO},
        ["/destinatons"],
        {"name": "r", "direct_response": {}},
    ),
    "a path that is none is not missed as well": (
        {"name": "r", "match": {"path": {"prefix": "x"}, "methods": ["GET"]}, "destinations": TO},
        ["/match/path/prefix"],
        {"name": "r", "match": {"methods": ["GET"]}, "destinations": TO},
    ),
    "of two paths the first is judged further": (
        {"name": "r", "match": {"path": {"exact": "/a", "prefix": "/b"}}, "destinations": TO},
        ["/match/path"],
        {"name": "r", "match": {"path": {"exact": "/a"}}, "destinations": TO},
    ),
    "weights that are all zero hide no upstream": (
        {"name": "r", "destinations": [{"upstream": "u", "weight": 0}, {"upstream": "v", "weight": 0}]},
        ["/destinations"],
        {"name": "r", "destinations": [{"upstream": "u"}, {"upstream": "v"}]},
    ),
    "an item that cannot be read may have a weight": (
        {"name": "r", "destinations": [{"upstream": "u", "weight": 0}, 5]},
        ["/destinations/1"],
        {"name": "r", "destinations": TO},
    ),
    "half of a rewrite is none": (
        {"name": "r", "destinations": TO, "rewrite": {"regex": {"pattern": 5, "substitution": r"\1"}}},
        ["/rewrite/regex/pattern"],
        {"name": "r", "destinations": TO},
    ),
    "a condition without a value": (
        {"name": "r", "match": {"headers": [{"name": "x"}, {"name": "y", "exact": "z"}]}, "destinations": TO},
        ["/match/headers/0"],
        {"name": "r", "match": {"headers": [{"name": "y", "exact": "z"}]}, "destinations": TO},
    ),
    "a bad key of a dictionary": (
        {"name": "r", "destinations": TO, "request_headers": {"set": {"a b": "c", "d": "e"}}},
        ["/request_headers/set/a b"],
        {"name": "r", "destinations": TO, "request_headers": {"set": {"d": "e"}}},
    ),
}


@pytest.mark.parametrize(("body", "pointers", "left"), ROUTES.values(), ids=ROUTES)
def test_routes(body: dict[str, Any], pointers: list[str], left: dict[str, Any]) -> None:
    reading = read_definition(Route, body)
    assert [fault.pointer for fault in sort_faults(reading.faults, body)] == pointers
    assert short(reading) == left


UPSTREAMS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an endpoint twice beside one that is none": (
        {"name": "u", "endpoints": [ENDPOINT, 5, ENDPOINT]},
        ["/endpoints", "/endpoints/1"],
    ),
    "two schemes and an unknown key": (
        {"name": "u", "endpoints": [ENDPOINT, "https://x"], "zzz": 1},
        ["/endpoints", "/zzz"],
    ),
    "no endpoints": ({"name": "u"}, ["/endpoints"]),
    "no endpoint": ({"name": "u", "endpoints": []}, ["/endpoints"]),
    "two documents": (
        {"name": "u", "endpoints": [ENDPOINT], "discovery": {"document": "x", "document_url": "/x"}},
        ["/discovery"],
    ),
}


@pytest.mark.parametrize(("body", "pointers"), UPSTREAMS.values(), ids=UPSTREAMS)
def test_upstreams_keep_their_name(body: dict[str, Any], pointers: list[str]) -> None:
    reading = read_definition(Upstream, body)
    assert [fault.pointer for fault in sort_faults(reading.faults, body)] == pointers
    assert short(reading)["name"] == "u"


def test_nothing_is_left_of_what_is_no_object() -> None:
    reading = read_definition(Route, [1])
    assert (reading.definition, [fault.code for fault in reading.faults]) == (None, ["wrong_type"])


def test_places_lead_from_what_is_left_to_the_text() -> None:
    reading = read_definition(VirtualService, {"name": "v", "domains": [5, "a.example", 6, "b.example"]})
    assert reading.definition is not None and reading.definition.domains == ("a.example", "b.example")
    assert [reading.locate(f"/domains/{index}") for index in (0, 1)] == ["/domains/1", "/domains/3"]
    assert not reading.is_missing("/domains/0")


def test_what_else_is_found_is_told_only_where_something_really_was() -> None:
    reading = read_definition(Route, {"name": "A", "destinations": TO}, lambda place: "/x")
    found = reading.also([Fault("/name", "c", "stand-in"), Fault("/destinations/0/upstream", "c", "unknown")])
    assert [(fault.pointer, fault.detail) for fault in found.faults[1:]] == [("/x", "unknown")]
    with pytest.raises(DefinitionError, match="2 faults"):
        found.require()


def test_what_was_told_already_is_not_told_again() -> None:
    reading = read_definition(
        Route, {"name": "r", "destinations": [{"upstream": ""}]}, lost=[("destinations", 0, "upstream")]
    )
    assert reading.faults == ()
    assert reading.is_missing("/destinations/0/upstream")
    assert not reading.is_missing("/destinations/0")


def test_what_is_right_is_read_as_it_is() -> None:
    reading = read_definition(Route, {"name": "r", "destinations": TO})
    assert (reading.faults, reading.locate("/destinations/0/a~1b")) == ((), "/destinations/0/a~1b")
    assert parse_definition(Route, {"name": "r", "destinations": TO}) == reading.require()


def test_faults_stand_in_the_order_of_the_text_each_once() -> None:
    body = {"b": [{"x": 1}, {"y": 1}], "a": 1}
    pointers = ["/missing", "/a", "/b/1/y", "/b/1", "/b/0/x/deeper", "", "/a"]
    ordered = [fault.pointer for fault in sort_faults([Fault(one, "c", "d") for one in pointers], body)]
    assert ordered == ["", "/b/0/x/deeper", "/b/1", "/b/1/y", "/a", "/missing"]


def test_pointers_are_split() -> None:
    assert split_pointer("") == ()
    assert split_pointer("/a~1b/0/~0/") == ("a/b", "0", "~", "")
