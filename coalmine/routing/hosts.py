"""Domains: which virtual service a host name belongs to.

Rule 1: this file performs no I/O.
Rule 2: an exact domain wins, then the longest ``*.suffix``, then ``*``. ``*.example.com`` takes ``a.example.com`` and
    ``a.b.example.com``, not ``example.com``.
Rule 3: hosts are compared in lower case, without port and without the dot of the root at their end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def normalize_host(raw: str) -> str:
    """``Example.COM.:8080`` is ``example.com``, ``[::1]:80`` is ``[::1]``."""
    host = raw.strip().lower()
    if not host.startswith("["):
        host = host.partition(":")[0]
    elif "]" in host:
        host = host[: host.index("]") + 1]
    return host.removesuffix(".")


def find_domain(domains: Mapping[str, T], host: str) -> T | None:
    """What the most specific of ``domains`` for ``host`` (normalised) stands for."""
    found = domains.get(host)
    if found is not None:
        return found
    # A host name has at most 127 labels (RFC 1035 section 2.3.4); longer texts are nobody's suffix.
    dot = host.find(".") if len(host) < 256 else -1
    while dot >= 0:
        found = domains.get("*" + host[dot:])
        if found is not None:
            return found
        dot = host.find(".", dot + 1)
    return domains.get("*")
