"""What clients of the gateway give to call a function through a route: the public path and its parameters.

Rule 1: it says what ``docs/functions.md`` does: what the route gives itself is left out, and what it takes from the
request instead is asked for there.
Rule 2: every placeholder of the public path is a parameter, and no parameter stands twice.
This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from coalmine.model import Destination, Function, Parameter, PathMatch, Place
from coalmine.routing.binding import UNMANAGED_HEADERS
from coalmine.routing.call import PATH_KEY
from coalmine.routing.plan import make_call_parameter
from coalmine.routing.styles import style_of
from coalmine.routing.template import parse_template

_REFERENCE = re.compile(r"\{(path|query|header|cookie|body)\.([^{}]+)\}")
_BRACES = str.maketrans({"{": "%7B", "}": "%7D"})
_PLACES: dict[str, Literal["query", "header", "cookie"]] = {"query": "query", "header": "header", "cookie": "cookie"}


@dataclass(frozen=True, slots=True)
class PublicParameter:
    """``described`` is the function's parameter that it becomes, None for one that nobody reads or knows."""

    name: str
    place: Place
    required: bool
    described: Parameter | None = None
    whole: bool = True  # False: only a part of the described one

    def rename(self, name: str) -> PublicParameter:
        return replace(self, name=name)


def public_path(match: PathMatch, destination: Destination, function: Function) -> str | None:
    """The path template under which clients call ``function``; None where there is none to tell."""
    if match.regex is not None:
        return None
    if match.exact is not None:
        return match.exact.translate(_BRACES)
    if match.template is not None:
        return match.template
    prefix = (match.prefix or "/").translate(_BRACES)
    extractor = destination.parameters.get(PATH_KEY)
    if isinstance(extractor, str) and (extractor + "/").startswith(prefix.rstrip("/") + "/"):
        return extractor
    names = [name for name in _path_names(function) if name not in destination.parameters]
    return prefix.rstrip("/") + "".join(f"/{{{name}}}" for name in names) or "/"


def list_public_parameters(path: str, destination: Destination, function: Function) -> list[PublicParameter]:
    """The parameters of the public path first, in its order."""
    captured = list_placeholders(path)
    sources = _list_sources(destination, function)
    declared = {parameter.name: parameter for parameter in _complete(function)}
    listed = [
        next((one for one in sources if (one.place, one.name) == ("path", name)), None)
        or PublicParameter(name, "path", True, declared.get(name))
        for name in captured
    ]
    listed += [one for one in sources if one.place != "path"]
    for parameter in _complete(function):
        if parameter.name in captured or parameter.name in destination.parameters:
            continue
        # A path parameter that the public path has no place for is looked for in the query.
        place: Place = "query" if parameter.place == "path" else parameter.place
        if not (place == "header" and parameter.name.lower() in UNMANAGED_HEADERS):
            listed.append(PublicParameter(parameter.name, place, parameter.required, parameter))
    return list({(one.place, _fold(one)): one for one in reversed(listed)}.values())[::-1]


def _fold(parameter: PublicParameter) -> str:
    return parameter.name.lower() if parameter.place == "header" else parameter.name


def list_placeholders(path: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"\{([^{}]*)\}", path)))


def rename_placeholders(path: str, names: Mapping[str, str]) -> str:
    return re.sub(r"\{([^{}]*)\}", lambda found: f"{{{names.get(found[1], found[1])}}}", path)


def _path_names(function: Function) -> list[str]:
    try:
        return list(dict.fromkeys(parse_template(function.path).names))
    except ValueError:
        return []


def _complete(function: Function) -> list[Parameter]:
    """Declared parameters, and placeholders of the path that nobody declared; declared ones that it lacks count not."""
    names = _path_names(function)
    declared = [one for one in function.parameters if one.place != "path" or one.name in names]
    known = {one.name for one in declared if one.place == "path"}
    bare = [Parameter(name=name, place="path", required=True, style="simple", explode=False) for name in names]
    return [*(one for one in bare if one.name not in known), *declared]


def _list_sources(destination: Destination, function: Function) -> list[PublicParameter]:
    """What the destination's parameters take from the request; a body is described as a whole elsewhere."""
    declared = {parameter.name: parameter for parameter in _complete(function)}
    found = []
    for name, value in destination.parameters.items():
        for reference in _REFERENCE.finditer(str(value)) if name != PATH_KEY else ():
            place, source = reference[1], reference[2]
            whole = reference[0] == value
            described = declared.get(name)
            if place == "path":
                found.append(PublicParameter(source, "path", True, described, whole))
            elif place in _PLACES:
                required = described is not None and described.required
                found.append(PublicParameter(source, _PLACES[place], required, described, whole))
    return found


def style_of_public(parameter: PublicParameter) -> dict[str, object]:
    """``style``, ``explode`` and ``allowReserved``, where they are not as in every document."""
    described = parameter.described
    if described is None or described.place != parameter.place or not parameter.whole:
        return {}
    made: dict[str, object] = {"style": style_of(make_call_parameter(described)), "explode": described.explode}
    if described.allow_reserved and described.place == "query":
        made["allowReserved"] = True
    return made
