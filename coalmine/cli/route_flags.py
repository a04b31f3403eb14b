"""The flags of ``add route`` and ``edit route``: one table gives the options, Gloo's names first.

``apply_flags`` changes a route's JSON as the flags say; adding starts from an empty one. Conditions that are
given replace those of their kind, destinations that are there already get the weight that is given.
This file performs no I/O.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from coalmine.cli.pairs import split_commas, split_pair, split_pairs, whole_number

Route = dict[str, Any]
Flags = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flag:
    """One option; ``kind`` is its Python type, a list may be given several times."""

    name: str
    kind: Any
    words: tuple[str, ...]
    help: str
    metavar: str | None = None

    def parameter(self) -> inspect.Parameter:
        option = typer.Option(*self.words, help=self.help, metavar=self.metavar, show_default=False)
        default = False if self.kind is bool else None
        kind = bool if self.kind is bool else self.kind | None
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
        )


_MATCH = (
    Flag("path_exact", str, ("--path-exact", "-e"), "the whole path", "/PATH"),
    Flag("path_prefix", str, ("--path-prefix", "-p"), "the path or everything below it", "/PATH"),
    Flag("path_regex", str, ("--path-regex", "-r"), "the whole path as a regular expression (RE2)", "REGEX"),
    Flag("template", str, ("--template",), "a path template, as /pets/{id}", "/PATH"),
    Flag("method", list[str], ("--method", "-m"), "only this method; may be given several times", "METHOD"),
    Flag("header", list[str], ("--header", "-d"), "only with this header (exact; without =: present)", "NAME=VALUE"),
    Flag("header_regex", list[str], ("--header-regex",), "only with a header that matches", "NAME=REGEX"),
    Flag(
        "query",
        list[str],
        ("--query", "--queryParameter", "--query-parameter", "-q"),
        "only with this query parameter (exact; without =: present)",
        "NAME=VALUE",
    ),
    Flag("source_cidr", list[str], ("--source-cidr",), "only from this network", "CIDR"),
)
_DESTINATION = (
    Flag("dest_name", str, ("--dest-name", "-u"), "the upstream to send to", "UPSTREAM"),
    Flag("rest_function_name", str, ("--rest-function-name", "-f"), "its function to call", "FUNCTION"),
    Flag(
        "rest_parameters",
        list[str],
        ("--rest-parameters",),
        "where a parameter's value comes from: a literal, {header.x} ..., or :path=/template/{id}",
        "NAME=VALUE",
    ),
    Flag("weight", int, ("--weight",), "its share, relative to the others", "N"),
    Flag("dest", list[str], ("--dest",), "another destination with its weight", "UPSTREAM[/FUNCTION]=WEIGHT"),
)
_ACTION = (
    Flag("prefix_rewrite", str, ("--prefix-rewrite",), "replaces the matched prefix (without a function)", "/PATH"),
    Flag("host_rewrite", str, ("--host-rewrite",), "the host to send: preserve, upstream or a name", "HOST"),
    Flag("timeout", float, ("--timeout",), "longest wait for the answer, in seconds", "SECONDS"),
    Flag("retries", int, ("--retries",), "tries after the first one", "N"),
    Flag("sticky_cookie", str, ("--sticky-cookie",), "keep a user on one destination by this cookie", "NAME"),
    Flag("sticky_header", str, ("--sticky-header",), "... by this request header", "NAME"),
    Flag("sticky_source", bool, ("--sticky-source",), "... by the client's address"),
    Flag(
        "validate",
        bool | None,  # three states: an edit can take it off
        ("--validate/--no-validate",),
        "check parameters and JSON bodies against the function's document",
    ),
    Flag(
        "rate_limit",
        str,
        ("--rate-limit",),
        "as 10/1s, 100/60s:header=x-api-key or 5/1s:source: so many requests in so many seconds",
        "N/SECONDS[:header=NAME|:source]",
    ),
    Flag("priority", int, ("--priority",), "asked before all routes of lower priority", "N"),
)
_IGNORED = (
    Flag("index", int, ("--index", "-x"), "accepted for Gloo's sake: the order is computed", "N"),
    Flag("namespace", str, ("--namespace", "-n"), "accepted for Gloo's sake, means nothing here", "TEXT"),
    Flag("dest_namespace", str, ("--dest-namespace", "-s"), "accepted for Gloo's sake, means nothing here", "TEXT"),
)
FLAGS = (*_MATCH, *_DESTINATION, *_ACTION, *_IGNORED)


def apply_flags(route: Route, flags: Flags) -> Route:
    """A copy of the route's JSON, changed as the flags say; raises typer.BadParameter."""
    changed = dict(route)
    match = _apply_match(dict(route.get("match") or {}), flags)
    if match:
        changed["match"] = match
    destinations = _apply_destinations([dict(entry) for entry in route.get("destinations") or ()], flags)
    if destinations:
        changed["destinations"] = destinations
    return changed | dict(_settings(flags))


def _apply_match(match: Route, flags: Flags) -> Route:
    paths = {kind: flags[name] for name, kind in _PATHS.items() if flags.get(name) is not None}
    if len(paths) > 1:
        raise typer.BadParameter("give one path: " + ", ".join(_PATH_WORDS), param_hint="--path-...")
    if paths:
        match["path"] = paths
    if flags.get("method"):
        match["methods"] = split_commas(flags["method"])
    headers = [*_conditions(flags.get("header"), "exact"), *_conditions(flags.get("header_regex"), "regex")]
    for key, value in (
        ("headers", headers),
        ("query", _conditions(flags.get("query"), "exact")),
        ("source_cidrs", split_commas(flags.get("source_cidr") or ())),
    ):
        if value:
            match[key] = value
    return match


