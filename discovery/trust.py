"""Whom a probe trusts over TLS, and whom it shows the upstream's client certificate.

Rule: the upstream's own ``tls`` is for its endpoints. A document elsewhere (``document_url``) is verified by its own
host name, by the same authorities; it is shown no certificate, and ``verify: false`` does not count there.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from coalmine.model import Upstream, UpstreamTls
from coalmine.tls.client import ClientTls, default_tls

Origin = tuple[str, str, int]
# Kept at once; those of upstreams that are no more go when there are so many.
_MOST = 10_000


class Trust:
    """Of one upstream."""

    def __init__(self, upstream: Upstream, origin_of: Callable[[str], Origin]) -> None:
        self.tls = upstream.tls
        self.endpoints = upstream.endpoints
        self._own = {origin_of(endpoint) for endpoint in upstream.endpoints}
        self._here = _make(upstream.tls, upstream.name)
        ca = upstream.tls and UpstreamTls(ca=upstream.tls.ca, ca_file=upstream.tls.ca_file)
        self._elsewhere = _make(ca, upstream.name)

    async def choose(self, origin: Origin) -> tuple[ssl.SSLContext, str] | None:
        """The context, and the name that the certificate must have; None: it is not https. Raises TlsError."""
        scheme, host, _ = origin
        if scheme != "https":
            return None
        tls = self._here if origin in self._own else self._elsewhere
        found = tls.find_context()
        if found is None:
            found = await asyncio.to_thread(tls.read)
        return found, tls.server_name(host)


def _make(definition: UpstreamTls | None, name: str) -> ClientTls:
    return default_tls() if definition is None else ClientTls(definition, f"upstreams/{name}")


class Trusts:
    """Those of all upstreams, kept from probe to probe: files are read when they change, and not each time."""

    def __init__(self, origin_of: Callable[[str], Origin]) -> None:
        self._origin_of = origin_of
        self._known: dict[str, Trust] = {}

    def find(self, upstream: Upstream) -> Trust:
        if upstream.tls is None:
            return Trust(upstream, self._origin_of)
        if len(self._known) >= _MOST:
            self._known.clear()
        found = self._known.get(upstream.name)
        if found is None or (found.tls, found.endpoints) != (upstream.tls, upstream.endpoints):
            found = self._known[upstream.name] = Trust(upstream, self._origin_of)
        return found
