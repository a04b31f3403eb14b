"""URLs of documents, as pages, scripts, indexes and Link headers mention them. This file performs no I/O.

Everything here gives relative references as they were written; resolving them and refusing foreign origins is
the search's business.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any, Literal

# A page that loads an API document is short. More is somebody's application.
_MAX_PAGE = 300_000
_MAX_REFERENCES = 20

Mention = tuple[str, Literal["document", "index", "page", "script"]]

_STRING = r"""["'`]([^"'`<>\s\\]{1,500})["'`]"""
# Swagger UI: url: "...", urls: [{url: "..."}], configUrl: "..." (HTML, swagger-initializer.js, or JSON in either)
# The text may be put together of the page's own address and it: origin + "/openapi.json", protocol + "//" + host + ...
_TOGETHER = r"""(?:(?:[\w.$]{1,60}|["'`]//["'`])\s{0,3}\+\s{0,3}){0,5}"""
_URL_KEY = re.compile(
    r"""["']?\b(url|configUrl|swaggerUrl|specUrl|spec-url|openapi)["']?\s*[:=]\s*""" + _TOGETHER + _STRING
)
# Swagger UI with a choice of documents, as Swashbuckle and NSwag have it: they belong together.
_URL_LIST = re.compile(r"""["']?\burls["']?\s*[:=]\s*\[\s*\{""")
# Redoc, RapiDoc, Scalar and Stoplight Elements: attributes of an element
_ATTRIBUTE = re.compile(
    r"""\b(?:spec-url|data-url|data-openapi-url|apiDescriptionUrl)\s*=\s*""" + _STRING, re.IGNORECASE
)
_REDOC_CALL = re.compile(r"""\bRedoc\.init\(\s*""" + _STRING)
# A tag ends before the next one begins, so that these stay linear whatever is in the page.
_TAG = re.compile(r"<(link|script)\b([^<>]{1,1000})>", re.IGNORECASE)
_REL_ATTRIBUTE = re.compile(r"""\brel\s*=\s*["']?([a-z -]{1,100})["']?""", re.IGNORECASE)
_TARGET = re.compile(r"""\b(?:href|src)\s*=\s*["']([^"'\s]{1,500})["']""", re.IGNORECASE)
_INITIALIZERS = ("swagger-initializer.js", "swagger-ui-init.js", "index.js")
# Swagger UI's own example stands in the page of every untouched installation.
_EXAMPLE = "petstore.swagger.io"


def mentions_in_page(body: bytes) -> list[Mention]:
    """What a page or script loads, in order of appearance, without repetition."""
    text = html.unescape(body[:_MAX_PAGE].decode("utf-8", "replace"))
    return _unique(_mentions(text))


def lists_documents(body: bytes) -> bool:
    """Whether what a page or script loads are several documents of one service, and not one of them after the other."""
    return _URL_LIST.search(html.unescape(body[:_MAX_PAGE].decode("utf-8", "replace"))) is not None


def _mentions(text: str) -> Iterator[Mention]:
    tags = [(match[1].lower(), match[2], _TARGET.search(match[2])) for match in _TAG.finditer(text)]
    for name, attributes, target in tags:
        relation = _REL_ATTRIBUTE.search(attributes)
        if name == "link" and target and relation:
            yield from _related(target[1], relation[1])
    for match in _URL_KEY.finditer(text):
        yield match[2], "index" if match[1] == "configUrl" else "document"
    for pattern in (_ATTRIBUTE, _REDOC_CALL):
        for match in pattern.finditer(text):
            yield match[1], "document"
    for name, _, target in tags:
        if name == "script" and target and target[1].split("?")[0].endswith(_INITIALIZERS):
            yield target[1], "script"


def _unique(mentions: Iterator[Mention]) -> list[Mention]:
    usable = (mention for mention in mentions if _EXAMPLE not in mention[0] and not mention[0].startswith("#"))
    return list(dict.fromkeys(usable))[:_MAX_REFERENCES]


def mentions_in_index(value: Any) -> list[Mention]:
    """Documents listed by a swagger-config, by Springfox's swagger-resources, or by an RFC 9727 catalog."""
    if isinstance(value, list):
        return _unique(_listed(value))
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("linkset"), list):
        return _unique(_linkset(value["linkset"]))
    if isinstance(value.get("urls"), list):
        return _unique(_listed(value["urls"]))
    return _unique(_listed([value]))


def _listed(entries: list[Any]) -> Iterator[Mention]:
    for entry in entries:
        url = (entry.get("url") or entry.get("location")) if isinstance(entry, dict) else None
        if isinstance(url, str):
            yield url, "document"


def _linkset(linkset: list[Any]) -> Iterator[Mention]:
    """RFC 9264 section 4.2: each context maps relation types to lists of targets."""
    for context in linkset:
        for relation, targets in context.items() if isinstance(context, dict) else ():
            for target in targets if isinstance(targets, list) else ():
                if isinstance(target, dict) and isinstance(target.get("href"), str):
                    yield from _related(target["href"], relation, items=True)


# RFC 8631 section 4.1, RFC 9727 section 5.
_RELATIONS: dict[str, Literal["document", "index"]] = {"service-desc": "document", "api-catalog": "index"}


def _related(target: str, relations: str, *, items: bool = False) -> Iterator[Mention]:
    """``items``: those of a catalog are the services themselves (RFC 9727 section 4.2), whose Link headers may tell."""
    for relation in relations.lower().split():
        if relation in _RELATIONS:
            yield target, _RELATIONS[relation]
        elif relation == "item" and items:
            yield target, "page"


_LINK = re.compile(r"<([^<>\s]{1,500})>([^<]{0,500})")
_REL = re.compile(r""";\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))""", re.IGNORECASE)


def mentions_in_links(values: tuple[str, ...], *, items: bool = False) -> list[Mention]:
    """Targets of ``Link: <...>; rel="service-desc"`` (RFC 8288 section 3), and of a catalog in that form."""
    return _unique(
        mention
        for value in values
        for link in _LINK.finditer(value)
        for mention in _related(link[1], _relations(link[2]), items=items)
    )


def _relations(parameters: str) -> str:
    match = _REL.search(parameters)
    return match[1] or match[2] or "" if match else ""
