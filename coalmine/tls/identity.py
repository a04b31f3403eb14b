"""A certificate and its private key, ready for use: the listener's, or the one shown to an upstream."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime

from coalmine.tls.certificate import Certificate
from coalmine.tls.files import TlsError, check_key, list_certificates, read_text

# OpenSSL's words for what operators get wrong, and ours.
_MISMATCH = (
    "the private key in {key} does not belong to the certificate in {certificate}",
    "give the key it was made with; where the file has a chain, the certificate itself stands first",
)
_REASONS = {
    "KEY_VALUES_MISMATCH": _MISMATCH,
    "KEY_TYPE_MISMATCH": _MISMATCH,
    "NO_CERTIFICATE_ASSIGNED": _MISMATCH,  # it has no certificate for that kind of key: RSA for one, ECDSA for another
    "EE_KEY_TOO_SMALL": ("the key of the certificate in {certificate} is too small", "use RSA of 2048 bits, or ECDSA"),
    "CA_MD_TOO_WEAK": ("the certificate in {certificate} is signed with a digest that is no longer safe", None),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Files of PEM text: the certificate with its chain, and the key (which may be the same file)."""

    certificate: str
    key: str


def _refuse_to_ask() -> str:
    raise TlsError("the private key is encrypted")


def load_pair(context: ssl.SSLContext, pair: Pair) -> Certificate:
    """Make ``context`` show the certificate; gives what that says. Raises TlsError."""
    chain = list_certificates(read_text(pair.certificate), pair.certificate)
    check_key(read_text(pair.key), pair.key)
    try:
        context.load_cert_chain(pair.certificate, pair.key, password=_refuse_to_ask)
    except ssl.SSLError as error:
        raise _explain(error, pair) from None
    except OSError as error:  # it has gone since it was read
        raise TlsError(f"{pair.certificate} and {pair.key} cannot be read: {error.strerror}") from None
    return chain[0]


def _explain(error: ssl.SSLError, pair: Pair) -> TlsError:
    detail, hint = _REASONS.get(error.reason or "", (None, None))
    if detail is None:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return TlsError(f"the certificate in {pair.certificate} and the key in {pair.key} cannot be used: {reason}")
    return TlsError(detail.format(certificate=pair.certificate, key=pair.key), hint)


def find_fault_in_time(certificate: Certificate, where: str, now: datetime) -> TlsError | None:
    """Why no client would take the certificate at ``now``; None: the time is right."""
    if now > certificate.not_after:
        return TlsError(
            f"the certificate in {where} expired at {_say(certificate.not_after)}", "renew it, and name the new file"
        )
    if now < certificate.not_before:
        return TlsError(
            f"the certificate in {where} is not valid before {_say(certificate.not_before)}",
            "check this machine's clock, or wait",
        )
    return None


def _say(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
