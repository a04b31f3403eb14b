"""A Builder that remembers gives what a new one gives, whatever came before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from coalmine.model import Definitions, Route
from coalmine.routing.build import Builder, build_snapshot
from coalmine.routing.snapshot import Snapshot, dump_snapshot
from coalmine.routing.table import CompiledVirtualService, RouteTable
from tests.coalmine.routing.definitions import NOON, PETS, function, head, route, service, to, upstream

PATHS: list[dict[str, Any]] = [
    {"path": {"exact": "/a"}},
    {"path": {"exact": "/a/b"}, "headers": [{"name": "x", "exact": "1"}]},
    {"path": {"prefix": "/"}},
    {"path": {"prefix": "/a"}, "methods": ["GET"]},
    {"path": {"template": "/a/{id}"}},
    {"path": {"template": "/{x}/b"}, "query": [{"name": "q", "present": True}]},
    {"path": {"regex": "/a/(b|c)"}},
    {"path": {"regex": "/(unclosed"}},
]
TARGETS = [to("pets", "findPets"), to("pets", "oldPets"), to("stores", "findStores"), to("stores"), to("gone")]
HEADS = [head(path, headers=[("x", x)] if x else []) for path in ("/", "/a", "/a/b", "/a/c", "/z/b") for x in ("", "1")]


def random_route(rng: random.Random, name: str) -> Route:
    more: dict[str, Any] = {"virtual_service": rng.choice(["coalmine", "other", "default", "missing"])}
    if rng.random() < 0.7:
        more["destinations"] = [{**rng.choice(TARGETS), "parameters": {"tags": rng.choice([1, 1.0, True, "1"])}}]
        more["mirror"] = rng.choice([None, {"upstream": "pets", "function": "findPets"}])
    return route(name, rng.choice(PATHS), priority=rng.choice([0, 0, 0, 1]), **more)


def edit(rng: random.Random, now: Definitions) -> Definitions:
    """One change, such as people and discovery make."""
    routes = list(now.routes)
    at = rng.randrange(len(routes)) if routes else 0
    kind = rng.choice(
        ["add", "add", "change", "change", "remove", "move", "function", "upstream", "service", "pending"]
    )
    if kind == "add":
        routes.append(random_route(rng, f"r{rng.randrange(1000)}-{len(routes)}"))
    elif kind == "change" and routes:
        routes[at] = random_route(rng, routes[at].name)
    elif kind == "remove" and routes:
        del routes[at]
    elif kind == "move" and routes:
        routes.append(routes.pop(at))
    elif kind == "function":
        later = NOON + timedelta(rng.randrange(3))
        state, path = rng.choice(["active", "removed"]), rng.choice(["/api/findPets", "/v2"])
        others = tuple(one for one in now.functions if one.name != "findPets")
        some = rng.choice([(), (function("findPets", last_seen=later, state=state, path=path),)])
        return replace(now, functions=(*others, *some))
    elif kind == "upstream":
        return replace(
            now, upstreams=tuple(upstream(name) for name in ("pets", "stores", "gone") if rng.random() < 0.8)
        )
    elif kind == "service":
        names = [name for name in ("coalmine", "other", "third") if rng.random() < 0.8]
        return replace(now, virtual_services=tuple(service(name, rng.choice(["*", "a.test"])) for name in names))
    elif kind == "pending":
        return replace(now, pending=frozenset(rng.choice([(), ("pets",)])))
    return replace(now, routes=tuple(routes))


def histories(seed: int, length: int = 60) -> Iterator[Definitions]:
    rng = random.Random(seed)
    now = PETS
    past = [now]
    for _ in range(length):
        now = edit(rng, rng.choice([now, now, now, rng.choice(past)]))  # sometimes undone: a dry run, a rollback
        past.append(now)
        yield now


def renew(definitions: Definitions) -> Definitions:
    """Equal, with no object in common that could be remembered."""
    return replace(definitions, routes=tuple(Route.model_validate(one.model_dump()) for one in definitions.routes))


@pytest.mark.parametrize("seed", range(20))
def test_after_any_history_it_gives_what_a_new_one_gives(seed: int) -> None:
    builder = Builder()
    for definitions in histories(seed):
        given, expected = builder.build(definitions), build_snapshot(renew(definitions))
        assert given == expected
        assert dump_snapshot(given) == dump_snapshot(expected)


def answers(table: RouteTable) -> list[object]:
    return [
        [service.name, service.domains, [one.name for one in service.routes], [winner(service, one) for one in HEADS]]
        for service in table.virtual_services
    ]


def winner(service: CompiledVirtualService, request: Any) -> object:
    matched = service.match(request)
    return matched and (matched.route.name, matched.captures, matched.rest)


@pytest.mark.parametrize("seed", range(20))
def test_a_table_compiled_from_the_last_one_answers_like_a_new_one(seed: int) -> None:
    builder = Builder()
    table: RouteTable | None = None
    for definitions in histories(seed):
        snapshot = builder.build(definitions)
        table = RouteTable.compile(snapshot, table)
        new = RouteTable.compile(build_snapshot(renew(definitions)))
        assert table.version == new.version
        assert answers(table) == answers(new)
        assert [one.served for each in table.virtual_services for one in each.routes] == [
            one for each in snapshot.virtual_services for one in each.routes
        ]


def two_services() -> tuple[Definitions, Snapshot, Builder]:
    routes = tuple(
        route(f"{name}-{n}", {"path": {"exact": f"/{n}"}}, virtual_service=name)
        for name in ("one", "two")
        for n in range(3)
    )
    services = (service("one", "one.test"), service("two", "two.test"))
    builder = Builder()
    definitions = Definitions(virtual_services=services, routes=routes)
    return definitions, builder.build(definitions), builder


def test_a_change_in_one_virtual_service_leaves_the_other_the_same_object_built_and_compiled() -> None:
    definitions, before, builder = two_services()
    table = RouteTable.compile(before)
    changed = route("one-1", {"path": {"exact": "/changed"}}, virtual_service="one")
    routes = tuple(changed if one.name == "one-1" else one for one in definitions.routes)
    after = builder.build(replace(definitions, routes=routes))
    assert after.virtual_services[1] is before.virtual_services[1]
    assert after.virtual_services[0] is not before.virtual_services[0]
    compiled = RouteTable.compile(after, table)
    assert compiled.virtual_services[1] is table.virtual_services[1]
    kept = [
        one
        for one in compiled.virtual_services[0].routes
        if any(one is old for old in table.virtual_services[0].routes)
    ]
    assert len(kept) == 2, "and of the other, the routes that stayed the same"


def test_functions_that_were_only_seen_again_change_no_object() -> None:
    one = route("r", destinations=[to("pets", "findPets")])
    builder = Builder()
    before = builder.build(replace(PETS, routes=(one,)))
    seen = tuple(each.model_copy(update={"last_seen": NOON + timedelta(1)}) for each in PETS.functions)
    after = builder.build(replace(PETS, functions=seen, routes=(one,)))
    assert after.virtual_services[1] is before.virtual_services[1]


def test_a_route_that_comes_out_of_the_shadow_is_served_as_it_was_before_it() -> None:
    wide, narrow = route("wide", {"path": {"prefix": "/a"}}, priority=1), route("narrow", {"path": {"prefix": "/a/b"}})
    builder = Builder()
    alone = builder.build(Definitions(routes=(narrow,)))
    shadowed = builder.build(Definitions(routes=(wide, narrow)))
    assert [one.shadowed_by for one in shadowed.virtual_services[0].routes] == [None, "wide"]
    again = builder.build(Definitions(routes=(narrow,)))
    assert again == alone and again.virtual_services[0].routes[0].shadowed_by is None


def test_nothing_is_remembered_that_is_no_longer_defined() -> None:
    _, _, builder = two_services()
    builder.build(Definitions())
    assert not builder._routes and not builder._services
