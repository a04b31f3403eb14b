"""The parsing process: what happens when it dies, hangs or says nonsense."""

# ruff: noqa: E501  one row, one line

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable

import pytest

from discovery import parsing, process
from discovery.parser import Answer
from discovery.parsing import Parser
from tests.discovery.services import petstore

DOCUMENT = json.dumps(petstore()).encode()
URL = "http://127.0.0.1/openapi.json"


def play(parser: Parser, scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        try:
            await scene()
        finally:
            await parser.close()

    asyncio.run(run())


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


async def ask(parser: Parser, data: bytes = DOCUMENT) -> Answer:
    return await parser.parse(data, URL, 1024 * 1024)


def test_a_warm_process_answers_small_documents_in_milliseconds() -> None:
    parser = Parser()

    async def scene() -> None:
        assert (await ask(parser)).verdict == "taken"
        started = time.monotonic()
        for _ in range(20):
            await ask(parser)
        assert (time.monotonic() - started) / 20 < 0.1

    play(parser, scene)


def test_a_process_that_was_killed_is_replaced() -> None:
    parser = Parser()

    async def scene() -> None:
        await ask(parser)
        assert parser._process is not None
        os.kill(parser._process.pid, 9)
        await parser._process.wait()
        assert (await ask(parser)).verdict == "taken"

    play(parser, scene)


DYING = [
    ("ends at once", "raise SystemExit(1)"),
    ("ends in the middle of an answer", "import sys; sys.stdout.buffer.write(b'\\0\\0\\1\\0half'); sys.stdout.flush()"),
    ("crashes", "import os; os.abort()"),
]


@pytest.mark.parametrize("code", [row[1] for row in DYING], ids=[row[0] for row in DYING])
def test_a_process_that_dies_is_a_refusal(code: str) -> None:
    parser = Parser(python(code))

    async def scene() -> None:
        answer = await ask(parser)
        assert (answer.verdict, answer.reading) == ("too_complex", None)
        assert "processor time" in answer.detail

    play(parser, scene)


def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_WALL_SECONDS", 0.5)
    parser = Parser(python("import time; time.sleep(60)"))

    async def scene() -> None:
        assert (await ask(parser)).verdict == "too_complex"
        assert parser._process is None

    play(parser, scene)


def test_an_answer_that_makes_no_sense_is_a_refusal() -> None:
    code = "import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\2{}'); sys.stdout.flush(); sys.stdin.read()"
    parser = Parser(python(code))

    async def scene() -> None:
        assert (await ask(parser)).verdict == "unreadable"

    play(parser, scene)


def test_a_cancelled_question_leaves_no_half_answer_behind() -> None:
    parser = Parser()

    async def scene() -> None:
        await ask(parser)
        question = asyncio.create_task(ask(parser, DOCUMENT + b" " * 500_000))
        await asyncio.sleep(0.001)
        question.cancel()
        await asyncio.gather(question, return_exceptions=True)
        answer = await ask(parser)
        assert answer.reading is not None and len(answer.reading.found) == 3

    play(parser, scene)


def test_the_kernel_ends_what_takes_too_long_or_too_much() -> None:
    code = (
        "import sys, resource, discovery.parser as p; p.CPU_SECONDS = 1; p.MEMORY_BYTES = 300 << 20;"
        "p.parse = lambda data, job: {'spin': lambda: [0 for _ in iter(int, 1)], 'eat': lambda: bytearray(1 << 30)}[data.decode()]();"
        "p.main()"
    )
    for word in (b"spin", b"eat"):
        parser = Parser(python(code))

        async def scene(parser: Parser = parser, word: bytes = word) -> None:
            assert (await ask(parser, word)).verdict == "too_complex"

        play(parser, scene)


def test_a_refusal_is_remembered_by_content() -> None:
    parser = Parser()

    async def scene() -> None:
        first = await ask(parser, b"[1]")
        assert first.verdict == "not_a_document"
        await parser._end()
        assert await ask(parser, b"[1]") is first
        assert parser._process is None, "nobody was asked"

    play(parser, scene)


def test_no_token_of_ours_reaches_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COALMINE_ADMIN_TOKEN", "secret")
    assert "secret" not in process.environment().values()
