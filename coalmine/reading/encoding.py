"""Bytes to text: UTF-8 unless the first bytes say otherwise (RFC 8259 section 8.1, YAML 1.2 section 5.2).

This file performs no I/O.
"""

from __future__ import annotations

import codecs

from coalmine.errors import MalformedError

# Longest mark first: the UTF-32 mark begins with the UTF-16 one.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)

_ZEROS = (("000x", "utf-32-be"), ("x000", "utf-32-le"), ("0x", "utf-16-be"), ("x0", "utf-16-le"))


def decode(data: bytes) -> str:
    """The text of ``data`` without its byte order mark; raises ``MalformedError`` with the byte offset."""
    encoding = _find_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedError(f"the text is not {encoding} (byte {error.start}, line {line}: {error.reason})") from None


def _find_encoding(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    # The first character is ASCII in both formats, so the place of the zero bytes shows the width (RFC 4627 section 3).
    zeros = "".join("0" if byte == 0 else "x" for byte in data[:4])
    return next((encoding for start, encoding in _ZEROS if zeros.startswith(start)), "utf-8")
