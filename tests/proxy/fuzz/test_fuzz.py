"""The fuzzer itself works: a short run finds nothing, and it finds what is broken on purpose."""

from __future__ import annotations

import asyncio

import pytest

from proxy.embedded import grammar
from tests.proxy.fuzz.__main__ import run_inside


@pytest.mark.parametrize("part", ["requests", "answers"])
def test_a_short_run_finds_nothing(part: str) -> None:
    assert asyncio.run(run_inside(part, seed=1, most=500)) == 0


@pytest.mark.parametrize(
    ("part", "pattern", "broken"),
    [
        pytest.param("requests", "FIELDS", rb"(?:\r\n[^:]+:[^\r]*)*", id="fields with any byte in them"),
        pytest.param(
            "requests", "REQUEST_LINE", rb"([^ ]++) ([^ ]++) HTTP/1\.([0-9])[^\r]*", id="request lines with any byte"
        ),
        pytest.param(
            "answers",
            "RESPONSE_HEAD",
            rb"HTTP/1\.([0-9]) ?([1-9][0-9][0-9])(?: ([^\r]*+))?((?:\r\n[^:]+:[^\r]*)*+)\r\n\r\n",
            id="answers with any byte in their fields",
        ),
    ],
)
def test_a_laxer_grammar_is_found_out(monkeypatch: pytest.MonkeyPatch, part: str, pattern: str, broken: bytes) -> None:
    monkeypatch.setattr(grammar, pattern, grammar.re.compile(broken))
    assert asyncio.run(run_inside(part, seed=1, most=1_000)) > 0
