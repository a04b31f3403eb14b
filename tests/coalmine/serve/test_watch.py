"""Who is silent hangs; but not where it was the supervisor that slept."""

from __future__ import annotations

from typing import Any, cast

import pytest

from coalmine.serve.children import Child, ChildSpec
from coalmine.serve.watch import Watch


class FakeChild:
    """What a watch sees of a child that lives."""

    def __init__(self, *, announces: bool = True, status: int = 5) -> None:
        self.spec = ChildSpec("one", [], announces=announces)
        self.process = object()
        self.status = status
        self.silence = 0.0
        self.killed = 0

    def kill(self) -> None:
        self.killed += 1


def look(child: FakeChild, times: list[float], *, limit: float = 3.0, beats: tuple[float, ...] = ()) -> list[str]:
    """What is reported when it is looked at these times; it beats before those of ``beats``."""
    said: list[str] = []
    clock = iter([0.0, *times])
    watch = Watch(limit, said.append, lambda: next(clock))
    for time in times:
        if time in beats:
            child.silence = 0.0
        watch.look(cast("list[Child]", [child]))
    return said


SECONDS = [float(second) for second in range(1, 10)]


@pytest.mark.parametrize(
    ("arguments", "killed"),
    [
        ({"times": SECONDS}, 2),
        ({"times": SECONDS, "beats": tuple(SECONDS)}, 0),
        ({"times": SECONDS, "beats": (3.0, 6.0, 9.0)}, 0),
        ({"times": [1.0, 2.0, 3.0]}, 0),
        ({"times": [1.0, 600.0]}, 0),
        ({"times": SECONDS, "limit": 0.0}, 0),
    ],
    ids=[
        "silence is noticed, again and again",
        "a beat every second is life",
        "so is one within the limit",
        "the limit itself is not too long",
        "an hour in which nobody looked proves nothing",
        "without a limit nobody hangs",
    ],
)
def test_silence(arguments: dict[str, Any], killed: int) -> None:
    child = FakeChild()
    said = look(child, **arguments)
    assert child.killed == len(said) == killed
    assert set(said) <= {"one hangs (no sign of life for 3 seconds)"}


@pytest.mark.parametrize("child", [FakeChild(announces=False), FakeChild(status=-1)], ids=["never", "no more"])
def test_who_says_nothing_by_design_is_not_watched(child: FakeChild) -> None:
    look(child, SECONDS)
    assert child.killed == 0
