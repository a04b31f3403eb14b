"""The curl line that a canary suggests."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.cli.shell import Shell
from coalmine.cli.trying import find_curl
from tests.admin_api.support import V1
from tests.coalmine.cli.conftest import Cli

HEADER = {"name": "x-canary", "exact": "true"}
URL = "http://127.0.0.1:8080"

LINES: list[tuple[str, dict[str, Any], dict[str, Any], str | None]] = [
    ("an exact path", {"path": {"exact": "/a"}}, {}, f"curl {URL}/a"),
    ("a template", {"path": {"template": "/a/{id}/{x}.json"}}, {}, f"curl {URL}/a/1/1.json"),
    ("the parameters of a function", {"path": {"prefix": "/a"}}, {"function": "findPetById"}, f"curl {URL}/a/1"),
    ("the root", {"path": {"prefix": "/"}}, {}, f"curl {URL}/"),
    ("the method of a function", {"path": {"exact": "/a"}}, {"function": "addPet"}, f"curl -X POST {URL}/a"),
    ("a function that nobody knows", {"path": {"exact": "/a"}}, {"function": "no"}, f"curl {URL}/a"),
    ("the method of a route", {"path": {"exact": "/a"}, "methods": ["PUT"]}, {}, f"curl -X PUT {URL}/a"),
    ("a header", {"path": {"exact": "/a"}, "headers": [HEADER]}, {}, f"curl -H 'x-canary: true' {URL}/a"),
    ("a query", {"path": {"exact": "/a"}, "query": [{"name": "b", "exact": "c d"}]}, {}, f"curl '{URL}/a?b=c+d'"),
    ("a regex", {"path": {"regex": "/a+"}}, {}, None),
    ("a header by regex", {"path": {"exact": "/a"}, "headers": [{"name": "x", "regex": "a+"}]}, {}, None),
    ("a header that must not", {"path": {"exact": "/a"}, "headers": [HEADER | {"invert": True}]}, {}, None),
]


@pytest.mark.parametrize(("match", "destination", "line"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_lines(zoo: Cli, match: dict[str, Any], destination: dict[str, Any], line: str | None) -> None:
    route = {"virtual_service": "coalmine", "match": match, "destinations": [{"upstream": V1} | destination]}
    assert find_curl(Shell(f"http://127.0.0.1:{zoo.api.port}"), route) == line


def test_a_virtual_service_of_certain_hosts(zoo: Cli) -> None:
    zoo.api.patch("/api/v1/virtual-services/coalmine", {"domains": ["*.shop.example"]})
    route = {
        "virtual_service": "coalmine",
        "match": {"path": {"exact": "/a"}},
        "destinations": [{"upstream": V1}],
    }
    assert find_curl(Shell(f"http://127.0.0.1:{zoo.api.port}"), route, HEADER) == (
        f"curl -H 'host: www.shop.example' -H 'x-canary: true' {URL}/a"
    )
