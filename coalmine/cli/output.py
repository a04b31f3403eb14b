"""Values on standard output: a table, JSON or YAML."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from coalmine.cli.text import clean

_CONTROL = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Output(StrEnum):
    """How an answer is printed; ``curl`` prints the REST call instead of making it."""

    table = "table"
    json = "json"
    yaml = "yaml"
    curl = "curl"


def write(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def to_json(value: Any) -> str:
    """JSON for people; what a terminal would take for a command is an escape (RFC 8259 section 7)."""
    return _escape(json.dumps(value, indent=2, ensure_ascii=False))


def to_yaml(value: Any) -> str:
    import yaml

    text: str = yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=120)
    return _escape(text)


def _dumper() -> Any:
    """Block lists indented below their key, and no anchors: what people write by hand.

    Texts with marks that a terminal obeys are quoted, so that they can be escaped (YAML 1.2 section 5.7).
    """
    import yaml

    class Plain(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        style = '"' if _CONTROL.search(text) else "|" if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)

    Plain.add_representer(str, represent)
    return Plain


def _escape(text: str) -> str:
    """Inside quotes, JSON and YAML share this escape."""
    safe = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return safe.encode("utf-8", "backslashreplace").decode()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """As wide as it needs to be: a name that is folded or cut cannot be copied, and a terminal wraps by itself."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout)
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(clean(cell, lines=True)) for cell in row))
    # Measured on a console without an edge; what it says is then the width of the real one.
    console.width = max(1, Console(width=_ENDLESS).measure(table).maximum)
    console.print(table)


_ENDLESS = 1_000_000  # columns; no table is wider
