"""Every condition, by its rules."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.model import Match
from coalmine.routing.conditions import (
    Facts,
    compile_conditions,
    compile_methods,
    parse_address,
    parse_network,
    parse_query,
)
from tests.coalmine.routing.definitions import head


def holds(match: dict[str, Any], **request: Any) -> bool:
    facts = Facts(head("/", **request))
    return all(condition.holds(facts) for condition in compile_conditions(Match.model_validate(match)))


ABC = [("x-a", "1"), ("x-b", "x"), ("x-a", "2")]


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        pytest.param({"name": "x-b", "exact": "x"}, True, id="an exact value"),
        pytest.param({"name": "X-B", "exact": "x"}, True, id="names are compared without case"),
        pytest.param({"name": "x-b", "exact": "X"}, False, id="values are compared with case"),
        pytest.param({"name": "x-a", "exact": "2"}, True, id="any of several values"),
        pytest.param({"name": "x-a", "exact": "1,2"}, True, id="several values joined"),
        pytest.param({"name": "x-a", "exact": "2,1"}, False, id="joined in their order"),
        pytest.param({"name": "x-c", "exact": ""}, False, id="absent is not empty"),
        pytest.param({"name": "x-a", "regex": "[12]"}, True, id="a pattern on one value"),
        pytest.param({"name": "x-a", "regex": "1,."}, True, id="a pattern on all values"),
        pytest.param({"name": "x-b", "regex": "x,?y"}, False, id="a pattern that does not match"),
        pytest.param({"name": "x-b", "present": True}, True, id="present"),
        pytest.param({"name": "x-c", "present": True}, False, id="not present"),
        pytest.param({"name": "x-c", "present": False}, True, id="absent"),
        pytest.param({"name": "x-c", "exact": "1", "invert": True}, True, id="absent is another value"),
        pytest.param({"name": "x-a", "exact": "1", "invert": True}, False, id="inverted: no value may match"),
        pytest.param({"name": "x-b", "present": False, "invert": True}, True, id="inverted absence is presence"),
        pytest.param({"name": "x-b", "regex": "("}, True, id="a broken pattern holds where the name is present"),
        pytest.param({"name": "x-c", "regex": "("}, False, id="a broken pattern does not hold where it is absent"),
    ],
)
def test_headers(condition: dict[str, Any], verdict: bool) -> None:
    assert holds({"headers": [condition]}, headers=ABC) is verdict


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        pytest.param({"name": "a b", "exact": "c d"}, True, id="names and values are decoded"),
        pytest.param({"name": "p", "exact": "2"}, True, id="one of several values is enough"),
        pytest.param({"name": "p", "exact": "1,2"}, False, id="values are not joined"),
        pytest.param({"name": "flag", "exact": ""}, True, id="a bare name has the empty value"),
        pytest.param({"name": "flag", "present": True}, True, id="a bare name is present"),
        pytest.param({"name": "P", "present": True}, False, id="names are compared with case"),
        pytest.param({"name": "p", "regex": "[2-9]"}, True, id="a pattern"),
        pytest.param({"name": "p", "regex": "[3-9]"}, False, id="a pattern that does not match"),
        pytest.param({"name": "q", "regex": "x", "invert": True}, True, id="inverted and absent"),
    ],
)
def test_query_parameters(condition: dict[str, Any], verdict: bool) -> None:
    assert holds({"query": [condition]}, query="a+b=c%20d&p=1&&p=2&flag") is verdict


def test_a_missing_query_has_no_parameters() -> None:
    assert parse_query(None) == {}
    assert parse_query("a=%ff") == {"a": ["\ufffd"]}


@pytest.mark.parametrize(
    ("cidrs", "source", "verdict"),
    [
        pytest.param(["10.0.0.0/8"], "10.2.3.4", True, id="inside"),
        pytest.param(["10.0.0.0/8"], "11.2.3.4", False, id="outside"),
        pytest.param(["192.0.2.0/24", "10.0.0.0/8"], "10.2.3.4", True, id="one of several"),
        pytest.param(["10.0.0.0/8"], "::ffff:10.2.3.4", True, id="mapped into IPv6"),
        pytest.param(["::ffff:10.0.0.0/104"], "10.2.3.4", True, id="a mapped network"),
        pytest.param(["2001:db8::/32"], "2001:db8::1", True, id="IPv6"),
        pytest.param(["::/0"], "10.2.3.4", False, id="all of IPv6 is not IPv4"),
        pytest.param(["0.0.0.0/0"], "::1", False, id="all of IPv4 is not IPv6"),
        pytest.param(["fe80::/10"], "fe80::1%eth0", True, id="a zone is ignored"),
        pytest.param(["0.0.0.0/0"], "", False, id="no address"),
        pytest.param([], "", True, id="no condition"),
    ],
)
def test_sources(cidrs: list[str], source: str, verdict: bool) -> None:
    assert holds({"source_cidrs": cidrs}, source=source) is verdict


def test_networks_and_addresses_are_numbers() -> None:
    assert parse_network("10.0.0.0/8") == (32, 24, 10)
    assert parse_network("::ffff:0:0/96") == (32, 32, 0)
    assert parse_network("::ffff:0:0/90")[0] == 128, "wider than all of IPv4"
    assert parse_address("nowhere") is None


def test_a_get_route_takes_head() -> None:
    assert compile_methods(()) is None
    assert compile_methods(("GET",)) == {"GET", "HEAD"}
    assert compile_methods(("POST",)) == {"POST"}


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ({"exact": "1"}, "header x-a is '1'"),
        ({"exact": "1", "invert": True}, "header x-a is not '1'"),
        ({"regex": "1+"}, "header x-a matches '1+'"),
        ({"regex": "1+", "invert": True}, "header x-a does not match '1+'"),
        ({"present": True}, "header x-a is present"),
        ({"present": True, "invert": True}, "header x-a is absent"),
    ],
)
def test_a_condition_says_what_it_asks_for(condition: dict[str, Any], text: str) -> None:
    match = Match.model_validate({"headers": [{"name": "X-A", **condition}]})
    assert [one.text for one in compile_conditions(match)] == [text]
