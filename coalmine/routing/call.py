"""Calling a function: from a request to the request that the function wants (design rules: docs/functions.md).

Rule 1: this file performs no I/O.
Rule 2: a path value can never add a segment or a query, or leave the path: it is encoded down to unreserved
    characters, and a segment that any service could take for ``.`` or ``..`` is refused.
Rule 3: whatever does not fit is answered with a problem; nothing is sent half.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote

from coalmine.routing.binding import KEEP, UNMANAGED_HEADERS, Binding, Found, Writer
from coalmine.routing.decision import Reply, RequestHead
from coalmine.routing.problem import problem_reply
from coalmine.routing.snapshot import CallParameter, CallPlan, ServedDestination
from coalmine.routing.sources import BodyNeeded, BrokenBody, Sources
from coalmine.routing.template import Name, Segment, Template, parse_match_template, parse_template
from coalmine.routing.values import Unsendable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coalmine.routing.checked import CheckedCall
    from coalmine.routing.findings import Finding
    from coalmine.routing.table import Matched

Headers = tuple[tuple[str, str], ...]
# The one key of a destination's parameters that is no parameter's name: a template over the whole request path.
PATH_KEY = ":path"
# A raw segment that is its own encoding and no dot segment; nearly all are.
_PLAIN = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*").fullmatch
_SAFE = frozenset(
    {"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"}
)  # RFC 9110 section 9.2.1; QUERY is a safe one with content
_CONTROL = re.compile(r"%(?:[01][0-9A-F]|7F)")
_SEPARATOR = re.compile(r"[/\\]")


class Prepared(NamedTuple):
    """A call that can be sent; ``common`` as in ``Forward``."""

    method: str
    target: str
    headers: Headers
    body: Literal["stream", "none"] | bytes
    common: bool = False


# The path up to its first parameter, then each parameter's name and the text behind its value.
Shortcut = tuple[str, tuple[tuple[str, str], ...]]


class Call:
    """The compiled call of one destination's function. Raises ValueError when it could never be made."""

    def __init__(self, destination: ServedDestination) -> None:
        assert destination.call is not None
        plan = destination.call
        self._destination = destination
        self._plan = plan
        template = parse_template(plan.path)
        overrides = dict(destination.parameters)
        self._extractor = _compile_extractor(overrides.pop(PATH_KEY, None))
        self._bindings = _compile_bindings(plan, overrides, template.names)
        self._path = _compile_path(template.segments)
        self._path_bindings = [binding for binding in self._bindings if binding.place == "path"]
        self._keys = frozenset(
            binding.name for binding in self._bindings if binding.place == "query" and not binding.nameless
        )
        self._names = frozenset(binding.name for binding in self._bindings)
        self._body: Literal["stream", "none"] = "stream" if plan.takes_body else "none"
        self._methods = find_methods(plan.method)
        self._wanders = any(binding.wanders for binding in self._bindings)
        self._checked = None if plan.schemas is None else _load_checks(destination, plan)
        self._shortcut = self._compile_shortcut() if self._checked is None else None

    def prepare(self, head: RequestHead, matched: Matched, data: bytes | None = None) -> Prepared | Reply | None:
        """The call, or why there is none; None asks for the body, to be given as ``data``."""
        captures, rest = matched.captures, matched.rest
        method = self._methods.get(head.method, self._plan.method)
        if not method:
            return self._refuse_method(head.method)
        if self._extractor is not None and (extracted := self._extractor.match(head.path)) is not None:
            captures, rest = {**captures, **extracted}, ""
        if self._shortcut is not None and data is None:
            target = self._take_shortcut(self._shortcut, head, captures, rest)
            if target is not None:
                return Prepared(method, target, (), self._body, not self._wanders)
        sources = Sources(head, captures, data, self._keys)
        try:
            return self._prepare(sources, rest, method)
        except BodyNeeded:
            return None
        except BrokenBody as error:
            return self._refuse("invalid_body", str(error))

    def _refuse_method(self, method: str) -> Reply:
        function = self._plan
        detail = f"function {function.function} is a {function.method}, and {method} asks for nothing to be done"
        reply = self._refuse("method_not_allowed", detail)
        reply.headers = (("allow", f"{function.method}, OPTIONS"),)  # RFC 9110 section 15.5.6
        return reply

    def _refuse(self, code: str, detail: str, parameter: str | None = None) -> Reply:
        members = (("parameter", parameter),) if parameter is not None else ()
        return problem_reply(code, detail, destination=self._destination, members=members)

    # The shortcut: plain path parameters, or none, and nothing else that could come from anywhere.

    def _compile_shortcut(self) -> Shortcut | None:
        """None: every call goes the whole way."""
        active = [binding for binding in self._bindings if not binding.passive]
        segments = [part for part in self._path if not isinstance(part, str)]
        if not len(active) == len(self._path_bindings) == len(segments):
            return None
        names = [binding.name for binding in self._bindings]
        if not all(binding.bare and names.count(binding.name) == 1 for binding in active):
            return None
        if any(len(segment) > 1 for segment in segments):
            return None
        return _make_shortcut(self._path)

    def _take_shortcut(
        self, shortcut: Shortcut, head: RequestHead, captures: Mapping[str, str], rest: str
    ) -> str | None:
        query = head.query
        if not self._plan.takes_body and head.has_body:
            return None
        if query is not None and self._wanders:
            return None
        path, pairs = shortcut
        if pairs:
            values = _take_values(pairs, captures, rest)
            if values is None:
                return None
            for value, (_, text) in zip(values, pairs, strict=True):
                path += value + text
        elif rest not in ("", "/") or not self._names.isdisjoint(captures):
            return None
        return path if query is None else f"{path}?{query}"

    # The whole way.

    def _prepare(self, sources: Sources, rest: str, method: str) -> Prepared | Reply:
        segments = self._bind_segments(sources, rest)
        if isinstance(segments, Reply):
            return segments
        writer = Writer()
        checked = None if self._is_asked_about(sources.head) else self._checked
        wrong: list[Finding] = []
        for binding in self._bindings:
            found = binding.find(sources, segments.get(binding.name))
            refused = self._write(binding, sources, found, writer)
            if refused is not None:
                return refused
            if checked is not None:
                wrong += checked.find(binding, found, sources)
        path = self._write_path(writer.path)
        if isinstance(path, Reply):
            return path
        if checked is not None:
            refused = checked.refuse(wrong, sources)
            if refused is not None:
                return refused
        query = writer.query(sources)
        target = path if query is None else f"{path}?{query}"
        body = sources.data if self._plan.takes_body and sources.data is not None else self._body
        return Prepared(method, target, writer.headers(sources), body)

    def _bind_segments(self, sources: Sources, rest: str) -> dict[str, str] | Reply:
        """Source 4; one slash at the end of the path is no segment."""
        if rest in ("", "/"):
            return {}
        segments = rest.removesuffix("/")[1:].split("/")
        open_names = [binding.name for binding in self._path_bindings if not binding.find_first(sources)]
        if len(open_names) != len(segments):
            detail = (
                f"function {self._plan.function} has {_count(open_names, 'path parameter')} to fill,"
                f" and {rest} has {_count(segments, 'segment')}"
            )
            return self._refuse("unbound_path", detail)
        return dict(zip(open_names, segments, strict=True))

    def _write(self, binding: Binding, sources: Sources, found: Found, writer: Writer) -> Reply | None:
        if found is KEEP:
            return None
        if found is None:
            needed = binding.place == "path" or (binding.required and not self._is_asked_about(sources.head))
            return self._miss(binding, sources) if needed else None
        try:
            if not writer.write(binding, found):
                return self._miss(binding, sources)
        except Unsendable as error:
            return self._refuse("invalid_parameter", f"{binding.place} parameter {binding.name}: {error}", binding.name)
        return None

    def _is_asked_about(self, head: RequestHead) -> bool:
        """Whether this is no call: a preflight has none of the headers and fields of the request to come."""
        return head.method == "OPTIONS" and self._plan.method != "OPTIONS"

    def _miss(self, binding: Binding, sources: Sources) -> Reply:
        needs = f"function {self._plan.function} needs the {binding.place} parameter {binding.name}"
        if sources.unreadable:
            media = sources.header("content-type") or "no content type"
            detail = f"{needs}, and a body of {media} cannot be searched for it: JSON or a form can"
            return self._refuse("unsupported_media_type", detail, binding.name)
        return self._refuse("missing_parameter", needs, binding.name)

    def _write_path(self, values: dict[str, str]) -> str | Reply:
        written = []
        for part in self._path:
            if isinstance(part, str):
                written.append(part)
                continue
            segment = "".join(piece if isinstance(piece, str) else values[piece.text] for piece in part)
            if wrong := check_segment(segment):
                names = [piece.text for piece in part if isinstance(piece, Name)]
                return self._refuse("invalid_parameter", f"path parameter {names[0]}: {wrong}", names[0])
            written.append(segment)
        return "".join(written)


