"""References between the schemas of a document, found in the components that were kept of it. No I/O.

Rule 1: a reference to anything but this document's components leads nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from coalmine.model import Document

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")  # OpenAPI 3.1 section 4.8.7.1: the characters of component names
# Where schemas stand; what comes before their name tells nothing.
_USUAL = (["components", "schemas"], ["definitions"])


def find_target(document: Document, reference: str) -> tuple[str, Any] | None:
    """The JSON pointer in ``reference``, and what is there; None where it leads nowhere."""
    try:
        url, pointer = urldefrag(reference)
        if url and urljoin(document.url, url) != document.url:
            return None
    except ValueError:
        return None
    pointer = unquote(pointer)
    steps = split_pointer(pointer)
    value: Any = document.components
    for step in steps or ():
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(value):
            value = value[int(step[:9])]
        else:
            return None
    return (pointer, value) if steps else None


def split_pointer(pointer: str) -> list[str]:
    """RFC 6901 section 4: the keys of a JSON pointer; none of one that is not absolute."""
    if not pointer.startswith("/"):
        return []
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def name_component(pointer: str) -> str:
    """A component name for what stands at ``pointer``: ``Pet`` for ``/components/schemas/Pet``."""
    steps = split_pointer(pointer)
    for usual in _USUAL:
        if steps[: len(usual)] == usual and len(steps) > len(usual):
            steps = steps[len(usual) :]
    return _UNSAFE.sub("_", ".".join(steps))


def find_document(documents: Iterable[Document], url: str | None) -> Document | None:
    """The one that a function came from; where that is not known, the only one there is."""
    listed = list(documents)
    for document in listed:
        if document.url == url:
            return document
    return listed[0] if len(listed) == 1 else None
