"""TLS as the proxy's listener speaks it: 1.2 and 1.3, HTTP/1.1 by ALPN, one of several certificates by SNI.

Rule 1: all files are read before any of them counts: there are the old certificates or the new ones.
Rule 2: the first certificate answers whoever asks for an unknown name or for none (RFC 6066 section 3 allows either
        that or an alert; browsers tell their users more with a certificate).
Rule 3: certificates of the same names with keys of different kinds are shown side by side: the one that the client can
        check, ECDSA where it can check both.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from coalmine.tls.certificate import Certificate, names_for
from coalmine.tls.files import TlsError, list_certificates, read_text
from coalmine.tls.identity import Pair, find_fault_in_time, load_pair

# Mozilla's "intermediate" (version 5.7) without the DHE suites, which need parameters of their own and are asked for by
# nobody who has not ECDHE. TLS 1.3 has its own three, all of them good.
CIPHERS = ":".join((
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
))  # fmt: skip
ALPN = ["http/1.1"]
# Where problems of the listener's files stand.
LISTENER = "settings/tls_certificate"


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """``client_ca``: who vouches for clients, each of which then has to show a certificate; None: nobody is asked."""

    pairs: tuple[Pair, ...]
    client_ca: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        named = [path for pair in self.pairs for path in (pair.certificate, pair.key)]
        return tuple(dict.fromkeys([*named, *([self.client_ca] if self.client_ca else [])]))


@dataclass(frozen=True, slots=True)
class Identity:
    pair: Pair
    certificate: Certificate
    context: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What was loaded. ``context`` is the first identity's, and hands over to the others."""

    identities: tuple[Identity, ...]

    @property
    def context(self) -> ssl.SSLContext:
        return self.identities[0].context

    def find_fault(self, now: datetime) -> TlsError | None:
        """Why clients would refuse one of the certificates."""
        found = (find_fault_in_time(one.certificate, one.pair.certificate, now) for one in self.identities)
        return next(filter(None, found), None)


def load_server(files: ServerFiles) -> ServerTls:
    """Raises TlsError. Whether certificates are valid now is another question (``find_fault``)."""
    loaded = ServerTls(tuple(_load(pair, files.client_ca) for pair in files.pairs))
    for position, identity in enumerate(loaded.identities):
        _add_other_kinds(identity, loaded.identities[position + 1 :])
    if len(loaded.identities) > 1:
        loaded.context.sni_callback = _make_chooser(loaded.identities)
    return loaded


def _add_other_kinds(identity: Identity, others: Sequence[Identity]) -> None:
    """OpenSSL keeps one certificate of each kind of key in a context, and chooses by what the client says it checks."""
    kinds, names = {identity.certificate.key_kind}, set(identity.certificate.names)
    for other in others:
        if other.certificate.key_kind not in kinds and names <= set(other.certificate.names):
            kinds.add(other.certificate.key_kind)
            load_pair(identity.context, other.pair)


def _make_chooser(identities: tuple[Identity, ...]) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], None]:
    """By exact name, else by wildcard, else the first one stays. It holds no reference to the context whose it is:
    a cycle would keep each set of keys in memory until the collector comes by."""
    known: dict[str, ssl.SSLContext | None] = {}
    for position, identity in enumerate(identities):
        for name in identity.certificate.names:
            known.setdefault(name, identity.context if position else None)

    def choose(connection: ssl.SSLObject, host: str | None, context: ssl.SSLContext) -> None:
        found = next((known[name] for name in names_for(host or "") if name in known), None)
        if found is not None:
            connection.context = found

    return choose


def _load(pair: Pair, client_ca: str | None) -> Identity:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(ALPN)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if client_ca is not None:
        list_certificates(read_text(client_ca), client_ca)
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return Identity(pair, load_pair(context, pair), context)
