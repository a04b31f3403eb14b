"""Where measured figures go: Markdown tables, each part of a page between two markers that name it.

What stands outside the markers is written by people and stays as it is.
"""

from __future__ import annotations

import os
import platform
import re
import sysconfig
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

# Debian and Ubuntu build with profile-guided and link-time optimisation by rules of their own, which the options that
# an interpreter was configured with do not show; this one is theirs.
DEBIAN = "--with-dbmliborder=bdb:gdbm"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of Markdown; a cell's pipes and line ends are made harmless."""
    cells = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(_clean(cell) for cell in row) + " |" for row in cells]


def _clean(cell: object) -> str:
    return " ".join(str(cell).split()).replace("|", "\\|")


def replace_part(page: str, name: str, lines: Iterable[str]) -> str:
    """The page with what stands between the markers of ``name`` replaced; KeyError where it has no such markers."""
    opening, closing = f"<!-- measured: {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(opening)}\n.*?{re.escape(closing)}", re.DOTALL)
    text = "\n".join([opening, "", *lines, "", closing])
    page, found = pattern.subn(lambda _: text, page)
    if found != 1:
        raise KeyError(f"the page has {found} parts {name!r}")
    return page


def write_part(name: str, lines: Iterable[str], page: Path = PAGE) -> None:
    page.write_text(replace_part(page.read_text(), name, lines))


def describe_python() -> str:
    return describe_build(platform.python_version(), sysconfig.get_config_var("CONFIG_ARGS") or "")


def describe_build(version: str, options: str) -> str:
    """The version and how it was built, by the options it was configured with; that makes more of a difference."""
    lto = " and link-time" if "--with-lto" in options or DEBIAN in options else ""
    built = f"with profile-guided{lto}" if is_optimised(options) else "without profile-guided"
    return f"Python {version}, built {built} optimisation"


def is_optimised(options: str) -> bool:
    return "--enable-optimizations" in options or DEBIAN in options


def describe_machine() -> str:
    return f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}; {describe_python()}"


def _processor() -> str:
    try:
        told = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        told = None
    return told[1].strip() if told else platform.machine()


def describe_moment(command: str, load_before: float) -> str:
    """A line that says when and how a part was taken, and how busy the machine was by other work at the beginning."""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return f"Taken {now} by `{command}`; load average {load_before:.2f} before, {os.getloadavg()[0]:.2f} after."
