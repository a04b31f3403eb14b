"""The parsing process: bytes in, functions out, and nothing of it can hurt the process that asked.

``python -m discovery.parser`` answers jobs: one line of JSON (``Job``) followed by the document. The asking side is
``discovery.parsing``.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel

from coalmine.errors import MalformedError
from coalmine.reading import Limits, TooComplexError, read_text
from discovery.child import serve
from discovery.document import check_document, looks_like_markup
from discovery.found import NotADocumentError, Reading, TooManyError
from discovery.operations import read_document

# Mapped memory of the process. The worst 16 MB of JSON (empty objects) need about 500 MB, real ones 150 MB.
MEMORY_BYTES = 768 * 1024 * 1024
# Processor time for one document; the largest real ones (4 MB) take 0.3 s.
CPU_SECONDS = 8
# The answer has the functions and the components; beyond this the asking side would suffer for it.
MAX_ANSWER_BYTES = 64 * 1024 * 1024

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
        return Answer(verdict="taken", reading=read_document(document, job.url))
    except (TooComplexError, TooManyError, RecursionError, MemoryError) as error:
        return Answer(verdict="too_complex", detail=str(error) or "reading it took too much memory")
    except MalformedError as error:
        return Answer(verdict="unreadable", detail=error.detail[:500])
    except NotADocumentError as error:
        return Answer(verdict="not_a_document", detail=str(error)[:500])


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
    serve(_answer, memory_bytes=MEMORY_BYTES, cpu_seconds=CPU_SECONDS)


if __name__ == "__main__":
    main()
