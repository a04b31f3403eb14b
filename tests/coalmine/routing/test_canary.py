"""Canaries: what each step puts and deletes, and that nothing made by hand is overwritten in silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from coalmine.errors import CoalmineError, ConflictError, DefinitionError, NotFoundError
from coalmine.model import Canary, Definitions, HeaderMatch, Route, Sticky, VirtualService
from coalmine.routing.canary import (
    CanaryPlan,
    find_canary,
    plan_abort,
    plan_promote,
    plan_shift,
    plan_start,
)
from coalmine.routing.canary_base import resolve_base
from coalmine.routing.canary_status import describe_canary, find_replaced
from tests.support.case import PETSTORES, Call, Case, define, function, get, route, to
from tests.support.dry import check, run

HEADER = HeaderMatch(name="x-canary", exact="true")
BASE = route("find-pets", "/findPets", to("v1", "findPets"), timeout_seconds=5)
BY_HAND = route(
    "by-hand", "/findPets", to("v2", "findPets"), headers=[{"name": "x-canary", "exact": "true"}], timeout_seconds=5
)


class World:
    """Definitions and canaries that plans are carried out on, as the catalog would."""

    def __init__(self, *routes: Route, **more: object) -> None:
        self.definitions: Definitions = define(*routes, **more)  # type: ignore[arg-type]
        self.canaries: list[Canary] = []

    def do(
        self, plan: Callable[..., CanaryPlan], reference: str = "main/findPets", *more: object, **named: object
    ) -> CanaryPlan:
        made = plan(self.definitions, self.canaries, reference, *more, **named)
        routes = {one.name: one for one in self.definitions.routes if one.name not in made.delete_routes}
        routes.update({one.name: Route.model_validate(one.model_dump()) for one in made.put_routes})
        self.definitions = replace(self.definitions, routes=tuple(routes.values()))
        gone = {made.delete_canary} | ({made.put_canary.name} if made.put_canary else set())
        self.canaries = [one for one in self.canaries if one.name not in gone]
        self.canaries += [made.put_canary] if made.put_canary else []
        return made

    def start(self, **named: object) -> CanaryPlan:
        return self.do(plan_start, **{"upstream": "v2", **named})  # type: ignore[arg-type]

    def change(self, name: str, **update: object) -> None:
        routes = [one.model_copy(update=update) if one.name == name else one for one in self.definitions.routes]
        self.definitions = replace(self.definitions, routes=tuple(routes))

    def drop(self, name: str) -> None:
        kept = tuple(one for one in self.definitions.routes if one.name != name)
        self.definitions = replace(self.definitions, routes=kept)

    @property
    def routes(self) -> dict[str, Route]:
        return {one.name: one for one in self.definitions.routes}

    def weights(self, name: str = "find-pets") -> list[tuple[str, int]]:
        return [(one.upstream, one.weight) for one in self.routes[name].destinations]

    def serves(self, upstream: str, draw: float = 0.5, **headers: str) -> None:
        expected = Call(upstream, "GET", "/api/pets")
        case = Case("", "", self.definitions, get("/findPets", **headers), expected, (draw,))
        check(case, run(case))


def test_a_header_canary_from_start_to_promote() -> None:
    world = World(BASE)
    world.start(header=HEADER)
    world.serves("v1")
    world.serves("v2", x_canary="true")
    assert world.routes["find-pets-canary"].timeout_seconds == 5
    world.do(plan_shift, "main/findPets", 10)
    assert world.weights() == [("v1", 90), ("v2", 10)]
    world.serves("v1", 0.89)
    world.serves("v2", 0.91)
    world.serves("v2", 0.1, x_canary="true")
    world.do(plan_promote)
    world.serves("v2", 0.1)
    assert list(world.routes) == ["find-pets"]
    assert world.routes["find-pets"].timeout_seconds == 5
    assert world.weights() == [("v2", 1)]
    assert world.canaries == []


def test_abort_restores_what_was_there() -> None:
    world = World(BASE)
    world.start(header=HEADER, percent=20)
    world.do(plan_shift, "main/findPets", 70, sticky=Sticky(header="x-user"))
    assert world.routes["find-pets"].sticky == Sticky(header="x-user")
    world.do(plan_abort)
    assert world.definitions.routes == (BASE,)
    assert world.canaries == []


def test_promote_forgets_what_was_sticky_for_the_canary_alone() -> None:
    world = World(BASE)
    world.start(percent=20, sticky=Sticky(source_address=True))
    world.do(plan_promote)
    assert world.routes["find-pets"].sticky is None


def test_a_start_without_header_and_share_changes_no_route() -> None:
    world = World(BASE)
    assert world.start().put_routes == ()
    world.do(plan_shift, "main/findPets", 0)
    assert world.definitions.routes == (BASE,)


def test_the_article_a_header_route_made_by_hand_is_promoted() -> None:
    world = World(BASE, BY_HAND)
    plan = world.do(plan_promote)
    assert plan.delete_routes == ("by-hand",)
    assert plan.delete_canary is None
    assert world.weights() == [("v2", 1)]
    world.serves("v2")


def test_a_header_route_made_by_hand_is_aborted() -> None:
    world = World(BASE, BY_HAND)
    plan = world.do(plan_abort)
    assert (plan.put_routes, plan.delete_routes) == ((), ("by-hand",))
    assert world.definitions.routes == (BASE,)


def test_a_header_route_made_by_hand_is_shifted_then_promoted() -> None:
    world = World(BASE, BY_HAND)
    plan = world.do(plan_shift, "main/findPets", 25)
    assert [one.name for one in plan.put_routes] == ["find-pets"]
    assert world.weights() == [("v1", 75), ("v2", 25)]
    assert world.canaries[0].header_route_adopted
    world.do(plan_promote, "main/by-hand")
    assert list(world.routes) == ["find-pets"]


def test_the_old_version_keeps_the_proportions_of_its_weights() -> None:
    world = World(route("find-pets", "/findPets", to("v1", "findPets", 3), to("v1", "listPets", 1), to("v1", weight=0)))
    world.start(percent=20, function="findPets")
    assert world.weights() == [("v1", 3), ("v1", 1), ("v1", 0), ("v2", 1)]


def test_large_weights_stay_within_bounds() -> None:
    world = World(route("find-pets", "/findPets", to("v1", "findPets", 1_000_000), to("v1", "x", 500_000)))
    world.start(percent=33, function="findPets")
    weights = dict(enumerate(weight for _, weight in world.weights()))
    assert max(weights.values()) <= 1_000_000
    assert weights[2] / sum(weights.values()) == pytest.approx(0.33, abs=0.0001)
    assert weights[0] / weights[1] == pytest.approx(2, abs=0.01)


def test_all_requests_for_the_new_version_keep_the_old_one_at_hand() -> None:
    world = World(BASE)
    world.start(percent=100)
    assert world.weights() == [("v1", 0), ("v2", 100)]
    world.do(plan_shift, "main/findPets", 50)
    assert world.weights() == [("v1", 50), ("v2", 50)]


def test_a_canary_of_another_function_takes_none_of_the_parameters() -> None:
    base = route("pet", "/pet", to("v1", "findPetById", id="{query.pet}"))
    same, other = World(base), World(base)
    same.do(plan_start, "main/pet", upstream="v2", percent=10)
    other.do(plan_start, "main/pet", upstream="v2", function="deletePet", percent=10)
    assert same.routes["pet"].destinations[1].parameters == {"id": "{query.pet}"}
    assert other.routes["pet"].destinations[1].parameters == {}


def test_a_canary_of_a_plain_route() -> None:
    world = World(route("all", "/", to("v1")))
    world.do(plan_start, "main/all", upstream="v2", percent=10)
    assert world.routes["all"].destinations[1].function is None


def test_a_canary_of_the_same_upstream_and_another_function() -> None:
    world = World(BASE, functions=(function("findPetsV2", "GET", "/v2/pets"),))
    world.start(upstream="v1", function="findPetsV2", percent=10)
    assert world.routes["find-pets"].destinations[1].function == "findPetsV2"


def test_the_header_route_gets_a_free_name_that_fits() -> None:
    long = "a" * 60
    world = World(BASE, route("find-pets-canary", "/x", to("v1")), route(long, "/long", to("v1")))
    world.start(header=HEADER)
    assert world.routes["find-pets-canary-2"].match.headers == (HEADER,)
    world.do(plan_start, f"main/{long}", upstream="v2", header=HEADER)
    assert "a" * 56 + "-canary" in world.routes


REFERENCES = [
    ("the name of the route", "main/find-pets", "find-pets"),
    ("a function", "main/findPets", "find-pets"),
    ("a path", "main/petstore/v1", "petstore"),
    ("a path with its slash", "main//petstore/v1", "petstore"),
    ("no virtual service", "findPets", "find-pets"),
    ("a header route means its base", "main/by-hand", "find-pets"),
    ("a route with a method of its own is meant as it is", "main/post", "post"),
    ("an exact path", "main/exact", "exact-route"),
    ("a template", "main/t/{id}", "template"),
    ("a path that looks like a virtual service", "other/thing", "other-thing"),
]


@pytest.mark.parametrize(("reference", "name"), [row[1:] for row in REFERENCES], ids=[row[0] for row in REFERENCES])
def test_a_reference_finds_the_base_route(reference: str, name: str) -> None:
    definitions = define(
        BY_HAND,
        BASE,
        route("post", "/findPets", to("v1", "addPet"), methods=["POST"]),
        route("petstore", "/petstore/v1", to("v1")),
        route("exact-route", {"exact": "/exact"}, to("v1")),
        route("template", {"template": "/t/{id}"}, to("v1")),
        route("other-thing", "/other/thing", to("v1")),
    )
    assert resolve_base(definitions, reference).name == name


def test_of_routes_for_one_path_the_one_with_the_fewest_conditions_is_the_base() -> None:
    tagged = route("tagged", "/findPets", to("v1", "findPets"), query=[{"name": "a", "present": True}])
    assert resolve_base(define(tagged, BASE), "main/findPets").name == "find-pets"


def _start(*routes: Route, **named: object) -> Callable[[], object]:
    return lambda: World(*routes).start(**named)


def _second_start() -> None:
    world = World(BASE)
    world.start(percent=1)
    world.start(percent=2)


def _without_force(plan: Callable[..., CanaryPlan], *more: object) -> Callable[[], object]:
    def attempt() -> None:
        world = World(BASE)
        world.start(percent=10, header=HEADER)
        world.change("find-pets", timeout_seconds=9)
        world.do(plan, "main/findPets", *more)

    return attempt


def _header_route_changed() -> None:
    world = World(BASE)
    world.start(header=HEADER)
    world.change("find-pets-canary", destinations=(to("v1"),))
    world.do(plan_promote)


def _base_deleted() -> None:
    world = World(BASE)
    world.start(percent=10)
    world.drop("find-pets")
    world.do(plan_promote, "main/find-pets")


def _two_by_hand() -> None:
    other = route("other", "/findPets", to("v2", "findPets"), headers=[{"name": "x-beta", "present": True}])
    World(BASE, BY_HAND, other).do(plan_promote)


def _weighted_by_hand() -> None:
    World(BASE, BY_HAND.model_copy(update={"destinations": (to("v1"), to("v2"))})).do(plan_promote)


REFUSED: list[tuple[str, Callable[[], object], type[CoalmineError], str, str]] = [
    ("a second start", _second_start, ConflictError, "under way", "promote"),
    ("a shift of a changed route", _without_force(plan_shift, 20), ConflictError, "was changed", "--force"),
    ("a promote of a changed route", _without_force(plan_promote), ConflictError, "was changed", "--force"),
    ("an abort of a changed route", _without_force(plan_abort), ConflictError, "was changed", "--force"),
    ("a promote with a changed header route", _header_route_changed, ConflictError, "find-pets-canary was", "--force"),
    ("a promote of a deleted route", _base_deleted, ConflictError, "was deleted", "--force"),
    ("a promote without a canary", lambda: World(BASE).do(plan_promote), NotFoundError, "no canary", "canary start"),
    ("a promote with two header routes", _two_by_hand, ConflictError, "several routes", "main/"),
    ("a promote of a weighted header route", _weighted_by_hand, ConflictError, "several destinations", "one"),
    ("a share of more than everything", _start(BASE, percent=101), DefinitionError, "101", ""),
    ("an upstream that is not there", _start(BASE, upstream="V2"), NotFoundError, "no upstream V2", "did you mean v2"),
    ("an upstream like no other", _start(BASE, upstream="elsewhere"), NotFoundError, "no upstream elsewhere", ""),
    ("a function that is not there", _start(BASE, function="findPet"), NotFoundError, "findPet", "findPets"),
    ("the version that serves already", _start(BASE, upstream="v1"), ConflictError, "v1/findPets already", "another"),
    (
        "a header that the route asks for",
        _start(BY_HAND, upstream="v1", header=HEADER),
        ConflictError,
        "itself",
        "other",
    ),
    ("a header route that is there already", _start(BASE, BY_HAND, header=HEADER), ConflictError, "by-hand", "promote"),
    (
        "a plain upstream that serves already",
        lambda: World(route("all", "/", to("v1"))).do(plan_start, "main/all", upstream="v1"),
        ConflictError,
        "goes to v1 already",
        "another",
    ),
    (
        "a route that redirects",
        lambda: World(route("old", "/old", redirect={"host": "x.test"})).do(plan_start, "main/old", upstream="v2"),
        ConflictError,
        "nowhere",
        "destinations",
    ),
    (
        "a function that two routes call",
        lambda: World(BASE, route("pets", "/pets", to("v1", "findPets"))).start(),
        ConflictError,
        "find-pets, pets",
        "main/",
    ),
    (
        "a reference to nothing",
        lambda: World(BASE).do(plan_start, "main/findPet", upstream="v2"),
        NotFoundError,
        "findPet",
        "findPets?",
    ),
    (
        "a reference like nothing",
        lambda: World(BASE).do(plan_start, "zzz", upstream="v2"),
        NotFoundError,
        "zzz",
        "get routes",
    ),
    (
        "another virtual service",
        lambda: World(BASE).do(plan_start, "mian/findPets", upstream="v2"),
        NotFoundError,
        "mian",
        "main/findPets",
    ),
]


@pytest.mark.parametrize(
    ("attempt", "kind", "detail", "hint"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(attempt: Callable[[], object], kind: type[CoalmineError], detail: str, hint: str) -> None:
    with pytest.raises(kind) as caught:
        attempt()
    assert detail in caught.value.detail
    assert hint in (caught.value.hint or "")
    assert kind is not ConflictError or caught.value.code == "canary_conflict"


def test_functions_that_cannot_be_released_say_why() -> None:
    gone = function("gone", "GET", "/gone", upstream="v2").model_copy(update={"state": "removed"})
    with pytest.raises(NotFoundError) as caught:
        World(BASE, functions=(gone,)).start(function="gone")
    assert "left" in (caught.value.hint or "")
    world = World(BASE, pending=frozenset({"v2"}))
    world.definitions = replace(world.definitions, functions=PETSTORES[:4])
    with pytest.raises(NotFoundError) as caught:
        world.start()
    assert "coalmine discover v2" in (caught.value.hint or "")


def test_force_promotes_a_changed_route_and_keeps_the_change() -> None:
    world = World(BASE)
    world.start(percent=10)
    world.change("find-pets", timeout_seconds=9)
    world.do(plan_promote, force=True)
    assert world.routes["find-pets"].timeout_seconds == 9
    assert world.weights() == [("v2", 1)]


def test_force_aborts_a_deleted_route_by_restoring_it() -> None:
    world = World(BASE)
    world.start(percent=10)
    world.drop("find-pets")
    world.do(plan_abort, "find-pets", force=True)
    assert world.definitions.routes == (BASE,)


def test_a_header_route_that_was_deleted_by_hand_harms_nobody() -> None:
    world = World(BASE)
    world.start(header=HEADER)
    world.drop("find-pets-canary")
    assert world.do(plan_promote).delete_routes == ()


def test_a_canary_is_described_with_its_shares_and_drift() -> None:
    world = World(BASE)
    world.start(percent=25)
    status = describe_canary(world.definitions, world.canaries[0])
    assert [(one.upstream, share) for one, share in status.shares] == [("v1", 75.0), ("v2", 25.0)]
    assert status.drift == ()
    world.drop("find-pets")
    status = describe_canary(world.definitions, world.canaries[0])
    assert (status.shares, status.drift) == ((), ("route find-pets was deleted",))


def test_a_canary_is_found_by_what_its_route_is_called() -> None:
    world = World(BASE)
    world.start(percent=25)
    for reference in ("find-pets", "main/find-pets", "main/findPets", "findPets"):
        assert find_canary(world.definitions, world.canaries, reference).name == "find-pets"


def test_a_deleted_route_of_another_canary_is_not_taken_for_this_one() -> None:
    world = World(BASE, route("all", "/", to("v1")), services=(VirtualService(name="main"),))
    world.start(percent=25)
    world.do(plan_start, "main/all", upstream="v2", percent=5)
    world.drop("find-pets")
    assert find_canary(world.definitions, world.canaries, "main/all").name == "all"


def test_a_shift_keeps_what_the_start_made_sticky() -> None:
    """Whoever is on the new version stays there; without the key he would be drawn again."""
    world = World(BASE)
    world.start(percent=10, sticky=Sticky(header="x-user"))
    world.do(plan_shift, "main/findPets", 50)
    assert world.routes["find-pets"].sticky == Sticky(header="x-user")
    world.do(plan_shift, "main/findPets", 60, sticky=Sticky(source_address=True))
    assert world.routes["find-pets"].sticky == Sticky(source_address=True)


@pytest.mark.parametrize(
    ("started", "percent", "state"),
    [
        ({}, 0, "nobody"),
        ({"header": HEADER}, 0, "testers"),
        ({"header": HEADER}, 10, "percent"),
        ({}, 99, "percent"),
        ({}, 100, "everybody"),
    ],
)
def test_who_gets_the_new_version_has_a_word(started: dict[str, object], percent: int, state: str) -> None:
    world = World(BASE)
    world.start(**started)
    world.do(plan_shift, "main/findPets", percent)
    assert describe_canary(world.definitions, world.canaries[0]).state == state


def test_testers_are_gone_with_their_route() -> None:
    world = World(BASE)
    world.start(header=HEADER)
    world.drop("find-pets-canary")
    assert describe_canary(world.definitions, world.canaries[0]).state == "nobody"


REPLACED: list[tuple[str, Callable[[World], None], bool]] = [
    ("nothing", lambda world: None, False),
    ("the base route changed", lambda world: world.change("find-pets", priority=1), True),
    ("the base route gone", lambda world: world.drop("find-pets"), True),
    ("the header route gone", lambda world: world.drop("find-pets-canary"), True),
    ("the header route changed", lambda world: world.change("find-pets-canary", priority=1), True),
]


@pytest.mark.parametrize(("change", "replaced"), [row[1:] for row in REPLACED], ids=[row[0] for row in REPLACED])
def test_a_canary_is_over_when_its_routes_were_written_anew(change: Callable[[World], None], replaced: bool) -> None:
    world = World(BASE)
    world.start(header=HEADER)
    change(world)
    assert find_replaced(world.definitions, world.canaries, {"main"}) == (world.canaries if replaced else [])
    assert find_replaced(world.definitions, world.canaries, {"other"}) == []


def test_a_canary_without_testers_is_replaced_with_its_base_route_alone() -> None:
    world = World(BASE)
    world.start(percent=10)
    assert find_replaced(world.definitions, world.canaries, {"main"}) == []
    world.change("find-pets", destinations=BASE.destinations)
    assert find_replaced(world.definitions, world.canaries, {"main"}) == world.canaries
