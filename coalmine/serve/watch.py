"""Notices children that hang: those that live and show no sign of it.

Rule: what counts is the time that the supervisor itself was awake. Where the machine or everything on it was frozen for
a while (a suspended laptop, a paused container), nobody has hung.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from coalmine.serve.children import BEAT_SECONDS, Child


class Watch:
    """``limit``: so many seconds of silence are too many; 0: none are."""

    def __init__(self, limit: float, report: Callable[[str], None], now: Callable[[], float]) -> None:
        self.limit = limit
        self._report = report
        self._now = now
        self._looked = now()

    def look(self, children: Sequence[Child]) -> None:
        """Count the silence of each since the last look; whoever is silent for too long is killed, and so replaced."""
        now = self._now()
        passed, self._looked = min(now - self._looked, 2 * BEAT_SECONDS), now
        if not self.limit:
            return
        for child in children:
            if child.process is not None and child.spec.announces and child.status >= 0:
                child.silence += passed
                if child.silence > self.limit:
                    self._report(f"{child.spec.name} hangs (no sign of life for {self.limit:g} seconds)")
                    child.kill()
                    child.silence = 0.0

    def times(self) -> Iterator[float]:
        """When to look again."""
        if self.limit:
            yield self._looked + BEAT_SECONDS
