"""Functions: a row for each rule about the function itself, its parameters and bodies, and the way back."""

# ruff: noqa: E501  one row, one line

from __future__ import annotations

from typing import Any

import pytest

from coalmine.differences import RULES, Difference, compare_functions, worst
from coalmine.differences.aspects import ASPECTS
from coalmine.differences.rules import SCOPES
from coalmine.model import Function, Signature
from tests.coalmine.differences.support import NONE, across, compare, components, function, parameter, ref, rules

JSON, XML = "application/json", "application/xml"
NUMBERS = {"type": "array", "items": {"type": "number"}}


def taking(*parameters: dict[str, Any], path: str = "/a") -> Function:
    return function(path=path, parameters=list(parameters))


def body(*types: str, required: bool = False, schema: Any = None) -> Function:
    return function(request_body={"required": required, "content_types": list(types or [JSON]), "schema": schema})


def taking_two(second: Any) -> Function:
    return function(request_body={"content_types": [JSON, "text/plain"], "schema": {"type": "object"}, "other_schemas": {"text/plain": second}})  # fmt: skip


def answering(*statuses: str, types: tuple[str, ...] = (JSON,), schema: Any = None) -> Function:
    return function(responses=[{"status": one, "content_types": list(types), "schema": schema} for one in statuses])


