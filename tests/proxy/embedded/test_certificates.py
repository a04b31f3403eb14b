"""Certificates that are renewed under a running gateway: no connection is lost, and bad files change nothing."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coalmine.tls import Pair, ServerFiles, Spare, make_spare
from proxy.embedded import Certificates, certificates
from tests.proxy.support.client import eventually, request
from tests.proxy.support.gateway import define, route
from tests.proxy.support.secure import SecureGateway
from tests.support.certificates import Authority, copy, replace


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def files(authority: Authority) -> ServerFiles:
    return ServerFiles((authority.issue("localhost", "first.test", name="served"),))


@pytest.fixture
def spare() -> Iterator[Spare]:
    made = make_spare()
    assert made is not None
    yield made
    made.close()


@pytest.fixture
def gateway(files: ServerFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecureGateway]:
    monkeypatch.setattr(certificates, "LOOK_SECONDS", 0.05)
    with SecureGateway(define(route(direct_response={"status": 200, "body": "hello"})), files) as gateway:
        yield gateway


def names(gateway: SecureGateway, context: ssl.SSLContext) -> set[str]:
    with gateway.secure_client(context) as client:
        assert client.ask(request()).status == 200
        return client.names


def test_renewed_files_serve_new_connections_while_old_ones_go_on(
    gateway: SecureGateway, authority: Authority, files: ServerFiles
) -> None:
    context = authority.client_context()
    with gateway.secure_client(context) as old:
        copy(authority.issue("localhost", "second.test", name="renewed"), files.pairs[0])
        assert eventually(lambda: "second.test" in names(gateway, context))
        assert (old.ask(request()).status, "first.test" in old.names) == (200, True)
    assert gateway.stats()["certificates"][0]["names"] == ["localhost", "second.test"]


def test_who_asks_for_it_need_not_wait(
    files: ServerFiles, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_SECONDS", 1000.0)
    with SecureGateway(define(route(direct_response={"status": 200})), files) as gateway:
        copy(authority.issue("localhost", "second.test", name="renewed"), files.pairs[0])
        assert gateway.call(gateway.engine.reload_certificates) is None
        assert "second.test" in names(gateway, authority.client_context())


def _garbage(authority: Authority, pair: Pair) -> None:
    replace(pair.certificate, b"no PEM at all")


def _half(authority: Authority, pair: Pair) -> None:
    replace(pair.certificate, Path(pair.certificate).read_bytes()[:300])


def _gone(authority: Authority, pair: Pair) -> None:
    Path(pair.key).unlink()


def _other_key(authority: Authority, pair: Pair) -> None:
    replace(pair.key, Path(authority.issue("localhost", name="other").key).read_bytes())


def _expired(authority: Authority, pair: Pair) -> None:
    copy(authority.issue("localhost", name="old", days=(-90, -1)), pair)


def _early(authority: Authority, pair: Pair) -> None:
    copy(authority.issue("localhost", name="early", days=(1, 90)), pair)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_garbage, "holds no certificate"),
        (_half, "holds no certificate"),
        (_gone, "does not exist"),
        (_other_key, "does not belong"),
        (_expired, "expired at"),
        (_early, "is not valid before"),
    ],
)
def test_what_cannot_be_used_leaves_the_old_certificate_and_is_told_until_it_is_mended(
    authority: Authority,
    files: ServerFiles,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Authority, Pair], None],
    words: str,
) -> None:
    loaded = Certificates(files)
    before = loaded.served
    spoil(authority, files.pairs[0])
    for now in range(10, 20):
        loaded.look(now)
    assert loaded.served is before is not None
    assert [(one.code, one.severity, words in one.detail) for one in loaded.list_problems()] == [
        ("tls_files_unusable", "warning", True)
    ]
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [words in line and "still served" in line for line in warnings] == [True]
    assert "PRIVATE" not in "".join(warnings)

    copy(authority.issue("localhost", "third.test", name="mended"), files.pairs[0])
    for now in range(20, 30):
        loaded.look(now)
    assert (list(loaded.list_problems()), loaded.tell()[0]["names"]) == ([], ["localhost", "third.test"])


@pytest.mark.parametrize("spoil", [_garbage, _half, _gone, _other_key, _expired, _early])
def test_a_worker_that_begins_with_spoilt_files_serves_by_what_last_worked(
    authority: Authority, files: ServerFiles, spare: Spare, spoil: Callable[[Authority, Pair], None]
) -> None:
    Certificates(files, spare)
    copy(authority.issue("localhost", "second.test", name="renewed"), files.pairs[0])
    Certificates(files, spare)
    spoil(authority, files.pairs[0])
    begun = Certificates(files, spare)
    told = begun.tell()[0]
    assert (told["names"], told["file"]) == (["localhost", "second.test"], files.pairs[0].certificate)
    assert [(one.code, one.severity) for one in begun.list_problems()] == [("tls_files_unusable", "warning")]
    with SecureGateway(define(route(direct_response={"status": 200})), files, spare) as gateway:
        assert "second.test" in names(gateway, authority.client_context())


def test_files_that_change_under_the_eyes_are_read_when_they_stand_still(
    authority: Authority, files: ServerFiles
) -> None:
    loaded = Certificates(files)
    renewed = authority.issue("localhost", "second.test", name="renewed")
    replace(files.pairs[0].certificate, Path(renewed.certificate).read_bytes())
    loaded.look(10)
    replace(files.pairs[0].key, Path(renewed.key).read_bytes())
    loaded.look(20)
    assert (loaded.problem, "first.test" in loaded.tell()[0]["names"]) == (None, True)
    loaded.look(30)
    assert (loaded.problem, "second.test" in loaded.tell()[0]["names"]) == (None, True)


def test_renewals_under_load_fail_no_request(gateway: SecureGateway, authority: Authority, files: ServerFiles) -> None:
    context = authority.client_context()
    pairs = [authority.issue("localhost", f"n{index}.test", name=f"n{index}") for index in range(3)]
    over = threading.Event()
    counts: list[int] = []
    failures: list[BaseException] = []

    def load(keep: bool) -> None:
        count = 0
        try:
            while not over.is_set():
                with gateway.secure_client(context) as client:
                    for _ in range(200 if keep else 1):
                        assert client.ask(request()).body == b"hello"
                        count += 1
        except BaseException as error:
            failures.append(error)
        counts.append(count)

    threads = [threading.Thread(target=load, args=(keep,)) for keep in (True, True, False, False)]
    for thread in threads:
        thread.start()
    for index, pair in enumerate(pairs):
        copy(pair, files.pairs[0])
        assert eventually(lambda index=index: f"n{index}.test" in names(gateway, context))
    over.set()
    for thread in threads:
        thread.join(10)
    assert (failures, min(counts) > 0) == ([], True)


def test_an_expired_certificate_is_better_than_none_and_is_told(authority: Authority) -> None:
    """So it is when a worker starts anew while nobody has renewed it; a start by hand is refused before."""
    pair = authority.issue("localhost", days=(-90, -1))
    loaded = Certificates(ServerFiles((pair,)))
    assert loaded.served is not None
    assert ["expired at" in one.detail for one in loaded.list_problems()] == [True]


def test_a_worse_certificate_replaces_one_that_is_no_better(authority: Authority) -> None:
    pair = authority.issue("localhost", "old.test", name="served", days=(-90, 1))
    loaded = Certificates(ServerFiles((pair,)), calendar=lambda: datetime.now(UTC) + timedelta(days=2))
    copy(authority.issue("localhost", "new.test", name="new", days=(-90, 1)), pair)
    loaded.reload()
    assert "new.test" in loaded.tell()[0]["names"]


def test_files_that_could_never_be_used_serve_nobody_until_they_can(
    authority: Authority, files: ServerFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_SECONDS", 0.05)
    kept = Path(files.pairs[0].key).read_bytes()
    replace(files.pairs[0].key, b"")
    with SecureGateway(define(route(direct_response={"status": 200})), files) as gateway:
        context = authority.client_context()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            gateway.secure_client(context)
        with gateway.client() as plain:
            assert plain.ask(request()).status == 200
        assert ["holds no private key" in one["detail"] for one in gateway.stats()["problems"]] == [True]
        replace(files.pairs[0].key, kept)
        assert eventually(lambda: not gateway.stats()["problems"])
        assert "first.test" in names(gateway, context)
