"""What serve says on standard output: one line per listening address, once everything is ready."""

from __future__ import annotations

from typing import TextIO

from coalmine.settings import Settings, parse_address

_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  compared with, not listened on


def write_addresses(settings: Settings, out: TextIO) -> None:
    out.write(f"proxy   http://{settings.proxy}\n")
    if settings.proxy_tls:
        out.write(f"proxy   https://{settings.proxy_tls}\n")
    out.write(f"admin   http://{settings.admin}\n")
    out.flush()


def reach(address: str) -> str:
    """The URL that reaches ``address`` from this machine, where it listens on every interface too."""
    host, port = parse_address(address)
    host = _ANY.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"
