"""Finding documents that are not where one would look first: pages, scripts, indexes, Link headers."""

# ruff: noqa: E501  one row, one line

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from coalmine.model import Discovery, Upstream
from discovery.options import ProbeOptions
from discovery.pages import mentions_in_index, mentions_in_links, mentions_in_page
from discovery.parsing import Parser
from discovery.probe import Fetcher
from discovery.search import Outcome, Search, Source
from tests.discovery.services import Page, Service, petstore, reply, serving

HIDDEN = "/internal/pets-api.json"

SWAGGER_UI = b"""<!DOCTYPE html><html><head><title>Swagger UI</title></head><body><div id="swagger-ui"></div>
<script src="./swagger-ui-bundle.js"></script><script src="./swagger-initializer.js"></script></body></html>"""
INITIALIZER = b"""window.onload = function() {
  window.ui = SwaggerUIBundle({ url: "/internal/pets-api.json", dom_id: '#swagger-ui', deepLinking: true }); };"""
INITIALIZER_SPRINGDOC = b"""window.ui = SwaggerUIBundle({ url: "https://petstore.swagger.io/v2/swagger.json",
  "configUrl" : "/internal/swagger-config", "validatorUrl" : "" });"""
FASTAPI_DOCS = b"""<!DOCTYPE html><html><body><div id="swagger-ui"></div><script>
const ui = SwaggerUIBundle({ url: '/internal/pets-api.json', "dom_id": "#swagger-ui", oauth2RedirectUrl: "x" })</script>"""
REDOC = b"<!DOCTYPE html><html><body><redoc spec-url='/internal/pets-api.json'></redoc></body></html>"
REDOC_CALL = b"<!doctype html><script>Redoc.init('/internal/pets-api.json', {}, document.body)</script>"
SCALAR = (
    b"""<!doctype html><html><body><script id="api-reference" data-url="/internal/pets-api.json"></script></body>"""
)
SCALAR_CALL = (
    b"""<!doctype html><script>Scalar.createApiReference('#app', { url: '/internal/pets-api.json' })</script>"""
)
ELEMENTS = b"""<!doctype html><elements-api apiDescriptionUrl="pets-api.json" router="hash" />"""
LINK_TAG = b"""<!doctype html><head><link rel="service-desc" href="/internal/pets-api.json"></head>"""
SPRINGFOX = [{"name": "default", "url": "/internal/pets-api.json", "swaggerVersion": "2.0", "location": "/x"}]
CATALOG = {"linkset": [{"anchor": "/pets", "service-desc": [{"href": HIDDEN, "type": "application/json"}]}]}

