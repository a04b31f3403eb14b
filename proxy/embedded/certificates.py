"""The listener's certificates: read again when their files change, and never given up for worse ones.

Rule 1: connections that stand go on; the next handshake takes what was read last.
Rule 2: files that cannot be used leave what is served as it is; that is told once in the log, and among the problems
        until it is mended. Certificates that no client would take now replace only such as are no better.
Rule 3: files are read when they have stood still from one look to the next: certificate and key are seldom replaced in
        one instant. Whoever asks for it (``reload``) is obeyed at once.
Rule 4: what last worked is put aside (``Spare``) for a worker that begins while the files cannot be used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from coalmine.errors import Problem
from coalmine.tls import LISTENER, ServerFiles, ServerTls, Spare, TlsError, load_server, take_stamps

# Renewed certificates are valid long before the old ones are not: seconds do not matter, and looking costs a few calls.
LOOK_SECONDS = 1.0
_log = logging.getLogger(__name__)


def _read_calendar() -> datetime:
    return datetime.now(UTC)


class Certificates:
    """``served`` is None as long as the files could never be used: then nobody is served over TLS."""

    def __init__(
        self, files: ServerFiles, spare: Spare | None = None, *, calendar: Callable[[], datetime] = _read_calendar
    ) -> None:
        self.files = files
        self._spare = spare
        self.served: ServerTls | None = spare.find(files) if spare is not None else None
        self.problem: str | None = None
        self._calendar = calendar
        self._read = self._seen = take_stamps(files.paths)
        self._next_look = 0.0
        self.reload()

    def reload(self) -> str | None:
        """Read the files now; why they could not be used, if so."""
        self._read = self._seen = take_stamps(self.files.paths)
        try:
            loaded = load_server(self.files)
            self._refuse_worse(loaded)
        except TlsError as error:
            self._keep(str(error))
        else:
            self.served, self.problem = loaded, None
            if self._spare is not None:
                self._spare.put(self.files)
        return self.problem

    def look(self, now: float) -> None:
        """Read the files again where they have changed; to be called now and then."""
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        seen = take_stamps(self.files.paths)
        if seen == self._seen != self._read:
            self.reload()
        self._seen = seen

    def tell(self) -> list[dict[str, Any]]:
        """Plain data: what is shown to clients, and until when; 0: nothing, because it could never be read."""
        if self.served is None:
            return [{"file": pair.certificate, "names": [], "not_after": 0} for pair in self.files.pairs]
        return [
            {
                "file": identity.pair.certificate,
                "names": list(identity.certificate.names),
                "not_after": int(identity.certificate.not_after.timestamp()),
            }
            for identity in self.served.identities
        ]

    def list_problems(self) -> Iterator[Problem]:
        """What is wrong with the files, and with what is served."""
        if self.problem is not None:
            severity = "error" if self.served is None else "warning"
            yield Problem("tls_files_unusable", LISTENER, self.problem, severity)
        fault = self.served.find_fault(self._calendar()) if self.served is not None else None
        if fault is not None:
            yield Problem("certificate_out_of_date", LISTENER, str(fault))

    def _refuse_worse(self, loaded: ServerTls) -> None:
        now = self._calendar()
        fault = loaded.find_fault(now)
        if fault is not None and self.served is not None and self.served.find_fault(now) is None:
            raise fault

    def _keep(self, problem: str) -> None:
        if problem != self.problem:
            rest = "no TLS is served" if self.served is None else "the certificates read before are still served"
            _log.warning("%s; %s", problem, rest)
        self.problem = problem
