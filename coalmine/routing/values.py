"""Texts and values: what a request carries, decoded once, and what a call carries, encoded once.

Rule 1: this file performs no I/O.
Rule 2: inside, text is Unicode whose undecodable bytes are surrogate escapes (PEP 383), so that ``%FF`` comes out as
    ``%FF`` and a header's bytes come out as they went in.
Rule 3: a value is a text, a list or a mapping of values. Absent, null and empty lists or mappings are None:
    RFC 6570 section 2.3 calls all of them undefined.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import JsonValue

Value = str | list["Value"] | dict[str, "Value"]
BodyKind = Literal["json", "form"]
Pair = tuple[str, str, str]  # of a query: decoded name, raw value, raw pair

# A form of more fields than this is no form; Python's own parser draws its line for cgi in the same region.
MAX_FORM_FIELDS = 10_000
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Unsendable(ValueError):
    """A value that cannot stand where it should; the message says why."""


def decode(raw: str) -> str:
    """Percent-encoded text, decoded once."""
    if "%" not in raw and raw.isascii():
        return raw
    return unquote_to_bytes(_octets(raw)).decode("utf-8", "surrogateescape")


def decode_query(raw: str) -> str:
    """A name or a value of a query or form, decoded once; ``+`` is a space."""
    return decode(raw.replace("+", " "))


def _octets(raw: str) -> bytes:
    """Raw text of a request line is bytes as latin-1; the dry run may give any character."""
    try:
        return raw.encode("latin-1")
    except UnicodeEncodeError:
        return raw.encode("utf-8", "surrogatepass")


def encode(text: str, keep: str = "") -> str:
    """Percent-encoded text: only unreserved characters and those in ``keep`` stay. Raises Unsendable."""
    return quote_from_bytes(_bytes(text), safe=keep)


def header_text(text: str) -> str:
    """Text as a header value, one character per octet (latin-1). Raises Unsendable for line breaks and the like."""
    if _CONTROL.search(text):
        raise Unsendable("a header value has no line breaks and no control characters")
    return _bytes(text).decode("latin-1")


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Unsendable("the value is not valid Unicode") from None


def split_query(raw: str | None) -> list[Pair]:
    """The pairs of a raw query, in order; empty ones (``a&&b``) have an empty name."""
    if not raw:
        return []
    pairs = []
    for pair in raw.split("&"):
        name, _, value = pair.partition("=")
        pairs.append((decode_query(name), value, pair))
    return pairs


def split_cookies(headers: list[str]) -> list[tuple[str, str]]:
    """Names and values of Cookie headers, in order, values as they stand (RFC 6265 section 4.2)."""
    cookies = []
    for header in headers:
        for part in header.split(";"):
            name, equals, value = part.strip(" \t").partition("=")
            if equals:
                cookies.append((name, value))
    return cookies


def body_kind(content_type: str | None, content_encoding: str | None) -> BodyKind | None:
    """How a body of this type is read, None where it cannot be (compressed ones included)."""
    if content_encoding and content_encoding.strip().lower() != "identity":
        return None
    if is_json(content_type or ""):
        return "json"
    return "form" if media_type(content_type) == "application/x-www-form-urlencoded" else None


def media_type(content_type: str | None) -> str:
    """Without parameters, in lower case."""
    return (content_type or "").partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    media = media_type(content_type)
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


def parse_body(kind: BodyKind, data: bytes) -> JsonValue:
    """The body as JSON has it (numbers as their own text, forms as an object). Raises ValueError with the reason."""
    if not data.strip(b" \t\r\n"):
        return None
    return _parse_json(data) if kind == "json" else _parse_form(data)


def _parse_json(data: bytes) -> JsonValue:
    try:
        # Numbers stay the text they are: 1.10 is not 1.1 in a path, and no integer is too long.
        value: JsonValue = json.loads(
            data.decode("utf-8-sig"), parse_int=str, parse_float=str, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("the JSON is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the JSON is broken in line {error.lineno}, column {error.colno}: {error.msg}") from None
    return value


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON value")


def _parse_form(data: bytes) -> JsonValue:
    if data.count(b"&") >= MAX_FORM_FIELDS:
        raise ValueError(f"the form has more than {MAX_FORM_FIELDS} fields")
    fields: dict[str, list[JsonValue]] = {}
    for name, raw, _ in split_query(data.decode("latin-1")):
        fields.setdefault(name, []).append(decode_query(raw))
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def find_field(body: JsonValue, path: tuple[str, ...]) -> Value | None:
    """The field at ``path`` (names, or positions in arrays); a form's field may have dots in its own name."""
    if isinstance(body, dict) and (whole := body.get(".".join(path))) is not None:
        return to_value(whole)
    found = body
    for name in path:
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and len(name) < 7 and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return to_value(found)


def to_value(found: JsonValue) -> Value | None:
    """A JSON value as a value: numbers and truth values are their JSON text."""
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, list):
        return [value for item in found if (value := to_value(item)) is not None] or None
    if isinstance(found, Mapping):
        return {name: value for name, item in found.items() if (value := to_value(item)) is not None} or None
    return json.dumps(found)
