"""What the parsing process does, in this process: the hostile set once more, and the frames it speaks."""

# ruff: noqa: E501  one row, one line

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import discovery
from discovery import options, parser, worker
from discovery.child import LENGTH, read_frame
from discovery.found import Found
from discovery.parser import Answer, Job, parse
from tests.discovery.hostile import READ, REFUSED, Read, Refused
from tests.discovery.services import Page, petstore

JOB = Job(url="http://127.0.0.1/openapi.json", max_bytes=2 * 1024 * 1024)
GZIP = b"\x1f\x8b"


def body(page: Page) -> bytes:
    return page if isinstance(page, bytes) else json.dumps(page).encode()


def is_plain(row: Refused | Read) -> bool:
    return isinstance(row.page, dict) or (isinstance(row.page, bytes) and not row.page.startswith(GZIP))


PLAIN_REFUSED = [row for row in REFUSED if is_plain(row)]
PLAIN_READ = [row for row in READ if is_plain(row)]


@pytest.mark.parametrize("row", PLAIN_REFUSED, ids=[row.sentence for row in PLAIN_REFUSED])
def test_refuses(row: Refused) -> None:
    answer = parse(body(row.page), JOB)
    assert (answer.verdict, answer.reading) == (row.outcome, None)
    assert row.detail in answer.detail


@pytest.mark.parametrize("row", PLAIN_READ, ids=[row.sentence for row in PLAIN_READ])
def test_reads(row: Read) -> None:
    answer = parse(body(row.page), JOB)
    assert answer.verdict == "taken" and answer.reading is not None
    count = len(row.functions) if isinstance(row.functions, set) else row.functions
    assert len(answer.reading.found) == count
    text = answer.model_dump_json(by_alias=True, exclude_defaults=True)
    assert Answer.model_validate_json(text) == answer, "what crosses to the asking process is the same there"


def test_a_frame_that_ends_early_is_the_end() -> None:
    assert read_frame(io.BytesIO(b"")) is None
    assert read_frame(io.BytesIO(b"\0\0")) is None
    assert read_frame(io.BytesIO(LENGTH.pack(2) + b"hi")) == b"hi"


def test_an_answer_that_is_too_large_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_ANSWER_BYTES", 100)
    frame = JOB.model_dump_json().encode() + b"\n" + body(petstore())
    assert Answer.model_validate_json(parser._answer(frame)).verdict == "too_complex"


def test_the_process_ends_with_its_input() -> None:
    done = subprocess.run([sys.executable, "-m", "discovery.parser"], input=b"", capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, b"")


def test_the_parsing_process_loads_no_database_and_no_http() -> None:
    code = "import sys, discovery.parser; print([name for name in ('sqlalchemy', 'h11', 'httpx', 'fastapi') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "[]"


def test_the_public_names() -> None:
    assert discovery.DiscoveryWorker is worker.DiscoveryWorker
    assert discovery.ProbeOptions is options.ProbeOptions
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        discovery.nothing  # noqa: B018


def test_a_mistake_of_ours_costs_the_document_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: bytes, job: Job) -> Answer:
        raise KeyError("oops")

    monkeypatch.setattr(parser, "parse", fail)
    answer = Answer.model_validate_json(parser._answer(JOB.model_dump_json().encode() + b"\n"))
    assert answer.verdict == "unreadable" and "defect" in answer.detail


_KEYS = st.sampled_from(
    [
        "get",
        "put",
        "GET",
        "trace",
        "query",
        "additionalOperations",
        "$ref",
        "parameters",
        "name",
        "in",
        "schema",
        "type",
        "items",
        "allOf",
        "content",
        "style",
        "explode",
        "requestBody",
        "responses",
        "200",
        "default",
        "servers",
        "url",
        "variables",
        "enum",
        "operationId",
        "tags",
        "summary",
        "description",
        "consumes",
        "produces",
        "collectionFormat",
        "basePath",
        "required",
        "deprecated",
        "x-a",
        "application/json",
        "/a",
        "/a/{id}",
        "/{x}.{y}",
        "id",
    ]
)
_TEXTS = st.sampled_from(
    [
        "query",
        "path",
        "header",
        "cookie",
        "body",
        "formData",
        "querystring",
        "array",
        "form",
        "multi",
        "#/paths/~1a",
        "#/components/parameters/p",
        "#",
        "#/",
        "http://[x",
        "/v1",
        "{a}",
        "../../",
        "a\r\nb",
        "/a",
        "application/json",
        "true",
    ]
) | st.text(max_size=4)
_NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=40,
)
_OBJECTS = st.dictionaries(_KEYS, _NONSENSE, max_size=5)


@settings(max_examples=int(os.environ.get("COALMINE_FUZZ", "150")), deadline=None)
@given(
    st.sampled_from([{"swagger": "2.0"}, {"openapi": "3.0.0"}, {"openapi": "3.1.0"}, {"openapi": "3.2.0"}]),
    st.dictionaries(
        st.sampled_from(["/a", "/a/{id}", "a", "x-a"]), st.dictionaries(_KEYS, _OBJECTS | _NONSENSE, max_size=5)
    ),
    _NONSENSE,
    _OBJECTS,
    _OBJECTS,
)
def test_nonsense_in_the_shape_of_a_document_is_read(
    version: dict[str, str], paths: object, servers: object, components: object, root: dict[str, object]
) -> None:
    document = {**root, **version, "paths": paths, "servers": servers, "components": {"parameters": components}}
    answer = parse(json.dumps(document).encode(), JOB)
    assert answer.verdict == "taken"
    assert Answer.model_validate_json(answer.model_dump_json(by_alias=True, exclude_defaults=True)) == answer


def test_found_is_a_plain_value() -> None:
    found = Found(method="GET", path="/a")
    assert Found.model_validate_json(found.model_dump_json(by_alias=True)) == found
