"""The checker of histories is right about small ones: it finds what is wrong, and nothing in what is possible."""

from __future__ import annotations

import pytest

from bench.durability.register import Call, find_anomaly


def put(begin: float, end: float, value: str, **more: bool) -> Call:
    return Call(begin, end, "put", value, **more)


def got(begin: float, end: float, value: str | None) -> Call:
    return Call(begin, end, "get", value)


def deleted(begin: float, end: float, **more: bool) -> Call:
    return Call(begin, end, "delete", None, **more)


HISTORIES = [
    pytest.param([put(0, 1, "a"), got(2, 3, "a")], True, id="what was put is read"),
    pytest.param([put(0, 1, "a"), got(2, 3, None)], False, id="an answered put is not lost"),
    pytest.param([put(0, 1, "a"), put(2, 3, "b"), got(4, 5, "a")], False, id="the last one counts"),
    pytest.param([put(0, 1, "a"), deleted(2, 3), got(4, 5, "a")], False, id="what was deleted stays so"),
    pytest.param([put(0, 9, "a"), got(1, 2, None), got(3, 4, "a")], True, id="one under way may take effect between"),
    pytest.param([put(0, 9, "a"), got(1, 2, "a"), got(3, 4, None)], False, id="and not be undone again"),
    pytest.param([put(0, 9, "a"), put(0, 9, "b"), got(10, 11, "a")], True, id="two at once, in either order"),
    pytest.param(
        [put(0, 9, "a"), put(0, 9, "b"), got(10, 11, "a"), got(12, 13, "b")], False, id="but not in both orders"
    ),
    pytest.param([put(0, 1, "a", sure=False), got(2, 3, None)], True, id="one that broke off may not have happened"),
    pytest.param([put(0, 1, "a", sure=False), got(2, 3, "a")], True, id="or may have"),
    pytest.param(
        [put(0, 1, "a", sure=False), got(2, 3, None), got(4, 5, "a")], False, id="but does not happen afterwards"
    ),
    pytest.param([put(0, 1, "a", was_there=True)], False, id="200 means that there was one"),
    pytest.param([put(0, 1, "a", was_there=False), deleted(2, 3, was_there=True)], True, id="201, then 204"),
    pytest.param([deleted(0, 1, was_there=True)], False, id="204 of nothing"),
    pytest.param([got(0, 1, "a")], False, id="a value from nowhere"),
    pytest.param([], True, id="nothing"),
]


@pytest.mark.parametrize(("calls", "possible"), HISTORIES)
def test_a_history_is_possible_or_not(calls: list[Call], possible: bool) -> None:
    assert (find_anomaly(calls) is None) is possible


def test_the_call_that_cannot_be_is_named() -> None:
    wrong = got(4, 5, "a")
    assert find_anomaly([put(0, 1, "a"), put(2, 3, "b"), wrong]) is wrong
