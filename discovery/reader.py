"""What every part of reading a document needs: the document, its references, a place for problems.

This file performs no I/O.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from coalmine.errors import Problem
from discovery.document import Document
from discovery.found import TooManyError
from discovery.references import BrokenReferenceError, References, Resolved
from discovery.text import clean_prose

# The largest real document known has 1,100 operations; a service with more than this is an attack or a mistake,
# and would be no help in a list.
MAX_OPERATIONS = 20_000
# Parameters and responses of all operations together, and the bytes of their schemas and texts: through $refs,
# 100 kB of text can name millions, and gigabytes. The largest real document has 9,000 parts and 3 MB.
MAX_PARTS = 100_000
MAX_FUNCTION_BYTES = 32 * 1024 * 1024
# A report is for reading. What follows is counted.
MAX_PROBLEMS = 200


@dataclass(slots=True)
class Reader:
    """One document while it is read."""

    document: Document
    references: References
    url: str
    problems: list[Problem] = field(default_factory=list)
    problems_left_out: int = 0
    operations: int = 0
    parts: int = 0
    function_bytes: int = 0
    # By identity, with the schema itself, so that no other one can get its identity meanwhile.
    sizes: dict[int, tuple[Any, int]] = field(default_factory=dict)

    def report(self, code: str, pointer: str, detail: str, severity: str = "warning") -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(code, f"#{pointer}"[:500], detail[:500], severity))
        else:
            self.problems_left_out += 1

    def resolve(self, value: Any, pointer: str, what: str) -> Resolved | None:
        """What ``value`` stands for, as an object; None, and a problem, where it leads nowhere."""
        try:
            resolved = self.references.resolve(value, pointer)
        except BrokenReferenceError as error:
            self.report(error.code, pointer, f"{what}: {error}")
            return None
        if not isinstance(resolved.value, dict):
            self.report("document_invalid", pointer, f"{what} is not an object")
            return None
        return resolved

    def count_operation(self) -> None:
        self.operations += 1
        if self.operations > MAX_OPERATIONS:
            raise TooManyError(f"the document has more than {MAX_OPERATIONS} operations")

    def count_parts(self, number: int) -> None:
        self.parts += number
        if self.parts > MAX_PARTS:
            raise TooManyError(f"the operations have more than {MAX_PARTS} parameters and responses together")

    def count_schema(self, schema: Any) -> None:
        """Measured once, counted as often as it is used."""
        if id(schema) not in self.sizes:
            self.sizes[id(schema)] = (schema, len(json.dumps(schema)))
        self.count_bytes(self.sizes[id(schema)][1])

    def count_bytes(self, number: int) -> None:
        self.function_bytes += number
        if self.function_bytes > MAX_FUNCTION_BYTES:
            raise TooManyError(
                f"the operations have more than {MAX_FUNCTION_BYTES} bytes of schemas and texts together"
            )

    def prose(self, value: Any) -> str | None:
        text = clean_prose(value)
        self.count_bytes(len(text or ""))
        return text

    def all_problems(self) -> tuple[Problem, ...]:
        if not self.problems_left_out:
            return tuple(self.problems)
        more = Problem("document_invalid", "#", f"and {self.problems_left_out} more problems", "warning")
        return (*self.problems, more)
