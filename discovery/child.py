"""The inside of a process that reads what may be hostile: jobs in, answers out, within limits that the kernel keeps.

Frames go both ways over standard input and output: 4 bytes of length, big end first, then the text. A process that
goes beyond a limit is ended by the kernel, and the asking side (``discovery.process``) starts another one.
"""

from __future__ import annotations

import contextlib
import resource
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO

LENGTH = struct.Struct(">I")


def serve(answer: Callable[[bytes], bytes], *, memory_bytes: int, cpu_seconds: int) -> None:
    """Answer until the input ends. ``memory_bytes`` are mapped memory, ``cpu_seconds`` processor time for one job."""
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        _limit_cpu(cpu_seconds)
        text = answer(frame)
        del frame
        sys.stdout.buffer.write(LENGTH.pack(len(text)) + text)
        sys.stdout.buffer.flush()


def open_nothing() -> None:
    """From here on this process can open no file and no socket; what is open stays so."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _limit_cpu(seconds: int) -> None:
    """Processor time counts from the start of the process, so the limit moves on with every job."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + seconds, hard))


def read_frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(LENGTH.size)
    return stream.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else None
