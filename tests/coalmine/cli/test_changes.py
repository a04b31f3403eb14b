"""What a write changes, in lines."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.cli.changes import describe_changes
from coalmine.cli.flag_hints import translate

V1 = {"upstream": "v1", "function": "f", "weight": 90, "parameters": {"id": "{path.id}"}}
V2 = {"upstream": "v2", "function": "f", "weight": 10, "parameters": {}}
PLAIN = {"upstream": "v1", "function": None, "weight": 1}

# destinations before, after, and the lines below their pointer
DESTINATIONS: dict[str, tuple[Any, Any, list[str]]] = {
    "one came": ([V1], [V1, V2], ["+ v2/f weight 10"]),
    "one went": ([V1, V2], [V1], ["- v2/f weight 10"]),
    "one came and the other's weight changed": (
        [V1],
        [V2, {**V1, "weight": 50}],
        ["~ v1/f: weight 90 -> 50", "+ v2/f weight 10"],
    ),
    "an upstream is not its function": (
        [V1, V2],
        [PLAIN],
        ['- v1/f weight 90 parameters {"id": "{path.id}"}', "- v2/f weight 10", "+ v1 weight 1"],
    ),
    "the same one twice": ([V2], [V2, {**V2, "weight": 3}], ["+ v2/f weight 3"]),
    "there were none": (None, [V2], ["+ v2/f weight 10"]),
    "there are none": ([V2], None, ["- v2/f weight 10"]),
}


@pytest.mark.parametrize(("before", "after", "lines"), DESTINATIONS.values(), ids=DESTINATIONS)
def test_destinations_are_told_one_by_one(before: Any, after: Any, lines: list[str]) -> None:
    keys = [{"pointer": "/destinations", "before": before, "after": after}]
    told = list(describe_changes([{"object": "routes/r", "action": "change", "keys": keys}]))
    assert told[:2] == ["~ routes/r", "    /destinations:"]
    assert [line.strip() for line in told[2:]] == lines


def test_other_values_are_told_in_short() -> None:
    keys = [{"pointer": "/x", "before": None, "after": ["y" * 300]}]
    (_, line) = describe_changes([{"object": "routes/r", "action": "change", "keys": keys}])
    assert line.startswith('    /x: (absent) -> ["yyy') and line.endswith("...")


HINTS = [
    ("add virtual_service: coalmine", "say --name coalmine"),
    ("write host: a.test beside destinations", "say --host-rewrite a.test"),
    ("match a template such as /pets/{id} instead", "say --template /pets/{id} instead"),
    ("look why: upstreams/v1/report, or coalmine discover v1", "look why: coalmine discover v1"),
    ("did you mean findPets?", "did you mean findPets?"),
    (None, None),
]


@pytest.mark.parametrize(("hint", "ours"), HINTS)
def test_hints_speak_of_flags(hint: str | None, ours: str | None) -> None:
    assert translate(hint) == ours
