"""The case table through the pure core."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.support.dry")

from tests.support.cases import CASES, Case  # noqa: E402
from tests.support.dry import check, run  # noqa: E402


@pytest.mark.parametrize("case", CASES, ids=[f"{case.group}: {case.name}" for case in CASES])
def test_case(case: Case) -> None:
    check(case, run(case))


def test_every_row_has_a_name_of_its_own() -> None:
    names = [(case.group, case.name) for case in CASES]
    assert len(set(names)) == len(names)
