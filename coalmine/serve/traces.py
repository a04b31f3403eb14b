"""Whether traces can be sent: what they need is an extra, and a worker that lacks it would say so too late."""

from __future__ import annotations

from importlib.util import find_spec

from coalmine.errors import StartupError
from coalmine.settings import Settings

_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def check_traces(settings: Settings) -> None:
    """Raises StartupError where traces are wanted and what makes them is not installed."""
    if settings.traces and not all(map(_is_there, _NEEDED)):
        raise StartupError(
            "--traces needs OpenTelemetry, which is not installed",
            hint="install it with the extra: pip install 'coalmine[otel]'",
        )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False
