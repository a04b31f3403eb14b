"""The generic import names must be ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from coalmine.errors import StartupError
from coalmine.serve import ownership
from coalmine.serve.ownership import check_owners, find_foreign_owners


@pytest.mark.parametrize(
    ("distributions", "words"),
    [
        ({"proxy": ["proxy.py"]}, "the import name proxy belongs to the installed package proxy.py"),
        ({"discovery": ["coalmine", "other"]}, "the import name discovery belongs to the installed package other"),
    ],
    ids=["somebody else's", "ours and somebody else's"],
)
def test_a_foreign_owner_is_named(distributions: dict[str, list[str]], words: str) -> None:
    assert find_foreign_owners(distributions) == [words]


@pytest.mark.parametrize("distributions", [{}, {"proxy": ["coalmine"]}], ids=["editable or checkout", "a wheel"])
def test_our_own_names_are_fine(distributions: dict[str, list[str]]) -> None:
    assert find_foreign_owners(distributions) == []


def test_a_name_that_is_found_elsewhere_is_foreign(tmp_path: Path) -> None:
    assert len(find_foreign_owners({}, root=tmp_path)) == len(ownership.NAMES)


def test_the_error_says_how_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "packages_distributions", lambda: {"proxy": ["proxy.py"]})
    with pytest.raises(StartupError) as caught:
        check_owners()
    assert "python3 -m venv" in str(caught.value.hint)
