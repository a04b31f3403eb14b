"""Whether the access log can be written, found out before anything is started."""

from __future__ import annotations

import errno
import os

from coalmine.errors import StartupError
from coalmine.settings import Settings


def check_access_log(settings: Settings) -> None:
    """Makes the file where there is none; raises StartupError. A named pipe may find its reader later."""
    path = settings.access_log
    if path in ("", "-"):
        return
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o640))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise StartupError(
                f"--access-log is {path!r}, which cannot be written: {error.strerror}",
                hint="name a file in a directory that exists and that this user may write to, or - for standard output",
            ) from None
