"""Compares request bodies and responses, but for their schemas. This file performs no I/O.

Rule 1: content types are the same without regard to case and parameters (RFC 9110 section 8.3.1); a range such as
    ``application/*`` has all that fall under it (section 12.5.1).
Rule 2: where a document names no content type, nothing is known about them.
Rule 3: a status is known by its code, or by a range such as ``2XX`` that has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coalmine.differences.difference import Report
from coalmine.differences.words import join, show_all
from coalmine.model.function import RequestBody, Response

BODY = "/requestBody"


def compare_bodies(old: RequestBody | None, new: RequestBody | None, report: Report) -> bool:
    """Whether both have one, so that the schemas are to be compared."""
    if old is None or new is None:
        _tell_existence(old, new, report)
        return False
    if old.required != new.required:
        need = "required" if new.required else "optional"
        report.add(f"request-body-became-{need}", join(BODY, "required"), f"the body became {need}")
    if old.content_types and new.content_types:
        _compare_types(old.content_types, new.content_types, "request-body", BODY, report)
    return True


def pair_body_schemas(old: RequestBody, new: RequestBody) -> list[tuple[str, Any, Any]]:
    """Place and schemas of each content type that both take; where they share none, of the first of each."""
    types = {_plain(name): name for name in new.content_types}
    shared = [(name, types[_plain(name)]) for name in old.content_types if _plain(name) in types]
    pairs: list[tuple[str, Any, Any]] = []
    for name, other in shared:
        before, after = old.schema_of(name), new.schema_of(other)
        if not any(known[1:] == (before, after) for known in pairs):
            pairs.append((join(BODY, "content", name, "schema") if pairs else join(BODY, "schema"), before, after))
    return pairs or [(join(BODY, "schema"), old.schema_, new.schema_)]


def _tell_existence(old: RequestBody | None, new: RequestBody | None, report: Report) -> None:
    if new is not None:
        need = "required" if new.required else "optional"
        report.add(f"added-{need}-request-body", BODY, f"the {need} body was added")
    elif old is not None:
        report.add("request-body-removed", BODY, "the body was removed")


def _compare_types(old: Iterable[str], new: Iterable[str], prefix: str, where: str, report: Report) -> None:
    before, after = {_plain(name) for name in old}, {_plain(name) for name in new}
    lost = [name for name in sorted(before) if not _falls_under(name, after)]
    gained = [name for name in sorted(after) if not _falls_under(name, before)]
    if lost:
        report.add(f"{prefix}-media-type-removed", join(where, "content"), f"removed: {show_all(lost)}")
    if gained:
        report.add(f"{prefix}-media-type-added", join(where, "content"), f"added: {show_all(gained)}")


def _plain(media_type: str) -> str:
    return media_type.split(";")[0].strip().lower()


def _falls_under(name: str, others: set[str]) -> bool:
    return not others.isdisjoint({name, f"{name.split('/')[0]}/*", "*/*"})


def compare_responses(
    old: tuple[Response, ...], new: tuple[Response, ...], report: Report
) -> list[tuple[Response, Response]]:
    """The pairs whose schemas are to be compared."""
    before, after = ({one.status.upper(): one for one in responses} for responses in (old, new))
    pairs = [(one, other) for status, one in before.items() if (other := _find(status, after)) is not None]
    for status, one in before.items():
        if _find(status, after) is None:
            report.add(
                f"response-{_class(status)}-status-removed", _where(one), f"{one.status} is not answered any more"
            )
    for status, one in after.items():
        if _find(status, before) is None:
            report.add(f"response-{_class(status)}-status-added", _where(one), f"{one.status} is answered now")
    for one, other in pairs:
        _compare_types(one.content_types, other.content_types, "response", _where(one), report)
    return pairs


def _where(response: Response) -> str:
    return join("/responses", response.status)


def _class(status: str) -> str:
    """Redirections are what some functions are for; only errors, and the rest that ``default`` is, are failures."""
    return "success" if status[:1] in ("2", "3") else "non-success"


def _find(status: str, others: dict[str, Response]) -> Response | None:
    """The same status, the range that it is in, or the first one of the range that it is."""
    if status in others:
        return others[status]
    if status[1:] == "XX":
        return next((one for code, one in sorted(others.items()) if code[:1] == status[:1]), None)
    return others.get(f"{status[:1]}XX")
