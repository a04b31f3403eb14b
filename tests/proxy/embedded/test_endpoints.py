"""Turns, ejection, backoff, panic threshold: by a clock that the test holds."""

from __future__ import annotations

from coalmine.model import HealthCheck
from coalmine.routing.snapshot import ServedUpstream
from proxy.embedded.endpoints import (
    COST_OF_CONNECTION,
    COST_OF_STATUS,
    FIRST_EJECTION,
    LONGEST_EJECTION,
    Cluster,
    Endpoint,
    update_clusters,
)


def cluster(count: int) -> Cluster:
    origins = tuple(f"http://127.0.0.{n}:80" for n in range(1, count + 1))
    return Cluster(ServedUpstream("up", origins), [Endpoint(origin) for origin in origins])


def fail(group: Cluster, index: int, now: float, times: int = 5) -> bool:
    return any(group.failed(group.endpoints[index], COST_OF_STATUS, now) for _ in range(times))


def test_endpoints_take_turns() -> None:
    group = cluster(3)
    assert [group.pick(0.0) for _ in range(6)] == [group.endpoints[n] for n in (1, 2, 0, 1, 2, 0)]


def test_another_endpoint_is_preferred_to_the_one_that_just_failed() -> None:
    group = cluster(2)
    assert all(group.pick(0.0, group.endpoints[0]) is group.endpoints[1] for _ in range(4))


def test_five_failures_in_a_row_eject_and_time_brings_back() -> None:
    group = cluster(2)
    assert not fail(group, 0, 0.0, times=4)
    assert fail(group, 0, 0.0, times=1)
    assert {group.pick(FIRST_EJECTION - 0.1) for _ in range(4)} == {group.endpoints[1]}
    assert {group.pick(FIRST_EJECTION) for _ in range(4)} == set(group.endpoints)


def test_a_success_in_between_starts_the_count_again() -> None:
    group = cluster(2)
    fail(group, 0, 0.0, times=4)
    group.endpoints[0].failures = 0
    assert not fail(group, 0, 0.0, times=4)


def test_refused_connections_count_more() -> None:
    group = cluster(2)
    failed = [group.failed(group.endpoints[0], COST_OF_CONNECTION, 0.0) for _ in range(3)]
    assert failed == [False, False, True]


def test_each_ejection_lasts_longer_up_to_a_limit() -> None:
    group = cluster(2)
    now, lengths = 0.0, []
    for _ in range(9):
        assert fail(group, 0, now)
        lengths.append(group.endpoints[0].ejected_until - now)
        now = group.endpoints[0].ejected_until
    assert lengths[:4] == [FIRST_EJECTION, FIRST_EJECTION * 2, FIRST_EJECTION * 4, FIRST_EJECTION * 8]
    assert lengths[-1] == LONGEST_EJECTION
    assert fail(group, 0, now + LONGEST_EJECTION + 1)
    assert group.endpoints[0].ejected_until - now - LONGEST_EJECTION - 1 == FIRST_EJECTION


def test_half_of_the_endpoints_and_the_last_one_always_stay() -> None:
    for count, most in ((1, 0), (2, 1), (3, 1), (4, 2), (5, 2)):
        group = cluster(count)
        for index in range(count):
            fail(group, index, 0.0)
        assert sum(endpoint.ejected_until > 0 for endpoint in group.endpoints) == most


def test_an_endpoint_that_is_down_is_left_out_until_it_is_up() -> None:
    group = cluster(3)
    group.endpoints[0].down = True
    assert {group.pick(0.0) for _ in range(6)} == set(group.endpoints[1:])
    group.endpoints[0].down = False
    assert {group.pick(0.0) for _ in range(6)} == set(group.endpoints)


def test_where_all_are_down_all_are_asked() -> None:
    group = cluster(2)
    for endpoint in group.endpoints:
        endpoint.down = True
    assert {group.pick(0.0) for _ in range(4)} == set(group.endpoints)


def test_the_last_one_that_is_not_down_is_never_ejected() -> None:
    group = cluster(2)
    group.endpoints[0].down = True
    assert not fail(group, 1, 0.0, times=20)
    assert {group.pick(0.0) for _ in range(4)} == {group.endpoints[1]}


def test_one_that_is_ejected_is_better_than_one_that_is_down() -> None:
    group = cluster(2)
    fail(group, 0, 0.0)
    group.endpoints[1].down = True
    assert {group.pick(1.0) for _ in range(4)} == {group.endpoints[0]}


def test_the_only_healthy_one_is_asked_even_if_it_just_failed() -> None:
    group = cluster(2)
    fail(group, 0, 0.0)
    assert {group.pick(1.0, group.endpoints[1]) for _ in range(4)} == {group.endpoints[1]}


def test_new_checks_keep_endpoints_and_what_is_in_flight() -> None:
    old = update_clusters({}, (ServedUpstream("up", ("http://a:1",)),))
    new = update_clusters(old, (ServedUpstream("up", ("http://a:1",), HealthCheck(path="/up")),))
    assert new["up"] is not old["up"]
    assert (new["up"].endpoints, new["up"].budget) == (old["up"].endpoints, old["up"].budget)


def test_an_endpoint_that_stays_keeps_its_health() -> None:
    old = update_clusters(
        {}, (ServedUpstream("up", ("http://a:1", "http://b:2")), ServedUpstream("other", ("http://c",)))
    )
    fail(old["up"], 0, 0.0)
    assert update_clusters(old, (ServedUpstream("up", ("http://a:1", "http://b:2")),))["up"] is old["up"]
    assert old["other"].endpoints[0].retired
    new = update_clusters(old, (ServedUpstream("up", ("http://a:1", "http://d")),))["up"]
    assert new.endpoints[0] is old["up"].endpoints[0]
    assert [endpoint.retired for endpoint in old["up"].endpoints] == [False, True]


def test_an_origin_is_an_address() -> None:
    found = [
        (e.host, e.port, e.tls is not None, e.authority) for e in map(Endpoint, ("https://[::1]", "http://a.b:8080"))
    ]
    assert found == [("::1", 443, True, b"[::1]"), ("a.b", 8080, False, b"a.b:8080")]
