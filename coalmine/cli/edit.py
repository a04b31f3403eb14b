"""``coalmine edit upstream`` and ``edit virtualservice``: what is not named stays as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from coalmine.cli import kinds, routes
from coalmine.cli.client import segment
from coalmine.cli.files import read_document
from coalmine.cli.kinds import Kind
from coalmine.cli.pairs import split_commas, split_pairs
from coalmine.cli.shell import Shell, writes
from coalmine.cli.tls_flags import CaFile, ClientCertificate, ClientKey, ServerName, Verify, edit_tls

_Name = Annotated[str, typer.Argument(help="its name")]
Many = list[str] | None


def register(group: typer.Typer) -> None:
    routes.register_edit(group)
    for kind, command in ((kinds.UPSTREAMS, _upstream), (kinds.VIRTUAL_SERVICES, _virtual_service)):
        for word in kind.words:
            group.command(word, hidden=word != kind.words[1], help=command.__doc__)(writes(command))


def _upstream(
    shell: Shell,
    name: _Name,
    static_hosts: Annotated[
        Many, typer.Option("--static-hosts", help="all hosts, instead of those it has: host:port or an origin")
    ] = None,
    add_host: Annotated[Many, typer.Option("--add-host", help="another host; several: commas, or again")] = None,
    remove_host: Annotated[Many, typer.Option("--remove-host", help="one host less")] = None,
    tls: Annotated[
        bool | None, typer.Option("--tls/--no-tls", help="speak https to all its hosts, or http", show_default=False)
    ] = None,
    ca_file: CaFile = None,
    server_name: ServerName = None,
    client_certificate: ClientCertificate = None,
    client_key: ClientKey = None,
    verify: Verify = None,
    document_url: Annotated[
        str | None, typer.Option("--document-url", help="where its document is; '': well-known paths")
    ] = None,
    document: Annotated[
        str | None, typer.Option("--document", help="a file with its document; '': ask the service for it again")
    ] = None,
    discovery: Annotated[
        bool | None, typer.Option("--discovery/--no-discovery", help="look for functions, or not", show_default=False)
    ] = None,
    interval: Annotated[float | None, typer.Option("--interval", help="seconds between two probes")] = None,
    label: Annotated[Many, typer.Option("--label", help="key=value, added or changed; several: again")] = None,
    remove_label: Annotated[Many, typer.Option("--remove-label", help="the key of a label; several: again")] = None,
) -> None:
    """Changes an upstream."""

    def change(upstream: dict[str, Any]) -> None:
        secure = upstream["endpoints"][0].startswith("https:") if tls is None else tls
        hosts = [_origin(host, secure=secure) for host in split_commas(static_hosts or ())] or upstream["endpoints"]
        added = [_origin(host, secure=secure) for host in split_commas(add_host or ())]
        gone = [_origin(host, secure=secure) for host in split_commas(remove_host or ())]
        if tls is not None:
            hosts = [_origin(host.partition("://")[2], secure=tls) for host in hosts]
        upstream["endpoints"] = _edit_list(hosts, added, gone, "--remove-host")
        trust = edit_tls(upstream.pop("tls", None) or {}, ca_file, server_name, client_certificate, client_key, verify)
        upstream |= {"tls": trust} if trust and secure else {}
        settings = upstream.setdefault("discovery", {})
        _edit_document(settings, document_url, document)
        _edit_probing(settings, discovery, interval)
        labels = upstream.setdefault("labels", {})
        for key in split_commas(remove_label or ()):
            _take(labels, key, "--remove-label")
        labels |= split_pairs(label or (), "--label")

    _edit(shell, kinds.UPSTREAMS, name, "upstream", change)


def _edit_document(settings: dict[str, Any], url: str | None, document: str | None) -> None:
    """One of the two at most: what is given now replaces the other."""
    if url is not None or document is not None:
        settings.pop("document_url", None)
        settings.pop("document", None)
    settings |= {"document_url": url} if url else {}
    settings |= {"document": read_document(document)} if document else {}


def _edit_probing(settings: dict[str, Any], enabled: bool | None, interval: float | None) -> None:
    if enabled is not None:
        settings["enabled"] = enabled
    if interval is not None:
        settings["interval_seconds"] = interval


def _virtual_service(
    shell: Shell,
    name: _Name,
    domains: Annotated[Many, typer.Option("--domains", help="all domains, instead of those it has")] = None,
    add_domain: Annotated[Many, typer.Option("--add-domain", help="another domain; several: commas, or again")] = None,
    remove_domain: Annotated[Many, typer.Option("--remove-domain", help="one domain less")] = None,
) -> None:
    """Changes the domains of a virtual service."""

    def change(service: dict[str, Any]) -> None:
        kept = split_commas(domains or ()) or service["domains"]
        gone = split_commas(remove_domain or ())
        service["domains"] = _edit_list(kept, split_commas(add_domain or ()), gone, "--remove-domain")

    _edit(shell, kinds.VIRTUAL_SERVICES, name, "virtual service", change)


def _edit(shell: Shell, kind: Kind, name: str, words: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Read, change, write under the ETag that was read: what somebody else changed meanwhile is not lost."""
    path = f"{kind.path}/{segment(name)}"
    found = shell.fetch(path)
    before = {key: value for key, value in found.value.items() if key != "status"}
    after = copy.deepcopy(before)
    change(after)
    if after == before:
        raise typer.BadParameter(f"say what to change: coalmine edit {kind.words[1]} --help")
    shell.done(shell.write("PUT", path, after, etag=found.etag), f"{words} {name} changed")


def _edit_list(values: Iterable[str], added: Iterable[str], gone: Iterable[str], flag: str) -> list[str]:
    """In order, each once."""
    found = dict.fromkeys([*values, *added])
    for value in gone:
        _take(found, value, flag)
    return list(found)


def _take(values: dict[str, Any], key: str, flag: str) -> None:
    if key not in values:
        raise typer.BadParameter(f"there is no {key}, only {', '.join(values) or 'nothing'}", param_hint=flag)
    del values[key]


def _origin(host: str, *, secure: bool) -> str:
    return host if "://" in host else f"{'https' if secure else 'http'}://{host}"
