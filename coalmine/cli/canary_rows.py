"""Canaries as tables and lines. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Told = Mapping[str, Any]

_SHOWN = 20  # differences of one pair of versions; -o json has all
_COLUMNS = ("ROUTE", "WHO", "VERSION", "SHARE", "REQUESTS", "ERRORS", "MEAN", "P50", "P99", "COUNTED SINCE", "NOTE")


def canary_rows(items: Sequence[Told]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """One row for each canary, with one line for each version."""
    return _COLUMNS, [_row(item) for item in items]


def _row(item: Told) -> tuple[object, ...]:
    status = item["status"]
    versions = status["versions"]
    latencies = [one["latency"] for one in versions]
    return (
        f"{item['virtual_service']}/{item['name']}",
        say_who(item),
        _lines(f"{one['name']} ({one['role']})" for one in versions),
        _lines(f"{one['percent']:g}%" for one in versions),
        _lines(one["requests"] for one in versions),
        _lines(_errors(one) for one in versions),
        *(_lines(_duration(one[key]) for one in latencies) for key in ("mean_seconds", "p50_seconds", "p99_seconds")),
        (status["counted_since"] or "workers' start").partition(".")[0].removesuffix("Z"),
        "; ".join([*status["drift"], *filter(None, [status["counted_note"]])]),
    )


def say_who(item: Told) -> str:
    """Who gets the new version."""
    state, header = item["status"]["state"], say_header(item.get("header"))
    if state == "percent":
        new = next(one["percent"] for one in item["status"]["versions"] if one["role"] == "new")
        return f"{new:g}%" + (f" and {header}" if header else "")
    return f"testers only: {header}" if state == "testers" else str(state)


def list_differences(item: Told) -> Iterator[str]:
    """What callers notice, in lines, the worst first."""
    for comparison in item["status"]["comparisons"]:
        found = comparison["differences"]
        yield f"{comparison['new']} instead of {comparison['old']}: {_count(found)}"
        for one in found[:_SHOWN]:
            yield f"  {one['severity']:<8}  {one['where'] or '(the function)'}: {one['detail']}  [{one['rule']}]"
        if len(found) > _SHOWN:
            yield f"  ... and {len(found) - _SHOWN} more: -o json shows all"


def list_steps(changes: Sequence[Told], routes: Mapping[str, Told]) -> Iterator[str]:
    """What became of the routes; ``routes`` are those that are there now, by name."""
    for change in changes:
        name = change["object"].removeprefix("routes/")
        if name in routes:
            yield f"route {name}{' is new' if change['action'] == 'add' else ''}: {_describe(routes[name])}"
        elif change["action"] == "remove":
            yield f"route {name} is gone"


def say_version(destination: Told) -> str:
    function = destination.get("function")
    return f"{destination['upstream']}/{function}" if function else str(destination["upstream"])


def say_header(header: Told | None) -> str:
    if not header:
        return ""
    return f"{header['name']}={header.get('exact') or header.get('regex') or '(present)'}"


def _describe(route: Told) -> str:
    destinations = route["destinations"]
    total = sum(one["weight"] for one in destinations) or 1
    shares = [f"{say_version(one)} {100 * one['weight'] / total:.4g}%" for one in destinations]
    asked = [say_header(header) for header in route["match"].get("headers", ())]
    sticky = _sticky(route.get("sticky") or {})
    return ", ".join(shares) + (f", for {' and '.join(asked)}" if asked else "") + (f"; {sticky}" if sticky else "")


def _sticky(sticky: Told) -> str:
    if sticky.get("header"):
        return f"sticky by header {sticky['header']}"
    if sticky.get("cookie"):
        return f"sticky by cookie {sticky['cookie']['name']}"
    return "sticky by source address" if sticky.get("source_address") else ""


def _count(differences: Sequence[Told]) -> str:
    severities = [one["severity"] for one in differences]
    words = {"breaking": "breaking", "warning": "to look at", "info": "harmless"}
    counted = [f"{severities.count(name)} {word}" for name, word in words.items() if name in severities]
    return ", ".join(counted) or "no difference"


def _lines(values: Iterator[Any]) -> str:
    return "\n".join(str(value) for value in values)


def _errors(version: Told) -> str:
    if version["error_rate"] is None:
        return "-"
    return f"{version['errors']} ({100 * version['error_rate']:.3g}%)" if version["errors"] else "0"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
