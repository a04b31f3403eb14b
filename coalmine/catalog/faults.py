"""SQLite's errors in the operator's words, translated once, here.

The table is walked by SQLite's primary result code (https://www.sqlite.org/rescode.html).
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import exc

from coalmine.errors import CatalogError

_RESTORE = "stop Coalmine and restore a backup; `sqlite3 FILE .recover` may save what is left"

# result code: (what is wrong, what to do)
_WORDS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_PERM: ("may not be accessed", "let this user read and write the file and its directory"),
    sqlite3.SQLITE_BUSY: ("is locked by another process", "close the program that holds it and try again"),
    sqlite3.SQLITE_LOCKED: ("is locked by another process", "close the program that holds it and try again"),
    sqlite3.SQLITE_NOMEM: ("cannot be read: out of memory", "free memory and try again"),
    sqlite3.SQLITE_READONLY: ("is read-only", "let this user write the file and its directory"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", "look at the disk and system log"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _RESTORE),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "free space and try again; nothing was changed"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "see that the file and its directory exist and can be written"),
    sqlite3.SQLITE_PROTOCOL: ("is locked by another process", "close the program that holds it and try again"),
    sqlite3.SQLITE_SCHEMA: ("has another schema than expected", "restart Coalmine, which migrates it"),
    sqlite3.SQLITE_TOOBIG: ("cannot hold an object of this size", "make the object smaller"),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database", "give another file, or move this one away"),
}


_OS_CODES = {
    errno.EACCES: sqlite3.SQLITE_PERM,
    errno.EPERM: sqlite3.SQLITE_PERM,
    errno.EROFS: sqlite3.SQLITE_READONLY,
    errno.EIO: sqlite3.SQLITE_IOERR,
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EDQUOT: sqlite3.SQLITE_FULL,
    errno.ENOMEM: sqlite3.SQLITE_NOMEM,
}


@contextmanager
def reached(path: Path) -> Iterator[None]:
    """Turn what the operating system says of the file inside into CatalogError."""
    try:
        yield
    except OSError as error:
        what, hint = _WORDS[_OS_CODES.get(error.errno or 0, sqlite3.SQLITE_CANTOPEN)]
        raise CatalogError(f"the database {path} {what} ({error.strerror})", hint=hint) from error


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and SQLAlchemy raise inside into CatalogError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(path, error) from error
    except exc.DBAPIError as error:
        raise _translate(path, error.orig) from error
    except UnicodeDecodeError as error:  # the driver meets text that is none, even in SQLite's own messages
        raise CatalogError(f"the database {path} is damaged ({error.reason})", hint=_RESTORE) from error
    except exc.TimeoutError as error:
        raise CatalogError(f"the database {path} has too much to do", hint="try again") from error


def _translate(path: Path, error: BaseException | None) -> CatalogError:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _WORDS:
        what, hint = _WORDS[code & 0xFF]
        return CatalogError(f"the database {path} {what} ({error})", hint=hint)
    if "no such table" in str(error):
        return CatalogError(f"the database {path} has no tables yet", hint="migrate it first: coalmine serve does")
    return CatalogError(f"the database {path} refuses: {error}")


def damaged(path: Path, where: str, why: str) -> CatalogError:
    """A row whose document is not what was written."""
    return CatalogError(f"{where} in the database {path} is damaged: {why}", hint=_RESTORE)
