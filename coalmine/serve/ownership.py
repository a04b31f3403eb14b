"""Who owns the import names ``proxy``, ``discovery`` and ``admin_api``.

They are generic: ``proxy.py`` on the package index installs a top-level ``proxy`` as well. Whoever is installed
last overwrites the other, so serving with a foreign owner would run foreign code (docs/decisions/0001).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

import coalmine
from coalmine.errors import StartupError

NAMES = ("proxy", "discovery", "admin_api")
ROOT = Path(coalmine.__file__).resolve().parent.parent


def find_foreign_owners(distributions: Mapping[str, Sequence[str]] | None = None, root: Path = ROOT) -> list[str]:
    """One sentence for each name that is somebody else's; empty when all is well.

    ``distributions`` is what ``packages_distributions()`` gives; an editable installation of Coalmine claims no
    names there, so the place where a name is found counts as well.
    """
    owners = packages_distributions() if distributions is None else distributions
    faults = []
    for name in NAMES:
        foreign = sorted(set(owners.get(name, ())) - {"coalmine"})
        place = _find_place(name)
        if foreign:
            faults.append(f"the import name {name} belongs to the installed package {', '.join(foreign)}")
        elif place != root:
            faults.append(f"the import name {name} is found in {place or 'no place'}, not beside Coalmine in {root}")
    return faults


def check_owners() -> None:
    """Raises StartupError when a name is somebody else's."""
    if faults := find_foreign_owners():
        raise StartupError(
            "; ".join(faults),
            hint="give Coalmine an environment of its own: python3 -m venv .venv && .venv/bin/pip install coalmine",
        )


def _find_place(name: str) -> Path | None:
    """The folder that ``import name`` finds the package in."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve().parent.parent
