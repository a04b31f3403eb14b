"""``coalmine doctor``: what this machine has to do with whether Coalmine works."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import typer

from coalmine import __version__
from coalmine.cli.output import Output
from coalmine.cli.shell import Shell, reads
from coalmine.errors import CoalmineError, StartupError
from coalmine.settings import Settings, parse_address

# Let's Encrypt renews when a third of 90 days is left; with so few, somebody has to look.
_FEW_DAYS = 14
_OLDEST_PYTHON = (3, 11)
_SQLITE_MAGIC = b"SQLite format 3\x00"  # https://www.sqlite.org/fileformat.html, section 1.3


class Finding(NamedTuple):
    """One thing that was looked at. ``bad`` makes doctor's exit code 1."""

    what: str
    verdict: Literal["good", "note", "bad"]
    detail: str


def register(app: typer.Typer) -> None:
    app.command("doctor", help=_doctor.__doc__)(reads(_doctor))


def _doctor(shell: Shell) -> None:
    """Checks Python, the installation, ports, the database and the admin API. Exit code 1: something is bad."""
    findings = [*look_at_installation(), *look_at_settings(), look_at_admin_api(shell)]
    rows = [finding._asdict() for finding in findings]
    shell.show(rows, lambda _: (("WHAT", "VERDICT", "DETAIL"), findings))
    if shell.output is not Output.curl and any(finding.verdict == "bad" for finding in findings):
        raise typer.Exit(1)


def look_at_installation() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info[:2] < _OLDEST_PYTHON
    yield Finding("python", "bad" if old else "good", f"{version}, {sys.executable}")
    yield Finding("coalmine", "good", f"{__version__}, {Path(__file__).resolve().parent.parent}")
    from coalmine.serve.ownership import NAMES, find_foreign_owners

    faults = find_foreign_owners()
    for fault in faults:
        yield Finding("import names", "bad", fault)
    if not faults:
        yield Finding("import names", "good", f"{', '.join(NAMES)} are Coalmine's own")


def look_at_settings() -> Iterator[Finding]:
    """What serve would use, by the environment."""
    try:
        from coalmine.serve.settings_file import read_settings

        settings = read_settings({}, os.environ)
    except StartupError as error:
        yield Finding("settings", "bad", error.detail)
        return
    yield look_at_port("proxy", settings.proxy)
    if settings.proxy_tls:
        yield look_at_port("proxy https", settings.proxy_tls)
        yield from look_at_certificates(settings)
    yield look_at_port("admin", settings.admin)
    yield look_at_database(settings)


def look_at_port(name: str, address: str) -> Finding:
    host, port = parse_address(address)
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return Finding(f"{name} port", "good", f"{address} is free")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return Finding(f"{name} port", "note", f"{address} is in use; by a running Coalmine, if all is well")
        return Finding(f"{name} port", "bad", f"{address}: {error.strerror}")


def look_at_certificates(settings: Settings) -> Iterator[Finding]:
    from coalmine.serve.certificates import check_certificates

    try:
        loaded = check_certificates(settings)
    except StartupError as error:
        yield Finding("certificate", "bad", f"{error.detail}{f'; {error.hint}' if error.hint else ''}")
        return
    for identity in loaded.identities if loaded is not None else ():
        days = (identity.certificate.not_after - datetime.now(UTC)).days
        detail = f"{', '.join(identity.certificate.names)}: {days} days left ({identity.pair.certificate})"
        yield Finding("certificate", "good" if days >= _FEW_DAYS else "note", detail)
        if Path(identity.pair.key).stat().st_mode & 0o004:
            yield Finding("private key", "note", f"every user of this machine can read {identity.pair.key}")


def look_at_database(settings: Settings) -> Finding:
    prefix, _, name = settings.database.partition(":///")
    if prefix != "sqlite" or not name:
        return Finding("database", "bad", f"{settings.database} is not a SQLite URL such as sqlite:///coalmine.db")
    path = Path(name)
    try:
        if not path.exists():
            folder = path.resolve().parent
            writable = folder.is_dir() and os.access(folder, os.W_OK)
            detail = f"{path} will be made" if writable else f"{folder} is no folder that can be written to"
            return Finding("database", "good" if writable else "bad", detail)
        with path.open("rb") as file:
            magic = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        return Finding("database", "bad", f"{path}: {error.strerror}")
    if magic not in (b"", _SQLITE_MAGIC):
        return Finding("database", "bad", f"{path} is not a SQLite database")
    writable = os.access(path, os.W_OK)
    return Finding("database", "good" if writable else "bad", f"{path} is {'there' if writable else 'read-only'}")


def look_at_admin_api(shell: Shell) -> Finding:
    try:
        shell.fetch("/upstreams", {"limit": "1"})
    except CoalmineError as error:
        hint = f"; {error.hint}" if error.hint else ""
        return Finding("admin API", "note", f"{error.detail}{hint}")
    return Finding("admin API", "good", f"{shell.admin_url} answers")
