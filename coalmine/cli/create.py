"""``coalmine create``: upstreams and virtual services."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from coalmine.cli.files import read_document
from coalmine.cli.pairs import split_commas, split_pairs
from coalmine.cli.shell import Shell, writes
from coalmine.cli.tls_flags import CaFile, ClientCertificate, ClientKey, ServerName, Verify, edit_tls

_Name = Annotated[str, typer.Option("--name", help="its name")]
_Namespace = Annotated[str | None, typer.Option("--namespace", "-n", hidden=True)]


def register(group: typer.Typer) -> None:
    upstream = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    upstream.command("static", help=_static.__doc__)(writes(_static))
    upstream.callback()(_no_options)
    group.add_typer(upstream, name="upstream", help="A service that requests can be sent to.")
    for word in ("us", "u"):
        group.add_typer(upstream, name=word, hidden=True)
    for position, word in enumerate(("virtualservice", "vs", "virtual-service")):
        group.command(word, hidden=position > 0, help=_virtual_service.__doc__)(writes(_virtual_service))


def _no_options() -> None:
    """A service that requests can be sent to."""


def _static(
    shell: Shell,
    name: _Name,
    static_hosts: Annotated[
        list[str], typer.Option("--static-hosts", help="host:port or an origin; several: commas, or again")
    ],
    tls: Annotated[
        bool, typer.Option("--static-outbound-tls", "--tls", "--use-tls", help="speak https to the hosts")
    ] = False,
    document_url: Annotated[
        str | None, typer.Option("--document-url", help="where its OpenAPI document is (default: well-known paths)")
    ] = None,
    document: Annotated[
        str | None, typer.Option("--document", help="a file with its document; the service is then not asked for one")
    ] = None,
    interval: Annotated[float | None, typer.Option("--interval", help="seconds between two probes")] = None,
    no_discovery: Annotated[bool, typer.Option("--no-discovery", help="do not look for functions")] = False,
    ca_file: CaFile = None,
    server_name: ServerName = None,
    client_certificate: ClientCertificate = None,
    client_key: ClientKey = None,
    verify: Verify = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="key=value; several: again")] = None,
    namespace: _Namespace = None,
) -> None:
    """An upstream with fixed addresses; its functions are looked for at once."""
    discovery: dict[str, Any] = {"enabled": False} if no_discovery else {}
    discovery |= {"document_url": document_url} if document_url else {}
    discovery |= {"document": read_document(document)} if document else {}
    discovery |= {"interval_seconds": interval} if interval is not None else {}
    trust = edit_tls({}, ca_file, server_name, client_certificate, client_key, verify)
    secure = tls or bool(trust)
    body: dict[str, Any] = {"name": name, "endpoints": [_origin(host, secure) for host in split_commas(static_hosts)]}
    body |= {"tls": trust} if trust else {}
    body |= {"discovery": discovery} if discovery else {}
    body |= {"labels": split_pairs(label, "--label")} if label else {}
    shell.done(shell.write("POST", "/upstreams", body), f"upstream {name} created")


def _origin(host: str, tls: bool) -> str:
    if "://" in host:
        return host
    secure = tls or host.endswith(":443")
    return f"{'https' if secure else 'http'}://{host}"


def _virtual_service(
    shell: Shell,
    name: _Name,
    domains: Annotated[list[str] | None, typer.Option("--domains", help="exact, *.suffix or * (the default)")] = None,
    display_name: Annotated[str | None, typer.Option("--display-name", hidden=True)] = None,
    namespace: _Namespace = None,
) -> None:
    """Domains that routes can be added to."""
    body = {"name": name, "domains": split_commas(domains or ["*"])}
    shell.done(shell.write("POST", "/virtual-services", body), f"virtual service {name} created")
