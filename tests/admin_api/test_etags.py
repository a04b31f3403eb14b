"""Conditions on ETags."""

from __future__ import annotations

import pytest

from admin_api.etags import check_if_match, check_if_none_match, hash_definition, is_unchanged, make_tag
from coalmine.errors import PreconditionError

DEFINITION = hash_definition({"a": 1})
TAG = make_tag(DEFINITION, b"body")

UNCHANGED = [
    pytest.param(None, False, id="no condition"),
    pytest.param("*", True, id="any"),
    pytest.param(TAG, True, id="the same"),
    pytest.param(f"W/{TAG}", True, id="the same, weak"),
    pytest.param(f'"x", {TAG}', True, id="one of several"),
    pytest.param(make_tag(DEFINITION, b"other"), False, id="the same definition, shown otherwise"),
    pytest.param(TAG.strip('"'), False, id="without quotes it is no tag"),
]


@pytest.mark.parametrize(("header", "unchanged"), UNCHANGED)
def test_if_none_match_compares_all_that_is_sent(header: str | None, unchanged: bool) -> None:
    assert is_unchanged(header, TAG) is unchanged


MATCH = [
    pytest.param(None, DEFINITION, True, id="no condition"),
    pytest.param(None, None, True, id="no condition on nothing"),
    pytest.param("*", DEFINITION, True, id="any"),
    pytest.param("*", None, False, id="any of nothing"),
    pytest.param(TAG, DEFINITION, True, id="the same"),
    pytest.param(make_tag(DEFINITION, b"other"), DEFINITION, True, id="the same definition, shown otherwise"),
    pytest.param(f'"x", {TAG}', DEFINITION, True, id="one of several"),
    pytest.param('"x"', DEFINITION, False, id="another"),
    pytest.param("nonsense", DEFINITION, False, id="no tag at all"),
    pytest.param(TAG, None, False, id="of something that is gone"),
]


@pytest.mark.parametrize(("header", "current", "passes"), MATCH)
def test_if_match_compares_the_definition(header: str | None, current: str | None, passes: bool) -> None:
    try:
        check_if_match(header, current)
    except PreconditionError as error:
        assert not passes and error.hint
    else:
        assert passes


def test_if_none_match_any_asks_for_creation() -> None:
    check_if_none_match("*", None)
    check_if_none_match('"x"', DEFINITION)
    with pytest.raises(PreconditionError):
        check_if_none_match("*", DEFINITION)


def test_the_order_of_keys_does_not_matter() -> None:
    assert hash_definition({"a": 1, "b": 2}) == hash_definition({"b": 2, "a": 1}) != hash_definition({"a": 1, "b": 3})
