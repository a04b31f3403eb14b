"""Probes over TLS: an upstream's own rules of trust hold for its endpoints, and for nobody else."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coalmine.model import Attempt, Upstream
from discovery.options import ProbeOptions
from discovery.parsing import Parser
from discovery.probe import Fetcher
from discovery.search import Search
from tests.proxy.support.upstream import RawUpstream, answer, ok
from tests.support.certificates import Authority, replace

DOCUMENT = {"openapi": "3.0.3", "info": {}, "paths": {"/pets": {"get": {"operationId": "findPets"}}}}
SCRIPT = answer(ok(json.dumps(DOCUMENT).encode(), "Content-Type: application/json"))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def service(authority: Authority) -> Iterator[RawUpstream]:
    with RawUpstream(SCRIPT, tls=authority.server_context(authority.issue("service.test"))) as service:
        yield service


def define(service: RawUpstream, tls: dict[str, Any] | None, **more: Any) -> Upstream:
    body = {"name": "pets", "endpoints": [f"https://127.0.0.1:{service.port}"], **({"tls": tls} if tls else {})}
    return Upstream.model_validate({**body, **more})


def probe(*upstreams: Upstream) -> list[list[Attempt]]:
    async def play() -> list[list[Attempt]]:
        options = ProbeOptions(timeout_seconds=2)
        fetcher, parser = Fetcher(options), Parser()
        try:
            return [(await Search(one, fetcher, parser, options).run(())).attempts for one in upstreams]
        finally:
            await parser.close()

    return asyncio.run(play())


def test_a_probe_trusts_as_requests_do(service: RawUpstream, authority: Authority) -> None:
    named = {"ca_file": authority.ca_file, "server_name": "service.test"}
    rows = [
        (named, "taken", ""),
        ({"verify": False}, "taken", ""),
        (None, "tls_failed", "tls.ca_file"),
        ({"ca_file": authority.ca_file}, "tls_failed", "tls.server_name"),
        ({"ca_file": "/nowhere/ca.pem"}, "tls_failed", "/nowhere/ca.pem does not exist"),
    ]
    told = probe(*(define(service, tls) for tls, _, _ in rows))
    assert [attempts[-1].outcome for attempts in told] == [outcome for _, outcome, _ in rows]
    assert all(words in attempts[-1].detail for attempts, (_, _, words) in zip(told, rows, strict=True))


def test_a_probe_shows_the_client_certificate(authority: Authority) -> None:
    context = authority.server_context(authority.issue("127.0.0.1"), client_ca=authority.ca_file)
    client = authority.issue("gateway@x.test", name="client")
    tls = {
        "ca_file": authority.ca_file,
        "client_certificate_file": client.certificate,
        "client_key_file": client.key,
    }
    with RawUpstream(SCRIPT, tls=context) as service:
        (attempts,) = probe(define(service, tls))
        assert attempts[-1].outcome == "taken"


def test_a_renewed_file_counts_for_the_next_probe(service: RawUpstream, authority: Authority, tmp_path: Path) -> None:
    strangers = Authority(tmp_path, "strangers")
    upstream = define(service, {"ca_file": strangers.ca_file, "server_name": "service.test"})
    options = ProbeOptions(timeout_seconds=2)

    async def play() -> list[str | None]:
        fetcher = Fetcher(options)
        url = f"{upstream.endpoints[0]}/openapi.json"
        before = await fetcher.fetch(upstream, url)
        replace(strangers.ca_file, Path(authority.ca_file).read_bytes())
        return [before.refusal, (await fetcher.fetch(upstream, url)).refusal]

    assert asyncio.run(play()) == ["tls_failed", None]


@pytest.mark.parametrize("extra", [lambda client: {"verify": False}, lambda client: client])
def test_a_document_elsewhere_is_verified_by_its_own_name_and_shown_no_certificate(
    authority: Authority, extra: Callable[[dict[str, str]], dict[str, Any]], tmp_path: Path
) -> None:
    shown: list[object] = []
    strangers = Authority(tmp_path, "strangers")
    client = authority.issue("gateway@x.test", name="client")
    pair = {"client_certificate_file": client.certificate, "client_key_file": client.key}
    context = authority.server_context(authority.issue("127.0.0.1", name="elsewhere"))
    context.load_verify_locations(authority.ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL

    with RawUpstream(tls=context) as elsewhere, RawUpstream(tls=context) as service:
        elsewhere.script = lambda peer, seen: (shown.append(peer.sock.getpeercert()), SCRIPT(peer, seen))  # type: ignore[attr-defined]
        given = {"document_url": f"https://127.0.0.1:{elsewhere.port}/openapi.json"}
        tls = extra(pair)
        (attempts,) = probe(define(service, tls, discovery=given))
        assert attempts[-1].outcome == "tls_failed"  # the system's authorities do not know it
        trusted = {"ca_file": authority.ca_file, "server_name": "service.test", **pair}
        (attempts,) = probe(define(service, trusted, discovery=given))
        assert attempts[-1].outcome == "taken"
        (attempts,) = probe(define(service, {"ca_file": strangers.ca_file}, discovery=given))
        assert attempts[-1].outcome == "tls_failed"
    assert shown == [{}] or shown == [None]


def test_an_endpoint_that_the_upstream_had_once_is_not_asked_again(authority: Authority) -> None:
    context = authority.server_context(authority.issue("127.0.0.1"))
    tls = {"ca_file": authority.ca_file}

    async def play(before: Upstream, after: Upstream) -> list[str]:
        options = ProbeOptions(timeout_seconds=2)
        fetcher, parser = Fetcher(options), Parser()
        try:
            known = (await Search(before, fetcher, parser, options).run(())).sources
            outcome = await Search(after, fetcher, parser, options).run(known)
            return [taken.source.url for taken in outcome.taken]
        finally:
            await parser.close()

    with RawUpstream(SCRIPT, tls=context) as old, RawUpstream(SCRIPT, tls=context) as new:
        found = asyncio.run(play(define(old, tls), define(new, tls)))
    assert [url.startswith(f"https://127.0.0.1:{new.port}/") for url in found] == [True]
