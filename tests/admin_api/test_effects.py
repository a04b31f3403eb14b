"""Which routes are worse off."""

from __future__ import annotations

import pytest

from admin_api.effects import find_effect, find_new_problems
from coalmine.errors import Problem
from coalmine.model.revision import ObjectChange
from coalmine.routing.snapshot import Snapshot, make_snapshot


def snapshot(*problems: tuple[str, str]) -> Snapshot:
    return make_snapshot((), (), tuple(Problem(severity, where, severity, severity) for where, severity in problems))


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [
        pytest.param([], [("routes/a", "warning")], ("a",), id="accepted to warning"),
        pytest.param([], [("routes/a", "error")], ("a",), id="accepted to rejected"),
        pytest.param([("routes/a", "warning")], [("routes/a", "error")], ("a",), id="warning to rejected"),
        pytest.param([("routes/a", "error")], [("routes/a", "warning")], (), id="better than it was"),
        pytest.param([("routes/a", "error")], [("routes/a", "error")], (), id="as bad as it was"),
        pytest.param([("routes/a", "error")], [], (), id="mended"),
        pytest.param([], [("upstreams/a", "error")], (), id="no route"),
        pytest.param([], [("routes/a", "error"), ("routes/a", "warning")], ("a",), id="two problems of one"),
    ],
)
def test_broken_is_what_is_worse_than_before(
    before: list[tuple[str, str]], after: list[tuple[str, str]], broken: tuple[str, ...]
) -> None:
    assert find_effect([], snapshot(*before), snapshot(*after)).broken == broken


def test_changes_of_routes_are_told_by_what_happened_to_them() -> None:
    changes = [
        ObjectChange(object="routes/a", after={}),
        ObjectChange(object="routes/b", before={}, after={}),
        ObjectChange(object="routes/c", before={}),
        ObjectChange(object="upstreams/d", before={}),
    ]
    effect = find_effect(changes, snapshot(), snapshot())
    assert (effect.added, effect.changed, effect.removed, effect.broken) == (("a",), ("b",), ("c",), ())


def test_problems_that_were_there_are_not_new() -> None:
    old, new = snapshot(("routes/a", "error")), snapshot(("routes/a", "error"), ("routes/b", "error"))
    assert [problem.where for problem in find_new_problems(old, new)] == ["routes/b"]
