"""The values that a destination gives to parameters of its function: literals and references such as ``{path.id}``.

Rule 1: this file performs no I/O.
Rule 2: ``:path`` is no parameter but a template over the whole request path; what it captures are values of the
    parameters of those names.
Rule 3: braces around something else than a name (``{"a": 1}``) are a literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from coalmine.errors import Fault, nearest
from coalmine.model import Destination, Function, PathMatch
from coalmine.routing.matcher import RegexPath, TemplatePath, compile_path
from coalmine.routing.template import Template, parse_match_template, parse_template

PATH_KEY = ":path"
PLACES = ("path", "query", "header", "cookie", "body")
_REFERENCE = re.compile(rf"\{{({'|'.join(PLACES)})\.([^{{}}]+)\}}")
_FORMS = ", ".join(f"{{{place}.name}}" for place in PLACES)
# What somebody may have meant as a reference.
_BRACES = re.compile(r"\{\s*([A-Za-z_][\w-]*)\s*(?:\.([^{}]*))?\}")


def find_captures(path: PathMatch) -> frozenset[str] | None:
    """The names that a path match captures: placeholders of a template, named groups of a pattern.

    None: nobody can know, for the path is no good.
    """
    try:
        compiled = compile_path(path)
    except ValueError:
        return None
    if isinstance(compiled, TemplatePath):
        return frozenset(compiled.template.names)
    return frozenset(compiled.pattern.names) if isinstance(compiled, RegexPath) else frozenset()


def find_override_faults(
    pointer: str, destination: Destination, function: Function | None, captures: frozenset[str] | None
) -> Iterator[Fault]:
    """``pointer`` is that of the parameters. Where ``function`` or ``captures`` are not known, nothing is said that
    depends on them."""
    if destination.parameters and destination.function is None:
        yield Fault(pointer, "invalid_value", "parameters are for a function, and this destination has none")
        return
    extracted = destination.parameters.get(PATH_KEY)
    if extracted is not None:
        template = _parse_extractor(extracted)
        if isinstance(template, str):
            yield Fault(f"{pointer}/{PATH_KEY}", "invalid_value", template)
            captures = None
        else:
            captures = None if captures is None else captures | set(template.names)
            yield from _unknown_names(f"{pointer}/{PATH_KEY}", template.names, function)
    for name, value in destination.parameters.items():
        if name != PATH_KEY:
            where = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"  # RFC 6901 section 3
            yield from _unknown_names(where, (name,), function)
            yield from _reference_faults(where, str(value), captures)


def _parse_extractor(value: object) -> Template | str:
    """The template, or what is wrong with it."""
    if not isinstance(value, str):
        return f"{PATH_KEY} is a template such as /pets/{{id}}"
    try:
        return parse_match_template(value)
    except ValueError as error:
        return f"{value!r}: {error}"


def _unknown_names(pointer: str, names: tuple[str, ...], function: Function | None) -> Iterator[Fault]:
    if function is None:
        return
    known = parameter_names(function)
    for name in names:
        if name not in known:
            found = nearest(name, known)
            hint = f"did you mean {found}?" if found else f"it has {', '.join(known)}" if known else None
            detail = f"the function {function.name} has no parameter {name}"
            yield Fault(pointer, "invalid_value", detail, hint)


def parameter_names(function: Function) -> list[str]:
    """Declared ones, and placeholders of the path that nobody declared."""
    names = [parameter.name for parameter in function.parameters]
    with suppress(ValueError):  # a path that cannot be called is the document's fault, not this route's
        names += parse_template(function.path).names
    return list(dict.fromkeys(names))


def _reference_faults(pointer: str, text: str, captures: frozenset[str] | None) -> Iterator[Fault]:
    for found in _BRACES.finditer(text):
        reference = _REFERENCE.fullmatch(found[0])
        if reference is None:
            detail = f"{found[0]} refers to nothing; a reference is {_FORMS}"
            yield Fault(pointer, "invalid_value", detail, _hint(found[1], found[2] or "", captures or frozenset()))
        elif reference[1] == "path" and captures is not None and reference[2] not in captures:
            detail = f"{found[0]} is never bound: the path match captures {', '.join(sorted(captures)) or 'nothing'}"
            yield Fault(pointer, "invalid_value", detail, "match a template such as /pets/{id} instead")


def _hint(place: str, name: str, captures: frozenset[str]) -> str | None:
    if not name and place in captures:
        return f"write {{path.{place}}}"
    meant = nearest(place, PLACES)
    return f"write {{{meant}.{name or 'x'}}}" if meant else None
