"""How discovery behaves, as one frozen value. This file performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from coalmine import __version__
from coalmine.settings import Settings


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """``timeout_seconds`` is for one document, everything included; ``max_bytes`` counts after decompression."""

    enabled: bool = True
    mode: str = "deny"  # of DISCOVERY_MODES
    timeout_seconds: float = 10.0
    max_bytes: int = 16 * 1024 * 1024
    allow_link_local: bool = False
    user_agent: str = f"coalmine/{__version__} (function discovery)"
    # At once overall: enough that 100 new upstreams are known in seconds, few enough to stay unnoticed.
    max_at_once: int = 32
    # At once to one host name, on which several upstreams may live.
    max_per_host: int = 4
    # A whole search, which tries some forty paths: as long as this many documents may take.
    search_timeouts: int = 3

    @classmethod
    def of(cls, settings: Settings) -> ProbeOptions:
        return cls(
            enabled=settings.discovery,
            mode=settings.discovery_mode,
            timeout_seconds=settings.probe_timeout_seconds,
            max_bytes=settings.max_document_bytes,
            allow_link_local=settings.allow_link_local,
        )
