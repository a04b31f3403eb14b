"""Parameter styles: OpenAPI 3.1.1 section 4.12.2.4 (style examples), and bodies, HEAD and what else a call has."""

from __future__ import annotations

import json
from typing import Any

from coalmine.model import Place
from tests.support.case import Call, Case, ask, define, function, param, route, to

_COLORS = ["blue", "black", "brown"]
_RGB = {"R": 100, "G": 200, "B": 150}
_ARRAY: dict[str, Any] = {"type": "array", "items": {"type": "string"}}

# (place, style, explode, text, array, object): what stands in the path, query, header or cookie; None is not defined.
_TABLE: tuple[tuple[Place, str, bool, str | None, str | None, str | None], ...] = (
    ("path", "simple", False, "blue", "blue,black,brown", "R,100,G,200,B,150"),
    ("path", "simple", True, "blue", "blue,black,brown", "R=100,G=200,B=150"),
    ("path", "label", False, ".blue", ".blue,black,brown", ".R,100,G,200,B,150"),
    ("path", "label", True, ".blue", ".blue.black.brown", ".R=100.G=200.B=150"),
    ("path", "matrix", False, ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150"),
    ("path", "matrix", True, ";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150"),
    ("query", "form", False, "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"),
    ("query", "form", True, "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"),
    ("query", "spaceDelimited", False, None, "color=blue%20black%20brown", "color=R%20100%20G%20200%20B%20150"),
    ("query", "pipeDelimited", False, None, "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200%7CB%7C150"),
    ("query", "deepObject", True, None, None, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    ("header", "simple", False, "blue", "blue,black,brown", "R,100,G,200,B,150"),
    ("header", "simple", True, "blue", "blue,black,brown", "R=100,G=200,B=150"),
    ("cookie", "form", False, "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"),
)


def _expect(place: Place, text: str) -> Call:
    if place == "path":
        return Call("v1", "GET", f"/c/{text}", body=b"")
    if place == "query":
        return Call("v1", "GET", f"/c?{text}", body=b"")
    return Call("v1", "GET", "/c", headers=(("color" if place == "header" else "cookie", text),), body=b"")


def _row(place: Place, style: str, explode: bool, schema: dict[str, Any], value: Any, text: str) -> Case:
    path = "/c/{color}" if place == "path" else "/c"
    color = function("color", "GET", path, param("color", place, schema, style=style, explode=explode, required=True))
    kind = schema["type"]
    body = json.dumps({"color": value})
    return Case(
        f"{place} {style}, {'' if explode else 'not '}exploded, {kind}",
        "styles",
        define(route("color", "/color", to("v1", "color")), functions=(color,)),
        ask("POST", "/color", body=body, kind="application/json"),
        _expect(place, text),
        origin="OpenAPI 3.1.1 section 4.12.2.4; RFC 6570 section 3.2 for label",
    )


STYLES = tuple(
    _row(place, style, explode, schema, value, text)
    for place, style, explode, *texts in _TABLE
    for (schema, value), text in zip(
        (({"type": "string"}, "blue"), (_ARRAY, _COLORS), ({"type": "object"}, _RGB)), texts, strict=True
    )
    if text is not None
)
