"""TLS: certificates and keys from files, and what the listener makes of them.

What connections to upstreams make of them is in ``client``, which knows definitions; the supervisor needs none of that.
"""

from coalmine.tls.certificate import Certificate, parse_certificate
from coalmine.tls.files import Stamp, TlsError, take_stamps
from coalmine.tls.identity import Pair
from coalmine.tls.server import LISTENER, Identity, ServerFiles, ServerTls, load_server
from coalmine.tls.spare import Spare, make_spare

__all__ = [
    "LISTENER",
    "Certificate",
    "Identity",
    "Pair",
    "ServerFiles",
    "ServerTls",
    "Spare",
    "Stamp",
    "TlsError",
    "load_server",
    "make_spare",
    "parse_certificate",
    "take_stamps",
]
