"""All proxies that could be started, side by side, and why the others could not."""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.proxy.peers import Peer, Proxy
from bench.proxy.upstream import start_upstream

FAILURES = (RuntimeError, OSError, ValueError)  # of one proxy in one case; the others go on


@dataclass(frozen=True)
class Effort:
    rounds: int = 4
    seconds: int = 2
    warm_seconds: int = 1
    most_routes: int = 10_000


@dataclass
class Field:
    peers: Sequence[Peer]
    folder: Path
    effort: Effort
    upstream: int  # its process id
    upstream_port: int
    proxies: dict[str, Proxy] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)  # name: why
    rates: dict[str, float] = field(default_factory=dict)  # name: small GETs a second, once measured

    def start(self, stack: ExitStack) -> None:
        for peer in self.peers:
            try:
                self.proxies[peer.name] = peer.start(self.make_folder(peer.name), self.upstream_port, stack)
            except FAILURES as error:
                self.leave_out(peer.name, f"did not start: {error}")

    def make_folder(self, name: str) -> Path:
        """A new one; readable by whom a proxy's workers run as."""
        number = len(list(self.folder.iterdir()))
        folder = self.folder / f"{number}-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}"
        folder.mkdir(mode=0o755)
        return folder

    def leave_out(self, name: str, why: str) -> None:
        say(f"{name} {why}")
        self.absent.setdefault(name, why)

    def list_running(self) -> list[Proxy]:
        for name, proxy in list(self.proxies.items()):
            if proxy.process.poll() is not None:
                self.leave_out(name, f"ended with status {proxy.process.returncode}")
                del self.proxies[name]
        return list(self.proxies.values())


@contextmanager
def prepare_field(peers: Sequence[Peer], folder: Path, effort: Effort) -> Any:
    """An upstream, and nothing in front of it yet."""
    with ExitStack() as stack:
        own = folder / "upstream"
        own.mkdir(mode=0o755)
        process, port = start_upstream(own, stack)
        yield Field(peers, folder, effort, process.pid, port)


def attempt(what: str, measure: Callable[[], Any], problems: dict[str, str]) -> Any:
    """What ``measure`` gives; None, and a line in ``problems``, where it fails."""
    try:
        return measure()
    except Exception as error:  # one failure more or less must not cost the rest of the run
        problems[what] = f"{type(error).__name__}: {error}"
        say(f"{what}: {problems[what]}")
        return None


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def list_absent(absent: dict[str, str]) -> list[str]:
    return [f"- {name}: {why}" for name, why in absent.items()]
