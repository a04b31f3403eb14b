"""``coalmine discover``: probe upstreams now."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from coalmine.cli.client import segment
from coalmine.cli.shell import Shell, reads

_REPORT_COLUMNS = ("UPSTREAM", "STATE", "FUNCTIONS", "DOCUMENT", "DETAIL")
_ATTEMPT_COLUMNS = ("TRIED", "OUTCOME", "STATUS", "WHY IT WAS TRIED", "DETAIL")
_PAUSE_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    app.command("discover", help=_discover.__doc__)(reads(_discover))


def _discover(
    shell: Shell,
    upstream: Annotated[str | None, typer.Argument(help="only this one (default: all)")] = None,
    wait: Annotated[float, typer.Option("--wait", help="go on for so many seconds until functions are found")] = 0,
) -> None:
    """Looks for the functions of upstreams now, and tells what came of it."""
    if upstream is not None:
        reports = [_probe(shell, upstream, wait)]
    else:
        names = [item["name"] for item in shell.fetch_all("/upstreams") if item["discovery"].get("enabled", True)]
        reports = [_probe(shell, name, wait) for name in names]
    shell.show(reports, report_rows)
    for report in reports:
        if not is_good(report):
            shell.note(f"{report['upstream']}: coalmine describe upstream {report['upstream']} shows what was tried")
    if not all(is_good(report) for report in reports):
        raise typer.Exit(1)


def _probe(shell: Shell, upstream: str, wait: float) -> dict[str, Any]:
    deadline = time.monotonic() + wait
    while True:
        report: dict[str, Any] = shell.post(f"/upstreams/{segment(upstream)}/probe", None)
        if is_good(report) or time.monotonic() >= deadline:
            return report
        time.sleep(_PAUSE_SECONDS)


def is_good(report: dict[str, Any]) -> bool:
    return report.get("state") in ("discovered", "empty", "disabled")


def report_rows(reports: Any) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    return _REPORT_COLUMNS, [
        (
            report["upstream"],
            report["state"],
            report.get("functions", 0),
            report.get("document_url") or "",
            report.get("detail") or "",
        )
        for report in reports
    ]


def attempt_rows(report: Any) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """The URLs that a probe tried, in order, and what became of each."""
    return _ATTEMPT_COLUMNS, [
        (
            attempt["url"],
            attempt["outcome"],
            attempt.get("status") or "",
            attempt["reason"],
            attempt.get("detail") or "",
        )
        for attempt in report.get("attempts") or ()
    ]