FOUND: list[tuple[str, dict[str, Page]]] = [
    ("Swagger UI through its initializer", {"/swagger/index.html": SWAGGER_UI, "/swagger/swagger-initializer.js": INITIALIZER}),
    ("Swagger UI through its initializer and its configuration", {
        "/swagger-ui/index.html": SWAGGER_UI, "/swagger-ui/swagger-initializer.js": INITIALIZER_SPRINGDOC,
        "/internal/swagger-config": {"url": HIDDEN}}),
    ("Swagger UI as FastAPI has it", {"/docs": FASTAPI_DOCS}),
    ("Redoc as an element", {"/redoc": REDOC}),
    ("Redoc as a call", {"/redoc": REDOC_CALL}),
    ("Scalar as an element", {"/scalar/v1": SCALAR}),
    ("Scalar as a call", {"/reference": SCALAR_CALL}),
    ("Stoplight Elements, relative to the page", {"/docs": reply(302, Location="/internal/"), "/internal/": ELEMENTS}),
    ("a link element on the start page", {"/": LINK_TAG}),
    ("a Link header on the start page (RFC 8631)", {
        "/": reply(200, b"hello", Link='</>; rel="self", </internal/pets-api.json>; rel="service-desc"; type="application/json"')}),
    ("an API catalog (RFC 9727)", {"/.well-known/api-catalog": CATALOG}),
    ("an API catalog that is written as Link headers are (RFC 9264)", {"/.well-known/api-catalog": reply(
        200, b'</pets>; rel="item",\n</internal/pets-api.json>; rel="service-desc"; anchor="/pets"', Content_Type="application/linkset")}),
    ("an API catalog that lists another one", {
        "/.well-known/api-catalog": {"linkset": [{"anchor": "/", "api-catalog": [{"href": "/more"}]}]}, "/more": CATALOG}),
    ("an API catalog whose item has a Link header", {
        "/.well-known/api-catalog": {"linkset": [{"anchor": "/", "item": [{"href": "/pets"}]}]},
        "/pets": reply(200, b"[]", Link='</internal/pets-api.json>; rel="service-desc"', Content_Type="application/json")}),
    ("an API catalog that a Link header names", {"/": reply(200, b"hello", Link="</catalog>; rel=api-catalog"), "/catalog": CATALOG}),
    ("a link element without quotes", {"/": b"<!doctype html><link rel=service-desc href='/internal/pets-api.json'>"}),
    ("a URL put together of the page's own address", {"/docs": b"""<!doctype html><script>SwaggerUIBundle({
        url: window.location.protocol + "//" + window.location.host + '/internal/pets-api.json' })</script>"""}),
    ("a URL behind a context path, as Micronaut has it", {"/swagger-ui/index.html": b"""<!doctype html><script>
        const ui = SwaggerUIBundle({ dom_id: '#swagger-ui', url: contextPath + '/internal/pets-api.json' })</script>"""}),
    ("Springfox's list of resources", {"/swagger-resources": reply(200, json.dumps(SPRINGFOX).encode())}),
    ("Springdoc's configuration", {"/v3/api-docs/swagger-config": {"configUrl": "/x", "url": HIDDEN}}),
]  # fmt: skip


def probe(service: Service, *, sources: tuple[Source, ...] = (), **discovery: Any) -> Outcome:
    async def play() -> Outcome:
        options = ProbeOptions(timeout_seconds=2)
        fetcher, parser = Fetcher(options), Parser()
        upstream = Upstream(name="pets", endpoints=(service.origin,), discovery=Discovery(**discovery))
        try:
            return await Search(upstream, fetcher, parser, options).run(sources)
        finally:
            await parser.close()

    return asyncio.run(play())


@pytest.mark.parametrize("pages", [row[1] for row in FOUND], ids=[row[0] for row in FOUND])
def test_finds_through(pages: dict[str, Page]) -> None:
    with serving({**pages, HIDDEN: petstore()}) as service:
        outcome = probe(service)
        assert [taken.source.url for taken in outcome.taken] == [service.origin + HIDDEN]
        assert outcome.attempts[-1].outcome in ("taken", "followed", "not_a_document")
        assert [attempt.url for attempt in outcome.attempts if attempt.outcome == "taken"] == [service.origin + HIDDEN]


VERSIONS: list[tuple[str, dict[str, Page], list[str]]] = [
    ("Swashbuckle, by their numbers", {
        "/swagger/v1/swagger.json": petstore("one"), "/swagger/v2/swagger.json": petstore("two"), "/swagger/v3/swagger.json": petstore("three")},
        ["/swagger/v1/swagger.json", "/swagger/v2/swagger.json", "/swagger/v3/swagger.json"]),
    ("ASP.NET Core without a user interface", {"/openapi/v1.json": petstore("one"), "/openapi/v2.json": petstore("two")},
        ["/openapi/v1.json", "/openapi/v2.json"]),
    ("Swashbuckle, by the list in its page", {
        "/swagger/index.html": b"""<!doctype html><script>var configObject = JSON.parse('{"urls":[{"url":"old/swagger.json",
            "name":"Old"},{"url":"/swagger/new/swagger.json","name":"New"}],"deepLinking":false}');</script>""",
        "/swagger/old/swagger.json": petstore("one"), "/swagger/new/swagger.json": petstore("two")},
        ["/swagger/old/swagger.json", "/swagger/new/swagger.json"]),
    ("Swashbuckle, by the list in its page's script", {
        "/swagger/index.html": b'<!doctype html><script src="./swagger-ui-bundle.js"></script><script src="index.js"></script>',
        "/swagger/index.js": b"""var configObject = JSON.parse('{"urls":[{"url":"old.json"},{"url":"new.json"}]}');""",
        "/swagger/old.json": petstore("one"), "/swagger/new.json": petstore("two")},
        ["/swagger/old.json", "/swagger/new.json"]),
]  # fmt: skip


