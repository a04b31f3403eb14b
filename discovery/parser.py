"""The parsing process: bytes in, functions out, and nothing of it can hurt the process that asked.

``python -m discovery.parser`` reads jobs from standard input and writes answers to standard output, both as frames
(4 bytes of length, big end first, then the text). A job is one line of JSON (``Job``) followed by the document.
Limits on memory and processor time are set on the process itself; the kernel ends it when it goes beyond them,
and the asking side (``discovery.parsing``) starts another one.
"""

from __future__ import annotations

import contextlib
import json
import resource
import struct
import sys
from typing import BinaryIO, Literal

from pydantic import BaseModel

from coalmine.errors import MalformedError, Problem
from coalmine.reading import Limits, TooComplexError, read_text
from discovery.document import Document, check_document, looks_like_markup
from discovery.found import NotADocumentError, Reading, TooManyError
from discovery.operations import read_document
from discovery.validation import find_violations

# Mapped memory of the process. The worst 16 MB of JSON (empty objects) need about 500 MB, real ones 150 MB.
MEMORY_BYTES = 768 * 1024 * 1024
# Processor time for one document; the largest real ones (4 MB) take 0.3 s.
CPU_SECONDS = 8
# The answer has the functions and the components; beyond this the asking side would suffer for it.
MAX_ANSWER_BYTES = 64 * 1024 * 1024

LENGTH = struct.Struct(">I")

Verdict = Literal["taken", "html", "not_a_document", "unreadable", "too_complex"]


class Job(BaseModel):
    url: str
    max_bytes: int


class Answer(BaseModel):
    """``reading`` goes with ``taken``; ``detail`` says for people why another verdict was given."""

    verdict: Verdict
    detail: str = ""
    reading: Reading | None = None


def parse(data: bytes, job: Job) -> Answer:
    """The answer to one job. Pure: the limits around it are the caller's."""
    if looks_like_markup(data):
        return Answer(verdict="html", detail="a page, not an API document")
    try:
        value = read_text(data, limits=Limits(max_bytes=job.max_bytes))
        document = check_document(value)
        return Answer(verdict="taken", reading=_advise(read_document(document, job.url), document))
    except (TooComplexError, TooManyError, RecursionError, MemoryError) as error:
        return Answer(verdict="too_complex", detail=str(error) or "reading it took too much memory")
    except MalformedError as error:
        return Answer(verdict="unreadable", detail=error.detail[:500])
    except NotADocumentError as error:
        return Answer(verdict="not_a_document", detail=str(error)[:500])


def _advise(reading: Reading, document: Document) -> Reading:
    """The reading, with what the specification's schema says about the document."""
    known = {problem.where for problem in reading.problems}
    advice = [
        Problem("document_invalid", f"#{pointer}"[:500], detail, "warning")
        for pointer, detail in find_violations(document)
        if f"#{pointer}" not in known
    ]
    return reading.model_copy(update={"problems": (*reading.problems, *advice)})


def _limit_cpu() -> None:
    """Processor time counts from the start of the process, so the limit moves on with every job."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + CPU_SECONDS, hard))


def read_frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(LENGTH.size)
    return stream.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else None


def _answer(frame: bytes) -> bytes:
    line, _, data = frame.partition(b"\n")
    try:
        answer = parse(data, Job(**json.loads(line)))
    except MemoryError:
        answer = Answer(verdict="too_complex", detail="reading it took too much memory")
    except Exception as error:  # a mistake of ours; it costs this document and not the process
        answer = Answer(
            verdict="unreadable", detail=f"reading it failed, which is a defect of Coalmine: {error!r:.300}"
        )
    text = answer.model_dump_json(by_alias=True, exclude_defaults=True).encode()
    if len(text) > MAX_ANSWER_BYTES:
        refused = Answer(verdict="too_complex", detail=f"its functions take more than {MAX_ANSWER_BYTES} bytes")
        return refused.model_dump_json().encode()
    return text


def main() -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        _limit_cpu()
        text = _answer(frame)
        del frame
        sys.stdout.buffer.write(LENGTH.pack(len(text)) + text)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
