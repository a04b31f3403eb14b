"""What of a document is kept beside its functions: everything that schemas can refer to.

Rule 1: schemas keep their references, so what these lead to has to stay where it is. Mostly that is the components;
    bundlers also point into other operations (``#/paths/~1pets/get/responses/200/...``), and people anywhere.
Rule 2: a reference that leads to another document, or nowhere, is told once: whoever calls such a function gets less
    of a check than its author meant.
This file performs no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from discovery.reader import Reader
from discovery.references import BrokenReferenceError, ExternalReferenceError, split
from discovery.walk import Place, walk

_SWAGGER = ("definitions", "parameters", "responses")
_OPENAPI = ("components",)


@dataclass(slots=True)
class _Seen:
    """References by what becomes of them: pointers to keep, and where others were met first, and how often."""

    inside: set[str] = field(default_factory=set)
    nowhere: dict[str, str] = field(default_factory=dict)
    outside: dict[str, tuple[Place, int]] = field(default_factory=dict)


def keep_components(reader: Reader) -> dict[str, Any]:
    """What schemas refer to, at the pointers that their references have."""
    document = reader.document
    keys = _SWAGGER if document.is_swagger else _OPENAPI
    kept = {key: document.root[key] for key in keys if isinstance(document.root.get(key), dict)}
    seen = _look(reader)
    _tell(reader, seen)
    # The shortest first: what stands inside of what is kept is kept with it.
    for pointer in sorted(seen.inside, key=len):
        steps = split(pointer)
        if steps and steps[0] not in keys:
            _put(kept, steps, reader.references.find(pointer))
    return kept


def _put(kept: dict[str, Any], steps: list[str], value: Any) -> None:
    """Lists on the way become objects whose keys are the indexes: the pointer stays the same."""
    holder, made = kept, True
    for step in steps[:-1]:
        made = step not in holder
        following = holder.setdefault(step, {})
        if not made and not isinstance(following, _Way):
            return
        if made:
            following = holder[step] = _Way()
        holder = following
    holder.setdefault(steps[-1], value)


class _Way(dict[str, Any]):
    """An object that is only on the way to what is kept, and not kept itself."""


def _look(reader: Reader) -> _Seen:
    seen, known = _Seen(), set[str]()
    told = {problem.where for problem in reader.problems}
    for place in walk(reader.document.root):
        reference = place.value.get("$ref") if isinstance(place.value, dict) and not place.names else None
        if not isinstance(reference, str):
            continue
        target = reference.partition("#")[0]
        if target in seen.outside:
            first, count = seen.outside[target]
            seen.outside[target] = (first, count + 1)
        elif reference not in known:
            known.add(reference)
            _sort(reader, place, reference, seen, told)
    return seen


def _sort(reader: Reader, place: Place, reference: str, seen: _Seen, told: set[str]) -> None:
    try:
        pointer = reader.references.local(reference)
        reader.references.find(pointer)
        seen.inside.add(pointer)
    except ExternalReferenceError:
        seen.outside[reference.partition("#")[0]] = (place, 1)
    except BrokenReferenceError as error:
        where = place.pointer()
        if f"#{where}"[:500] not in told:
            seen.nowhere[where] = str(error)


def _tell(reader: Reader, seen: _Seen) -> None:
    told = {problem.where for problem in reader.problems if problem.code == "external_reference"}
    for target, (place, count) in seen.outside.items():
        if count > 1 or f"#{place.pointer()}"[:500] not in told:
            times = "a reference leads" if count == 1 else f"{count} references lead"
            detail = f"{times} to {target[:200]!r}, which is another document and is not fetched"
            reader.report("external_reference", place.pointer(), detail)
    for where, detail in seen.nowhere.items():
        reader.report("document_invalid", where, f"a reference: {detail}")
