"""How much a comparison may do. Documents of others decide how large and how deep schemas are. No I/O.

The largest schemas of real documents (Kubernetes, GitHub, Stripe) have some thousand nodes for one body.
"""

from __future__ import annotations

MAX_NODES = 50_000  # schemas, properties and values looked at, for one pair of functions
MAX_TOTAL_NODES = 1_000_000  # for one pair of documents: some ten seconds at the worst, one for the largest real ones
MAX_DEPTH = 60  # of properties in properties; readers take 200 levels of text, and a property has two or three
MAX_VALUE_DEPTH = 40  # of an enum value, a default or a condition
MAX_DIFFERENCES = 300  # of one pair of functions; nobody reads more


class OverrunError(Exception):
    """The budget is used up. Never leaves this package."""


class Budget:
    """Counts nodes down; ``whole`` is what all pairs of functions of two documents share."""

    def __init__(self, nodes: int = MAX_NODES, whole: Budget | None = None) -> None:
        self._left = nodes
        self._whole = whole

    def spend(self, nodes: int = 1) -> None:
        """Raises ``OverrunError``."""
        self._left -= nodes
        if self._whole is not None:
            self._whole.spend(nodes)
        if self._left < 0:
            raise OverrunError("there is too much to compare")
