"""Bodies, undone from gzip with a bound on what comes out. This file performs no I/O.

The bound is checked while inflating, never after: 16 kB of gzip can stand for 16 MB, and 16 MB for 16 GB.
"""

from __future__ import annotations

import zlib

_GZIP_MAGIC = b"\x1f\x8b"
_WBITS_GZIP = 31  # zlib's way of saying: gzip header and trailer
_IDENTITY = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})


class TooLargeError(Exception):
    pass


class BadEncodingError(Exception):
    """The text says what is wrong."""


class Body:
    """Collects a body piece by piece; ``add`` and ``finish`` raise ``TooLargeError`` and ``BadEncodingError``."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        encoding = encoding.strip().lower()
        if encoding not in _IDENTITY | _GZIP:
            raise BadEncodingError(f"the content encoding {encoding[:40]!r} was not asked for and is not read")
        self._inflater = zlib.decompressobj(_WBITS_GZIP) if encoding in _GZIP else None
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        if self._inflater is None:
            self._keep(data)
            return
        while data:
            if self._inflater.eof:
                raise BadEncodingError("something follows the end of the gzip data")
            try:
                # One more than allowed, so that exactly the limit still passes.
                self._keep(self._inflater.decompress(data, self._max_bytes - self._size + 1))
            except zlib.error:
                raise BadEncodingError("the body is not the gzip data that it claims to be") from None
            if self._inflater.unused_data:
                raise BadEncodingError("something follows the end of the gzip data")
            data = self._inflater.unconsumed_tail

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._max_bytes:
            raise TooLargeError
        self._parts.append(data)

    def finish(self) -> bytes:
        """The whole body. A document that is stored as .gz is inflated too, once."""
        if self._inflater is not None and not self._inflater.eof:
            raise BadEncodingError("the gzip data ends before its end")
        data = b"".join(self._parts)
        if not data.startswith(_GZIP_MAGIC):
            return data
        if self._inflater is not None:
            raise BadEncodingError("the body is compressed twice")
        inner = Body("gzip", self._max_bytes)
        inner.add(data)
        return inner.finish()
