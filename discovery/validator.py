"""The validating process: a document in, findings out. It can open no file and no socket, and stands behind everybody.

``python -m discovery.validator`` answers jobs: the document as it came. The asking side is ``discovery.advice``.
"""

from __future__ import annotations

import json
import os

from pydantic import BaseModel

from coalmine.errors import MalformedError
from coalmine.reading import Limits, read_text
from discovery.child import open_nothing, serve
from discovery.document import check_document
from discovery.found import NotADocumentError
from discovery.validation import find_violations

# Mapped memory. Documents were read within the parser's 768 MB; this one copies them once.
MEMORY_BYTES = 1024 * 1024 * 1024
# Processor time for one document: the largest real ones (4 MB) take 2 s.
CPU_SECONDS = 20
MAX_ANSWER_BYTES = 1024 * 1024
_MAX_DOCUMENT = 64 * 1024 * 1024


class Findings(BaseModel):
    """Pointer and detail of each; ``failed`` says why there is none where nobody could look."""

    violations: list[tuple[str, str]] = []
    failed: str = ""


def validate(data: bytes) -> Findings:
    try:
        document = check_document(read_text(data, limits=Limits(max_bytes=_MAX_DOCUMENT)))
        return Findings(violations=find_violations(document))
    except (MalformedError, NotADocumentError) as error:
        return Findings(failed=str(error)[:300])
    except (RecursionError, MemoryError):
        return Findings(failed="it is too deep or too large")
    except BaseException as error:  # panics of the compiled validator are no Exceptions; a defect costs the advice only
        return Findings(failed=f"that failed ({type(error).__name__})")


def warm_up() -> None:
    """Everything that is loaded when it is first used: later nothing can be opened."""
    operation = {
        "parameters": [{"name": "a", "in": "query", "type": "string", "schema": {"default": 1, "format": "x"}}]
    }
    for version in ({"swagger": "2.0"}, *({"openapi": f"3.{minor}.0"} for minor in range(3))):
        for encoding in ("utf-8", "utf-16", "utf-32", "latin-1"):
            validate(
                json.dumps({**version, "paths": {"/{b}": {"get": operation, "put": {"$ref": "#/x"}}}}).encode(encoding)
            )
    validate(b"a: {b: c, d: 2020-01-01}")


def main() -> None:
    os.nice(19)  # whoever serves requests goes first
    warm_up()
    open_nothing()
    serve(lambda frame: validate(frame).model_dump_json().encode(), memory_bytes=MEMORY_BYTES, cpu_seconds=CPU_SECONDS)


if __name__ == "__main__":
    main()
