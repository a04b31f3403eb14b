"""What a client says about itself becomes one line of text."""

from __future__ import annotations

import pytest
from fastapi import Request

from admin_api.actors import find_actor


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param(None, "api", id="nothing"),
        pytest.param(b"  ", "api", id="blanks"),
        pytest.param(b"cli ann@here", "cli ann@here", id="a name"),
        pytest.param("cli Jürgen@büro".encode(), "cli Jürgen@büro", id="UTF-8"),
        pytest.param(b"cli \xff@here", "cli \ufffd@here", id="no UTF-8"),
        pytest.param("a\x1b[31m\u202eb\tc".encode(), "a [31m b c", id="marks that a terminal obeys"),
        pytest.param(b"x" * 500, "x" * 200, id="a long one"),
    ],
)
def test_an_actor_is_fit_for_a_line(sent: bytes | None, shown: str) -> None:
    headers = [] if sent is None else [(b"coalmine-actor", sent)]
    assert find_actor(Request({"type": "http", "headers": headers})) == shown
