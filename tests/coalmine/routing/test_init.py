"""Importing the package is cheap; its names are there when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import coalmine.routing


def test_every_public_name_is_there() -> None:
    for name in coalmine.routing.__all__:
        assert getattr(coalmine.routing, name) is not None


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = coalmine.routing.nonsense


def test_importing_it_loads_nothing() -> None:
    code = "import sys, coalmine.routing; sys.exit(int('pydantic' in sys.modules or 're2' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
