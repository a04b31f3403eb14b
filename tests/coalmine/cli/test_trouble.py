"""Trouble: nobody there, somebody else there, hostile names, no token."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from coalmine.cli import command_names, main
from coalmine.cli.output import to_json, to_yaml
from coalmine.cli.text import clean
from coalmine.model import Upstream
from coalmine.reading import read_all
from tests.coalmine.cli.conftest import Cli


class _Stub(BaseHTTPRequestHandler):
    """Answers everything with what the test put into the server."""

    def do_GET(self) -> None:
        status, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def stub() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Stub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_nobody_there_says_how_to_start_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "get", "upstreams", "--admin-url", "http://127.0.0.1:1")
    assert (code, out) == (1, "")
    assert "no admin API answers at http://127.0.0.1:1" in err
    assert "coalmine serve" in err
    assert "COALMINE_ADMIN_URL" in err


def test_somebody_else_there(stub: HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer = (200, b"<html>hello</html>")  # type: ignore[attr-defined]
    code, _, err = run(capsys, "get", "upstreams", "--admin-url", f"http://127.0.0.1:{stub.server_port}")
    assert code == 1
    assert "not JSON; is it the admin API?" in err


def test_an_error_without_a_problem(stub: HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer = (502, b"")  # type: ignore[attr-defined]
    code, _, err = run(capsys, "get", "upstreams", "--admin-url", f"127.0.0.1:{stub.server_port}")
    assert (code, err) == (1, "error: the admin API answered 502  [internal_error]\n")


def test_a_problem_of_others_is_no_control_code(stub: HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    fault = {"pointer": "/a\x1b[2J", "code": "x", "detail": "[red]\x9b31m", "hint": "\u202eabc"}
    problem = {"detail": "no\r\nway", "code": "invalid_definition", "errors": [fault, "nonsense"]}
    stub.answer = (422, json.dumps(problem).encode())  # type: ignore[attr-defined]
    _, _, err = run(capsys, "get", "upstreams", "--admin-url", f"http://127.0.0.1:{stub.server_port}")
    assert err.splitlines() == [
        "error: no\\u000d\\u000away  [invalid_definition]",
        "  /a\\u001b[2J: [red]\\u009b31m",
        "      \\u202eabc",
    ]


@pytest.mark.parametrize("url", ["ftp://x", "http://", "::"])
def test_a_url_that_is_none(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "get", "upstreams", "--admin-url", url)
    assert code == 1
    assert "error:" in err


def test_a_host_that_is_not_there_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "get", "upstreams", "--admin-url", "nonsense.invalid")
    assert "(there is no host nonsense.invalid)" in err
    assert "Errno" not in err
    _, _, err = run(capsys, "get", "upstreams", "--admin-url", "http://127.0.0.1:1")
    assert "Errno" not in err


@pytest.mark.parametrize("words", [("get", "upstreams", "-o", "xml"), ("call", "f", "--via", "xml")])
def test_a_word_that_is_none_of_those_that_there_are(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "'xml' is none of " in err
    assert "Value error" not in err


def test_labels_of_others_stay_text_in_every_output(cli: Cli) -> None:
    with cli.api.catalog.write() as writer:
        writer.put_upstream(
            Upstream(name="evil", endpoints=("http://127.0.0.1:9",), labels={"x": "[bold]\x1b]0;owned\x07\u202e"})
        )
    cli.api.feed.publish()
    for output in ("table", "json", "yaml"):
        told = cli(f"describe upstream evil -o {output}").out
        assert "[bold]" in told
        assert not set(told) & {"\x1b", "\x07", "\u202e", "\x9b"}


def test_texts_made_harmless_stay_what_they_are() -> None:
    assert clean("a\tb\nc", lines=True) == "a\tb\nc"
    assert clean("a\tb\nc") == "a\\u0009b\\u000ac"


@pytest.mark.parametrize("text", ["\x9b", "a\u202eb", "\ud800", "\x1b[0m", "[bold]", "two\nlines\n", "\x7f\n"])
def test_what_is_printed_reads_back_as_what_it_was(text: str) -> None:
    assert json.loads(to_json({text: [text]})) == {text: [text]}
    printed = to_yaml({text: [text]})
    assert not set(printed + to_json(text)) & {"\x1b", "\x9b", "\u202e", "\x7f"}
    if text != "\ud800":  # half a surrogate pair is no YAML
        assert read_all(printed.encode()) == [{text: [text]}]


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    names = list(command_names())
    assert len(names) == len(set(names))
    for name in names:
        code, out, _ = run(capsys, *name.split(), "--help")
        assert code == 0, name
        assert "Usage: coalmine " in out
        assert len(out.splitlines()) > 3, name
