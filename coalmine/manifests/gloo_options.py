"""Gloo's route options (``routePlugins`` in 2019, ``options`` since 1.0) as keys of a Coalmine route.

``OPTIONS`` is the table: an option's name, and the function that translates it. What is not in it cannot be
expressed and is a fault. This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from coalmine.manifests.made import Made, MadeList
from coalmine.manifests.node import Node

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:h|ms|m|s|us|µs|ns))+")
_PART = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")


def read_options(node: Node) -> Made:
    """The keys of a route that the options in ``node`` ask for."""
    found = Made(node.pointer)
    for key, translate in OPTIONS.items():
        if node.has(key):
            asked = translate(node, key)
            for clash in asked.keys() & found.keys():
                node.fault(key, f"{key} asks for a {clash}, and another option does so too")
            found.take(asked)
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


def _timeout(node: Node, key: str) -> Made:
    found = Made(node.pointer)
    seconds = duration(node, key)
    if seconds == 0:
        node.fault(key, "a timeout of 0 means none at all; a route always has one", hint="write a long one: 3600s")
    elif seconds is not None:
        found.put("timeout_seconds", seconds, node.at(key))
    return found


def _prefix_rewrite(node: Node, key: str) -> Made:
    if isinstance(node.raw(key), dict):
        inner = node.node(key)
        assert inner is not None
        prefix, source = inner.text("prefixRewrite"), inner.at("prefixRewrite")
        inner.finish()
    else:
        prefix, source = node.text(key), node.at(key)
    found = Made(node.pointer)
    return found.put("rewrite", Made(node.at(key)).put("prefix", prefix, source), node.at(key)) if prefix else found


def _regex_rewrite(node: Node, key: str) -> Made:
    found = Made(node.pointer)
    inner = node.node(key)
    pattern = inner.node("pattern") if inner else None
    if inner is None or pattern is None:
        return found
    pattern.ignore("googleRe2")
    regex = Made(inner.pointer).put("pattern", pattern.text("regex") or "", pattern.at("regex"))
    regex.put("substitution", inner.text("substitution") or "", inner.at("substitution"))
    pattern.finish()
    inner.finish()
    return found.put("rewrite", Made(inner.pointer).put("regex", regex, inner.pointer), inner.pointer)


def _retries(node: Node, key: str) -> Made:
    found = Made(node.pointer)
    inner = node.node(key)
    if inner is None:
        return found
    retries = Made(inner.pointer).put("attempts", inner.number("numRetries") or 1, inner.at("numRetries"))
    conditions = [word.strip() for word in (inner.text("retryOn") or "").split(",") if word.strip()]
    if conditions:
        listed = MadeList(inner.at("retryOn"))  # one text there
        for condition in conditions:
            listed.add(condition, listed.pointer)
        retries.put("on", listed, listed.pointer)
    per_try = duration(inner, "perTryTimeout")
    if per_try:
        retries.put("per_try_timeout_seconds", per_try, inner.at("perTryTimeout"))
    inner.finish()
    return found.put("retries", retries, inner.pointer)


def _header_manipulation(node: Node, key: str) -> Made:
    found = Made(node.pointer)
    inner = node.node(key)
    if inner is None:
        return found
    for side in ("request", "response"):
        edits = _header_edits(inner, f"{side}HeadersToAdd", f"{side}HeadersToRemove")
        if edits:
            found.put(f"{side}_headers", edits, inner.pointer)
    inner.finish()
    return found


def _header_edits(node: Node, add: str, remove: str) -> Made:
    edits = Made(node.pointer)
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
        edits.setdefault(where, Made(node.at(add))).put(name, value.replace("%%", "%"), header.pointer)
        edits.sources[where] = node.at(add)
        header.finish()
        entry.finish()
    removed = MadeList(node.at(remove))
    for index, name in enumerate(node.texts(remove)):
        removed.add(name, node.at(remove, index))
    return edits.put("remove", removed, removed.pointer) if removed else edits


def _cors(node: Node, key: str) -> Made:
    found = Made(node.pointer)
    inner = node.node(key)
    if inner is None:
        return found
    if inner.flag("disableForRoute"):
        return found.put("cors", None, inner.pointer)
    cors = Made(inner.pointer).put("allow_origins", inner.texts("allowOrigin"), inner.at("allowOrigin"))
    cors.put("allow_credentials", inner.flag("allowCredentials"), inner.at("allowCredentials"))
    for theirs, ours in (
        ("allowMethods", "allow_methods"),
        ("allowHeaders", "allow_headers"),
        ("exposeHeaders", "expose_headers"),
    ):
        if inner.has(theirs):
            cors.put(ours, inner.texts(theirs), inner.at(theirs))
    age = inner.text("maxAge")
    if age is not None:
        cors.put("max_age_seconds", age.removesuffix("s"), inner.at("maxAge"))
    inner.finish()
    return found.put("cors", cors, inner.pointer)


def _faults(node: Node, key: str) -> Made:
    found = Made(node.pointer)
    inner = node.node(key)
    if inner is None:
        return found
    fault = Made(inner.pointer)
    shares = set()
    for kind, theirs, ours, read in _FAULT_KINDS:
        part = inner.node(kind)
        if part is not None:
            share = part.number("percentage")
            value = read(part, theirs)
            part.finish()
            if share:  # Gloo's default share is 0: no request at all
                shares.add(share)
                fault.put(ours, value, part.at(theirs)).put("percent", share, part.at("percentage"))
    inner.finish()
    if len(shares) > 1:
        node.fault(key, "abort and delay have different percentages; a route has one for both")
    return found.put("fault", fault, inner.pointer) if fault else found


_FAULT_KINDS: tuple[tuple[str, str, str, Callable[[Node, str], float | int | None]], ...] = (
    ("abort", "httpStatus", "abort_status", Node.number),
    ("delay", "fixedDelay", "delay_seconds", duration),
)


def _shadowing(node: Node, key: str) -> Made:
    found = Made(node.pointer)
    inner = node.node(key)
    upstream = inner.node("upstream") if inner else None
    if inner is None or upstream is None:
        return found
    upstream.ignore("namespace")
    mirror = Made(inner.pointer).put("upstream", upstream.text("name") or "", upstream.at("name"))
    mirror.put("percent", inner.number("percentage") or 0, inner.at("percentage"))
    upstream.finish()
    inner.finish()
    return found.put("mirror", mirror, inner.pointer)


def _host_rewrite(node: Node, key: str) -> Made:
    host = node.text(key)
    return Made(node.pointer).put("host", host, node.at(key)) if host else Made(node.pointer)


def _auto_host_rewrite(node: Node, key: str) -> Made:
    return Made(node.pointer).put("host", "upstream", node.at(key)) if node.flag(key) else Made(node.pointer)


OPTIONS: dict[str, Callable[[Node, str], Made]] = {
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
