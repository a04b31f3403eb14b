"""Measured figures go into their part of a page, and nowhere else."""

from __future__ import annotations

import pytest

from bench.proxy.__main__ import PARTS
from bench.report import PAGE, replace_part, table

TEXT = "by hand\n\n<!-- measured: loads -->\n<!-- end of loads -->\n\nalso by hand\n"


def test_a_part_is_written_between_its_markers_and_the_rest_stays() -> None:
    assert replace_part(TEXT, "loads", ["one", "two"]) == (
        "by hand\n\n<!-- measured: loads -->\n\none\ntwo\n\n<!-- end of loads -->\n\nalso by hand\n"
    )


def test_a_part_is_replaced_by_the_next_run_even_where_figures_look_like_escapes() -> None:
    once = replace_part(TEXT, "loads", ["one"])
    assert replace_part(once, "loads", [r"\1 \g<0>"]) == replace_part(TEXT, "loads", [r"\1 \g<0>"])


def test_a_page_without_the_part_is_not_written() -> None:
    with pytest.raises(KeyError, match="swaps"):
        replace_part(TEXT, "swaps", [])


@pytest.mark.parametrize(
    "name", ["machine", "function call", "probes beside the proxy", "watched", "tls", *(part.name for part in PARTS)]
)
def test_the_page_has_a_place_for_every_part(name: str) -> None:
    assert "figures" in replace_part(PAGE.read_text(), name, ["figures"])


def test_cells_cannot_break_a_table() -> None:
    assert table(["a"], [["x | y\nz"]]) == ["| a |", "| --- |", "| x \\| y z |"]
