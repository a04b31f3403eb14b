"""The case table through the pure core."""

from __future__ import annotations

import pytest

from tests.support.cases import CASES, Case
from tests.support.dry import check, run


@pytest.mark.parametrize("case", CASES, ids=[f"{case.group}: {case.name}" for case in CASES])
def test_case(case: Case) -> None:
    check(case, run(case))


def test_every_row_has_a_name_of_its_own() -> None:
    names = [(case.group, case.name) for case in CASES]
    assert len(set(names)) == len(names)
