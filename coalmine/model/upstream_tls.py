"""How an upstream that speaks https is to be trusted, and what it is shown. This file performs no I/O.

Private keys are named and never held: what no definition contains, no API, dump, revision or snapshot can give away
(docs/decisions/0010-keys-stay-in-files.md). Whether the files can be used is judged where they are read.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from coalmine.model.base import Definition

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_file(value: str) -> str:
    if not value.startswith("/") or _CONTROL.search(value):
        raise ValueError(f"{value!r} is not the absolute path of a file, such as /etc/coalmine/ca.pem")
    return value


def check_certificates(value: str) -> str:
    if "-----BEGIN CERTIFICATE-----" not in value:
        raise ValueError("this should be certificates as PEM text; for a file there is ca_file")
    if "PRIVATE KEY-----" in value:
        raise ValueError("there is a private key in it, which has to stay out of definitions")
    return value


def check_server_name(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        pass
    if len(value) > 253 or not _HOST_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a host name")
    return value.lower()


FilePath = Annotated[str, Field(max_length=4_096), AfterValidator(check_file)]


class UpstreamTls(Definition):
    """Without it, or with nothing in it: verified by the system's authorities and the endpoint's own host name."""

    ca_file: FilePath | None = Field(
        None, description="PEM file of the authorities that vouch for it, instead of the system's"
    )
    ca: Annotated[str, AfterValidator(check_certificates)] | None = Field(
        None, max_length=1_000_000, description="the same as PEM text"
    )
    server_name: Annotated[str, AfterValidator(check_server_name)] | None = Field(
        None, description="the name it is asked for by SNI and has to prove, instead of the endpoint's host"
    )
    client_certificate_file: FilePath | None = Field(
        None, description="PEM file of the certificate that it is shown, its chain behind it"
    )
    client_key_file: FilePath | None = Field(
        None, description="PEM file of its private key; absent: the key is in client_certificate_file"
    )
    verify: bool = Field(True, description="false: anybody may pass for it; a warning stands as long as it does")

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.ca_file is not None and self.ca is not None:
            raise ValueError("give one of ca_file and ca")
        if self.client_key_file is not None and self.client_certificate_file is None:
            raise ValueError("client_key_file needs client_certificate_file")
        if not self.verify and (self.ca_file is not None or self.ca is not None):
            raise ValueError("verify: false asks nobody, so there is no use for ca_file or ca")
        return self