def find_methods(method: str) -> dict[str, str]:
    """What a client's method becomes where it is not the function's, ``method``; "" for one that is refused.

    HEAD, OPTIONS and TRACE are sent without being asked for (by monitors, by browsers before a request), so they must
    not do what a POST does: they are safe (RFC 9110 section 9.2.1). OPTIONS is about the path and not about the call
    (section 9.3.7), so the service that is behind it answers.
    """
    safe = method in _SAFE
    return {
        "HEAD": "HEAD" if method == "GET" else method if safe else "",
        "OPTIONS": "OPTIONS",
        "TRACE": method if safe else "",
    }


def check_segment(segment: str) -> str | None:
    """Why an encoded segment cannot be sent, or None. Services that decode twice are thought of."""
    if _PLAIN(segment):
        return None
    if _CONTROL.search(segment):
        return "a path has no control characters"
    once = unquote(segment)
    for text in (once, unquote(once)):
        pieces = [piece.partition(";")[0] for piece in _SEPARATOR.split(text)]
        if ".." in pieces or pieces == ["."]:
            return f"{text!r} is a dot segment and would leave the path"
    return None


def _count(things: list[str], noun: str) -> str:
    return f"{len(things) or 'no'} {noun}{'' if len(things) == 1 else 's'}"


def _compile_extractor(text: str | None) -> Template | None:
    return None if text is None else parse_match_template(text)


