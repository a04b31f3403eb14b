"""Problem replies (RFC 9457)."""

from __future__ import annotations

import json

import pytest

from coalmine.errors import CODES
from coalmine.routing.problem import problem_body, problem_reply


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_reply_with_an_error_status(code: str) -> None:
    assert 400 <= problem_reply(code, "").status < 600


def test_the_body_has_the_members_of_rfc_9457_and_our_own() -> None:
    reply = problem_reply("missing_parameter", "no id ü", members=(("parameter", "id"),))
    assert json.loads(problem_body(reply, "/findPet")) == {
        "type": "/problems/missing_parameter",
        "title": "A required parameter is missing",
        "status": 400,
        "code": "missing_parameter",
        "detail": "no id ü",
        "instance": "/findPet",
        "parameter": "id",
    }


def test_a_member_never_hides_a_standard_one() -> None:
    reply = problem_reply("no_route", "x", members=(("status", "200"),))
    assert json.loads(problem_body(reply, "/"))["status"] == 404


def test_the_body_is_ascii_whatever_was_asked_for() -> None:
    assert problem_body(problem_reply("no_route", "\udcff\u2028"), "/\xff").isascii()
