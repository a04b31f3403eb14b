"""Gloo's parameter extractors in Coalmine's words. This file performs no I/O.

    headers: {":path": "/findPetWithId/{id}"}    parameters: {":path": "/findPetWithId/{id}"}
    path: "/findPetWithId/{id}"                  the same
    headers: {"x-user": "{userId}"}              parameters: {"userId": "{header.x-user}"}

``:path`` is the one key of a destination's parameters that is no parameter's name: its value is a template over
the whole request path, and what it captures are values of the parameters of those names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PATH_KEY = ":path"
_VARIABLE = re.compile(r"\{\s*([\w.\-]+)\s*\}")


def translate_extractors(headers: Mapping[str, str], path: str | None = None) -> dict[str, str]:
    """The destination's ``parameters``; raises ValueError with a sentence that says what cannot be expressed."""
    found: dict[str, str] = {}
    for name, pattern in headers.items():
        if name == PATH_KEY:
            if path is not None and path != pattern:
                raise ValueError("path and the header :path say different things; give one of them")
            path = pattern
        elif name.startswith(":"):
            raise ValueError(f"{name} holds no values here; only :path does")
        else:
            found.update(_from_header(name, pattern))
    if path is not None:
        found.update(_from_path(path))
    return found


def _from_header(name: str, pattern: str) -> dict[str, str]:
    variable = _VARIABLE.fullmatch(pattern.strip())
    if variable is None or "." in variable[1]:
        raise ValueError(
            f"the extractor {pattern!r} of header {name} takes a part of the value; only a whole value, such as "
            "{user}, can be taken"
        )
    return {variable[1]: f"{{header.{name.lower()}}}"}


def _from_path(pattern: str) -> dict[str, str]:
    rest = _VARIABLE.sub("", pattern)
    if "{" in rest or "}" in rest:
        raise ValueError(f"the braces of {pattern!r} do not close around a name, as in /findPetWithId/{{id}}")
    if not pattern.startswith("/"):
        raise ValueError(f"{pattern!r} does not start with a slash")
    names = _VARIABLE.findall(pattern)
    if len(set(names)) != len(names):
        raise ValueError(f"a name stands twice in {pattern!r}")
    return {PATH_KEY: _VARIABLE.sub(r"{\1}", pattern)} if names else {}
