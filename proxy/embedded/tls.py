"""TLS towards upstreams: verified against the system's authorities, always. Nothing here can switch that off."""

from __future__ import annotations

import ssl
from functools import lru_cache


@lru_cache(maxsize=1)
def upstream_context() -> ssl.SSLContext:
    """One context for all https endpoints: certificates and host names are checked (RFC 9110 section 4.3.4)."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
