"""What is defined, by name. This file performs no I/O."""

from __future__ import annotations

from functools import cached_property

from coalmine.model import Definitions, Document, Function
from coalmine.model.pin import Pin
from coalmine.routing.references import find_document


class Known:
    """An index over ``definitions``, which are not changed."""

    def __init__(self, definitions: Definitions) -> None:
        self.upstreams = frozenset(upstream.name for upstream in definitions.upstreams)
        self.pending = definitions.pending
        self.virtual_services = frozenset(service.name for service in definitions.virtual_services)
        self._definitions = definitions

    @cached_property
    def _functions(self) -> dict[str, dict[str, Function]]:
        found: dict[str, dict[str, Function]] = {}
        for function in self._definitions.functions:
            found.setdefault(function.upstream, {})[function.name] = function
        return found

    def find_function(self, upstream: str, name: str) -> Function | None:
        return self._functions.get(upstream, {}).get(name)

    @cached_property
    def _pins(self) -> dict[tuple[str, str, str], Pin]:
        return {(f"routes/{pin.route}", pin.upstream, pin.function): pin for pin in self._definitions.pins}

    def find_pin(self, where: str, upstream: str, function: str) -> Pin | None:
        """What the definition called ``where`` (``routes/find-pets``) goes on with instead of the function."""
        return self._pins.get((where, upstream, function))

    def find_document(self, function: Function) -> Document | None:
        """The one that the schemas of ``function`` refer to."""
        of_upstream = (one for one in self._definitions.documents if one.upstream == function.upstream)
        return find_document(of_upstream, function.document_url)

    def function_names(self, upstream: str) -> list[str]:
        return list(self._functions.get(upstream, {}))

    def upstreams_with(self, function: str) -> list[str]:
        """The upstreams that have a function of that name."""
        return sorted(upstream for upstream, functions in self._functions.items() if function in functions)
