"""What can be listed and shown: names, aliases, paths of the admin API, and the columns of a table.

This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """``words`` are what people type, the first one is shown in help."""

    words: tuple[str, ...]
    path: str
    columns: tuple[str, ...]
    row: Callable[[Item], Sequence[object]]

    @property
    def name(self) -> str:
        return self.words[0]


def _status(item: Item) -> str:
    """The state, and why it is not the good one: the first reason, for a document can have hundreds."""
    status = item.get("status") or {}
    problems = status.get("problems") or ()
    state = str(status.get("state", ""))
    if not problems:
        return state
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{state} ({problems[0]['code']}: {problems[0]['detail']}{more})"


def _upstream(item: Item) -> Sequence[object]:
    status = item.get("status") or {}
    return (
        item["name"],
        "\n".join(item["endpoints"]),
        status.get("discovery", ""),
        status.get("functions", ""),
        _status(item),
    )


def _function(item: Item) -> Sequence[object]:
    notes = [
        word for word, said in (("removed", item["state"] == "removed"), ("deprecated", item["deprecated"])) if said
    ]
    return item["upstream"], item["name"], item["method"], item["path"], ", ".join(notes), item.get("summary") or ""


def _virtual_service(item: Item) -> Sequence[object]:
    return item["name"], ", ".join(item["domains"]), (item.get("status") or {}).get("routes", ""), _status(item)


def _route(item: Item) -> Sequence[object]:
    status = item.get("status") or {}
    order = status.get("order")
    shadowed = status.get("shadowed_by")
    state = f"never matches: {shadowed} takes all its requests" if shadowed else _status(item)
    return (
        item["virtual_service"],
        "" if order is None else order + 1,
        item["name"],
        describe_match(item.get("match") or {}),
        describe_action(item),
        state,
    )


def describe_match(match: Item) -> str:
    """A matcher in one line, such as ``prefix /findPets, GET, x-canary=true``."""
    parts = [f"{kind} {value}" for kind, value in (match.get("path") or {"prefix": "/"}).items()]
    if match.get("methods"):
        parts.append("|".join(match["methods"]))
    parts += [_condition(entry) for entry in match.get("headers") or ()]
    parts += [f"?{_condition(entry)}" for entry in match.get("query") or ()]
    if match.get("source_cidrs"):
        parts.append("from " + "|".join(match["source_cidrs"]))
    return ", ".join(parts)


def _condition(entry: Item) -> str:
    invert = bool(entry.get("invert"))
    if entry.get("present") is not None:
        return f"{entry['name']} {'present' if entry['present'] != invert else 'absent'}"
    if entry.get("regex") is not None:
        return f"{entry['name']}{'!~' if invert else '~'}{entry['regex']}"
    return f"{entry['name']}{'!=' if invert else '='}{entry.get('exact')}"


def describe_action(route: Item) -> str:
    """Where a route's requests go, one destination a line."""
    if route.get("redirect"):
        redirect = route["redirect"]
        place = "".join(str(redirect.get(key) or "") for key in ("host", "path", "prefix"))
        return f"redirect {redirect.get('status', 302)} {place}"
    if route.get("direct_response"):
        return f"answer {route['direct_response'].get('status', 200)}"
    destinations = route.get("destinations") or ()
    total = sum(entry.get("weight", 1) for entry in destinations)
    return "\n".join(describe_destination(entry, total, len(destinations)) for entry in destinations)


def describe_destination(entry: Item, total: int, count: int) -> str:
    name = f"{entry['upstream']}/{entry['function']}" if entry.get("function") else str(entry["upstream"])
    if count == 1 or not total:
        return name
    return f"{name} {100 * entry.get('weight', 1) / total:.4g}%"


UPSTREAMS = Kind(
    ("upstreams", "upstream", "us", "u"),
    "/upstreams",
    ("UPSTREAM", "ENDPOINTS", "DISCOVERY", "FUNCTIONS", "STATUS"),
    _upstream,
)
FUNCTIONS = Kind(
    ("functions", "function", "fn"),
    "/functions",
    ("UPSTREAM", "FUNCTION", "METHOD", "PATH", "NOTE", "SUMMARY"),
    _function,
)
VIRTUAL_SERVICES = Kind(
    ("virtualservices", "virtualservice", "vs", "virtual-service", "virtual-services"),
    "/virtual-services",
    ("VIRTUAL SERVICE", "DOMAINS", "ROUTES", "STATUS"),
    _virtual_service,
)
ROUTES = Kind(
    ("routes", "route", "r"),
    "/routes",
    ("VIRTUAL SERVICE", "ORDER", "ROUTE", "MATCH", "GOES TO", "STATUS"),
    _route,
)
KINDS = (UPSTREAMS, FUNCTIONS, VIRTUAL_SERVICES, ROUTES)


def table_of(kind: Kind) -> Callable[[Any], tuple[Sequence[str], Sequence[Sequence[object]]]]:
    """Columns and rows of a list of items of this kind."""
    return lambda items: (kind.columns, [kind.row(item) for item in items])
