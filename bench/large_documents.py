"""What the largest documents cost: reading, comparing, keeping and checking them, in time and memory.

    python -m bench.large_documents [FILE ...]

Without files, documents of about 1, 4 and 10 MB are made. Each is read by the parsing process and checked by the
validating process as the worker has them do it; times are those of whole answers, memory is the peak of the process.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from discovery.advice import CPU_SECONDS
from discovery.parsing import Parser
from discovery.process import FailedError, Process
from discovery.validator import MAX_ANSWER_BYTES, Findings

MAX_BYTES = 16 * 1024 * 1024


def make(operations: int) -> bytes:
    """About 2.4 kB an operation, as generators write them: a schema for each body and each answer."""
    text = "Something that somebody wrote about it, in a sentence or two, as people do in such places. "
    fields = {f"field{n}": {"type": "string", "description": text, "maxLength": 80} for n in range(8)}
    schemas = {f"Thing{n}": {"type": "object", "required": ["field1"], "properties": fields} for n in range(operations)}
    paths: dict[str, Any] = {}
    for n in range(operations):
        body = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/Thing{n}"}}}}
        where = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
        answers = {"200": {"description": text, **body}, "404": {"description": text}}
        operation = {"operationId": f"put{n}", "summary": text, "parameters": [where], "requestBody": body}
        paths[f"/things{n}/{{id}}"] = {"put": {**operation, "responses": answers}}
    info = {"title": "Things", "version": "1"}
    document = {"openapi": "3.0.3", "info": info, "paths": paths, "components": {"schemas": schemas}}
    return json.dumps(document, indent=1).encode()


def peak_megabytes(process: Process) -> float:
    running = process._process
    assert running is not None
    lines = Path(f"/proc/{running.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


async def measure(name: str, data: bytes) -> None:
    parser, validator = Parser(), Process((sys.executable, "-m", "discovery.validator"))
    await parser.parse(b"{}", "", 100)  # the process is warm, as it mostly is
    started = time.monotonic()
    job = json.dumps({"url": "http://127.0.0.1/openapi.json", "max_bytes": MAX_BYTES}).encode() + b"\n" + data
    answer = await parser.ask(job, seconds=60, max_bytes=1 << 30)
    seconds, peak = time.monotonic() - started, peak_megabytes(parser)
    operations = len((json.loads(answer).get("reading") or {}).get("found", ()))
    await validator.ask(b"{}", seconds=60, max_bytes=MAX_ANSWER_BYTES)
    started = time.monotonic()
    try:
        found = Findings.model_validate_json(
            await validator.ask(data, seconds=10 * CPU_SECONDS, max_bytes=MAX_ANSWER_BYTES)
        )
        told = found.failed or f"{time.monotonic() - started:.2f} s, {peak_megabytes(validator):.0f} MB"
    except FailedError:
        told = "given up"
    print(
        f"{name}: {len(data) / 1e6:.1f} MB, {operations} operations; read in {seconds:.2f} s, {peak:.0f} MB;"
        f" checked in {told}",
        flush=True,
    )
    await parser.close()
    await validator.close()


async def run(files: list[str]) -> None:
    for file in files:
        await measure(Path(file).name, Path(file).read_bytes())
    for operations in () if files else (340, 1_400, 3_500):
        await measure("made", make(operations))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1:]))
