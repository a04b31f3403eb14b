"""Authorities and certificates made for tests, in files."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from coalmine.tls import Pair


class Authority:
    """``folder`` is where its files go; ``ca_file`` is what clients are to trust."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.ca_file = str(folder / f"{name}.pem")
        self._ca.cert_pem.write_to_path(self.ca_file)

    def issue(self, *hosts: str, name: str = "", days: tuple[float, float] = (-1, 90), key_type: str = "ECDSA") -> Pair:
        """A certificate for ``hosts``, valid between these days from now, in the files ``name``.pem and .key."""
        now = datetime.now(UTC)
        leaf = self._ca.issue_cert(
            *hosts,
            not_before=now + timedelta(days=days[0]),
            not_after=now + timedelta(days=days[1]),
            key_type=trustme.KeyType[key_type],
        )
        pair = Pair(*(str(self._folder / f"{name or hosts[0]}.{kind}") for kind in ("pem", "key")))
        replace(pair.key, leaf.private_key_pem.bytes())
        replace(pair.certificate, b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        return pair

    def client_context(self, *, alpn: tuple[str, ...] = (), pair: Pair | None = None) -> ssl.SSLContext:
        """What trusts this authority alone."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return context

    def server_context(self, pair: Pair, *, client_ca: str | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def replace(path: str, content: bytes) -> None:
    """As a renewal does it: whole, at once."""
    Path(f"{path}.new").write_bytes(content)
    Path(f"{path}.new").replace(path)


def copy(source: Pair, target: Pair) -> None:
    """What stands in the files of ``target`` is replaced by ``source``."""
    replace(target.key, Path(source.key).read_bytes())
    replace(target.certificate, Path(source.certificate).read_bytes())
