"""What the supervisor has to say, line by line, on standard error."""

from __future__ import annotations

import sys
from contextlib import suppress


def report_to_stderr(line: str) -> None:
    with suppress(OSError):  # a terminal that is gone must not end the gateway
        sys.stderr.write(f"coalmine: {line}\n")
        sys.stderr.flush()
