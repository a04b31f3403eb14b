"""The command line. ``main`` is the entry point of ``coalmine`` and of ``python -m coalmine``.

Rule 1: data goes to standard output; notes, progress and errors go to standard error.
Rule 2: exit code 0 is done, 1 is refused or failed, 2 is a mistake in the command itself (and ``diff``: different).
Rule 3: whatever comes from outside is shown escaped; no text of others reaches the terminal as a control code.
Rule 4: nothing heavy is imported before a command runs, so that help answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from coalmine.errors import CoalmineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line (default: of this process) and returns its exit code."""
    from coalmine.cli.app import make_command

    try:
        make_command()(list(sys.argv[1:] if arguments is None else arguments), prog_name="coalmine")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except CoalmineError as error:
        from coalmine.cli.complaint import complain

        complain(error)
        return 1
    return 0


def command_names() -> Iterator[str]:
    """Every command that help shows, such as ``get upstreams``."""
    from coalmine.cli.app import make_command

    yield from _names_below(make_command(), "")


def _names_below(command: Any, prefix: str) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is None:
        yield prefix
        return
    for name, child in children.items():
        if not child.hidden:
            yield from _names_below(child, f"{prefix} {name}".strip())
