"""The texts of the listener's files that last worked, in memory that outlives the process that read them.

A worker that starts anew while somebody is replacing the files, or has spoilt them, serves by these.

Rule 1: memory, never a disk: keys stay in the files that were named (decision 0010). Where the system has no such
        memory there is no spare, and such a worker waits for its files.
Rule 2: whoever has loaded files puts them in, all of them at once; what is taken out is a whole set or nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from coalmine.tls.files import MAX_BYTES, TlsError, read_text
from coalmine.tls.identity import Pair
from coalmine.tls.server import ServerFiles, ServerTls, load_server

_MOST = 64 * MAX_BYTES


class Spare:
    """``fd``: of the memory, which is shared by all who have inherited it; -1: there is none."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def put(self, files: ServerFiles) -> None:
        """Keep what ``load_server`` has just taken from ``files``; nothing where they have changed meanwhile."""
        texts = read_texts(files)
        try:
            load_texts(files, texts)
        except TlsError:
            return
        with self._locked(fcntl.LOCK_EX):
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, json.dumps(texts).encode(), 0)

    def find(self, files: ServerFiles) -> ServerTls | None:
        """What was kept of just these files, loaded."""
        with self._locked(fcntl.LOCK_SH):
            data = os.pread(self.fd, _MOST, 0)
        try:
            texts = json.loads(data)
            return load_texts(files, texts) if set(texts) == set(files.paths) else None
        except (ValueError, TlsError):  # nobody has put anything in, or died over it
            return None

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """By process: those who share the memory share its file description as well, so flock would not do."""
        fcntl.lockf(self.fd, how)
        try:
            yield
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)


def make_spare() -> Spare | None:
    """None where the system has no memory that is a file."""
    create = getattr(os, "memfd_create", None)
    return None if create is None else Spare(create("coalmine-certificates"))


def read_texts(files: ServerFiles) -> dict[str, str]:
    """By path; empty where one cannot be read."""
    try:
        return {path: read_text(path) for path in files.paths}
    except TlsError:
        return {}


def load_texts(files: ServerFiles, texts: Mapping[str, str]) -> ServerTls:
    """As ``load_server``, from texts in place of what is in the files now; OpenSSL wants files, so they become some."""
    if set(texts) != set(files.paths):
        raise TlsError("some of the files are missing")
    with ExitStack() as stack:
        places = {path: _make_file(text, stack) for path, text in texts.items()}
        pairs = tuple(Pair(places[pair.certificate], places[pair.key]) for pair in files.pairs)
        loaded = load_server(ServerFiles(pairs, places[files.client_ca] if files.client_ca else None))
    named = zip(loaded.identities, files.pairs, strict=True)
    return ServerTls(tuple(replace(identity, pair=pair) for identity, pair in named))


def _make_file(text: str, stack: ExitStack) -> str:
    fd = os.memfd_create("coalmine-certificate")
    stack.callback(os.close, fd)
    os.write(fd, text.encode("latin-1"))
    return f"/proc/self/fd/{fd}"
