"""TLS: certificates and keys from files, and what the listener and connections to upstreams make of them."""

from coalmine.tls.certificate import Certificate, parse_certificate
from coalmine.tls.client import ClientTls, default_tls, explain, list_faults
from coalmine.tls.files import Stamp, TlsError, take_stamps
from coalmine.tls.identity import Pair
from coalmine.tls.server import Identity, ServerFiles, ServerTls, load_server

__all__ = [
    "Certificate",
    "ClientTls",
    "Identity",
    "Pair",
    "ServerFiles",
    "ServerTls",
    "Stamp",
    "TlsError",
    "default_tls",
    "explain",
    "list_faults",
    "load_server",
    "parse_certificate",
    "take_stamps",
]
