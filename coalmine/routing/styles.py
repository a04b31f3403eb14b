"""Parameter styles: how a value is written into a path, query, header or cookie, and read out of a path.

Rule 1: this file performs no I/O.
Rule 2: OpenAPI 3.1 section 4.8.12 (styles) on top of RFC 6570 section 3.2 (expansion): one row per style.
Rule 3: names and values are percent-encoded down to unreserved characters, so that the delimiters of a style are
    never data and data is never a delimiter. ``|``, ``[`` and ``]`` are not allowed raw (RFC 3986 section 3.4) and are
    written ``%7C``, ``%5B``, ``%5D``. Header values alone are not percent-encoded: nobody would decode them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from coalmine.model import Place, Style
from coalmine.routing.snapshot import CallParameter
from coalmine.routing.values import Unsendable, Value, decode, decode_query, encode, header_text

Encode = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Rule:
    """RFC 6570 appendix A: what stands first, what separates, whether names are written, what an empty value leaves."""

    first: str
    separator: str
    named: bool = False
    if_empty: str = ""
    joiner: str = ","  # between the items of a list that is not exploded


_RULES: dict[Style, _Rule] = {
    "simple": _Rule("", ","),
    "label": _Rule(".", "."),
    "matrix": _Rule(";", ";", named=True),
    "form": _Rule("", "&", named=True, if_empty="="),
    "spaceDelimited": _Rule("", "&", named=True, if_empty="=", joiner="%20"),
    "pipeDelimited": _Rule("", "&", named=True, if_empty="=", joiner="%7C"),
}
_COOKIE = _Rule("", "; ", named=True, if_empty="=")
# OpenAPI 3.1 section 4.8.12.2: the styles each place may have, the default first.
_STYLES: dict[Place, tuple[Style, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
# allowReserved lets reserved characters stand (RFC 6570 section 3.2.3), but for those that would end or split the
# query: "#", "[" and "]" are not allowed in one, "&" and "+" mean something in forms (OpenAPI 3.1.1 section 4.12.2.2).
_RESERVED = ":/?@!$'()*,;="


def style_of(parameter: CallParameter) -> Style:
    """The parameter's style, or the default of its place where a document gives one that cannot stand there."""
    allowed = _STYLES[parameter.place]
    return parameter.style if parameter.style in allowed else allowed[0]


def write_path(parameter: CallParameter, value: Value) -> str:
    """The text for the placeholder; "" where there is nothing to write. Raises Unsendable."""
    return _expand(_RULES[style_of(parameter)], parameter, value, encode)


def write_query(parameter: CallParameter, value: Value) -> str:
    """One or more raw pairs, joined with ``&``. Raises Unsendable."""
    style = style_of(parameter)
    writer = _encode_reserved if parameter.allow_reserved else encode
    if style == "deepObject":
        return "&".join(_deep(encode(parameter.name), value, writer))
    return _expand(_RULES[style], parameter, value, writer)


def write_header(parameter: CallParameter, value: Value) -> str:
    """The header's value, one character per octet. Raises Unsendable."""
    return _expand(_RULES["simple"], parameter, value, header_text)


def write_cookie(parameter: CallParameter, value: Value) -> str:
    """One or more ``name=value``, joined with ``; ``. Raises Unsendable."""
    return _expand(_COOKIE, parameter, value, encode)


def _encode_reserved(text: str) -> str:
    return encode(text, _RESERVED)


def _expand(rule: _Rule, parameter: CallParameter, value: Value, write: Encode) -> str:
    label = encode(parameter.name) if rule.named else ""
    if isinstance(value, str):
        return rule.first + _assign(rule, label, write(value))
    if parameter.explode:
        return rule.first + rule.separator.join(_exploded(rule, label, value, write))
    return rule.first + _assign(rule, label, rule.joiner.join(map(write, _flat(value))))


def _assign(rule: _Rule, label: str, text: str) -> str:
    if not rule.named:
        return text
    return f"{label}={text}" if text else label + rule.if_empty


def _exploded(rule: _Rule, label: str, value: list[Value] | dict[str, Value], write: Encode) -> Iterable[str]:
    if isinstance(value, dict):
        return [f"{write(name)}={write(_text(item))}" for name, item in value.items()]
    return [_assign(rule, label, write(_text(item))) for item in value]


def _flat(value: list[Value] | dict[str, Value]) -> list[str]:
    if isinstance(value, dict):
        return [text for name, item in value.items() for text in (name, _text(item))]
    return [_text(item) for item in value]


def _text(item: Value) -> str:
    if not isinstance(item, str):
        raise Unsendable("a list or an object inside another has no form in this style")
    return item


def _deep(label: str, value: Value, write: Encode) -> list[str]:
    """``a[b]=c``; OpenAPI leaves deeper levels open, they nest as in every common reader: ``a[b][c]=d``."""
    if isinstance(value, str):
        return [f"{label}={write(value)}"]
    if isinstance(value, list):
        return [pair for item in value for pair in _deep(label, item, write)]
    return [pair for name, item in value.items() for pair in _deep(f"{label}%5B{encode(name)}%5D", item, write)]


def read_segment(parameter: CallParameter, raw: str) -> Value | None:
    """The value in a raw piece of a path: in the parameter's own style, or bare (``7`` for ``;id=7``)."""
    style = style_of(parameter)
    if parameter.place != "path" or style == "simple" or not raw.startswith(_RULES[style].first):
        return read_delimited(parameter, raw, decode)
    return _read_prefixed(parameter, style, raw[1:])


def _read_prefixed(parameter: CallParameter, style: Style, raw: str) -> Value | None:
    label = encode(parameter.name) + "="
    if parameter.shape == "primitive":
        return decode(raw.removeprefix(label) if style == "matrix" else raw)
    if not parameter.explode:
        return read_delimited(parameter, raw.removeprefix(label) if style == "matrix" else raw, decode)
    parts = raw.split(_RULES[style].separator)
    if parameter.shape == "array":
        return [decode(part.removeprefix(label) if style == "matrix" else part) for part in parts]
    return _read_assignments(parts, decode)


def read_delimited(parameter: CallParameter, text: str, read: Encode) -> Value | None:
    """The value in a text whose items, if the parameter has several, are separated by commas."""
    if parameter.shape == "primitive":
        return read(text)
    if not text:
        return None
    parts = text.split(",")
    if parameter.shape == "array":
        return [read(part) for part in parts]
    if parameter.explode:
        return _read_assignments(parts, read)
    return {read(name): read(value) for name, value in zip(parts[::2], parts[1::2], strict=False)}


def _read_assignments(parts: list[str], read: Encode) -> Value:
    return {read(name): read(value) for name, _, value in (part.partition("=") for part in parts)}


def read_query(parameter: CallParameter, raws: list[str]) -> Value | None:
    """The value in the raw query values of one name; a parameter of one value takes the first."""
    if len(raws) > 1 and parameter.shape == "array":
        return [decode_query(raw) for raw in raws]
    return read_delimited(parameter, raws[0], decode_query)
