"""The flags of an upstream's ``tls``. Paths are those of the machine that serves; relative ones are made whole here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

CaFile = Annotated[
    str | None,
    typer.Option(
        "--ca-file", help="PEM file of the authorities that vouch for it, instead of the system's", metavar="FILE"
    ),
]
ServerName = Annotated[
    str | None, typer.Option("--server-name", help="the name it is asked for (SNI) and has to prove", metavar="NAME")
]
ClientCertificate = Annotated[
    str | None,
    typer.Option("--client-certificate", help="PEM file of the certificate that it is shown", metavar="FILE"),
]
ClientKey = Annotated[
    str | None, typer.Option("--client-key", help="PEM file of the certificate's private key", metavar="FILE")
]
Verify = Annotated[
    bool | None,
    typer.Option("--verify/--no-verify", help="whether its certificate is verified at all", show_default=False),
]


def edit_tls(
    before: dict[str, Any],
    ca_file: str | None,
    server_name: str | None,
    client_certificate: str | None,
    client_key: str | None,
    verify: bool | None,
) -> dict[str, Any]:
    """``before`` with what is given; '' takes a key away. What nobody said is not there."""
    given = {
        "ca_file": _whole(ca_file),
        "server_name": server_name,
        "client_certificate_file": _whole(client_certificate),
        "client_key_file": _whole(client_key),
    }
    after = {key: value for key, value in {**before, **_said(given)}.items() if value != ""}
    if ca_file:
        after.pop("ca", None)
    if verify is not None:
        after["verify"] = verify
    return {} if after == {"verify": True} else after


def _said(values: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def _whole(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else path