P = parameter
MUST = {"required": True}
# rule, sentence, before, after, where. The other way round it must be silent.
ROWS: list[tuple[str, str, Function, Function, str]] = [
    ("function-deprecated", "it may go one day", function(), function(deprecated=True), "/deprecated"),
    ("function-reactivated", "it stays", function(deprecated=True), function(), "/deprecated"),
    ("new-request-path-parameter", "one more segment", taking(), taking(P("id", "path", required=True), path="/a/{id}"), "/parameters/path/id"),
    ("new-required-request-parameter", "must be given", taking(), taking(P(**MUST)), "/parameters/query/p"),
    ("new-required-request-parameter", "null is no default", taking(), taking(P(schema={"default": None}, **MUST)), "/parameters/query/p"),
    ("new-required-request-parameter", "anything has no default", taking(), taking(P(schema=True, **MUST)), "/parameters/query/p"),
    ("new-required-request-default-parameter", "must be given, and is known", taking(), taking(P(schema={"default": 1}, **MUST)), "/parameters/query/p"),
    ("new-optional-request-parameter", "may be given", taking(), taking(P()), "/parameters/query/p"),
    ("request-parameter-removed", "is not taken any more", taking(P("a"), P("b")), taking(P("b")), "/parameters/query/a"),
    ("request-parameter-became-required", "must be given now", taking(P()), taking(P(**MUST)), "/parameters/query/p/required"),
    ("request-parameter-became-required-with-default", "must be given now, and is known", taking(P(schema={"default": 1})), taking(P(schema={"default": 1}, **MUST)), "/parameters/query/p/required"),
    ("request-parameter-became-optional", "need not be given", taking(P(**MUST)), taking(P()), "/parameters/query/p/required"),
    ("request-parameter-deprecated", "may go one day", taking(P()), taking(P(deprecated=True)), "/parameters/query/p/deprecated"),
    ("request-parameter-reactivated", "stays", taking(P(deprecated=True)), taking(P()), "/parameters/query/p/deprecated"),
    ("added-required-request-body", "must be sent", function(), body(required=True), "/requestBody"),
    ("added-optional-request-body", "may be sent", function(), body(), "/requestBody"),
    ("request-body-removed", "is not taken any more", body(), function(), "/requestBody"),
    ("request-body-became-required", "must be sent now", body(), body(required=True), "/requestBody/required"),
    ("request-body-became-optional", "need not be sent", body(required=True), body(), "/requestBody/required"),
    ("request-body-media-type-removed", "no XML any more", body(JSON, XML), body(JSON), "/requestBody/content"),
    ("request-body-media-type-removed", "not all of them any more", body("application/*"), body(JSON), "/requestBody/content"),
    ("request-body-media-type-added", "XML as well", body(JSON), body(JSON, XML), "/requestBody/content"),
    ("request-body-media-type-added", "anything", body(JSON), body("*/*"), "/requestBody/content"),
    ("response-success-status-removed", "not created any more", answering("200", "201"), answering("200"), "/responses/201"),
    ("response-success-status-removed", "no redirection any more", answering("302"), answering(), "/responses/302"),
    ("response-success-status-added", "created now", answering("200"), answering("200", "201"), "/responses/201"),
    ("response-non-success-status-removed", "never missing", answering("200", "404"), answering("200"), "/responses/404"),
    ("response-non-success-status-removed", "no others", answering("200", "default"), answering("200"), "/responses/default"),
    ("response-non-success-status-added", "missing now", answering("200"), answering("200", "404"), "/responses/404"),
    ("response-media-type-removed", "no XML any more", answering("200", types=(JSON, XML)), answering("200"), "/responses/200/content"),
    ("response-media-type-added", "XML as well", answering("200"), answering("200", types=(JSON, XML)), "/responses/200/content"),
]  # fmt: skip
# Rules without a direction: a pair that differs, and one next to it that does not.
Pair = tuple[Function, Function]
BOTH_WAYS: list[tuple[str, str, Pair, Pair, str]] = [
    ("function-renamed", "another name; another summary is none", (function("f"), function("g")), (function(), function(summary="x")), "/name"),
    ("operation-id-changed", "the same name for another id, or another name, which tells it all", (function(operation_id=None), function()), (function(), function()), "/operationId"),
    ("method-changed", "GET or PUT; a HEAD is another one", (function(), function(method="PUT")), (function(method="HEAD"), function(method="HEAD")), "/method"),
    ("path-changed", "another segment; another name in braces is none", (function(path="/a"), function(path="/b")), (taking(P("i", "path"), path="/{i}"), taking(P("j", "path"), path="/{j}")), "/path"),
    ("path-parameter-renamed", "at the same place; not in another path", (taking(P("i", "path"), path="/{i}"), taking(P("j", "path"), path="/{j}")), (taking(P("i", "path"), path="/{i}/x"), taking(P("j", "path"), path="/{j}/y")), "/parameters/path/i/name"),
    ("path-parameter-renamed", "one of two; not where they changed places", (taking(P("i", "path"), P("k", "path"), path="/{i}/{k}"), taking(P("j", "path"), P("k", "path"), path="/{j}/{k}")), (taking(P("i", "path"), P("k", "path"), path="/{i}/{k}"), taking(P("i", "path"), P("k", "path"), path="/{k}/{i}")), "/parameters/path/i/name"),
    ("request-parameter-place-changed", "from query to header; another case is another one", (taking(P("a")), taking(P("a", "header"))), (taking(P("a")), taking(P("A"))), "/parameters/query/a/in"),
    ("request-parameter-style-changed", "a list by commas or bars; exploded text looks the same", (taking(P(schema=NUMBERS, style="form", explode=False)), taking(P(schema=NUMBERS, style="pipeDelimited", explode=False))), (taking(P(explode=False)), taking(P(explode=True))), "/parameters/query/p/style"),
    ("request-parameter-style-changed", "a list exploded or not; a text in any bare style", (taking(P(schema=NUMBERS, explode=False)), taking(P(schema=NUMBERS, explode=True))), (taking(P(style="form")), taking(P(style="spaceDelimited"))), "/parameters/query/p/style"),
    ("request-parameter-style-changed", "a text after a dot; in the same style", (taking(P(style="simple")), taking(P(style="label"))), (taking(P(style="label", explode=True)), taking(P(style="label", explode=False))), "/parameters/query/p/style"),
    ("request-parameter-style-changed", "reserved characters as they are; they stay so", (taking(P()), taking(P(allow_reserved=True))), (taking(P(allow_reserved=True)), taking(P(allow_reserved=True))), "/parameters/query/p/style"),
    ("request-parameter-style-changed", "what may be anything may be a list; the same style", (taking(P(schema={}, explode=True)), taking(P(schema={}, explode=False))), (taking(P(schema={})), taking(P(schema={}))), "/parameters/query/p/style"),
    ("request-parameter-media-type-changed", "a JSON document or text; its style counts for nothing", (taking(P()), taking(P(content_type=JSON, style="label"))), (taking(P(content_type=JSON)), taking(P(content_type=JSON))), "/parameters/query/p/content"),
]  # fmt: skip
# Told by compare_documents (test_documents.py) and where a comparison ends early (test_bounds.py).
ELSEWHERE = {"function-added", "function-removed", "comparison-incomplete"}


