"""What a set brought and discovery has not found yet: told as such, and waited for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

import typer

from coalmine.cli.shell import Shell

Problem = Mapping[str, Any]

# The admin API's words for a function of an upstream that was never read; one that was read has no such function.
_UNREAD = re.compile(r"the document of (\S+) was never read")
_PAUSE_SECONDS = 0.25
_NAMED = 5  # definitions in one note


def find_upstream(problem: Problem) -> str | None:
    """The upstream that discovery has to read before the problem can be gone."""
    found = _UNREAD.search(problem["detail"]) if problem["code"] == "function_unknown" else None
    return found and found[1]


def tell_problems(shell: Shell, problems: Iterable[Problem]) -> None:
    """One note for each upstream that has to be read, one line for each other problem."""
    waiting: dict[str, list[str]] = {}
    for problem in problems:
        upstream = find_upstream(problem)
        if upstream is None:
            shell.note(f"{problem['severity']}: {problem['where']}: {problem['detail']}  [{problem['code']}]")
        else:
            waiting.setdefault(upstream, []).append(problem["where"])
    for upstream, names in waiting.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        shell.note(f"note: waiting for discovery of {upstream}: {', '.join(names[:_NAMED])}{more}")


def wait_for_discovery(shell: Shell, problems: Iterable[Problem], seconds: float) -> None:
    """Until none of ``problems`` waits for discovery any more; exit code 1 where that takes longer than ``seconds``."""
    names = {problem["where"] for problem in problems if find_upstream(problem)}
    deadline = time.monotonic() + seconds
    while names:
        now = [one for one in shell.fetch_all("/problems", {"code": "function_unknown"}) if one["where"] in names]
        left = [one for one in now if find_upstream(one)]
        if not left and not now:
            return
        if not left or time.monotonic() >= deadline:
            tell_problems(shell, now)
            raise typer.Exit(1)
        time.sleep(_PAUSE_SECONDS)
