"""A snapshot compiled for lookups: what the embedded engine asks for every request.

Rule 1: this file performs no I/O. A table is never changed once it is compiled.
Rule 2: the winner is the first route of the effective order that matches, always. The indexes (a dict of exact paths, a
    trie of templates, a list of patterns, a trie of prefixes) only spare looking at the others: each yields the
    candidates of one kind, the lowest rank wins, and a kind that cannot hold a lower rank than the best so far is
    not asked.
Rule 3: the cost of a lookup does not grow with the number of routes, but for patterns and for routes on one path that
    differ in neither the value of a header nor that of a query parameter.
Rule 4: a virtual service that is the same object as in the last table is not compiled again; where it is another one,
    routes that are the same objects are not.
Rule 5: actions, which take most of compiling, are compiled when the first request needs them.
Rule 6: compiling goes by steps of some 0.1 ms, so that whoever serves requests meanwhile can do so in between.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from coalmine.routing.action import CompiledAction, compile_action
from coalmine.routing.bucket import Bucket, Entry
from coalmine.routing.conditions import Facts
from coalmine.routing.decision import RequestHead
from coalmine.routing.hosts import find_domain, normalize_host
from coalmine.routing.matcher import CompiledMatch, ExactPath, PrefixPath, RegexPath, TemplatePath, compile_match
from coalmine.routing.patterns import Pattern
from coalmine.routing.snapshot import ServedRoute, ServedVirtualService, Snapshot
from coalmine.routing.steps import finish
from coalmine.routing.trie import NEVER, PrefixTrie, TemplateTrie

# Hosts whose virtual service is remembered: few are asked for again and again. Beyond, memory begins anew.
MAX_HOSTS = 1_024


class CompiledRoute:
    """A served route, ready to match and to act; ``rank`` is its place in the effective order."""

    __slots__ = ("action", "match", "rank", "served")
    action: CompiledAction

    def __init__(self, served: ServedRoute, rank: int, last: CompiledRoute | None = None) -> None:
        """``last`` is the same route in the last table; its rank may have been another one."""
        self.served = served
        self.rank = rank
        self.match: CompiledMatch = last.match if last is not None else compile_match(served.definition.match)
        if last is not None and (action := last.find_action()) is not None:
            self.action = action

    def __getattr__(self, name: str) -> CompiledAction:
        """Compile the action when it is asked for first: of thousands of routes most are never requested."""
        if name != "action":
            raise AttributeError(name)
        self.action = compile_action(self.served)
        return self.action

    def find_action(self) -> CompiledAction | None:
        """If somebody has asked for it."""
        try:
            found: CompiledAction = _ACTION.__get__(self)  # the slot itself, past __getattr__
        except AttributeError:
            return None
        return found

    @property
    def name(self) -> str:
        return self.served.definition.name


_ACTION: Any = vars(CompiledRoute)["action"]


@dataclass(slots=True)
class Matched:
    """The route that takes a request.

    ``captures`` are the raw (percent-encoded) texts of template placeholders or named groups; ``rest`` is what
    follows a matched prefix: empty, or beginning with a slash. ``by_path``: its method and path alone led there.
    """

    route: CompiledRoute
    captures: dict[str, str]
    rest: str
    by_path: bool = False


class CompiledVirtualService:
    """The routes of one virtual service, in effective order and indexed."""

    __slots__ = ("_exact", "_patterns", "_prefixes", "_templates", "domains", "name", "routes", "served")

    def __init__(self, served: ServedVirtualService) -> None:
        """Without routes; ``fill`` is to be followed to its end."""
        self.served = served
        self.name = served.name
        self.domains = served.domains
        self.routes: tuple[CompiledRoute, ...] = ()
        self._templates = TemplateTrie()
        self._prefixes = PrefixTrie()
        self._exact: dict[str, Bucket] = {}
        self._patterns: tuple[tuple[int, Pattern, Bucket], ...] = ()

    def fill(self, last: CompiledVirtualService | None) -> Iterator[None]:
        """Compile the routes; what ``last`` has of them is taken from there."""
        known = {} if last is None else {id(route.served): route for route in last.routes}
        routes: list[CompiledRoute] = []
        exact: dict[str, list[CompiledRoute]] = {}
        patterns: dict[str, list[CompiledRoute]] = {}
        for rank, served in enumerate(self.served.routes):
            route = known.get(id(served))
            if route is None or route.rank != rank:
                route = CompiledRoute(served, rank, route)
            routes.append(route)
            self._index(route, exact, patterns)
            yield
        self.routes = tuple(routes)
        yield from self._templates.seal()
        yield from self._prefixes.seal()
        for path, same in exact.items():
            self._exact[path] = Bucket(same)
            yield
        self._patterns = _seal_patterns(patterns)

    def _index(
        self, route: CompiledRoute, exact: dict[str, list[CompiledRoute]], patterns: dict[str, list[CompiledRoute]]
    ) -> None:
        path = route.match.path
        if isinstance(path, ExactPath):
            exact.setdefault(path.path, []).append(route)
        elif isinstance(path, TemplatePath):
            self._templates.add(path.template, route)
        elif isinstance(path, RegexPath):
            patterns.setdefault(path.pattern.text, []).append(route)
        elif isinstance(path, PrefixPath):
            self._prefixes.add(path.segments, route)

    def match(self, head: RequestHead) -> Matched | None:
        """The first route in effective order that matches ``head``, None without one."""
        path = head.path
        facts = Facts(head)
        best: Entry | None = None
        limit = NEVER
        bucket = self._exact.get(path)
        if bucket is not None:
            best = bucket.find(facts, limit)
            if best is not None:
                limit = best.rank
        if self._templates.first_rank < limit:
            best = _improve(self._templates.find(path), facts, best)
            limit = NEVER if best is None else best.rank
        if self._patterns and self._patterns[0][0] < limit:
            best = self._match_patterns(path, facts, best)
            limit = NEVER if best is None else best.rank
        if self._prefixes.first_rank < limit:
            best = _improve(self._prefixes.find(path), facts, best)
        if best is None:
            return None
        route = best.owner
        assert isinstance(route, CompiledRoute)
        captures, rest = best.bind(path)
        return Matched(route, captures, rest, not facts.looked)

    def has_path(self, path: str) -> bool:
        """Whether routes ask for just this path."""
        return path in self._exact

    def names_under(self, directory: Sequence[str], rank: int) -> Collection[str] | None:
        """Of paths of one more segment than ``directory``: the last ones that may lead elsewhere than others do.

        None: that cannot be told by names. ``rank``: of the route where the others lead. For ``has_path``, look there.
        """
        if self._patterns and self._patterns[0][0] < rank:
            return None
        names = self._templates.names_under(directory)
        return None if names is None else frozenset(names).union(self._prefixes.names_under(directory))

    def _match_patterns(self, path: str, facts: Facts, best: Entry | None) -> Entry | None:
        text = path.encode()
        limit = NEVER if best is None else best.rank
        for first_rank, pattern, bucket in self._patterns:
            if first_rank >= limit:
                break
            if pattern.matches(text):
                found = bucket.find(facts, limit)
                if found is not None:
                    best, limit = found, found.rank
        return best


def _seal_patterns(patterns: dict[str, list[CompiledRoute]]) -> tuple[tuple[int, Pattern, Bucket], ...]:
    """By the lowest rank that a pattern can give."""
    sealed: list[tuple[int, Pattern, Bucket]] = []
    for routes in patterns.values():
        path = routes[0].match.path
        assert isinstance(path, RegexPath)
        sealed.append((routes[0].rank, path.pattern, Bucket(routes)))
    return tuple(sorted(sealed, key=lambda one: one[0]))


def _improve(buckets: Sequence[Bucket], facts: Facts, best: Entry | None) -> Entry | None:
    limit = NEVER if best is None else best.rank
    for bucket in buckets:
        if bucket.first_rank < limit:
            found = bucket.find(facts, limit)
            if found is not None:
                best, limit = found, found.rank
    return best


class RouteTable:
    """A snapshot, compiled. ``version`` is the snapshot's."""

    __slots__ = ("_domains", "_hosts", "snapshot", "version", "virtual_services")

    def __init__(self, snapshot: Snapshot, virtual_services: tuple[CompiledVirtualService, ...]) -> None:
        self.snapshot = snapshot
        self.version = snapshot.version
        self.virtual_services = virtual_services
        self._domains: dict[str, CompiledVirtualService] = {}
        self._hosts: dict[str, CompiledVirtualService | None] = {}  # what was found before
        for service in virtual_services:
            for domain in service.domains:
                self._domains.setdefault(domain, service)

    @classmethod
    def compile(cls, snapshot: Snapshot, last: RouteTable | None = None) -> RouteTable:
        """Never raises for a bad definition: such a route answers with its problem or matches nothing."""
        return finish(cls.compile_by_steps(snapshot, last))

    @classmethod
    def compile_by_steps(cls, snapshot: Snapshot, last: RouteTable | None) -> Generator[None, None, RouteTable]:
        """``compile``, with a pause after each step."""
        known = {} if last is None else {service.name: service for service in last.virtual_services}
        services: list[CompiledVirtualService] = []
        for served in snapshot.virtual_services:
            service = known.get(served.name)
            if service is None or service.served is not served:
                former, service = service, CompiledVirtualService(served)
                yield from service.fill(former)
            services.append(service)
        return cls(snapshot, tuple(services))

    def find_virtual_service(self, host: str) -> CompiledVirtualService | None:
        """The virtual service with the most specific domain for ``host`` (a Host header's text will do)."""
        try:
            return self._hosts[host]
        except KeyError:
            found = find_domain(self._domains, normalize_host(host))
            if len(self._hosts) >= MAX_HOSTS:
                self._hosts.clear()
            self._hosts[host] = found
            return found
