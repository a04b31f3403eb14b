"""Compares the parameters of two functions. This file performs no I/O.

Rule 1: a parameter is known by name and place; by name alone where it moved; by its position in the path template
    where that has the same form, so that a renamed ``{id}`` is no other parameter.
Rule 2: names of headers have no case (RFC 9110 section 5.1).
Rule 3: a style matters where it makes another text: single values look alike in most styles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from coalmine.differences.schemas import Comparison
from coalmine.differences.types import find_kinds
from coalmine.differences.view import Reader
from coalmine.differences.words import join, printable
from coalmine.model.function import Parameter, Signature

Key = tuple[str, str]
Matched = tuple[Parameter, Parameter]
_PLACEHOLDER = re.compile(r"\{([^{}/]+)\}")
_SINGLE = frozenset({"string", "number", "integer", "boolean"})
# Styles that write nothing before or between where the value is a single one (OpenAPI 3.1, "Style Examples").
_BARE = frozenset({"simple", "form", "spaceDelimited", "pipeDelimited", "deepObject"})


def path_shape(path: str) -> str:
    """The template without the names of its parameters."""
    return _PLACEHOLDER.sub("{}", path)


def compare_parameters(old: Signature, new: Signature, comparison: Comparison) -> list[Matched]:
    """Everything but the schemas; those of the pairs that are returned are compared when all the rest was."""
    before, after = _by_key(old), _by_key(new)
    renamed = _find_renamed(old, new, before, after)
    matched = [(before.pop(key), after.pop(key)) for key in list(before) if key in after]
    moved = _match_moved(before, after)
    pairs = [*matched, *moved, *((before.pop(one), after.pop(other)) for one, other in renamed.items())]
    for parameter in before.values():
        detail = f"the {_name(parameter)} was removed"
        comparison.report.add("request-parameter-removed", pointer(parameter), detail)
    for parameter in after.values():
        _tell_added(parameter, comparison)
    for pair in pairs:
        _compare(*pair, comparison)
    return pairs


def pointer(parameter: Parameter) -> str:
    return join("/parameters", parameter.place, parameter.name)


def _by_key(signature: Signature) -> dict[Key, Parameter]:
    return {_key(parameter): parameter for parameter in signature.parameters}


def _key(parameter: Parameter) -> Key:
    return parameter.place, parameter.name.lower() if parameter.place == "header" else parameter.name


def _find_renamed(
    old: Signature, new: Signature, before: Mapping[Key, Parameter], after: Mapping[Key, Parameter]
) -> dict[Key, Key]:
    """Path parameters that stand where another one stood, if neither name is known on the other side."""
    if path_shape(old.path) != path_shape(new.path):
        return {}
    names = zip(_PLACEHOLDER.findall(old.path), _PLACEHOLDER.findall(new.path), strict=True)
    pairs = {("path", one): ("path", other) for one, other in names}
    known = {name for _, name in before} & {name for _, name in after}
    return {
        one: other
        for one, other in pairs.items()
        if one in before and other in after and not {one[1], other[1]} & known
    }


def _match_moved(before: dict[Key, Parameter], after: dict[Key, Parameter]) -> list[Matched]:
    """Takes those out of both that have the same name elsewhere."""
    elsewhere = {parameter.name: key for key, parameter in after.items()}
    pairs = []
    for key, parameter in list(before.items()):
        at = elsewhere.pop(parameter.name, None)
        if at is not None:
            pairs.append((before.pop(key), after.pop(at)))
    return pairs


def _tell_added(parameter: Parameter, comparison: Comparison) -> None:
    if parameter.place == "path":
        rule, kind = "new-request-path-parameter", "new"
    elif not parameter.required:
        rule, kind = "new-optional-request-parameter", "optional"
    elif _has_default(parameter):
        rule, kind = "new-required-request-default-parameter", "required"
    else:
        rule, kind = "new-required-request-parameter", "required"
    comparison.report.add(rule, pointer(parameter), f"the {kind} {_name(parameter)} was added")


def _has_default(parameter: Parameter) -> bool:
    """As calls see it: at the top of the schema, and null says "absent"."""
    return isinstance(parameter.schema_, dict) and parameter.schema_.get("default") is not None


def _name(parameter: Parameter) -> str:
    return f"{parameter.place} parameter {printable(parameter.name, 100)}"


def _compare(old: Parameter, new: Parameter, comparison: Comparison) -> None:
    add, where, name = comparison.report.add, pointer(old), _name(old)
    if old.place != new.place:
        add("request-parameter-place-changed", join(where, "in"), f"the {name} is a {new.place} parameter now")
    elif old.name != new.name and old.place == "path":
        add("path-parameter-renamed", join(where, "name"), f"the {name} is named {printable(new.name, 100)} now")
    if old.required != new.required:
        add(_required_rule(new), join(where, "required"), f"the {name} became {_need(new)}")
    if old.deprecated != new.deprecated:
        state = "deprecated" if new.deprecated else "reactivated"
        add(f"request-parameter-{state}", join(where, "deprecated"), f"the {name} was {state}")
    if old.content_type != new.content_type:
        detail = f"the {name} was written as {_media(old)} and is as {_media(new)}"
        add("request-parameter-media-type-changed", join(where, "content"), detail)
    elif old.place == new.place:
        _compare_style(old, new, comparison)


def _need(parameter: Parameter) -> str:
    return "required" if parameter.required else "optional"


def _media(parameter: Parameter) -> str:
    return "plain text" if parameter.content_type is None else printable(parameter.content_type, 60)


def _required_rule(new: Parameter) -> str:
    default = "-with-default" if new.required and _has_default(new) else ""
    return f"request-parameter-became-{_need(new)}{default}"


def _compare_style(old: Parameter, new: Parameter, comparison: Comparison) -> None:
    single = _is_single(old, comparison, "old") and _is_single(new, comparison, "new")
    before, after = _style(old, single), _style(new, single)
    if before != after:
        detail = f"the {_name(old)} was written in the style {before} and is in the style {after}"
        comparison.report.add("request-parameter-style-changed", join(pointer(old), "style"), detail)


def _style(parameter: Parameter, single: bool) -> str:
    """``explode`` makes no difference for single values, ``allowReserved`` for all."""
    reserved = ", reserved characters as they are" if parameter.allow_reserved else ""
    if single:
        return ("plain" if parameter.style in _BARE else parameter.style) + reserved
    return f"{parameter.style}{' (exploded)' if parameter.explode else ''}{reserved}"


def _is_single(parameter: Parameter, comparison: Comparison, side: str) -> bool:
    components = comparison.pair.old if side == "old" else comparison.pair.new
    reader = Reader(components, comparison.budget)
    kinds = find_kinds(reader.look(parameter.schema_), reader)
    return kinds is not None and kinds <= _SINGLE
