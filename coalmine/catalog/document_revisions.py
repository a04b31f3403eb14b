"""What the documents of an upstream were: one revision for every content that they had, a bounded number kept.

Rule 1: whatever differs in a byte from the newest revision is a new one.
Rule 2: where there are more than are kept, those go first that tell nothing which the next one does not (a document
    with the time of day in it makes one at every probe), then the oldest.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Table, delete, func, insert, select
from sqlmodel import Session

from coalmine.catalog.documents import read_document, write_document
from coalmine.catalog.paging import Page, check_limit, read_cursor, write_cursor
from coalmine.catalog.rows import DocumentRevisionRow
from coalmine.errors import CatalogError, CoalmineError, NotFoundError
from coalmine.model import Document, DocumentContent, DocumentRevision, Function, KeptDocument

_row: Table = DocumentRevisionRow.__table__  # type: ignore[attr-defined]
DEFAULT_KEPT = 10  # the setting document_revisions decides
# Original texts that deflate to more than this are not kept: the largest real documents (10 MB) need 1 MB.
_MAX_TEXTS = 2 * 1024 * 1024
# Documents deflate well, and what is read back was written here: still, a damaged one must not fill the memory.
_MAX_INFLATED = 256 * 1024 * 1024


class DocumentRevisions:
    """The revisions of documents as one transaction sees them."""

    def __init__(self, session: Session, damaged: Callable[[str, str], CatalogError]) -> None:
        self._session = session
        self._damaged = damaged

    def page(self, upstream: str, *, cursor: str | None = None, limit: int = 100) -> Page[DocumentRevision]:
        """Newest first."""
        total = self._execute(select(func.count()).where(_row.c.upstream == upstream)).scalar_one()
        query = select(_row.c.number, _row.c.seal, _row.c.document).where(_row.c.upstream == upstream)
        if cursor is not None:
            query = query.where(_row.c.number < _read_number(cursor))
        rows = list(self._execute(query.order_by(_row.c.number.desc()).limit(check_limit(limit) + 1)))
        more = write_cursor((str(rows[limit - 1][0]),)) if len(rows) > limit else None
        return Page(tuple(self._parse(upstream, *row) for row in rows[:limit]), more, total)

    def get(self, upstream: str, number: int) -> DocumentRevision:
        query = select(_row.c.number, _row.c.seal, _row.c.document).where(*_is(upstream, number))
        found = self._execute(query).first()
        if found is None:
            numbers = self.numbers(upstream)
            kept = f"kept are {', '.join(map(str, numbers))}" if numbers else "none is kept"
            raise NotFoundError(f"the documents of {upstream!r} have no revision {number}", hint=kept)
        return self._parse(upstream, *found)

    def numbers(self, upstream: str) -> list[int]:
        """Of those that are kept, oldest first."""
        query = select(_row.c.number).where(_row.c.upstream == upstream).order_by(_row.c.number)
        return [number for (number,) in self._execute(query)]

    def newest_digest(self, upstream: str) -> str | None:
        """What ``digest_of`` says of the documents of the newest revision; None where there is none."""
        query = select(_row.c.digest).where(_row.c.upstream == upstream).order_by(_row.c.number.desc()).limit(1)
        found: str | None = self._execute(query).scalar_one_or_none()
        return found

    def get_content(self, upstream: str, number: int) -> DocumentContent:
        """What was read of the documents; raises NotFoundError."""
        self.get(upstream, number)
        text = self._inflate(upstream, number, self._blob(_row.c.content, upstream, number))
        try:
            return DocumentContent.model_validate_json(text)
        except ValidationError as error:
            raise self._error(upstream, number, f"its content is none ({error.errors()[0]['msg']})") from None

    def find_texts(self, upstream: str, number: int) -> dict[str, bytes] | None:
        """The documents as they came, by URL; None where they were too large to keep. Raises NotFoundError."""
        self.get(upstream, number)
        blob = self._blob(_row.c.texts, upstream, number)
        if blob is None:
            return None
        sizes, _, rest = self._inflate(upstream, number, blob).partition(b"\n")
        texts: dict[str, bytes] = {}
        for url, size in json.loads(sizes):
            texts[url], rest = rest[:size], rest[size:]
        return texts

    def add(
        self,
        upstream: str,
        documents: Sequence[Document],
        functions: Sequence[Function],
        texts: Mapping[str, bytes],
        keep: int,
    ) -> int | None:
        """The number of the new revision; None where ``documents`` are those of the newest one."""
        digest = digest_of(documents)
        if self.newest_digest(upstream) == digest:
            return None
        content = DocumentContent(
            functions=tuple(functions), components={document.url: document.components for document in documents}
        )
        number = max(self.numbers(upstream), default=0) + 1
        document, seal = write_document(_describe(upstream, number, documents, len(functions)))
        row = {"upstream": upstream, "number": number, "digest": digest, "seal": seal, "document": document}
        blobs = {"content": zlib.compress(content.model_dump_json(by_alias=True).encode()), "texts": _pack(texts)}
        self._execute(insert(_row).values(**row, read_digest=_digest_content(content), **blobs))
        self._trim(upstream, keep)
        return number

    def _trim(self, upstream: str, keep: int) -> None:
        query = select(_row.c.number, _row.c.read_digest).where(_row.c.upstream == upstream).order_by(_row.c.number)
        kept = [tuple(row) for row in self._execute(query)]
        while len(kept) > max(1, keep):
            same = (place for place in range(len(kept) - 1) if kept[place][1] == kept[place + 1][1])
            number, _ = kept.pop(next(same, 0))
            self._execute(delete(_row).where(*_is(upstream, number)))

    def _blob(self, column: Any, upstream: str, number: int) -> Any:
        return self._execute(select(column).where(*_is(upstream, number))).scalar_one()

    def _inflate(self, upstream: str, number: int, blob: bytes) -> bytes:
        inflater = zlib.decompressobj()
        try:
            text = inflater.decompress(blob, _MAX_INFLATED)
        except zlib.error as error:
            raise self._error(upstream, number, str(error)) from None
        if not inflater.eof:
            raise self._error(upstream, number, "it has no end")
        return text

    def _parse(self, upstream: str, number: int, seal: str, document: str) -> DocumentRevision:
        return read_document(DocumentRevision, document, seal, lambda why: self._error(upstream, number, why))

    def _error(self, upstream: str, number: int, why: str) -> CatalogError:
        return self._damaged(f"revision {number} of the documents of {upstream}", why)

    def _execute(self, statement: Any) -> Any:
        return self._session.connection().execute(statement)


def digest_of(documents: Iterable[Document]) -> str:
    """Tells one content of documents from another, wherever they were found."""
    return hashlib.sha256("\n".join(sorted(document.content_hash for document in documents)).encode()).hexdigest()


def _describe(upstream: str, number: int, documents: Sequence[Document], functions: int) -> DocumentRevision:
    kept = tuple(KeptDocument(**{key: getattr(one, key) for key in KeptDocument.model_fields}) for one in documents)
    fetched_at = max(document.fetched_at for document in documents)
    return DocumentRevision(
        upstream=upstream, number=number, fetched_at=fetched_at, function_count=functions, documents=kept
    )


def _digest_content(content: DocumentContent) -> str:
    times = {"first_seen", "last_seen"}
    functions = sorted(content.functions, key=lambda function: function.name)
    read = [[one.model_dump_json(exclude=times) for one in functions], content.components]
    return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()


def _pack(texts: Mapping[str, bytes]) -> bytes | None:
    """A line that says how long each is, then all of them: documents come in any encoding."""
    sizes = json.dumps([[url, len(text)] for url, text in texts.items()]).encode()
    packed = zlib.compress(b"\n".join([sizes, b"".join(texts.values())]))
    return packed if len(packed) <= _MAX_TEXTS else None


def _is(upstream: str, number: int) -> tuple[Any, Any]:
    return _row.c.upstream == upstream, _row.c.number == number


def _read_number(cursor: str) -> int:
    (text,) = read_cursor(cursor, 1)
    if not text.isdecimal() or len(text) > 18:
        raise CoalmineError(
            "the cursor is not one that a listing gave out", code="invalid_query", hint="leave cursor away to start"
        )
    return int(text)
