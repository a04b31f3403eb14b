"""Request bodies: bytes off the wire, JSON or YAML by content type, never more than the limit.

Reading happens on the event loop, parsing in the thread of the handler: a large document stops nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from admin_api.problems import TooLargeError
from coalmine.errors import DefinitionError, Fault, MalformedError
from coalmine.reading import read_all, read_text

# A configuration of 10,000 routes is about 5 MB of YAML.
MAX_BODY_BYTES = 16 * 1024 * 1024

JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})
YAML_TYPES = frozenset({"application/yaml", "text/yaml", "application/x-yaml", "text/x-yaml"})


def essence(content_type: str | None) -> str:
    """``type/subtype`` in lower case, without parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def is_readable(content_type: str | None) -> bool:
    return essence(content_type) in JSON_TYPES | YAML_TYPES


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it came; that it says to be JSON or YAML was checked by ``security``. Which of the two it is, the
    text itself tells. ``parse`` methods raise MalformedError and DefinitionError."""

    data: bytes

    def parse(self) -> Any:
        """The one JSON value or YAML document."""
        self._check()
        return read_text(self.data, unique_keys=True)

    def parse_all(self) -> list[Any]:
        """All documents of a YAML stream; a JSON text is one."""
        self._check()
        return [document for document in read_all(self.data, unique_keys=True) if document is not None]

    def parse_object(self) -> dict[str, Any]:
        """The one object; the read-only ``status`` of a representation is taken out again."""
        value = self.parse()
        if not isinstance(value, dict):
            raise DefinitionError([Fault("", "wrong_type", "the body should be an object")])
        return {key: part for key, part in value.items() if key != "status"}

    def _check(self) -> None:
        if not self.data.strip():
            raise MalformedError("the body is empty", hint="send a JSON or YAML body")


async def _read_body(request: Request) -> Body:
    """Starlette's own limit answers in plain text, and FastAPI's is built on it."""
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise TooLargeError(f"the body has more than {MAX_BODY_BYTES} bytes", hint="send it in parts")
            chunks.append(chunk)
    except ClientDisconnect:
        raise MalformedError("the client went away before the body was complete") from None
    return Body(b"".join(chunks))


HasBody = Annotated[Body, Depends(_read_body)]
