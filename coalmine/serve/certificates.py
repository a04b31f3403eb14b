"""The files of the TLS listener, as the settings name them, and whether they can be used."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from coalmine.errors import StartupError
from coalmine.settings import Settings
from coalmine.tls import Pair, ServerFiles, ServerTls, Spare, TlsError, load_server


def find_server_files(settings: Settings) -> ServerFiles | None:
    """None: there is no TLS listener. Raises StartupError where certificates and keys do not pair up."""
    certificates, keys = _split(settings.tls_certificate), _split(settings.tls_key)
    if not settings.proxy_tls:
        return None
    if keys and len(keys) != len(certificates):
        raise StartupError(
            f"--tls-certificate names {len(certificates)} files and --tls-key {len(keys)}",
            hint="give one key for each certificate, in the same order, or no keys where they are in the same files",
        )
    pairs = tuple(map(Pair, certificates, keys or certificates))
    return ServerFiles(pairs, str(Path(settings.tls_client_ca).absolute()) if settings.tls_client_ca else None)


def check_certificates(settings: Settings, spare: Spare | None = None) -> ServerTls | None:
    """What the listener will show, put into ``spare``.

    Raises StartupError for files that cannot be used, or that no client would take.
    """
    files = find_server_files(settings)
    if files is None:
        return None
    try:
        loaded = load_server(files)
    except TlsError as error:
        raise StartupError(f"--tls-certificate: {error.detail}", hint=error.hint) from None
    fault = loaded.find_fault(datetime.now(UTC))
    if fault is not None:
        raise StartupError(f"--tls-certificate: {fault.detail}", hint=fault.hint)
    if spare is not None:
        spare.put(files)
    return loaded


def _split(text: str) -> list[str]:
    return [str(Path(part.strip()).absolute()) for part in text.split(",") if part.strip()]
