"""Names that OpenAPI 3.1 gives to schemas and documents: ``$id``, ``$anchor`` and ``$self``, made pointers of.

Rule 1: everything behind this file knows one kind of reference inside a document, the JSON pointer. A reference by a
    name is rewritten once; one whose name nobody has stays as it is, and is reported by whoever needs it.
Rule 2: generators write ``$id`` for people's eyes, too. Where a pointer leads nowhere inside the schema with the
    ``$id`` (JSON Schema 2020-12 section 8.2.1), it is meant from the top of the document.
This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urljoin

from discovery.references import BrokenReferenceError, References
from discovery.walk import Place, walk

_ANCHORS = ("$anchor", "$dynamicAnchor")
_NAMING = frozenset({"$id", "$self", *_ANCHORS})


@dataclass(slots=True)
class _Names:
    """Pointers by absolute URL, and by absolute URL and anchor; the places of schemas with an ``$id``."""

    schemas: dict[str, str] = field(default_factory=dict)
    anchors: dict[tuple[str, str], str] = field(default_factory=dict)
    bases: dict[int, str] = field(default_factory=dict)


def replace_names(root: dict[str, Any], url: str) -> None:
    """Rewrites references of ``root``, which was found at ``url``, in place."""
    if not any(isinstance(place.value, dict) and not _NAMING.isdisjoint(place.value) for place in walk(root)):
        return
    places = [place for place in walk(root) if isinstance(place.value, dict)]
    own = _join(url, root.get("$self")).partition("#")[0]
    names = _Names(schemas={url: "", own: ""})
    for place in places:
        _learn(names, place, own)
    references = References(root)
    for place in places:
        written = place.value.get("$ref")
        pointer = _find(names, references, _base(names, place, own), written) if isinstance(written, str) else None
        if pointer is not None:
            place.value["$ref"] = "#" + quote(pointer, safe="/~!$&'()*+,;=:@-._")


def _learn(names: _Names, place: Place, own: str) -> None:
    identity = place.value.get("$id")
    if isinstance(identity, str) and not identity.startswith("#"):
        base = _join(_base(names, place, own), identity).partition("#")[0]
        names.bases[id(place.value)] = base
        names.schemas.setdefault(base, place.pointer())
    for key in _ANCHORS:
        anchor = place.value.get(key)
        if isinstance(anchor, str):
            names.anchors.setdefault((_base(names, place, own), anchor), place.pointer())


def _base(names: _Names, place: Place, own: str) -> str:
    """The URL of the nearest schema with an ``$id``, itself included; that of the document where there is none."""
    return next((names.bases[id(each.value)] for each in _upwards(place) if id(each.value) in names.bases), own)


def _upwards(place: Place | None) -> Iterator[Place]:
    while place is not None:
        yield place
        place = place.parent


def _find(names: _Names, references: References, base: str, written: str) -> str | None:
    """The pointer from the top of the document; None where the reference is one already, or nobody has the name."""
    target, _, fragment = _join(base, written).partition("#")
    start, fragment = names.schemas.get(target), unquote(fragment)
    if start is None:
        return None
    if fragment and not fragment.startswith("/"):
        return names.anchors.get((target, fragment))
    within = start + fragment
    return within if within == fragment or _exists(references, within) else fragment


def _exists(references: References, pointer: str) -> bool:
    try:
        references.find(pointer)
    except BrokenReferenceError:
        return False
    return True


def _join(base: str, reference: Any) -> str:
    if not isinstance(reference, str):
        return base
    if reference.startswith("#"):  # urljoin would not do this for a urn:
        return base + reference
    try:
        return urljoin(base, reference)
    except ValueError:
        return base
