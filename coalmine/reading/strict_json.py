"""JSON as RFC 8259 has it: no NaN, no number beyond a float, no lone surrogate, no bottomless nesting.

This file performs no I/O.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import NoReturn

from coalmine.errors import MalformedError
from coalmine.reading.limits import DuplicateKeyError, JsonLike, Limits, TooComplexError

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class NotJsonError(MalformedError):
    """The text does not have JSON's syntax; it may still be YAML."""


class _KeyTwiceError(Exception):
    """json tells the hook no place, so the text is looked through once more where a key stands twice."""


def read_json(text: str, limits: Limits, *, unique_keys: bool = False) -> JsonLike:
    """The value of ``text``; raises ``NotJsonError`` with line and column, ``MalformedError`` for bad values."""
    hook = _refuse_twice if unique_keys else None
    try:
        value: JsonLike = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=hook)
    except _KeyTwiceError:
        # Further down the text may still turn out to be no JSON.
        read_json(text, limits)
        raise next(_find_twice(text)) from None
    except json.JSONDecodeError as error:
        raise NotJsonError(f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise TooComplexError(f"the JSON is nested deeper than {limits.max_depth} levels") from None
    except ValueError:  # int() refuses to convert more than 4,300 digits
        raise MalformedError("not JSON that can be read: a number has thousands of digits") from None
    _check_values(value, limits)
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


def _refuse_twice(pairs: list[tuple[str, JsonLike]]) -> dict[str, JsonLike]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _KeyTwiceError
    return found


def _find_twice(text: str) -> Iterator[DuplicateKeyError]:
    """The keys in ``text``, which is JSON, that stand in their objects already."""
    objects: list[dict[str, int] | None] = []  # the keys of what is open, with their offsets; None: a list
    waits_for_key = False
    for token in _TOKEN.finditer(text):
        kind = token[0][0]
        if kind in "{[":
            objects.append({} if kind == "{" else None)
        elif kind in "}]":
            objects.pop()
        elif kind == '"' and waits_for_key and objects[-1] is not None:
            key, keys = json.loads(token[0]), objects[-1]
            if key in keys:
                line, column = _place(text, token.start())
                yield DuplicateKeyError(key, line, column, _place(text, keys[key])[0])
            keys[key] = token.start()
        waits_for_key = kind == "{" or (kind == "," and bool(objects) and objects[-1] is not None)


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedError(f"not JSON: {name} is no JSON value")


def _check_values(root: JsonLike, limits: Limits) -> None:
    """Level by level and not recursively: the nesting is what is in question."""
    level: list[JsonLike] = [root]
    depth = 0
    while level:
        if depth >= limits.max_depth:
            raise TooComplexError(f"the JSON is nested deeper than {limits.max_depth} levels")
        depth += 1
        below: list[JsonLike] = []
        for node in level:
            for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
                kind = type(value)
                if kind is dict or kind is list:
                    below.append(value)
                elif kind is float and math.isinf(value):  # type: ignore[arg-type]
                    raise MalformedError("not JSON that can be read: a number is too large")
        level = below


def _check_surrogates(value: JsonLike) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedError("not JSON that can be read: a string has a lone surrogate (half a character)") from None
