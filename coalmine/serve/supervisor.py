"""Starts children, replaces those that die or hang, and stops them all cleanly.

Rule 1: all signals are heard here and nowhere else. SIGTERM or SIGINT stops gracefully; a second one at once; SIGHUP
replaces every child without a gap (``coalmine.serve.reload``).
Rule 2: one thread, one loop; a step is taken when a signal, a status line or a due time comes.
Rule 3: before everything was ready once, a child that cannot start ends the whole; after that, nothing a child
does ends it.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from coalmine.serve.children import GIVE_UP, TRY_AGAIN, Child, ChildSpec, describe_exit
from coalmine.serve.reloading import Reloading, Renew
from coalmine.serve.report import report_to_stderr
from coalmine.serve.watch import Watch

# A child that dies this often without having served has a fault that waiting does not mend.
MOST_FAILURES = 5
# What a child needs on top of the grace period in order to end.
EXTRA_SECONDS = 0.5


class Supervisor:
    """``on_ready`` is called once, when all children serve; ``on_stopping`` once, before they are told to stop.

    Both run on the supervisor's loop and return quickly. ``renew`` gives what the children are to be after a reload;
    without it there is none.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        grace_seconds: float,
        hang_seconds: float = 0.0,
        on_ready: Callable[[], None] = lambda: None,
        on_stopping: Callable[[], None] = lambda: None,
        renew: Renew | None = None,
        report: Callable[[str], None] = report_to_stderr,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.children = [Child(spec, now=now) for spec in specs]
        self.was_ready = False
        self._reloading = Reloading(self.children, renew, report, now) if renew is not None else None
        self.watch = Watch(hang_seconds, report, now)
        self.grace_seconds = grace_seconds
        self._terminal = has_terminal()
        self._on_ready = on_ready
        self._on_stopping = on_stopping
        self._report = report
        self._now = now
        self._deadline: float | None = None  # set while stopping: when those that still run are killed
        self._code = 0
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
        self._deadline = self._now() + self.grace_seconds + EXTRA_SECONDS
        self._on_stopping()
        if self._reloading is not None:
            self._reloading.cancel("the gateway is stopping")
        for child in self._everyone():
            child.due = None
            child.terminate()

    def request_stop(self, code: int = 0) -> None:
        """Thread-safe ``stop``."""
        self._code = code
        os.write(self._waker, bytes([signal.SIGTERM]))

    def _everyone(self) -> list[Child]:
        """Those that serve, those that are to, and those that are leaving."""
        return self.children if self._reloading is None else [*self.children, *self._reloading.others()]

    def _finished(self) -> bool:
        return self._deadline is not None and all(child.process is None for child in self._everyone())

    def _start_due(self) -> None:
        for child in self.children:
            if child.due is not None and child.due <= self._now():
                child.start()

    def _step(self) -> None:
        for child in self.children:
            code = child.take_exit()
            if code is not None and self._deadline is None:
                self._judge(child, code)
        if self._deadline is None:
            self.watch.look(self.children)
        if self._reloading is not None:
            self._reloading.step()
        if not self.was_ready and self._deadline is None and all(child.ready for child in self.children):
            self.was_ready = True
            if self._reloading is not None:
                self._reloading.started = True
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
        for child in self._everyone():
            child.kill()

    def _end_all(self) -> None:
        """Nothing outlives the supervisor, not even after a mistake of its own."""
        self._kill_all()
        for child in self._everyone():
            if child.process is not None:
                child.process.wait()
                child.take_exit()

    def _wait(self, wakeups: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(wakeups, selectors.EVENT_READ)
            for child in self._everyone():
                if child.status >= 0:
                    selector.register(child.status, selectors.EVENT_READ, child.read_status)
            if self._reloading is not None:
                for file, react in self._reloading.readers():
                    selector.register(file, selectors.EVENT_READ, react)
            for key, _ in selector.select(self._timeout()):
                if key.data is None:
                    self._hear(os.read(wakeups, 64))
                else:
                    key.data()

    def _timeout(self) -> float | None:
        """Seconds until the next due time; None: only a signal or a status line brings news."""
        times = [child.due for child in self.children if child.due is not None]
        if self._deadline is not None:
            # Killed children end soon; look often instead of working out when.
            times.append(max(self._deadline, self._now() + 0.05))
        else:
            times += self.watch.times()
        if self._reloading is not None:
            times += self._reloading.times()
        return max(0.0, min(times) - self._now()) if times else None

    def _hear(self, signals: bytes) -> None:
        for number in signals:
            if number in _STOPPING:
                self._hear_stop(number)
            elif number == signal.SIGHUP and self._reloading is not None and self._deadline is None:
                self._hear_hangup(self._reloading)

    def _hear_hangup(self, reloading: Reloading) -> None:
        """SIGHUP, which also says that a terminal was closed, and what runs in it shall end."""
        if self._terminal and not has_terminal():
            self.stop(self._code)
        else:
            reloading.begin()

    def _hear_stop(self, number: int) -> None:
        if self._deadline is None:
            self.stop(self._code)
            return
        # Whoever says it twice does not want to wait.
        self._code = 128 + number
        self._deadline = self._now()

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """Signals arrive as bytes on a pipe, so that nothing runs inside a handler."""
        wakeups, self._waker = os.pipe()
        os.set_blocking(wakeups, False)
        os.set_blocking(self._waker, False)
        heard = (*_STOPPING, signal.SIGCHLD, *((signal.SIGHUP,) if self._reloading is not None else ()))
        before = {number: signal.signal(number, lambda *_: None) for number in heard}
        previous = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        try:
            yield wakeups
        finally:
            signal.set_wakeup_fd(previous)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(wakeups)
            os.close(self._waker)


def has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


_STOPPING = (signal.SIGTERM, signal.SIGINT)
