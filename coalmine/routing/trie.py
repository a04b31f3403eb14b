"""Paths by segments: a lookup walks the segments of one request, however many routes there are.

Rule 1: this file performs no I/O.
Rule 2: a walk collects every bucket whose path matches, not the best one: priorities may turn any order round.
Rule 3: a request path is split no further than the deepest route goes, so a path of ten thousand slashes costs no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from coalmine.routing.bucket import Bucket, Ranked
from coalmine.routing.template import Segment, Template, capture_segment

NEVER = 1 << 62  # a rank behind all others


class PrefixNode:
    __slots__ = ("bucket", "children", "owners")

    def __init__(self) -> None:
        self.children: dict[str, PrefixNode] = {}
        self.owners: list[Ranked] = []
        self.bucket: Bucket | None = None


# Leaves share these: what is small stays in the processor's cache.
_NO_PREFIXES: dict[str, PrefixNode] = {}


class PrefixTrie:
    """Prefixes of whole segments."""

    __slots__ = ("_depth", "_nodes", "_root", "first_rank")

    def __init__(self) -> None:
        self._root = PrefixNode()
        self._nodes = [self._root]
        self._depth = 0
        self.first_rank = NEVER

    def add(self, segments: Sequence[str], owner: Ranked) -> None:
        """Owners come by rank."""
        node = self._root
        for segment in segments:
            child = node.children.get(segment)
            if child is None:
                child = node.children[segment] = PrefixNode()
                self._nodes.append(child)
            node = child
        node.owners.append(owner)
        self._depth = max(self._depth, len(segments))
        self.first_rank = min(self.first_rank, owner.rank)

    def seal(self) -> Iterator[None]:
        """To be followed to its end once, when all owners are in."""
        for node in self._nodes:
            node.bucket = Bucket(node.owners) if node.owners else None
            node.owners = []
            node.children = node.children or _NO_PREFIXES
            yield
        self._nodes = []

    def names_under(self, directory: Sequence[str]) -> Collection[str]:
        """The segments that are told from others where they follow ``directory``."""
        node = self._root
        for segment in directory:
            child = node.children.get(segment)
            if child is None:
                return ()
            node = child
        return node.children

    def find(self, path: str) -> list[Bucket]:
        """The buckets of all prefixes of ``path``, the longest first."""
        node: PrefixNode | None = self._root
        assert node is not None
        found = [node.bucket] if node.bucket is not None else []
        for segment in path[1:].split("/", self._depth):
            node = node.children.get(segment)
            if node is None:
                break
            if node.bucket is not None:
                found.append(node.bucket)
        found.reverse()
        return found


class TemplateNode:
    __slots__ = ("anything", "bucket", "children", "owners", "partials")

    def __init__(self) -> None:
        self.children: dict[str, TemplateNode] = {}
        self.partials: dict[Segment, TemplateNode] = {}
        self.anything: TemplateNode | None = None
        self.owners: list[Ranked] = []
        self.bucket: Bucket | None = None

    def child(self, segment: Segment) -> TemplateNode:
        """The node behind ``segment``, made where there is none."""
        if len(segment) > 1:
            return self.partials.setdefault(segment, TemplateNode())
        if isinstance(segment[0], str):
            return self.children.get(segment[0]) or self.children.setdefault(segment[0], TemplateNode())
        if self.anything is None:
            self.anything = TemplateNode()
        return self.anything


_NO_TEMPLATES: dict[str, TemplateNode] = {}
_NO_PARTIALS: dict[Segment, TemplateNode] = {}


class TemplateTrie:
    """Templates: literal segments by dict, partly literal ones one by one, whole placeholders last."""

    __slots__ = ("_depth", "_root", "first_rank")

    def __init__(self) -> None:
        self._root = TemplateNode()
        self._depth = 0
        self.first_rank = NEVER

    def add(self, template: Template, owner: Ranked) -> None:
        """Owners come by rank."""
        node = self._root
        for segment in template.segments:
            node = node.child(segment)
        node.owners.append(owner)
        self._depth = max(self._depth, len(template.segments))
        self.first_rank = min(self.first_rank, owner.rank)

    def seal(self) -> Iterator[None]:
        """To be followed to its end once, when all owners are in."""
        pending = [self._root]
        while pending:
            node = pending.pop()
            pending += [*node.children.values(), *node.partials.values()]
            if node.anything is not None:
                pending.append(node.anything)
            node.bucket = Bucket(node.owners) if node.owners else None
            node.owners = []
            node.children = node.children or _NO_TEMPLATES
            node.partials = node.partials or _NO_PARTIALS
            yield

    def names_under(self, directory: Sequence[str]) -> set[str] | None:
        """As of a PrefixTrie; None: they are told apart by more than what they are called."""
        nodes = [self._root]
        for text in directory:
            nodes = [after for node in nodes for after in _step(node, text)]
        if any(node.partials for node in nodes):
            return None
        return {name for node in nodes for name in node.children}

    def find(self, path: str) -> list[Bucket]:
        """The buckets of all templates that ``path`` fits, in no order."""
        segments = path[1:].split("/", self._depth)
        found: list[Bucket] = []
        if len(segments) <= self._depth:
            _collect(self._root, segments, 0, found)
        return found


def _step(node: TemplateNode, text: str) -> Iterator[TemplateNode]:
    """Where ``text`` leads to."""
    child = node.children.get(text)
    if child is not None:
        yield child
    if node.anything is not None and text:
        yield node.anything
    for segment, partial in node.partials.items():
        if capture_segment(segment, text, {}):
            yield partial


def _collect(start: TemplateNode, segments: list[str], at: int, found: list[Bucket]) -> None:
    """Goes on in a loop where there is one way, and calls itself only where there are several."""
    node: TemplateNode | None = start
    for index in range(at, len(segments)):
        assert node is not None
        text = segments[index]
        child = node.children.get(text)
        anything = node.anything if text else None
        if node.partials:
            for segment, partial in node.partials.items():
                if capture_segment(segment, text, {}):
                    _collect(partial, segments, index + 1, found)
        if child is not None and anything is not None:
            _collect(anything, segments, index + 1, found)
        node = child if child is not None else anything
        if node is None:
            return
    assert node is not None
    if node.bucket is not None:
        found.append(node.bucket)
