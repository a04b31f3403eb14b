"""Compares two functions of two upstreams, one of which the gateway is to call instead of the other. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coalmine.differences.budget import Budget
from coalmine.differences.difference import Difference
from coalmine.differences.functions import compare
from coalmine.differences.pair import Pair
from coalmine.model.function import Signature


def compare_across(
    old_function: Signature,
    new_function: Signature,
    *,
    old_components: Mapping[str, Any],
    new_components: Mapping[str, Any],
) -> tuple[Difference, ...]:
    """What those notice who call through the gateway. Never raises.

    As ``compare_functions``, but what the gateway translates is ``info``: method, path, place and style of
    parameters, and what is required now but has a default.
    """
    return compare(old_function, new_function, Pair(old_components, new_components), Budget(), across=True)
