"""What workers that are gone have counted.

Rule 1: the last MAX_APART stay apart, because they may come back over a new connection; older ones are added up.
Rule 2: with a file, a control process that is started again goes on from what the one before knew. What is lost is
    what a worker counted that was killed while there was no control process.
Rule 3: the file names the workers that were connected. Who of them does not come back is lost, and that is told.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from coalmine.feed.stats import RouteKey, SeriesByLabels, Told, fold, merge_told

MAX_APART = 64
_CONNECTED, _LOST = "connected", "lost"  # beside the names of workers, which have a hyphen
_log = logging.getLogger(__name__)


class Departed:
    """``file`` None: it ends with this process."""

    def __init__(self, file: Path | None = None) -> None:
        self._apart: dict[str, Told] = {}
        self._together = Told()
        self._file = file
        self._changed = False
        self._connected: set[str] = set()
        self.lost: dict[str, datetime] = {}  # what they counted last: since when nobody has heard of them

    def by_instance(self) -> dict[str, Told]:
        """Under "" those that can no more be told apart."""
        return {"": self._together, **self._apart}

    def list_series(self) -> list[SeriesByLabels]:
        return [told.series for told in self.by_instance().values()]

    def keep(self, instance: str, told: Told) -> None:
        self._connected.discard(instance)
        self._apart[instance] = told
        if len(self._apart) > MAX_APART:
            oldest = next(iter(self._apart))
            self._together = merge_told([self._together, self._apart.pop(oldest)])
        self._changed = True
        self.save()

    def take_back(self, instance: str) -> Told:
        """Of a worker that connects."""
        self._changed = True
        self._connected.add(instance)
        self.lost.pop(instance, None)
        told = self._apart.pop(instance, None) or Told()
        self.save()
        return told

    def fold(self, stale: Collection[RouteKey]) -> None:
        for told in self.by_instance().values():
            told.series = fold(told.series, stale)
        self._changed = True

    # The file -----------------------------------------------------------------------------------------

    def load(self) -> None:
        if self._file is None or not self._file.exists():
            return
        try:
            found = json.loads(self._file.read_bytes())
            self._load_lost(found.pop(_CONNECTED, ()), found.pop(_LOST, {}))
            for instance, stats in found.items():
                told = Told()
                told.take(stats)
                if instance:
                    self._apart[instance] = told
                else:
                    self._together = told
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning("what former workers counted cannot be read: %s", error)

    def _load_lost(self, connected: Iterable[str], lost: Mapping[str, str]) -> None:
        self.lost = {name: datetime.fromisoformat(when) for name, when in lost.items()}
        self.lost |= dict.fromkeys(connected, datetime.now(UTC))
        self.lost = dict(list(self.lost.items())[-MAX_APART:])

    def save(self) -> None:
        """Where something has changed; workers depart rarely. A disk that is full is tried again at the next call."""
        if self._file is None or not self._changed:
            return
        parts = [f"{json.dumps(name)}:{''.join(told.dump())}" for name, told in self.by_instance().items()]
        lost = {name: when.isoformat() for name, when in self.lost.items()}
        parts += [f'"{_CONNECTED}":{json.dumps(sorted(self._connected))}', f'"{_LOST}":{json.dumps(lost)}']
        new = self._file.with_suffix(".new")
        try:
            new.write_text("{" + ",".join(parts) + "}")
            new.replace(self._file)
            self._changed = False
        except OSError as error:
            _log.warning("what former workers counted cannot be kept: %s", error)
            with suppress(OSError):
                new.unlink(missing_ok=True)
