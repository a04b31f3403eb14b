"""YAML from the parser's events, composed here and not by the library.

libyaml's parser and scanner keep their state on the heap and are harmless; its *composer* recurses, and 30,000
nested brackets (60 kB) end the process with SIGSEGV. Composing from events, with a stack of our own, has no
such end, and it lets depth and nodes be refused while they are counted: an alias counts as many nodes as what it
stands for, so neither "billion laughs" nor merge keys can grow.

An anchor may be defined again (YAML 1.2 section 7.1); unknown tags are ignored. This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, cast

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from coalmine.errors import MalformedError
from coalmine.reading.limits import DuplicateKeyError, JsonLike, Limits, TooComplexError
from coalmine.reading.yaml_scalars import RESOLVED_TAGS, STRING_TAGS, resolve_plain

# Wheels for rare platforms come without libyaml; the events are the same, only slower.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MERGE = "<<"  # https://yaml.org/type/merge.html


def read_yaml(text: str, limits: Limits, *, unique_keys: bool = False) -> list[JsonLike]:
    """The documents of a stream; raises ``MalformedError`` with line and column."""
    composer = _Composer(limits, unique_keys=unique_keys)
    try:
        composer.compose(cast(Iterable[Event], yaml.parse(text, Loader=_LOADER)))
    except yaml.MarkedYAMLError as error:
        raise MalformedError(f"not YAML: {_describe(error)}") from None
    except yaml.YAMLError as error:  # of the reader, which knows characters but no lines
        raise MalformedError(f"not YAML: {' '.join(str(error).split())}") from None
    return composer.documents


def _describe(error: yaml.MarkedYAMLError) -> str:
    words = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    return f"{words} (line {mark.line + 1}, column {mark.column + 1})" if mark else words


def _refuse(event: Event, detail: str, kind: type[MalformedError] = MalformedError) -> NoReturn:
    mark = event.start_mark
    assert mark is not None  # only events made by hand have none
    raise kind(f"not YAML that can be read: {detail} (line {mark.line + 1}, column {mark.column + 1})")


class _Frame:
    """A list or mapping that is still open; ``key`` is what the next value of a mapping belongs to."""

    __slots__ = (
        "anchor",
        "key",
        "lines",
        "mapping",
        "merged",
        "merges",
        "nodes_before",
        "sequence",
        "waits_for_key",
    )

    def __init__(self, mapping: dict[str, JsonLike] | None, anchor: str | None, nodes_before: int) -> None:
        self.mapping = mapping
        self.sequence: list[JsonLike] = []
        self.anchor = anchor
        self.nodes_before = nodes_before
        self.waits_for_key = mapping is not None
        self.key = ""
        self.lines: dict[str, int] = {}  # where each key stands, if that matters
        self.merges = False  # the value to come belongs to a merge key
        self.merged: list[dict[str, JsonLike]] = []

    @property
    def value(self) -> JsonLike:
        return self.sequence if self.mapping is None else self.mapping


class _Composer:
    def __init__(self, limits: Limits, *, unique_keys: bool) -> None:
        self.limits = limits
        self.unique_keys = unique_keys
        self.documents: list[JsonLike] = []
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[JsonLike, int]] = {}  # value and number of nodes
        self.nodes = 0

    def compose(self, events: Iterable[Event]) -> None:
        handlers: dict[type[Event], Any] = {
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
            SequenceStartEvent: self._open,
            MappingStartEvent: self._open,
            SequenceEndEvent: self._close,
            MappingEndEvent: self._close,
            DocumentStartEvent: self._start_document,
            DocumentEndEvent: self._ignore,
        }
        for event in events:
            handlers.get(type(event), self._ignore)(event)

    def _ignore(self, event: Event) -> None:
        """Stream and document ends carry nothing."""

    def _start_document(self, event: Event) -> None:
        self.anchors = {}

    def _count(self, event: Event, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > self.limits.max_nodes:
            _refuse(event, f"more than {self.limits.max_nodes} nodes, aliases counted", TooComplexError)

    def _scalar(self, event: ScalarEvent) -> None:
        self._count(event, 1)
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.waits_for_key:
            if event.anchor:
                self.anchors[event.anchor] = (event.value, 1)
            self._take_key(frame, event)
            return
        value = self._resolve(event)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self._add(event, value)

    def _resolve(self, event: ScalarEvent) -> JsonLike:
        plain = event.implicit[0] or event.tag in RESOLVED_TAGS
        if not plain or event.tag in STRING_TAGS:
            return event.value
        try:
            return resolve_plain(event.value)
        except MalformedError as error:
            _refuse(event, error.detail)

    def _take_key(self, frame: _Frame, event: ScalarEvent) -> None:
        if event.value == _MERGE and event.implicit[0]:
            frame.merges = True
        self._set_key(frame, event, event.value)

    def _set_key(self, frame: _Frame, event: Event, key: str) -> None:
        frame.waits_for_key = False
        frame.key = key
        if self.unique_keys and not frame.merges:
            mark = event.start_mark
            assert mark is not None  # only events made by hand have none
            first = frame.lines.setdefault(key, mark.line + 1)
            if key in frame.mapping:  # type: ignore[operator]  # keys are those of mappings
                raise DuplicateKeyError(key, mark.line + 1, mark.column + 1, first)

    def _alias(self, event: AliasEvent) -> None:
        if event.anchor not in self.anchors:
            _refuse(event, f"the alias *{event.anchor} has no anchor before it that is complete")
        value, nodes = self.anchors[event.anchor]
        self._count(event, nodes)
        frame = self.stack[-1] if self.stack else None
        if frame is None or not frame.waits_for_key:
            self._add(event, value)
        elif isinstance(value, str):
            self._set_key(frame, event, value)
        else:
            _refuse(event, "a key is not a string")

    def _open(self, event: SequenceStartEvent | MappingStartEvent) -> None:
        if len(self.stack) >= self.limits.max_depth:
            _refuse(event, f"nested deeper than {self.limits.max_depth} levels", TooComplexError)
        if self.stack and self.stack[-1].waits_for_key:
            _refuse(event, "a key is a list or a mapping")
        if event.anchor:
            self.anchors.pop(event.anchor, None)  # an alias inside itself finds nothing
        mapping: dict[str, JsonLike] | None = {} if type(event) is MappingStartEvent else None
        self.stack.append(_Frame(mapping, event.anchor, self.nodes))
        self._count(event, 1)

    def _close(self, event: Event) -> None:
        frame = self.stack.pop()
        if frame.mapping is not None and frame.merged:
            _merge(frame.mapping, frame.merged)
        if frame.anchor:
            self.anchors[frame.anchor] = (frame.value, self.nodes - frame.nodes_before)
        self._add(event, frame.value)

    def _add(self, event: Event, value: JsonLike) -> None:
        """Put a complete value where it belongs: the document, the open list, the open mapping."""
        if not self.stack:
            self.documents.append(value)
            return
        frame = self.stack[-1]
        if frame.mapping is None:
            frame.sequence.append(value)
            return
        frame.waits_for_key = True
        if frame.merges:
            frame.merges = False
            frame.merged += _mappings_of(event, value)
        else:
            frame.mapping[frame.key] = value


def _mappings_of(event: Event, value: JsonLike) -> list[dict[str, JsonLike]]:
    values = value if isinstance(value, list) else [value]
    mappings = [each for each in values if isinstance(each, dict)]
    if len(mappings) < len(values):
        _refuse(event, "a merge key takes a mapping or a list of mappings")
    return mappings


def _merge(mapping: dict[str, JsonLike], merged: list[dict[str, JsonLike]]) -> None:
    """Own keys win over merged ones, earlier mappings over later. The nodes were counted with the aliases."""
    for source in merged:
        for key, value in source.items():
            mapping.setdefault(key, value)