@pytest.mark.parametrize(("pages", "found"), [row[1:] for row in VERSIONS], ids=[row[0] for row in VERSIONS])
def test_all_versions_of_a_service_are_found(pages: dict[str, Page], found: list[str]) -> None:
    with serving(pages) as service:
        outcome = probe(service)
        assert [taken.source.url for taken in outcome.taken] == [service.origin + path for path in found]
        assert not outcome.incomplete


def test_a_version_that_comes_later_is_noticed_when_the_first_one_changes() -> None:
    pages: dict[str, Page] = {"/swagger/v1/swagger.json": petstore("one")}
    with serving(pages) as service:
        sources = probe(service).sources
        pages["/swagger/v2/swagger.json"] = petstore("two")
        assert probe(service, sources=sources).unchanged
        pages["/swagger/v1/swagger.json"] = petstore("one", "more")
        outcome = probe(service, sources=sources)
        assert [taken.source.url.removeprefix(service.origin)[:11] for taken in outcome.taken] == [
            "/swagger/v1",
            "/swagger/v2",
        ]


def test_a_listed_version_that_fails_leaves_its_functions_known() -> None:
    page = b"""<!doctype html><script>JSON.parse('{"urls":[{"url":"/one.json"},{"url":"/two.json"}]}');</script>"""
    with serving({"/docs": page, "/one.json": petstore(), "/two.json": reply(503)}) as service:
        outcome = probe(service)
        assert len(outcome.taken) == 1 and outcome.incomplete


MISSING: list[tuple[str, Page]] = [
    ("one that fails", reply(503)),
    ("one that is not there", reply(404)),
    ("one that is a page", b"<!doctype html><p>"),
    ("one that cannot be read", b"{"),
]


@pytest.mark.parametrize("broken", [row[1] for row in MISSING], ids=[row[0] for row in MISSING])
def test_a_listed_document_that_cannot_be_read_is_asked_for_again_and_the_others_stay_unread(broken: Page) -> None:
    pages: dict[str, Page] = {"/v3/api-docs/swagger-config": {"urls": [{"url": "/one"}, {"url": "/two"}]}, "/one": petstore(), "/two": broken}  # fmt: skip
    with serving(pages) as service:
        first = probe(service)
        assert first.incomplete and len(first.taken) == 1
        service.asked.clear()
        again = probe(service, sources=first.sources)
        assert again.unchanged and again.taken == []
        assert service.paths == ["/v3/api-docs/swagger-config", "/one", "/two"]
        pages["/two"] = petstore("two", base="/two")
        at_last = probe(service, sources=first.sources)
        assert len(at_last.taken) == 2 and not at_last.incomplete


def test_a_document_url_may_be_that_of_a_page() -> None:
    with serving({"/docs": FASTAPI_DOCS, HIDDEN: petstore()}) as service:
        outcome = probe(service, document_url="/docs")
        assert service.paths == ["/docs", HIDDEN]
        assert [attempt.outcome for attempt in outcome.attempts] == ["followed", "taken"]


def test_foreign_documents_that_a_page_names_are_not_asked_for() -> None:
    with serving({HIDDEN: petstore()}) as foreign:
        page = FASTAPI_DOCS.replace(b"'/internal", f"'{foreign.origin}/internal".encode())
        with serving({"/docs": page}) as service:
            outcome = probe(service, document_url="/docs")
        assert foreign.asked == []
        assert [attempt.outcome for attempt in outcome.attempts] == ["followed", "redirect_refused"]


