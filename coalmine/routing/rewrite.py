"""New paths for destinations without a function.

Rule 1: this file performs no I/O.
Rule 2: a prefix rewrite puts its text in place of what the matcher took, whole segments: no slash is doubled and none
    is lost (``/petstore/1`` -> ``/api/pets/1``). Matchers that take the whole path have the whole path replaced.
Rule 3: a regex rewrite replaces every match in the path, never in the query (Envoy's ``regex_rewrite``); its result
    is normalised like a path that came from outside, and what is no path then is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from coalmine.model import Rewrite
from coalmine.routing.path import normalize_definition, normalize_path
from coalmine.routing.patterns import check_substitution, compile_pattern
from coalmine.routing.problem import problem_reply

if TYPE_CHECKING:
    from coalmine.routing.decision import Reply, RequestHead
    from coalmine.routing.table import Matched

# A substitution can multiply what a client sends. Servers refuse targets from 8 to 64 kB on: beyond that nobody gains.
MAX_PATH = 65_536

# The new path, or the reply that says why there is none.
Rewriter = Callable[["RequestHead", "Matched"], "str | Reply"]


def compile_rewrite(rewrite: Rewrite | None) -> Rewriter:
    """The rewriter of a route; raises ValueError when its pattern or substitution is not usable."""
    if rewrite is None:
        return _keep
    if rewrite.prefix is not None:
        replacement = normalize_definition(rewrite.prefix)
        return lambda head, matched: join_prefix(replacement, matched.rest)
    assert rewrite.regex is not None
    return _compile_regex(rewrite.regex.pattern, rewrite.regex.substitution)


def join_prefix(replacement: str, rest: str) -> str:
    """``replacement`` in place of a matched prefix, ``rest`` ("" or "/...") behind it."""
    return replacement.rstrip("/") + rest if rest else replacement


def _keep(head: RequestHead, matched: Matched) -> str:
    return head.path


def _compile_regex(text: str, substitution: str) -> Rewriter:
    pattern = compile_pattern(text)
    if wrong := check_substitution(substitution, pattern.groups):
        raise ValueError(f"the substitution {substitution!r}: {wrong}")

    def rewrite(head: RequestHead, matched: Matched) -> str | Reply:
        path = pattern.replace(head.path, substitution)
        if len(path) > MAX_PATH:
            return problem_reply("uri_too_long", f"the route's rewrite makes a path of more than {MAX_PATH} characters")
        try:
            return normalize_path(path)
        except ValueError as error:
            return problem_reply("bad_request", f"the route's rewrite makes {path!r} of the path: {error}")

    return rewrite