def _make_shortcut(path: Sequence[str | Segment]) -> Shortcut:
    """``path`` as of ``_compile_path``; its segments are placeholders."""
    texts, names = [""], list[str]()
    for part in path:
        if isinstance(part, str):
            texts[-1] += part
        else:
            names += [piece.text for piece in part if isinstance(piece, Name)]
            texts.append("")
    return texts[0], tuple(zip(names, texts[1:], strict=True))


def _take_values(pairs: Sequence[tuple[str, str]], captures: Mapping[str, str], rest: str) -> list[str] | None:
    """Plain values for all names, of what was captured or of what follows a prefix, where nothing else is there."""
    if rest:
        values = rest[1:].split("/")
        fits = not captures and len(values) == len(pairs)
    else:
        values = [captures.get(name, "") for name, _ in pairs]
        fits = len(captures) == len(pairs)
    for value in values:
        fits = fits and _PLAIN(value) is not None
    return values if fits else None


def _load_checks(destination: ServedDestination, plan: CallPlan) -> CheckedCall:
    # Only here and in ``resolve``: whoever has no route that validates never loads the validator.
    from coalmine.routing.checked import CheckedCall

    return CheckedCall(destination, plan)


def _compile_bindings(plan: CallPlan, overrides: dict[str, str], names: tuple[str, ...]) -> list[Binding]:
    """Path parameters in template order first, then the others; what the template does not have is not needed."""
    declared = {parameter.name: parameter for parameter in plan.parameters if parameter.place == "path"}
    parameters = [
        declared.get(name) or CallParameter(name, "path", True, "simple", False) for name in dict.fromkeys(names)
    ]
    parameters += [
        parameter
        for parameter in plan.parameters
        if parameter.place != "path"
        and not (parameter.place == "header" and parameter.name.lower() in UNMANAGED_HEADERS)
    ]
    return [Binding(one, overrides.get(one.name), takes_body=plan.takes_body) for one in parameters]


def _compile_path(segments: tuple[Segment, ...]) -> list[str | Segment]:
    """Literal runs, slashes included, and the segments between them that have placeholders."""
    parts: list[str | Segment] = []
    literal = ""
    for segment in segments:
        literal += "/"
        if len(segment) == 1 and isinstance(segment[0], str):
            literal += segment[0]
        else:
            parts += [literal, segment]
            literal = ""
    return [*parts, literal] if literal else parts
