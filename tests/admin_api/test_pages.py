"""Pages of what is in memory."""

from __future__ import annotations

import pytest

from admin_api.pages import slice_page
from admin_api.problems import QueryError

ITEMS = [("b", 2), ("a", 1), ("b", 1), ("a", 2), ("c", 1)]


def test_pages_together_are_all_items_in_order() -> None:
    seen: list[tuple[str, int]] = []
    cursor: str | None = None
    for _ in range(3):
        page = slice_page(ITEMS, lambda item: item, cursor, 2)
        seen += page.items
        cursor = page.next_cursor
        assert page.total == 5
    assert (seen, cursor) == (sorted(ITEMS), None)


def test_a_cursor_outlives_the_item_that_it_was_made_of() -> None:
    cursor = slice_page(ITEMS, lambda item: item, None, 2).next_cursor
    left = [item for item in ITEMS if item != ("a", 2)]
    assert slice_page(left, lambda item: item, cursor, 2).items == (("b", 1), ("b", 2))


@pytest.mark.parametrize("cursor", ["!", "e30", "WzEsMV0", "ä"], ids=["no base64", "no list", "types", "no ascii"])
def test_a_cursor_that_no_listing_gave_out_is_refused(cursor: str) -> None:
    with pytest.raises(QueryError):
        slice_page(ITEMS, lambda item: item, cursor, 2)
