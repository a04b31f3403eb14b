"""The house keeps its shape: what no linter checks is checked here."""

from __future__ import annotations

import ast
import importlib
import re
import re._parser as sre_parser  # type: ignore[import-not-found]
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for package in ("coalmine", "discovery", "admin_api", "proxy", "examples", "bench")
    for path in (ROOT / package).rglob("*.py")
)
LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def test_every_tests_folder_is_a_package() -> None:
    """Without, tests/proxy would be imported as ``proxy`` and hide the real one."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_no_module_is_a_drawer_for_everything() -> None:
    banned = {"utils", "util", "helpers", "manager", "misc", "common"}
    assert [path for path in SOURCES if path.stem in banned or path.parent.name in banned] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path for path in SOURCES if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


def test_locks_carry_no_addresses() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    locks = [name for name in tracked if name.endswith(".lock")] or ["requirements.lock", "requirements-dev.lock"]
    for name in locks:
        assert "://" not in (ROOT / name).read_text(), f"{name} names an index"


def _possessive(pattern: re.Pattern[str] | re.Pattern[bytes]) -> bool:
    """Whether a pattern has possessive quantifiers or atomic groups."""
    found = repr(sre_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
    return "POSSESSIVE" in found or "ATOMIC" in found


def test_no_pattern_needs_what_early_3_11_gets_wrong() -> None:
    """Python 3.11.0 to 3.11.4, such as Debian 12's, forgets groups beside possessive quantifiers."""
    assert _possessive(re.compile("(?:a++b)*"))
    for part in ("proxy.embedded", "discovery", "admin_api", "coalmine.routing.decide", "coalmine.manifests"):
        importlib.import_module(part)
    compiled = [
        (module, name, value)
        for module, content in sorted(sys.modules.items())
        if module.partition(".")[0] in ("coalmine", "discovery", "admin_api", "proxy")
        for name, value in vars(content).items()
        if isinstance(value, re.Pattern)
    ]
    assert len(compiled) > 20, "the modules are not loaded"
    assert [(module, name) for module, name, pattern in compiled if _possessive(pattern)] == []
