"""The documents of manifest files, and the way back from a fault's pointer to the file it is about.

Parsing happens here, not in the admin API, so that a broken file is named before anything is sent. What is
sent is a YAML stream of one JSON text for each document: the admin API reads each of them as one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coalmine.cli.complaint import ApiError
from coalmine.errors import CoalmineError, Fault, MalformedError

_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Source:
    """One document: where it stands."""

    file: str
    number: int  # within the file, from 1
    value: Any


def read_files(names: Sequence[str]) -> list[Source]:
    """The documents of files, of all manifests in directories, and of standard input (``-``), in that order."""
    found: list[Source] = []
    for name in names:
        for label, data in _read(name):
            found += _parse(label, data)
    if not found:
        raise CoalmineError(f"there is no document in {', '.join(names)}", code="malformed_body")
    return found


def read_document(name: str) -> str:
    """The text of one API document, JSON or YAML, in a file or standard input (``-``)."""
    from coalmine.reading.encoding import decode

    found = _read(name)
    if len(found) != 1 or found[0][0] not in (name, "standard input"):
        raise CoalmineError(f"{name} is a directory, where one API document is expected", code="malformed_body")
    try:
        return decode(found[0][1])
    except MalformedError as error:
        raise MalformedError(f"{name}: {error.detail}") from None


def _read(name: str) -> list[tuple[str, bytes]]:
    if name == "-":
        return [("standard input", sys.stdin.buffer.read())]
    path = Path(name)
    try:
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
            return [(str(file), file.read_bytes()) for file in files]
        return [(name, path.read_bytes())]
    except OSError as error:
        raise CoalmineError(f"{name} cannot be read: {error.strerror}", code="not_found") from None


def _parse(label: str, data: bytes) -> list[Source]:
    from coalmine.reading import read_all

    try:
        documents = read_all(data, unique_keys=True)
    except MalformedError as error:
        raise MalformedError(f"{label}: {error.detail}", hint=error.hint) from None
    return [Source(label, number, value) for number, value in enumerate(documents, 1) if value is not None]


def to_stream(sources: Sequence[Source]) -> str:
    """All documents as one YAML stream; one alone is JSON."""
    texts = [json.dumps(source.value) for source in sources]
    return texts[0] if len(texts) == 1 else "".join(f"---\n{text}\n" for text in texts)


def name_files(error: ApiError, sources: Sequence[Source]) -> ApiError:
    """The error with each fault's pointer led back to its file."""
    error.faults = tuple(_locate(fault, sources) for fault in error.faults)
    return error


def _locate(fault: Fault, sources: Sequence[Source]) -> Fault:
    related = None if fault.related is None else _lead_back(fault.related, sources)
    return replace(fault, pointer=_lead_back(fault.pointer, sources), related=related)


def _lead_back(pointer: str, sources: Sequence[Source]) -> str:
    if len(sources) == 1:
        return _place(sources[0], pointer, alone=True)
    index, slash, rest = pointer.removeprefix("/").partition("/")
    if not index.isdigit() or int(index) >= len(sources):
        return pointer
    source = sources[int(index)]
    alone = sum(other.file == source.file for other in sources) == 1
    return _place(source, slash + rest, alone=alone)


def _place(source: Source, pointer: str, *, alone: bool) -> str:
    return f"{source.file}{'' if alone else f' document {source.number}'} {pointer}".rstrip()
