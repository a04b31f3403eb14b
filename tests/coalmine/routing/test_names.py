"""Generated names are readable and free."""

from __future__ import annotations

import re
from typing import Any

import pytest

from coalmine.model import NAME_PATTERN
from coalmine.routing.names import generate_name
from tests.coalmine.routing.definitions import route


@pytest.mark.parametrize(
    ("match", "taken", "name"),
    [
        pytest.param({"path": {"prefix": "/findPets"}}, (), "find-pets", id="a path"),
        pytest.param({"path": {"template": "/pets/{petId}"}}, (), "pets-pet-id", id="a template"),
        pytest.param({"path": {"exact": "/v2/HTTPServer"}}, (), "v-2-http-server", id="digits and capitals"),
        pytest.param({"path": {"regex": "/a/.*"}}, (), "a", id="a pattern"),
        pytest.param({}, (), "root", id="nothing to name it by"),
        pytest.param({"methods": ["GET"]}, (), "get", id="a method"),
        pytest.param({"methods": ["GET", "POST"]}, (), "root", id="several methods say little"),
        pytest.param(
            {"path": {"prefix": "/findPets"}, "headers": [{"name": "x-canary", "exact": "true"}]},
            (),
            "find-pets-x-canary-true",
            id="a header",
        ),
        pytest.param({"query": [{"name": "beta", "present": True}]}, (), "beta", id="a query parameter"),
        pytest.param({"path": {"prefix": "/a"}}, ("a", "a-2"), "a-3", id="a name that is taken"),
        pytest.param({"path": {"exact": "/" + "ab" * 60}}, ("ab" * 29,), "ab" * 29 + "-2", id="a long path"),
        pytest.param({"path": {"exact": "/日本"}}, (), "root", id="other letters"),
    ],
)
def test_a_route_is_named_by_what_it_matches(match: dict[str, Any], taken: tuple[str, ...], name: str) -> None:
    generated = generate_name(route("x", match), taken)
    assert generated == name
    assert re.fullmatch(NAME_PATTERN, generated)
