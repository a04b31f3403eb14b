"""Documentation that can fail the build: what the code offers, the documents name, and the other way round."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coalmine.errors import CODES
from coalmine.settings import SETTINGS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])


def page(name: str) -> str:
    return (DOCS / name).read_text()


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    rows = re.findall(
        r"^\| `(--[a-z-]+)` \| `(COALMINE_[A-Z_]+)` \| (.+?) \| (.+?) \|$", page("configuration.md"), re.MULTILINE
    )
    documented = {
        flag: (variable, meaning) for flag, variable, _, meaning in rows if flag not in ("--admin-url", "--admin-token")
    }
    documented["--admin-token"] = next(
        (variable, meaning) for flag, variable, _, meaning in rows if flag == "--admin-token"
    )
    assert documented == {setting.flag: (setting.variable, setting.help) for setting in SETTINGS}


def test_every_problem_code_is_documented_with_its_status() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (\d+|–) \| (.+?) \| .+ \|$", page("problems.md"), re.MULTILINE)
    assert {name: (status, title) for name, status, title in rows} == {
        code.name: (str(code.status) if code.status else "–", code.title) for code in CODES.values()
    }


def test_every_admin_path_is_documented() -> None:
    from tests.admin_api.support import openapi_paths

    documented = set(re.findall(r"`(/[^` ]*)`", page("admin-api.md")))
    assert (
        sorted(
            path
            for path in openapi_paths()
            if path.removeprefix("/api/v1") not in documented and path not in documented
        )
        == []
    )


def test_every_command_is_documented() -> None:
    from coalmine.cli import command_names

    text = page("cli.md")
    assert sorted(name for name in command_names() if f"`coalmine {name}" not in text) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_decision_is_listed() -> None:
    listed = set(re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", page("decisions/README.md")))
    assert listed == {path.name for path in (DOCS / "decisions").glob("0*.md")}


def test_the_changelog_starts_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
