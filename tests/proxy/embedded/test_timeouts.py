"""Deadlines by a clock that the test holds."""

from __future__ import annotations

from proxy.embedded.timeouts import Clock, Sweep


class Guest:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expired: list[float] = []

    def expire(self, now: float) -> None:
        self.expired.append(now)


def test_only_what_is_late_expires_and_slow_work_is_done_now_and_then() -> None:
    times = iter([0.0, 1.0, 1.2, 2.0])
    slow: list[float] = []
    sweep = Sweep(Clock(times.__next__), slow.append)
    early, late = Guest(0.9), Guest(1.9)
    sweep.watched |= {early, late}
    sweep.sweep()
    assert (early.expired, late.expired, slow) == ([1.0], [], [1.0])
    sweep.watched.discard(early)
    sweep.sweep()
    assert slow == [1.0]
    sweep.sweep()
    assert (early.expired, late.expired, slow) == ([1.0], [2.0], [1.0, 2.0])
    assert sweep.date.endswith(b" GMT")
    sweep.stop()


def test_the_clock_stands_between_readings() -> None:
    times = iter([5.0, 6.0])
    clock = Clock(times.__next__)
    assert (clock.last, clock.last, clock.read(), clock.last) == (5.0, 5.0, 6.0, 6.0)
