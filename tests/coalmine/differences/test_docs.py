"""docs/differences.md says what the tables say."""

from __future__ import annotations

import re
from pathlib import Path

from coalmine.differences import RULES
from coalmine.differences.aspects import ASPECTS
from coalmine.differences.budget import MAX_DEPTH, MAX_DIFFERENCES, MAX_NODES, MAX_TOTAL_NODES
from coalmine.differences.rules import SCOPES

PAGE = (Path(__file__).parents[3] / "docs" / "differences.md").read_text()
_LEVEL = "(breaking|warning|info)"
OF_SCHEMAS = {aspect.rule(scope) for aspect in ASPECTS.values() for scope in SCOPES}


def test_every_rule_about_functions_is_documented_with_its_severities() -> None:
    rows = re.findall(rf"^\| `([a-z-]+)` \| {_LEVEL} \| {_LEVEL} \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {rule: row for rule, *row in rows} == {
        rule.id: [rule.severity, rule.across or rule.severity, rule.title, rule.reason]
        for rule in RULES.values()
        if rule.id not in OF_SCHEMAS
    }


def test_every_kind_of_change_of_a_schema_is_documented_with_its_severities() -> None:
    levels = rf" \| {_LEVEL}" * 3
    rows = re.findall(rf"^\| `([a-z-]+)` \| (\w+){levels} \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {kind: row for kind, *row in rows} == {
        aspect.kind: [aspect.effect, *(aspect.severity(scope) for scope in SCOPES), aspect.title, aspect.because or "–"]
        for aspect in ASPECTS.values()
    }


def test_no_two_kinds_share_a_rule() -> None:
    assert len(OF_SCHEMAS) == 3 * len(ASPECTS)
    assert RULES.keys() > OF_SCHEMAS
    assert [rule.id for rule in RULES.values() if not rule.reason or not rule.title] == []


def test_the_bounds_are_documented() -> None:
    bounds = (
        f"{MAX_NODES:,} nodes",
        f"{MAX_TOTAL_NODES:,} for",
        f"{MAX_DEPTH} levels",
        f"{MAX_DIFFERENCES} differences",
    )
    text = " ".join(PAGE.split())
    assert [bound for bound in bounds if bound not in text] == []
