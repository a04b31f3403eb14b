"""One-line descriptions of matchers and actions."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.cli.kinds import UPSTREAMS, describe_action, describe_match

MATCHES: dict[str, tuple[dict[str, Any], str]] = {
    "everything": ({}, "prefix /"),
    "methods and networks": (
        {"path": {"exact": "/a"}, "methods": ["GET", "PUT"], "source_cidrs": ["10.0.0.0/8", "::1/128"]},
        "exact /a, GET|PUT, from 10.0.0.0/8|::1/128",
    ),
    "headers": (
        {
            "headers": [
                {"name": "a", "exact": "1"},
                {"name": "b", "regex": "x+", "invert": True},
                {"name": "c", "present": True},
                {"name": "d", "present": False},
                {"name": "e", "present": True, "invert": True},
                {"name": "f", "exact": "1", "invert": True},
            ]
        },
        "prefix /, a=1, b!~x+, c present, d absent, e absent, f!=1",
    ),
    "a query": ({"query": [{"name": "q", "regex": "1"}]}, "prefix /, ?q~1"),
}


@pytest.mark.parametrize(("match", "text"), MATCHES.values(), ids=MATCHES)
def test_matches(match: dict[str, Any], text: str) -> None:
    assert describe_match(match) == text


ACTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "a redirect": (
        {"redirect": {"host": "a.example.com", "path": "/b", "status": 308}},
        "redirect 308 a.example.com/b",
    ),
    "an answer": ({"direct_response": {"status": 404}}, "answer 404"),
    "one destination": ({"destinations": [{"upstream": "a", "weight": 7}]}, "a"),
    "two": (
        {"destinations": [{"upstream": "a", "function": "f"}, {"upstream": "b", "weight": 2}]},
        "a/f 33.33%\nb 66.67%",
    ),
}


@pytest.mark.parametrize(("route", "text"), ACTIONS.values(), ids=ACTIONS)
def test_actions(route: dict[str, Any], text: str) -> None:
    assert describe_action(route) == text


def upstream_with(*details: str) -> dict[str, Any]:
    problems = [{"code": "document_invalid", "detail": detail} for detail in details]
    status = {"state": "warning" if problems else "accepted", "problems": problems}
    return {"name": "a", "endpoints": ["http://a"], "status": status}


STATES: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "accepted"),
    "one reason": (("odd",), "warning (document_invalid: odd)"),
    "hundreds of reasons": (("odd",) * 300, "warning (document_invalid: odd, and 299 more)"),
}


@pytest.mark.parametrize(("details", "text"), STATES.values(), ids=STATES)
def test_a_state_tells_its_first_reason(details: tuple[str, ...], text: str) -> None:
    assert UPSTREAMS.row(upstream_with(*details))[-1] == text
