"""Gloo's route options (``routePlugins`` in 2019, ``options`` since 1.0) as keys of a Coalmine route.

``OPTIONS`` is the table: an option's name, and the function that translates it. What is not in it cannot be
expressed and is a fault. This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from coalmine.manifests.node import Node

Translated = dict[str, Any]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:h|ms|m|s|us|µs|ns))+")
_PART = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")


def read_options(node: Node) -> Translated:
    """The keys of a route that the options in ``node`` ask for."""
    found: Translated = {}
    for key, translate in OPTIONS.items():
        if node.has(key):
            asked = translate(node, key)
            for clash in asked.keys() & found.keys():
                node.fault(key, f"{key} asks for a {clash}, and another option does so too")
            found.update(asked)
    node.finish(*OPTIONS)
    return found


def duration(node: Node, key: str) -> float | None:
    """Seconds of ``1.5s`` or ``1m30s``."""
    text = node.text(key)
    if text is None:
        return None
    if not _DURATION.fullmatch(text):
        node.fault(key, f"{text!r} is not a duration", code="invalid_value", hint="write it as 5s or 250ms")
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def _timeout(node: Node, key: str) -> Translated:
    seconds = duration(node, key)
    if seconds == 0:
        node.fault(key, "a timeout of 0 means none at all; a route always has one", hint="write a long one: 3600s")
        return {}
    return {} if seconds is None else {"timeout_seconds": seconds}


def _prefix_rewrite(node: Node, key: str) -> Translated:
    if isinstance(node.raw(key), dict):
        inner = node.node(key)
        assert inner is not None
        prefix = inner.text("prefixRewrite")
        inner.finish()
    else:
        prefix = node.text(key)
    return {"rewrite": {"prefix": prefix}} if prefix else {}


def _regex_rewrite(node: Node, key: str) -> Translated:
    inner = node.node(key)
    pattern = inner.node("pattern") if inner else None
    if inner is None or pattern is None:
        return {}
    pattern.ignore("googleRe2")
    regex, substitution = pattern.text("regex"), inner.text("substitution")
    pattern.finish()
    inner.finish()
    return {"rewrite": {"regex": {"pattern": regex or "", "substitution": substitution or ""}}}


def _retries(node: Node, key: str) -> Translated:
    inner = node.node(key)
    if inner is None:
        return {}
    retries: Translated = {"attempts": inner.number("numRetries") or 1}
    conditions = [word.strip() for word in (inner.text("retryOn") or "").split(",") if word.strip()]
    if conditions:
        retries["on"] = conditions
    per_try = duration(inner, "perTryTimeout")
    if per_try:
        retries["per_try_timeout_seconds"] = per_try
    inner.finish()
    return {"retries": retries}


def _header_manipulation(node: Node, key: str) -> Translated:
    inner = node.node(key)
    if inner is None:
        return {}
    found = {}
    for side in ("request", "response"):
        edits = _header_edits(inner, f"{side}HeadersToAdd", f"{side}HeadersToRemove")
        if edits:
            found[f"{side}_headers"] = edits
    inner.finish()
    return found


def _header_edits(node: Node, add: str, remove: str) -> Translated:
    edits: Translated = {}
    for entry in node.nodes(add):
        header = entry.node("header")
        if header is None:
            entry.finish()
            continue
        name, value = header.text("key") or "", header.text("value") or ""
        where = "add" if entry.raw("append") is not False else "set"
        if "%" in value.replace("%%", ""):
            header.fault("value", f"the variables in {value!r} cannot be expressed; values are literal here")
        if name in edits.get(where, {}):
            header.fault("key", f"{name} is added twice; only one value can be added")
        edits.setdefault(where, {})[name] = value.replace("%%", "%")
        header.finish()
        entry.finish()
    removed = node.texts(remove)
    return {**edits, "remove": removed} if removed else edits


def _cors(node: Node, key: str) -> Translated:
    inner = node.node(key)
    if inner is None:
        return {}
    if inner.flag("disableForRoute"):
        return {"cors": None}
    cors: Translated = {
        "allow_origins": inner.texts("allowOrigin"),
        "allow_credentials": inner.flag("allowCredentials"),
    }
    for theirs, ours in (
        ("allowMethods", "allow_methods"),
        ("allowHeaders", "allow_headers"),
        ("exposeHeaders", "expose_headers"),
    ):
        if inner.has(theirs):
            cors[ours] = inner.texts(theirs)
    age = inner.text("maxAge")
    if age is not None:
        cors["max_age_seconds"] = age.removesuffix("s")
    inner.finish()
    return {"cors": cors}


def _faults(node: Node, key: str) -> Translated:
    inner = node.node(key)
    if inner is None:
        return {}
    fault: Translated = {}
    shares = set()
    for kind, theirs, ours, read in _FAULT_KINDS:
        part = inner.node(kind)
        if part is not None:
            share = part.number("percentage")
            value = read(part, theirs)
            part.finish()
            if share:  # Gloo's default share is 0: no request at all
                shares.add(share)
                fault[ours] = value
    inner.finish()
    if len(shares) > 1:
        node.fault(key, "abort and delay have different percentages; a route has one for both")
    return {"fault": {**fault, "percent": shares.pop()}} if fault else {}


_FAULT_KINDS: tuple[tuple[str, str, str, Callable[[Node, str], float | int | None]], ...] = (
    ("abort", "httpStatus", "abort_status", Node.number),
    ("delay", "fixedDelay", "delay_seconds", duration),
)


def _shadowing(node: Node, key: str) -> Translated:
    inner = node.node(key)
    upstream = inner.node("upstream") if inner else None
    if inner is None or upstream is None:
        return {}
    upstream.ignore("namespace")
    mirror = {"upstream": upstream.text("name") or "", "percent": inner.number("percentage") or 0}
    upstream.finish()
    inner.finish()
    return {"mirror": mirror}


def _host_rewrite(node: Node, key: str) -> Translated:
    host = node.text(key)
    return {"host": host} if host else {}


def _auto_host_rewrite(node: Node, key: str) -> Translated:
    return {"host": "upstream"} if node.flag(key) else {}


OPTIONS: dict[str, Callable[[Node, str], Translated]] = {
    "prefixRewrite": _prefix_rewrite,
    "regexRewrite": _regex_rewrite,
    "timeout": _timeout,
    "retries": _retries,
    "headerManipulation": _header_manipulation,
    "cors": _cors,
    "corsPolicy": _cors,
    "faults": _faults,
    "shadowing": _shadowing,
    "hostRewrite": _host_rewrite,
    "autoHostRewrite": _auto_host_rewrite,
}
