"""Starts children, replaces those that die, and stops them all cleanly.

Rule 1: all signals are heard here and nowhere else. SIGTERM or SIGINT stops gracefully; a second SIGINT at once.
Rule 2: one thread, one loop; a step is taken when a signal, a status line or a due time comes.
Rule 3: before everything was ready once, a child that cannot start ends the whole; after that, nothing a child
does ends it.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from coalmine.serve.children import GIVE_UP, TRY_AGAIN, Child, ChildSpec, describe_exit

# A child that dies this often without having served has a fault that waiting does not mend.
MOST_FAILURES = 5
# What a child needs on top of the grace period in order to end.
EXTRA_SECONDS = 0.5


def report_to_stderr(line: str) -> None:
    sys.stderr.write(f"coalmine: {line}\n")
    sys.stderr.flush()


class Supervisor:
    """``on_ready`` is called once, when all children serve; ``on_stopping`` once, before they are told to stop.

    Both run on the supervisor's loop and return quickly.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        grace_seconds: float,
        on_ready: Callable[[], None] = lambda: None,
        on_stopping: Callable[[], None] = lambda: None,
        report: Callable[[str], None] = report_to_stderr,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.children = [Child(spec, now=now) for spec in specs]
        self.was_ready = False
        self._grace = grace_seconds
        self._on_ready = on_ready
        self._on_stopping = on_stopping
        self._report = report
        self._now = now
        self._deadline: float | None = None  # set while stopping: when those that still run are killed
        self._code = 0
        self._interrupts = 0
        self._waker = -1

    def run(self) -> int:
        """Until a signal says stop or a child cannot start; returns the exit code. Main thread only."""
        with self._signals() as wakeups:
            try:
                while not self._finished():
                    self._start_due()
                    self._wait(wakeups)
                    self._step()
            finally:
                self._end_all()
        return self._code

    def stop(self, code: int = 0) -> None:
        """Stop gracefully. From another thread, use ``request_stop``."""
        if self._deadline is not None:
            return
        self._code = code
        self._deadline = self._now() + self._grace + EXTRA_SECONDS
        self._on_stopping()
        for child in self.children:
            child.due = None
            child.terminate()

    def request_stop(self, code: int = 0) -> None:
        """Thread-safe ``stop``."""
        self._code = code
        os.write(self._waker, bytes([signal.SIGTERM]))

    def _finished(self) -> bool:
        return self._deadline is not None and all(child.process is None for child in self.children)

    def _start_due(self) -> None:
        for child in self.children:
            if child.due is not None and child.due <= self._now():
                child.start()

    def _step(self) -> None:
        for child in self.children:
            code = child.take_exit()
            if code is not None and self._deadline is None:
                self._judge(child, code)
        if not self.was_ready and self._deadline is None and all(child.ready for child in self.children):
            self.was_ready = True
            self._on_ready()
        if self._deadline is not None and self._now() >= self._deadline:
            self._kill_all()

    def _judge(self, child: Child, code: int) -> None:
        """A child has ended by itself."""
        child.plan_restart()
        hopeless = code == GIVE_UP or (code != TRY_AGAIN and child.failures >= MOST_FAILURES)
        if hopeless and not self.was_ready:
            self._report(f"{child.spec.name} cannot start ({describe_exit(code)})")
            self.stop(1)
            return
        self._report(f"{child.spec.name} ended ({describe_exit(code)}); starting it again")

    def _kill_all(self) -> None:
        for child in self.children:
            child.kill()

    def _end_all(self) -> None:
        """Nothing outlives the supervisor, not even after a mistake of its own."""
        self._kill_all()
        for child in self.children:
            if child.process is not None:
                child.process.wait()
                child.take_exit()

    def _wait(self, wakeups: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(wakeups, selectors.EVENT_READ)
            for child in self.children:
                if child.status >= 0:
                    selector.register(child.status, selectors.EVENT_READ, child)
            for key, _ in selector.select(self._timeout()):
                if key.data is None:
                    self._hear(os.read(wakeups, 64))
                else:
                    key.data.read_status()

    def _timeout(self) -> float | None:
        """Seconds until the next due time; None: only a signal or a status line brings news."""
        times = [child.due for child in self.children if child.due is not None]
        if self._deadline is not None:
            # Killed children end soon; look often instead of working out when.
            times.append(max(self._deadline, self._now() + 0.05))
        return max(0.0, min(times) - self._now()) if times else None

    def _hear(self, signals: bytes) -> None:
        for number in signals:
            if number == signal.SIGINT:
                self._interrupts += 1
            if number in (signal.SIGINT, signal.SIGTERM):
                self.stop(self._code)
        if self._interrupts > 1 and self._deadline is not None:
            self._code = 128 + signal.SIGINT
            self._deadline = self._now()

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """Signals arrive as bytes on a pipe, so that nothing runs inside a handler."""
        wakeups, self._waker = os.pipe()
        os.set_blocking(wakeups, False)
        os.set_blocking(self._waker, False)
        before = {number: signal.signal(number, lambda *_: None) for number in _HEARD}
        previous = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        try:
            yield wakeups
        finally:
            signal.set_wakeup_fd(previous)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(wakeups)
            os.close(self._waker)


_HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
