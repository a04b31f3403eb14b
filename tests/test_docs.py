"""Documentation that can fail the build: what the code offers, the documents name, and the other way round."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def shell_commands(text: str) -> Iterator[list[str]]:
    """The words of each command of ours in the indented blocks of a page, those inside ``$(...)`` too."""
    without_fences = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    block = "\n".join(re.findall(r"^ {4}(.*)$", without_fences, re.MULTILINE)).replace("\\\n", " ")
    for line in block.splitlines():
        yield from (shlex.split(inner) for inner in re.findall(r"\$\((coalmine [^)]*)\)", line))
        if found := re.match(r"(?:\$ )?(?:[\w./-]+/)?(coalmine \S.*)", line):
            words = shlex.split(found[1], comments=True)
            yield words[: words.index(">")] if ">" in words else words


COMMANDS = [
    pytest.param(words, id=f"{path.name}: {shlex.join(words)}")
    for path in PAGES
    for words in shell_commands(path.read_text())
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_that_a_page_shows_is_one(words: list[str]) -> None:
    from coalmine.cli.app import make_command

    # The command line's own parser, without running anything: it refuses what is unknown, missing or impossible.
    command: Any = make_command()
    name, rest, context = words[0], words[1:], None
    while hasattr(command, "commands"):
        context = command.make_context(name, list(rest), parent=context)
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    command.make_context(name, list(rest), parent=context)


def test_pages_show_commands() -> None:
    assert len(COMMANDS) > 40


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