def names(rows: list[Any]) -> list[str]:
    return [f"{row[0]}: {row[1]}" for row in rows]


def find(differences: tuple[Difference, ...], rule: str) -> Difference:
    return next(one for one in differences if one.rule == rule)


@pytest.mark.parametrize(("rule", "sentence", "old", "new", "where"), ROWS, ids=names(ROWS))
def test_it_is_told_and_not_the_other_way_round(
    rule: str, sentence: str, old: Function, new: Function, where: str
) -> None:
    found = find(compare(old, new), rule)
    assert (found.where, found.severity, found.function) == (where, RULES[rule].severity, "f")
    assert rule not in rules(compare(new, old))


@pytest.mark.parametrize(("rule", "sentence", "pair", "silent", "where"), BOTH_WAYS, ids=names(BOTH_WAYS))
def test_it_is_told_both_ways(rule: str, sentence: str, pair: Pair, silent: Pair, where: str) -> None:
    assert find(compare(*pair), rule).where == where
    assert rule in rules(compare(pair[1], pair[0]))
    assert rule not in rules(compare(*silent))


def test_every_rule_has_a_row() -> None:
    of_schemas = {aspect.rule(scope) for aspect in ASPECTS.values() for scope in SCOPES}
    assert {row[0] for row in ROWS} | {row[0] for row in BOTH_WAYS} | of_schemas | ELSEWHERE == RULES.keys()


SAME: list[tuple[str, Function, Function]] = [
    ("headers have no case", taking(P("X-A", "header")), taking(P("x-a", "header"))),
    ("parameters have no order", taking(P("a"), P("b")), taking(P("b"), P("a"))),
    ("two places may have one name", taking(P("a"), P("a", "header")), taking(P("a", "header"), P("a"))),
    ("content types have parameters and no case", body("application/JSON; charset=utf-8"), body(JSON)),
    ("nothing is known about content types", function(request_body={}), body(JSON)),
    ("a code in a range", answering("200"), answering("2XX")),
    ("a range that has one code", answering("4XX"), answering("404")),
    ("a status that is nothing", answering(""), answering("")),
    ("a form of Swagger 2.0", taking(P(style="form", explode=False, schema={"type": "integer"})), taking(P(schema={"type": "integer"}))),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "old", "new"), SAME, ids=[row[0] for row in SAME])
def test_these_are_the_same(sentence: str, old: Function, new: Function) -> None:
    assert compare(old, new) == compare(new, old) == ()


