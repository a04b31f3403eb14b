"""What a call is made of: parameters in the styles of the document, a body of fields, and a path that a route takes.

Rule 1: this file performs no I/O.
Rule 2: a value may be given as text with commas, as JSON, or several times; what the document says tells what it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from coalmine.errors import CoalmineError, nearest

if TYPE_CHECKING:
    from coalmine.routing.snapshot import CallParameter
    from coalmine.routing.values import Value

Given = Mapping[str, Sequence[str]]  # NAME=VALUE, each name once or several times
Headers = list[tuple[str, str]]

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_OPENERS = {"array": "[", "object": "{"}  # how JSON of that shape begins


class Written(NamedTuple):
    """Parameters as the function wants them, which is how the gateway passes them on untouched."""

    plain: dict[str, str]  # every one, encoded, without its style
    path: dict[str, str]  # the same; those of the path in their style
    query: list[str]  # encoded pairs
    headers: Headers


class Asked(NamedTuple):
    """What a client asks a route for; ``query`` has the pairs that found no place in the path."""

    path: str
    query: list[str]


def split_values(
    function: Mapping[str, Any], given: Given, data: str | None
) -> tuple[dict[str, Sequence[str]], str | None]:
    """Parameters that the function declares, and the body made of the others; raises CoalmineError."""
    declared = {parameter["name"] for parameter in function["parameters"]} | set(_placeholders(function["path"]))
    fields = {name: value for name, value in given.items() if name not in declared}
    parameters = {name: value for name, value in given.items() if name in declared}
    if not fields:
        return parameters, data
    if function.get("request_body") is None or data is not None:
        name = next(iter(fields))
        close = nearest(name, declared)
        known = f"it takes {', '.join(sorted(declared))}" if declared else "it takes none"
        raise CoalmineError(
            f"{function['name']} has no parameter {name}",
            code="invalid_parameter",
            hint=f"did you mean {close}?" if close else known,
        )
    return parameters, _write_body(function, fields)


def content_type_of(function: Mapping[str, Any]) -> str:
    """What the body is sent as: JSON where the function takes it, else a form, else what it takes first."""
    from coalmine.routing.values import is_json

    types: Sequence[str] = (function.get("request_body") or {}).get("content_types") or (_JSON,)
    json_types = [one for one in types if is_json(one)]
    if json_types:
        return _JSON if _JSON in json_types else json_types[0]
    return _FORM if _FORM in types else types[0]


def _write_body(function: Mapping[str, Any], fields: Given) -> str:
    from coalmine.routing.values import is_json

    content_type = content_type_of(function)
    if content_type == _FORM:
        return urlencode(fields, doseq=True)
    if not is_json(content_type):
        raise CoalmineError(
            f"{function['name']} takes {content_type}, which cannot be made of fields",
            code="unsupported_media_type",
            hint="give the whole body with --data, and its type with -H 'content-type: ...'",
        )
    schema = function["request_body"].get("schema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return json.dumps({name: _typed(value, (properties or {}).get(name)) for name, value in fields.items()})


def _placeholders(path: str) -> list[str]:
    from coalmine.routing.template import parse_template

    return list(parse_template(path).names)


def _typed(texts: Sequence[str], schema: Any) -> Any:
    """A field as its schema wants it, a list where it was given several times."""
    if len(texts) == 1:
        return _typed_text(texts[0], schema)
    items = schema.get("items") if isinstance(schema, dict) else None
    return [_typed_text(text, items) for text in texts]


def _typed_text(text: str, schema: Any) -> Any:
    """Without a schema, what is JSON but no text is taken as JSON."""
    if isinstance(schema, dict) and schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def find_conditions(entries: Sequence[Mapping[str, Any]]) -> Headers | None:
    """What a request carries to meet the conditions; None where that cannot be made up (a pattern)."""
    found: Headers = []
    for entry in entries:
        inverted, present = bool(entry.get("invert")), entry.get("present")
        if present is not None:
            found += [(entry["name"], "1")] if present != inverted else []
        elif inverted:
            continue  # what is absent fits
        elif entry.get("exact") is not None:
            found.append((entry["name"], entry["exact"]))
        else:
            return None
    return found


def write_parameters(function: Mapping[str, Any], parameters: Given) -> Written:
    """In the style that the document says; raises CoalmineError."""
    from coalmine.model import Function
    from coalmine.routing import styles
    from coalmine.routing.plan import make_call_plan
    from coalmine.routing.values import Unsendable

    plain = {name: quote(",".join(texts), safe="") for name, texts in parameters.items()}
    written = Written(plain, dict(plain), [], [])
    cookies: list[str] = []
    for one in make_call_plan(Function.model_validate(function)).parameters:
        value = read_given(one, parameters[one.name]) if one.name in parameters else None
        if value is None:
            continue
        try:
            match one.place:
                case "path":
                    written.path[one.name] = styles.write_path(one, value)
                case "query":
                    written.query.append(styles.write_query(one, value))
                case "header":
                    written.headers.append((one.name, readable(styles.write_header(one, value))))
                case "cookie":
                    cookies.append(styles.write_cookie(one, value))
        except Unsendable as error:
            raise CoalmineError(f"{one.place} parameter {one.name}: {error}", code="invalid_parameter") from None
    if cookies:
        written.headers.append(("cookie", "; ".join(cookies)))
    return written


def read_given(parameter: CallParameter, texts: Sequence[str]) -> Value | None:
    """A list of what was given several times, lists and objects also as JSON; raises CoalmineError."""
    from coalmine.routing import styles
    from coalmine.routing.values import to_value

    if len(texts) > 1:
        if parameter.shape != "array":
            raise CoalmineError(f"{parameter.name} takes one value and is given twice", code="invalid_parameter")
        return list(texts)
    if texts[0].startswith(_OPENERS.get(parameter.shape, "\0")):
        try:
            return to_value(json.loads(texts[0], parse_int=str, parse_float=str))
        except ValueError:
            pass  # a text that begins like JSON
    return styles.read_delimited(parameter, texts[0], str)


def readable(value: str) -> str:
    """A header value that has one character per octet, as text: that is what a curl line and a terminal take."""
    return value.encode("latin-1").decode("utf-8", "surrogateescape")


def find_path(match: Mapping[str, Any], function: Mapping[str, Any], written: Written) -> Asked | None:
    """What a client asks for; None where it cannot be made up (a pattern)."""
    path = match.get("path") or {"prefix": "/"}
    wanted = [name for name in _placeholders(function["path"]) if name in written.path]
    if path.get("prefix"):
        return Asked("/".join([path["prefix"].rstrip("/"), *(written.path[name] for name in wanted)]) or "/", [])
    text = str(path.get("exact") or path.get("template") or "{")
    places = [name for name in written.path if path.get("template") and f"{{{name}}}" in text]
    for name in places:
        text = text.replace(f"{{{name}}}", written.path[name])
    left = [f"{quote(name, safe='')}={written.plain[name]}" for name in wanted if name not in places]
    return None if "{" in text and not path.get("exact") else Asked(text, left)
