"""Judging what a manifest says by the definitions' own rules. This file performs no I/O."""

from __future__ import annotations

from coalmine.model.faults import Loc, Locate, join_pointer


def below(pointer: str) -> Locate:
    """Places are keys below ``pointer``."""

    def locate(place: Loc) -> str:
        return pointer + join_pointer(place)

    return locate
