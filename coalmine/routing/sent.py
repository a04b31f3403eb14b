"""What the client itself put into a parameter, read the way the parameter's style writes it.

Rule 1: this file performs no I/O.
Rule 2: nothing here decides what is sent: a parameter that is where the function wants it is passed on as it came. It
    is read only to be checked, so every value of a parameter that came several times is read.
"""

from __future__ import annotations

import re

from coalmine.routing import styles
from coalmine.routing.binding import Binding
from coalmine.routing.snapshot import CallParameter
from coalmine.routing.sources import Sources
from coalmine.routing.values import Value, decode_query

# How the items of a list that is not exploded are told apart in a query, before anything is decoded.
_JOINERS = {"spaceDelimited": re.compile(r"%20|\+| "), "pipeDelimited": re.compile(r"%7[Cc]|\|")}
_COMMA = re.compile(",")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
# ``a[b][c][d]=e``; deeper names are no objects but somebody's joke.
_MAX_BRACKETS = 8


def read_sent(binding: Binding, sources: Sources) -> list[Value]:
    """Every value of a parameter that the client sent in its own place."""
    parameter = binding.parameter
    if binding.place == "query":
        return _read_query(binding, sources)
    if binding.place == "header":
        text = sources.header(binding.name) or ""
        return _listed(styles.read_delimited(parameter, text, str.strip))
    return _listed(styles.read_delimited(parameter, sources.cookie(binding.name) or "", str))


def _listed(value: Value | None) -> list[Value]:
    return [] if value is None else [value]


def _read_query(binding: Binding, sources: Sources) -> list[Value]:
    parameter = binding.parameter
    if styles.style_of(parameter) == "deepObject":
        return [_read_deep(binding, sources)]
    if binding.nameless:
        claimed = [(key, raw) for key, raw, _ in sources.pairs if binding.claims(key, sources)]
        return [_collect(claimed)]
    raws = sources.query(binding.name)
    if parameter.shape == "primitive":
        return [decode_query(raw) for raw in raws]
    if parameter.shape == "array":
        return [[item for raw in raws for item in _split(parameter, raw)]]
    return [value for raw in raws for value in _listed(styles.read_delimited(parameter, raw, decode_query))]


def _split(parameter: CallParameter, raw: str) -> list[str]:
    if parameter.explode:
        return [decode_query(raw)]
    joiner = _JOINERS.get(styles.style_of(parameter), _COMMA)
    return [decode_query(item) for item in joiner.split(raw)] if raw else []


def _collect(pairs: list[tuple[str, str]]) -> Value:
    """A name that stands several times has a list."""
    texts: dict[str, list[Value]] = {}
    for key, raw in pairs:
        texts.setdefault(key, []).append(decode_query(raw))
    return {key: values[0] if len(values) == 1 else values for key, values in texts.items()}


def _read_deep(binding: Binding, sources: Sources) -> Value:
    found: dict[str, Value] = {}
    for key, raw, _ in sources.pairs:
        if key == binding.name:
            return decode_query(raw)  # no object at all
        if not binding.owns(key):
            continue
        names = _BRACKETS.findall(key[len(binding.name) :])[:_MAX_BRACKETS]
        inner = found
        for name in names[:-1]:
            below = inner.setdefault(name, {})
            inner = below if isinstance(below, dict) else {}
        if names:
            _add(inner, names[-1], decode_query(raw))
    return found


def _add(inner: dict[str, Value], name: str, text: str) -> None:
    there = inner.get(name)
    if isinstance(there, list):
        there.append(text)
    else:
        inner[name] = text if there is None else [there, text]
