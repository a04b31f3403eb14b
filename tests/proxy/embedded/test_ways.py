"""Ways: remembered per snapshot, by host, method and path, and never for requests that they do not hold for."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.routing.build import build_snapshot
from coalmine.routing.table import RouteTable
from proxy.embedded.endpoints import update_clusters
from proxy.embedded.forwarding import onward
from proxy.embedded.lane import Lanes
from proxy.embedded.request import Request, parse_request
from proxy.embedded.stats import Stats
from proxy.embedded.ways import MAX_FAMILIES, MAX_START, MAX_WAYS, Crossing, Way, Ways
from tests.support.case import Definitions, define, route, to


def ways_of(definitions: Definitions) -> Ways:
    snapshot = build_snapshot(definitions)
    return Ways(RouteTable.compile(snapshot), Lanes(update_clusters({}, snapshot.upstreams), Stats(), 60.0))


def ask(target: str, *lines: str, method: str = "GET") -> Request:
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: gateway.test", *lines, "", ""])
    request = parse_request(head.encode(), "192.0.2.1")
    assert isinstance(request, Request)
    return request


CALL = define(route("pets", "/findPets", to("v1", "findPets")), route("other", "/other", to("v2")))


def middle() -> float:
    return 0.5


def test_the_second_request_takes_the_same_way() -> None:
    ways = ways_of(CALL)
    first = ways.find(ask("/findPets"), middle)
    assert first is not None
    assert ways.find(ask("/findPets?limit=1"), middle) is first
    assert ways.find(ask("/findPets", method="HEAD"), middle) is not first


def test_the_head_is_the_whole_of_the_request_to_the_upstream() -> None:
    way = ways_of(CALL).find(ask("/findPets?limit=1", "X-Colour: red"), middle)
    assert way is not None
    fields = onward(ask("/findPets?limit=1", "X-Colour: red"))
    head = way.write_head(b"?limit=1", b"gateway.test", b"127.0.0.1:9001", fields, b"id-1")
    assert head.startswith(b"GET /api/pets?limit=1 HTTP/1.1\r\nHost: gateway.test\r\nX-Colour: red\r\n")
    assert head.endswith(b"\r\nX-Request-Id: id-1\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1


def test_a_body_that_the_function_does_not_take_goes_the_long_way() -> None:
    ways = ways_of(CALL)
    with_body = ("Content-Length: 2", "Content-Type: application/json")
    assert ways.find(ask("/findPets"), middle) is not None
    assert ways.find(ask("/findPets", *with_body), middle) is None
    assert ways.find(ask("/other", *with_body), middle) is not None, "a plain upstream gets it"


def test_chance_chooses_for_each_request() -> None:
    routes = route("pets", "/findPets", to("v1", "findPets", 9), to("v2", "findPets", 1))
    ways = ways_of(define(routes))
    chosen = [ways.find(ask("/findPets"), lambda point=point: point) for point in (0.0, 0.95, 0.1)]  # type: ignore[misc]
    assert [way and way.forward.upstream for way in chosen] == ["v1", "v2", "v1"]


def test_no_draw_is_spent_on_a_request_that_is_decided_for_itself() -> None:
    ways = ways_of(define(route("pets", "/findPets", to("v1", "findPets", 9), to("v2", "findPets", 1))))
    assert ways.find(ask("/findPets", "Content-Length: 2"), lambda: 1 / 0) is None


def test_memory_is_bounded() -> None:
    ways = ways_of(CALL)
    for number in range(MAX_WAYS + 10):
        assert ways.find(ask(f"/other/{number}"), middle) is not None
    assert ways.find(ask("/other/" + "x" * MAX_START), middle) is not None
    assert 0 < len(ways.known) <= MAX_WAYS
    before = len(ways.known)
    ways.find(ask("/other/" + "y" * MAX_START), middle)
    assert len(ways.known) == before, "nobody comes back to such a path"


@pytest.mark.parametrize(
    ("start", "known"),
    [
        (b"GET /findPets", True),
        (b"GET /nowhere", False),
        (b"get /findPets", False),
        (b"GET  /findPets", False),
        (b"GET /findPets\r\nX: 1", False),
        (b"GET /other/%61", False),
        (b"GET /other/../findPets", False),
        (b"CONNECT /findPets", False),
        (b"TRACE /findPets", False),
        (b"GET http://gateway.test/findPets", False),
        (b"GET", False),
        (b"", False),
    ],
)
def test_of_a_line_that_is_not_plain_nothing_is_known(start: bytes, known: bool) -> None:
    assert (ways_of(CALL).recall("gateway.test", start) is not None) is known


def test_the_fast_path_and_the_long_way_know_the_same_ways() -> None:
    ways = ways_of(CALL)
    assert ways.recall("gateway.test", b"GET /findPets") is ways.find(ask("/findPets"), middle)
    assert ways.find(ask("/other/1"), middle) is ways.recall("gateway.test", b"GET /other/1")


@pytest.mark.parametrize(
    ("method", "routes", "fast"),
    [
        ("GET", route("pets", "/findPets", to("v1", "findPets")), True),
        ("HEAD", route("pets", "/findPets", to("v1", "findPets")), False),
        ("GET", route("pets", "/findPets", to("v1", "findPets"), request_headers={"set": {"a": "b"}}), False),
        ("GET", route("pets", "/findPets", to("v1", "findPets"), response_headers={"set": {"a": "b"}}), True),
    ],
)
def test_only_what_is_written_without_a_look_at_the_request_is_fast(method: str, routes: Any, fast: bool) -> None:
    way = ways_of(define(routes)).find(ask("/findPets", method=method), middle)
    assert way is not None
    assert way.fast is fast


def test_paths_that_differ_in_an_id_are_a_family_once_two_came() -> None:
    by_id = {"template": "/pets/{id}"}
    special = route("special", {"exact": "/pets/mine"}, to("v2"))
    ways = ways_of(define(special, route("pet", by_id, to("v1", "findPetById", 9), to("v2", "findPetById", 1))))
    first, second, third = (ways.recall("gateway.test", b"GET /pets/%d" % number) for number in (1, 2, 3))
    assert (len(ways.known), len(ways.families)) == (1, 1), "the others need no memory"
    for number, way in enumerate((first, second, third), start=1):
        assert isinstance(way, Crossing)
        assert way.fast
        assert [way.choose(lambda point=point: point).start for point in (0.0, 0.95)] == [  # type: ignore[misc]
            b"GET /api/pets/%d" % number
        ] * 2
        assert [way.choose(lambda point=point: point).forward.upstream for point in (0.0, 0.95)] == ["v1", "v2"]  # type: ignore[misc]
        asked = ask(f"/pets/{number}?a=b")
        assert way.choose(middle).forward_for(asked).target == f"/api/pets/{number}?a=b"
    own = ways.recall("gateway.test", b"GET /pets/mine")
    assert isinstance(own, Way)
    assert own.start == b"GET /pets/mine"


def test_families_are_bounded_and_some_are_none() -> None:
    ways = ways_of(CALL)
    for number in range(MAX_FAMILIES + 10):
        for leaf in (b"a", b"b", b"c"):
            assert ways.recall("gateway.test", b"GET /other/%d/%b" % (number, leaf)) is not None
    assert len(ways.families) == MAX_FAMILIES
    assert ways.recall("gateway.test", b"GET /nowhere/a") is None
    assert ways.recall("gateway.test", b"GET /nowhere/b") is None
    assert ways.families["gateway.test", b"GET /nowhere"] is None
    assert ways.recall("gateway.test", b"GET /other/1/%2e") is None, "not plain"
