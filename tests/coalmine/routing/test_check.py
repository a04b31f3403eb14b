"""The door: every fault at once, where it is, and what was probably meant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coalmine.errors import CODES, Fault
from coalmine.routing.check import RouteChecker, check_route, check_virtual_service
from tests.coalmine.routing.definitions import PETS, function, route, service, to, upstream

KNOWN = replace(
    PETS,
    upstreams=(*PETS.upstreams, upstream("new")),
    functions=(*PETS.functions, function("strange", path="/a b/{x"), function("bare")),
    pending=frozenset({"new"}),
)


def check(**more: Any) -> list[Fault]:
    faults = check_route(route("r", more.pop("match", None), virtual_service="coalmine", **more), KNOWN)
    assert all(fault.code in CODES for fault in faults)
    return faults


def check_parameters(parameters: dict[str, Any], path: dict[str, str], name: str = "findPetById") -> list[Fault]:
    return check(match={"path": path}, destinations=[to("pets", name, parameters=parameters)])


@pytest.mark.parametrize(
    "good",
    [
        pytest.param({}, id="a direct response"),
        pytest.param({"destinations": [to("pets", "findPets"), to("stores")]}, id="functions and upstreams"),
        pytest.param({"destinations": [to("pets", "oldPets")]}, id="a removed function"),
        pytest.param({"destinations": [to("pets")], "rewrite": {"prefix": "/api/pets"}}, id="a rewrite"),
        pytest.param(
            {"destinations": [to("pets"), to("pets", "findPets")], "rewrite": {"prefix": "/x"}},
            id="a rewrite for one of two destinations",
        ),
        pytest.param(
            {"destinations": [to("pets")], "rewrite": {"regex": {"pattern": "(a)", "substitution": r"\1"}}},
            id="a regex rewrite",
        ),
        pytest.param({"redirect": {"path": "/a", "status": 301}}, id="a redirect"),
        pytest.param({"redirect": {"host": "a.test"}}, id="a redirect of the host"),
        pytest.param({"destinations": [to("pets")], "mirror": to("pets", "findPets")}, id="a mirror"),
        pytest.param(
            {"match": {"path": {"template": "/a/{b}"}, "headers": [{"name": "x", "regex": "a+"}]}}, id="a match"
        ),
        pytest.param({"request_headers": {"set": {"x-host": "a"}, "remove": ["via"]}}, id="header edits"),
        pytest.param({"response_headers": {"set": {"host": "a"}}}, id="a strange header in an answer"),
        pytest.param({"match": {"path": {"exact": "/%61//caf%c3%a9/é"}}}, id="another spelling of a path"),
    ],
)
def test_a_good_route_has_no_faults(good: dict[str, Any]) -> None:
    assert check(**good) == []


@pytest.mark.parametrize(
    ("bad", "pointer", "code", "detail", "hint"),
    [
        pytest.param(
            {"destinations": [to("pets", "findPet")]},
            "/destinations/0/function",
            "unknown_function",
            "no function findPet on pets",
            "did you mean findPets?",
            id="a function misspelt",
        ),
        pytest.param(
            {"destinations": [to("pets"), to("pets", "findStores")]},
            "/destinations/1/function",
            "unknown_function",
            "no function findStores on pets",
            "stores has one",
            id="a function of another upstream",
        ),
        pytest.param(
            {"destinations": [to("stores", "zzz")]},
            "/destinations/0/function",
            "unknown_function",
            "no function zzz on stores",
            None,
            id="a function of nobody",
        ),
        pytest.param(
            {"destinations": [to("new", "zzz")]},
            "/destinations/0/function",
            "unknown_function",
            "its document was never read",
            "upstreams/new/report",
            id="a function that nobody knows yet",
        ),
        pytest.param(
            {"destinations": [to("pet", "findPets")]},
            "/destinations/0/upstream",
            "unknown_upstream",
            "no upstream pet",
            "did you mean pets?",
            id="an upstream misspelt",
        ),
        pytest.param(
            {"destinations": [to("pets")], "mirror": to("zzz")},
            "/mirror/upstream",
            "unknown_upstream",
            "no upstream zzz",
            None,
            id="a mirror's upstream",
        ),
        pytest.param(
            {"destinations": [to("pets")], "mirror": to("pets", "findPet")},
            "/mirror/function",
            "unknown_function",
            "no function findPet",
            "findPets",
            id="a mirror's function",
        ),
        pytest.param(
            {"destinations": [to("pets", "findPets")], "rewrite": {"prefix": "/a"}},
            "/rewrite",
            "invalid_value",
            "for destinations without a function",
            "leave",
            id="a rewrite of nothing",
        ),
        pytest.param(
            {"destinations": [to("pets")], "rewrite": {"prefix": "/a/../b"}},
            "/rewrite/prefix",
            "invalid_value",
            "dot segments",
            "write /b",
            id="a rewrite to a path that nobody sends",
        ),
        pytest.param(
            {"destinations": [to("pets")], "rewrite": {"regex": {"pattern": "a(", "substitution": r"\9"}}},
            "/rewrite/regex/pattern",
            "invalid_regex",
            "missing )",
            None,
            id="a rewrite's pattern",
        ),
        pytest.param(
            {"destinations": [to("pets")], "rewrite": {"regex": {"pattern": "a", "substitution": r"\1"}}},
            "/rewrite/regex/substitution",
            "invalid_value",
            "refers to group 1",
            None,
            id="a substitution",
        ),
        pytest.param(
            {"destinations": [to("pets")], "rewrite": {"regex": {"pattern": "(a)", "substitution": "/b?x=1"}}},
            "/rewrite/regex/substitution",
            "invalid_value",
            "a path has no",
            "write %20",
            id="a substitution with a query",
        ),
        pytest.param(
            {"destinations": [to("pets")], "rewrite": {"regex": {"pattern": "(a)", "substitution": "/a b"}}},
            "/rewrite/regex/substitution",
            "invalid_value",
            "a path has no",
            "write %20",
            id="a substitution with a space",
        ),
        pytest.param(
            {"destinations": [to("pets")], "rewrite": {"regex": {"pattern": "(a)", "substitution": "/$1"}}},
            "/rewrite/regex/substitution",
            "invalid_value",
            "a group of the pattern is",
            "write %24",
            id="a substitution in another language's words",
        ),
        pytest.param(
            {"redirect": {"prefix": "/a/.."}}, "/redirect/prefix", "invalid_value", "dot", "write /", id="a redirect"
        ),
        pytest.param(
            {"match": {"path": {"exact": "/a/../b"}}},
            "/match/path/exact",
            "invalid_value",
            "dot segments",
            "write /b",
            id="a path with dot segments",
        ),
        pytest.param(
            {"match": {"path": {"prefix": "/a%zz"}}},
            "/match/path/prefix",
            "invalid_value",
            "two hexadecimal digits",
            None,
            id="a bad triplet",
        ),
        pytest.param(
            {"match": {"path": {"template": "/a/{b"}}},
            "/match/path/template",
            "invalid_value",
            "not closed",
            None,
            id="a template",
        ),
        pytest.param(
            {"match": {"path": {"regex": "/a[z-a]"}}},
            "/match/path/regex",
            "invalid_regex",
            "(at character 4)",
            None,
            id="a path pattern",
        ),
        pytest.param(
            {"match": {"headers": [{"name": "a", "exact": "1"}, {"name": "x", "regex": "("}]}},
            "/match/headers/1/regex",
            "invalid_regex",
            "missing )",
            None,
            id="a header pattern",
        ),
        pytest.param(
            {"match": {"query": [{"name": "x", "regex": "("}]}},
            "/match/query/0/regex",
            "invalid_regex",
            "missing )",
            None,
            id="a query pattern",
        ),
        pytest.param(
            {"destinations": [to("pets", parameters={"id": 1})]},
            "/destinations/0/parameters",
            "invalid_value",
            "this destination has none",
            None,
            id="parameters of no function",
        ),
    ],
)
def test_a_bad_route_is_refused(bad: dict[str, Any], pointer: str, code: str, detail: str, hint: str | None) -> None:
    (fault,) = check(**bad)
    assert (fault.pointer, fault.code) == (pointer, code)
    assert detail in fault.detail
    assert (fault.hint is None) if hint is None else (fault.hint is not None and hint in fault.hint)


TEMPLATE = {"template": "/x/{key}"}


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        pytest.param({"id": "{path.key}"}, TEMPLATE, id="a placeholder of the template"),
        pytest.param({"id": "{path.key}"}, {"regex": "/(?P<key>.*)"}, id="a named group"),
        pytest.param({"id": "a-{query.x}-{header.x-y}{cookie.c}{body.a.b}"}, {"prefix": "/"}, id="other places"),
        pytest.param({"id": 7}, {"prefix": "/"}, id="a literal"),
        pytest.param({"id": '{"a": 1}'}, {"prefix": "/"}, id="braces that are no reference"),
        pytest.param({":path": "/x/{id}"}, {"prefix": "/x"}, id="a template over the whole path"),
        pytest.param({":path": "/x/{id}", "id": "{path.id}"}, {"prefix": "/x"}, id="a capture of that template"),
    ],
)
def test_good_parameters(parameters: dict[str, Any], path: dict[str, str]) -> None:
    assert check_parameters(parameters, path) == []


@pytest.mark.parametrize(
    ("parameters", "path", "pointer", "detail", "hint"),
    [
        pytest.param(
            {"id": "{path.kee}"},
            TEMPLATE,
            "id",
            "never bound: the path match captures key",
            "match",
            id="no such capture",
        ),
        pytest.param({"id": "{path.a}"}, {"prefix": "/"}, "id", "captures nothing", "match", id="no captures at all"),
        pytest.param({"id": "{key}"}, TEMPLATE, "id", "refers to nothing", "write {path.key}", id="a capture alone"),
        pytest.param(
            {"id": "{querry.a}"}, TEMPLATE, "id", "refers to nothing", "write {query.a}", id="a misspelt place"
        ),
        pytest.param({"id": "{query}"}, TEMPLATE, "id", "refers to nothing", "write {query.x}", id="a place alone"),
        pytest.param({"id": "{zzz.a}"}, TEMPLATE, "id", "refers to nothing", None, id="no place at all"),
        pytest.param({"idd": 1}, TEMPLATE, "idd", "no parameter idd", "did you mean id?", id="a misspelt parameter"),
        pytest.param({"zzz": 1}, TEMPLATE, "zzz", "no parameter zzz", "it has id", id="another parameter"),
        pytest.param({"i/d~": 1}, TEMPLATE, "i~1d~0", "no parameter i/d~", "id", id="pointers are escaped"),
        pytest.param({":path": 7}, TEMPLATE, ":path", "is a template", None, id="a number for a template"),
        pytest.param({":path": "/{a"}, TEMPLATE, ":path", "not closed", None, id="a broken template"),
        pytest.param({":path": "/{a}"}, TEMPLATE, ":path", "no parameter a", "id", id="a template of other names"),
    ],
)
def test_bad_parameters(
    parameters: dict[str, Any], path: dict[str, str], pointer: str, detail: str, hint: str | None
) -> None:
    (fault,) = check_parameters(parameters, path)
    assert fault.pointer == f"/destinations/0/parameters/{pointer}"
    assert detail in fault.detail
    assert (fault.hint is None) if hint is None else (fault.hint is not None and hint in fault.hint)


def test_what_a_broken_path_captures_is_not_judged() -> None:
    pointers = [fault.pointer for fault in check_parameters({"id": "{path.a}"}, {"regex": "(?P<a>"})]
    assert pointers == ["/match/path/regex"]


@pytest.mark.parametrize("name", ["strange", "bare"])
def test_a_function_without_parameters_takes_none(name: str) -> None:
    (fault,) = check_parameters({"id": 1}, TEMPLATE, name)
    assert fault.hint is None


def test_every_fault_is_told_at_once() -> None:
    faults = check(
        match={"path": {"regex": "("}, "headers": [{"name": "x", "regex": "("}]},
        destinations=[to("zzz"), to("pets", "zzz")],
        mirror=to("zzz"),
    )
    assert len(faults) == 5


_OWN_KEY = "the Host header is chosen by the route's own key host"
_FRAMING = "belongs to the connection or says where the message ends"


@pytest.mark.parametrize(
    ("more", "pointer", "detail", "hint"),
    [
        (
            {"request_headers": {"set": {"Host": "a.test"}}},
            "/request_headers/set/Host",
            _OWN_KEY,
            "write host: a.test beside destinations",
        ),
        (
            {"request_headers": {"remove": ["x", "host"]}},
            "/request_headers/remove/1",
            _OWN_KEY,
            "write host: upstream beside destinations",
        ),
        ({"request_headers": {"add": {"TE": "trailers"}}}, "/request_headers/add/TE", _FRAMING, "leave it out"),
        (
            {"response_headers": {"set": {"Content-Length": "0"}}},
            "/response_headers/set/Content-Length",
            _FRAMING,
            "leave it out",
        ),
        (
            {"direct_response": {"status": 200, "headers": {"transfer-encoding": "chunked"}}},
            "/direct_response/headers/transfer-encoding",
            _FRAMING,
            "leave it out",
        ),
    ],
    ids=["Host", "Host removed", "TE", "Content-Length of an answer", "Transfer-Encoding of a direct response"],
)
def test_what_frames_a_message_is_nobodys_to_edit(more: dict[str, Any], pointer: str, detail: str, hint: str) -> None:
    (fault,) = check(**more)
    assert (fault.pointer, fault.code, fault.hint) == (pointer, "invalid_value", hint)
    assert detail in fault.detail


def test_a_virtual_service_must_exist_but_for_the_default_one() -> None:
    (fault,) = check_route(route("r", virtual_service="coalmin"), KNOWN)
    assert (fault.pointer, fault.code, fault.hint) == (
        "/virtual_service",
        "unknown_virtual_service",
        "did you mean coalmine?",
    )
    assert check_route(route("r"), KNOWN) == []


def test_functions_of_tolerated_upstreams_are_not_judged() -> None:
    restored = route("r", destinations=[to("new", "whatever", parameters={"x": 1})], mirror=to("new", "other"))
    assert len(check_route(restored, KNOWN)) == 2
    assert RouteChecker(KNOWN, tolerate=frozenset({"new"})).check(restored) == []


def test_a_domain_belongs_to_one_virtual_service() -> None:
    known = replace(KNOWN, virtual_services=(service("a", "a.test", "*"), service("b", "b.test")))
    assert check_virtual_service(service("a", "a.test", "c.test"), known) == [], "it replaces itself"
    clash, twice = check_virtual_service(service("c", "c.test", "b.test", "c.test"), known)
    assert (clash.pointer, clash.code) == ("/domains/1", "domain_conflict")
    assert "belongs to the virtual service b" in clash.detail
    assert (twice.pointer, twice.code) == ("/domains/2", "duplicate_name")