def test_pages_that_name_each_other_come_to_an_end() -> None:
    pages: dict[str, Page] = {
        f"/{number}": f"<!doctype html>url: '/{number + 1}' url: '/{number}'".encode() for number in range(50)
    }
    with serving(pages) as service:
        outcome = probe(service, document_url="/0")
        assert outcome.taken == []
        assert len(service.paths) < 10


def test_a_single_page_application_is_asked_once_for_each_path() -> None:
    page = reply(200, b"<!DOCTYPE html><div id=app></div><script src='/index.js'></script>")

    class Everywhere(dict[str, Page]):
        def get(self, key: str, default: Any = None) -> Any:
            return page

    with serving(Everywhere()) as service:
        outcome = probe(service)
        assert outcome.taken == []
        assert len(service.paths) == len(set(service.paths))
        assert {attempt.outcome for attempt in outcome.attempts} <= {"html", "not_a_document", "followed", "unreadable"}


def test_plain_http_behind_https_is_a_tls_failure_and_ends_the_search() -> None:
    with serving({}) as service:

        async def play() -> Outcome:
            options = ProbeOptions(timeout_seconds=2)
            fetcher, parser = Fetcher(options), Parser()
            origin = service.origin.replace("http:", "https:")
            return await Search(Upstream(name="a", endpoints=(origin,)), fetcher, parser, options).run(())

        outcome = asyncio.run(play())
    assert [attempt.outcome for attempt in outcome.attempts] == ["tls_failed"]


INDEXES: list[tuple[str, Any, list[str]]] = [
    ("a configuration with several documents", {"urls": [{"url": "/a"}, {"url": "/b", "name": "b"}]}, ["/a", "/b"]),
    ("a configuration with one", {"url": "/a", "urls": None}, ["/a"]),
    ("a list with locations", [{"location": "/a"}, {"url": "/b"}], ["/a", "/b"]),
    ("a linkset", CATALOG, [HIDDEN]),
    ("a linkset with nonsense", {"linkset": [1, {}, {"service-desc": 1}, {"service-desc": [1, {"href": 2}]}]}, []),
    ("entries that are no entries", {"urls": [1, None, {}, {"url": 3}, "/x"]}, []),
    ("text", "hello", []),
    ("repetitions", [{"url": "/a"}, {"url": "/a"}], ["/a"]),
]


@pytest.mark.parametrize(("value", "urls"), [row[1:] for row in INDEXES], ids=[row[0] for row in INDEXES])
def test_index(value: Any, urls: list[str]) -> None:
    assert [url for url, _ in mentions_in_index(value)] == urls


LINKS: list[tuple[str, str, list[str]]] = [
    ("quoted", '</a>; rel="service-desc"', ["/a"]),
    ("unquoted", "</a>;rel=service-desc", ["/a"]),
    ("among other relations", '</a>; type="x"; rel="alternate service-desc"', ["/a"]),
    ("capitals", '</a>; REL="Service-Desc"', ["/a"]),
    ("another relation", '</a>; rel="service-doc"', []),
    ("no relation", "</a>", []),
    ("the right one of two", '</a>; rel="self", </b>; rel="service-desc"', ["/b"]),
    ("nonsense", "a; rel=service-desc, <>, <x y>; rel=service-desc", []),
]


@pytest.mark.parametrize(("value", "urls"), [row[1:] for row in LINKS], ids=[row[0] for row in LINKS])
def test_link_header(value: str, urls: list[str]) -> None:
    assert [url for url, _ in mentions_in_links((value,))] == urls


def test_the_example_of_swagger_ui_is_not_a_document_of_the_service() -> None:
    assert mentions_in_page(b'url: "https://petstore.swagger.io/v2/swagger.json", url: "#x"') == []


def test_a_hostile_page_costs_little() -> None:
    started = time.monotonic()
    for piece in (b"<script " * 100_000, b"url:'" * 200_000, b'<link rel="service-desc" ' * 50_000, b"&" * 300_000):
        assert len(mentions_in_page(piece)) <= 1
    assert time.monotonic() - started < 2
