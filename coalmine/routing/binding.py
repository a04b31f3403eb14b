"""One parameter of a function and where its value comes from (the six sources of docs/functions.md, in order).

Rule 1: this file performs no I/O; everything that does not depend on the request is done at compile time.
Rule 2: ``KEEP`` says that the client has put the parameter where the function wants it: it is passed on as it is.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, Literal

from coalmine.routing import styles
from coalmine.routing.snapshot import CallParameter
from coalmine.routing.sources import Sources
from coalmine.routing.values import Value, decode_query, split_cookies, to_value

_REFERENCE = re.compile(r"\{(path|query|header|cookie|body)\.([^{}]+)\}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class _Kept(Enum):
    KEEP = "as the client sent it"


KEEP: Final = _Kept.KEEP
Found = Value | Literal[_Kept.KEEP] | None

# Headers that no document can turn into parameters: OpenAPI 3.1 section 4.8.12.2 ignores the first three, the others
# are the gateway's own business (framing, connections, and the whole of all cookies).
UNMANAGED_HEADERS = frozenset(
    {
        "accept",
        "content-type",
        "authorization",
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "cookie",
    }
)


class Reference:
    """``{query.limit}`` and its like."""

    __slots__ = ("_name", "_place", "_shape")

    def __init__(self, place: str, name: str, shape: CallParameter) -> None:
        self._place = place
        self._name = name
        self._shape = shape  # how several items in one text are read

    def read(self, sources: Sources) -> Value | None:
        match self._place:
            case "path":
                raw = sources.capture(self._name)
                return None if raw is None else styles.read_segment(self._shape, raw)
            case "query":
                return self._read_query(sources)
            case "header":
                return self._read_text(sources.header(self._name))
            case "cookie":
                return self._read_text(sources.cookie(self._name))
        return sources.field(tuple(self._name.split(".")))

    def _read_query(self, sources: Sources) -> Value | None:
        raws = sources.query(self._name)
        if not raws:
            return None
        sources.take(self._name)
        return styles.read_query(self._shape, raws)

    def _read_text(self, text: str | None) -> Value | None:
        return None if text is None else styles.read_delimited(self._shape, text, str)


class Override:
    """A destination's own value for a parameter: literal texts and references. Found only if every reference is."""

    __slots__ = ("_pieces",)

    def __init__(self, text: str, parameter: CallParameter) -> None:
        whole = _REFERENCE.fullmatch(text)
        if whole:
            self._pieces: tuple[Value | Reference, ...] = (Reference(whole[1], whole[2], parameter),)
            return
        parts = _REFERENCE.split(text)
        if len(parts) == 1:
            literal = styles.read_delimited(parameter, text, str)
            self._pieces = () if literal is None else (literal,)
            return
        single = CallParameter(parameter.name, "path", True, "simple", False)
        self._pieces = tuple(
            piece
            for literal, place, name in zip(parts[::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True)
            for piece in (literal, Reference(place, name, single) if place else "")
            if piece != ""
        )

    def read(self, sources: Sources) -> Value | None:
        found = [piece.read(sources) if isinstance(piece, Reference) else piece for piece in self._pieces]
        if len(found) == 1:
            return found[0]
        texts = [piece for piece in found if isinstance(piece, str)]
        return "".join(texts) if found and len(texts) == len(found) else None


class Binding:
    """A compiled parameter. Raises ValueError when it can never be sent."""

    __slots__ = ("_default", "_override", "_searches", "name", "parameter", "place", "required")

    def __init__(self, parameter: CallParameter, override: str | None, *, takes_body: bool) -> None:
        self.parameter = parameter
        self.name = parameter.name
        self.place = parameter.place
        self.required = parameter.required or parameter.place == "path"
        self._override = None if override is None else Override(override, parameter)
        self._default = to_value(parameter.default) if parameter.has_default else None
        # Source 5: the query by name and the body's field, for all where no body goes on to the function.
        self._searches = parameter.place == "path" or not takes_body
        if parameter.place == "header" and not _TOKEN.fullmatch(parameter.name):
            raise ValueError(f"the document's header parameter {parameter.name!r} is no header name")

    @property
    def passive(self) -> bool:
        """Whether absence is fine and nothing but the request itself can give a value."""
        return not self.required and self._override is None and self._default is None

    @property
    def bare(self) -> bool:
        """Whether a path parameter's raw segment is its text as it stands."""
        plain = self.parameter.shape == "primitive" and styles.style_of(self.parameter) == "simple"
        return plain and self.place == "path" and self._override is None

    @property
    def wanders(self) -> bool:
        """Whether it is looked for in the query although it does not belong there."""
        return self._searches and self.place in ("header", "cookie")

    def find_first(self, sources: Sources) -> Value | None:
        """Sources 1 and 2: the destination's parameter, a capture of that name."""
        if self._override is not None:
            found = self._override.read(sources)
            if not self._lacks(found):
                return found
        raw = sources.capture(self.name)
        return None if raw is None else styles.read_segment(self.parameter, raw)

    def find(self, sources: Sources, segment: str | None) -> Found:
        """All sources. ``segment`` is the raw one that was bound to it (source 4)."""
        found = self.find_first(sources)
        if self._lacks(found):
            if self._is_there(sources):
                return KEEP
            found = styles.read_segment(self.parameter, segment) if segment else None
        if self._lacks(found) and self._searches:
            found = self._search(sources)
        return self._default if self._lacks(found) else found

    def _lacks(self, found: Value | None) -> bool:
        return found is None or (found == "" and self.place == "path")

    def _search(self, sources: Sources) -> Value | None:
        """Source 5."""
        raws = sources.query(self.name)
        found = styles.read_query(self.parameter, raws) if raws else None
        if self._lacks(found):
            return sources.field((self.name,))
        sources.take(self.name)
        return found

    def _is_there(self, sources: Sources) -> bool:
        """Source 3: the same name in the same place."""
        match self.place:
            case "query":
                return any(self.claims(key, sources) for key, _, _ in sources.pairs)
            case "header":
                return sources.header(self.name) is not None
            case "cookie":
                return sources.cookie(self.name) is not None
        return False

    def claims(self, key: str, sources: Sources) -> bool:
        if self.nameless:
            # Its properties stand in the query under their own names: whatever nobody else claims is its.
            return bool(key) and key not in sources.keys and key not in sources.taken
        return self.owns(key)

    @property
    def nameless(self) -> bool:
        """Whether the parameter's name does not show in a query: an exploded object in form style."""
        parameter = self.parameter
        return parameter.shape == "object" and parameter.explode and styles.style_of(parameter) == "form"

    def owns(self, key: str) -> bool:
        """Whether a query pair of that (decoded) name is part of this parameter."""
        if styles.style_of(self.parameter) == "deepObject":
            return key == self.name or key.startswith(self.name + "[")
        return key == self.name


class Writer:
    """The texts of one call, collected."""

    __slots__ = ("_cookies", "_headers", "_pairs", "path", "replaced")

    def __init__(self) -> None:
        self.path: dict[str, str] = {}
        self.replaced: list[Binding] = []  # query parameters whose client's pairs give way
        self._pairs: list[str] = []
        self._headers: list[tuple[str, str]] = []
        self._cookies: list[str] = []

    def write(self, binding: Binding, value: Value) -> bool:
        """Whether there was anything to write in a path; raises Unsendable."""
        parameter = binding.parameter
        match binding.place:
            case "path":
                self.path[binding.name] = styles.write_path(parameter, value)
            case "query":
                self._pairs.append(styles.write_query(parameter, value))
                self.replaced.append(binding)
            case "header":
                self._headers.append((binding.name.lower(), styles.write_header(parameter, value)))
            case _:
                self._cookies.append(styles.write_cookie(parameter, value))
        return binding.place != "path" or bool(self.path[binding.name])

    def query(self, sources: Sources) -> str | None:
        """The client's query without what was taken or replaced, and the new pairs behind it."""
        kept = sources.head.query
        if sources.taken or self.replaced:
            kept = "&".join(raw for key, _, raw in sources.pairs if not self._gone(key, sources.taken)) or None
        if not self._pairs:
            return kept
        return "&".join([kept, *self._pairs] if kept else self._pairs)

    def _gone(self, key: str, taken: set[str]) -> bool:
        return key in taken or any(binding.owns(key) for binding in self.replaced)

    def headers(self, sources: Sources) -> tuple[tuple[str, str], ...]:
        if not self._cookies:
            return tuple(self._headers)
        new = "; ".join(self._cookies)
        names = {decode_query(name) for name, _ in split_cookies([new])}
        kept = [f"{name}={value}" for name, value in sources.cookies if name not in names]
        return (*self._headers, ("cookie", "; ".join([*kept, new])))