_PATHS = {"path_exact": "exact", "path_prefix": "prefix", "path_regex": "regex", "template": "template"}
_PATH_WORDS = ("--path-prefix", "--path-exact", "--path-regex", "--template")


def _conditions(texts: list[str] | None, kind: str) -> list[Route]:
    found: list[Route] = []
    for text in texts or ():
        if kind == "exact" and "=" not in text:
            found.append({"name": text, "present": True})
        else:
            name, value = split_pair(text, "--header")
            found.append({"name": name, kind: value})
    return found


def _apply_destinations(destinations: list[Route], flags: Flags) -> list[Route]:
    function = flags.get("rest_function_name")
    if flags.get("dest_name") is not None:
        main: Route = {"upstream": flags["dest_name"]}
        if function is not None:
            main["function"] = function
        destinations = [main]
    elif function is not None or flags.get("rest_parameters") or flags.get("weight") is not None:
        if len(destinations) != 1:
            raise typer.BadParameter("say which upstream it belongs to", param_hint="--dest-name")
        destinations[0].update({"function": function} if function is not None else {})
    if flags.get("weight") is not None:
        destinations[0]["weight"] = flags["weight"]
    if flags.get("rest_parameters"):
        destinations[0]["parameters"] = _parameters(flags["rest_parameters"])
    for text in flags.get("dest") or ():
        _add_destination(destinations, text, function)
    return destinations


def _add_destination(destinations: list[Route], text: str, function: str | None) -> None:
    name, weight = split_pair(text, "--dest")
    upstream, slash, own = name.partition("/")
    share = whole_number(weight, "--dest")
    for entry in destinations:
        if entry["upstream"] == upstream and (not slash or entry.get("function") == own):
            entry["weight"] = share
            return
    called = own if slash else function or _common_function(destinations)
    entry = {"upstream": upstream, **({"function": called} if called else {}), "weight": share}
    first = next((other for other in destinations if other.get("function") == called), None)
    if called and first and first.get("parameters"):
        entry["parameters"] = first["parameters"]  # the same function is called in the same way
    destinations.append(entry)


def _common_function(destinations: list[Route]) -> str | None:
    """The function that all destinations call: another version of the upstream is meant to call it too."""
    functions = {entry.get("function") for entry in destinations}
    return functions.pop() if len(functions) == 1 else None


# A variable without a place, such as {userId}: Gloo's extractors take it out of what the key names.
_EXTRACTED = re.compile(r"\{[^.{}]+\}")


def _parameters(texts: list[str]) -> Route:
    """``--rest-parameters``: Gloo's extractors (``:path``, ``header={name}``) and Coalmine's own templates."""
    from coalmine.manifests import PATH_KEY, translate_extractors

    pairs = split_pairs(texts, "--rest-parameters")
    extractors = {name: value for name, value in pairs.items() if name == PATH_KEY or _EXTRACTED.search(value)}
    own = {name: value for name, value in pairs.items() if name not in extractors}
    try:
        return {**translate_extractors(extractors), **own}
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rest-parameters") from None


_Setting = tuple[str, str, Callable[[Any], Any]]
_SETTINGS: tuple[_Setting, ...] = (
    ("prefix_rewrite", "rewrite", lambda value: {"prefix": value}),
    ("host_rewrite", "host", str),
    ("timeout", "timeout_seconds", float),
    ("retries", "retries", lambda value: {"attempts": value}),
    ("priority", "priority", int),
    ("validate", "validate", bool),
    ("rate_limit", "rate_limit", lambda value: _rate_limit(value)),
    ("sticky_cookie", "sticky", lambda value: {"cookie": {"name": value}}),
    ("sticky_header", "sticky", lambda value: {"header": value}),
    ("sticky_source", "sticky", lambda value: {"source_address": True}),
)


# 10/1s, 100/0.5s, 100/60s:header=x-api-key, 5/s:source
_RATE = re.compile(r"([0-9]{1,7})/([0-9]*\.?[0-9]+)?s(?::(?:header=(?P<header>.+)|(?P<source>source)))?", re.ASCII)


def _rate_limit(text: str) -> Route:
    found = _RATE.fullmatch(text)
    if found is None:
        detail = f"{text!r} should be like 10/1s, 100/60s:header=x-api-key or 5/1s:source"
        raise typer.BadParameter(detail, param_hint="--rate-limit")
    limit: Route = {"requests": int(found[1]), "per_seconds": float(found[2] or 1)}
    if found["header"]:
        limit["by"] = {"header": found["header"]}
    if found["source"]:
        limit["by"] = {"source_address": True}
    return limit


def _settings(flags: Flags) -> list[tuple[str, Any]]:
    absent = {flag.name: False for flag in FLAGS if flag.kind is bool}
    found = [
        (key, make(flags[name])) for name, key, make in _SETTINGS if flags.get(name) not in (None, absent.get(name))
    ]
    if sum(key == "sticky" for key, _ in found) > 1:
        raise typer.BadParameter("give one of --sticky-cookie, --sticky-header, --sticky-source", param_hint="--sticky")
    return found