SCHEMAS: list[tuple[str, Function, Function, set[tuple[str, str]]]] = [
    ("of a parameter that moved", taking(P("a")), taking(P("a", "header", {"type": "integer"})), {("request-parameter-place-changed", "/parameters/query/a/in"), ("request-parameter-type-specialized", "/parameters/query/a/schema/type")}),
    ("of a parameter that is a document", taking(P(schema={"type": "number"}, content_type=JSON)), taking(P(content_type=JSON)), {("request-parameter-type-changed", "/parameters/query/p/schema/type")}),
    ("of a parameter behind a reference", taking(P(schema=ref("N"))), taking(P()), {("request-parameter-type-generalized", "/parameters/query/p/schema/type")}),
    ("of a body that said nothing", body(), body(schema={"type": "object"}), {("request-property-type-specialized", "/requestBody/schema/type")}),
    ("of each content type that both take", taking_two({"type": "string"}), taking_two({"type": "number"}), {("request-property-type-changed", "/requestBody/content/text~1plain/schema/type")}),
    ("of content types in another order", taking_two({"type": "string"}), function(request_body={"content_types": ["text/plain", JSON], "schema": {"type": "string"}, "other_schemas": {JSON: {"type": "object"}}}), set()),
    ("of an answer in a range", answering("200", schema={"type": "number"}), answering("2XX", schema={"type": "string"}), {("response-property-type-changed", "/responses/200/schema/type")}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "old", "new", "expected"), SCHEMAS, ids=[row[0] for row in SCHEMAS])
def test_schemas_are_compared(sentence: str, old: Function, new: Function, expected: set[tuple[str, str]]) -> None:
    found = compare(old, new, components(N={"type": "number"}))
    assert {(one.rule, one.where) for one in found} == expected


def test_signatures_alone_are_compared_by_how_they_are_called() -> None:
    old = Signature.model_validate({"method": "GET", "path": "/a", "request_body": {"required": True}})
    new = Signature.model_validate({"method": "PUT", "path": "/a", "request_body": {"required": False}})
    found = compare_functions(old, new, old_components=NONE, new_components=NONE)
    assert [(one.rule, one.function) for one in found] == [
        ("method-changed", "GET /a"),
        ("request-body-became-optional", "GET /a"),
    ]


def test_the_worst_comes_first() -> None:
    found = compare(taking(P("b", required=True), P("a"), P("c")), taking(P("b"), P("c", required=True)))
    assert [one.severity for one in found] == ["breaking", "warning", "info"]
    assert worst(found) == "breaking"
    assert worst(found[1:]) == "warning"
    assert worst(()) is None


def test_a_difference_is_a_sentence() -> None:
    [found] = compare(taking(P("a")), taking())
    assert found == Difference(
        "request-parameter-removed", "warning", "/parameters/query/a", "the query parameter a was removed", "f"
    )


# Through the gateway: what it translates is told and counts for nothing; the rest counts as it does for direct callers.
ACROSS: list[tuple[str, Function, Function, dict[str, str]]] = [
    ("another method and path", function(), function(method="PUT", path="/b"), {"method-changed": "info", "path-changed": "info"}),
    ("another name", function("f"), function("g"), {"function-renamed": "info"}),
    ("another place", taking(P("a")), taking(P("a", "header")), {"request-parameter-place-changed": "info"}),
    ("another style", taking(P(schema=NUMBERS)), taking(P(schema=NUMBERS, explode=False)), {"request-parameter-style-changed": "info"}),
    ("another name in the path", taking(P("i", "path"), path="/{i}"), taking(P("j", "path"), path="/{j}"), {"path-parameter-renamed": "breaking"}),
    ("a required parameter", taking(), taking(P(**MUST)), {"new-required-request-parameter": "breaking"}),
    ("a required parameter with a default", taking(), taking(P(schema={"default": 1}, **MUST)), {"new-required-request-default-parameter": "info"}),
    ("a required body", function(), body(required=True), {"added-required-request-body": "breaking"}),
    ("another type", taking(P()), taking(P(schema={"type": "integer"})), {"request-parameter-type-specialized": "breaking"}),
    ("another answer", answering("200", schema={"type": "integer"}), answering("200", schema={"type": "number"}), {"response-property-type-generalized": "breaking"}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "old", "new", "expected"), ACROSS, ids=[row[0] for row in ACROSS])
def test_across_upstreams(sentence: str, old: Function, new: Function, expected: dict[str, str]) -> None:
    assert {one.rule: one.severity for one in across(old, new)} == expected
