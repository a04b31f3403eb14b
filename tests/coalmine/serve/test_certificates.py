"""The files of the TLS listener: what is wrong with them is said before anything starts, by serve and by doctor."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace as with_fields
from pathlib import Path

import pytest

from coalmine.cli.doctor import look_at_certificates
from coalmine.errors import StartupError
from coalmine.serve.certificates import find_server_files
from coalmine.serve.gateway import open_gateway
from coalmine.settings import Settings, read
from tests.support.certificates import Authority, Pair, replace


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings_of(folder: Path, *pairs: Pair, **more: str) -> Settings:
    return Settings(
        proxy="127.0.0.1:0",
        admin="127.0.0.1:0",
        proxy_tls="127.0.0.1:0",
        workers=1,
        database=f"sqlite:///{folder}/x.db",
        **{
            "tls_certificate": ",".join(pair.certificate for pair in pairs),
            "tls_key": ", ".join(pair.key for pair in pairs),
            **more,
        },
    )


def _good(authority: Authority, folder: Path) -> Settings:
    return settings_of(folder, authority.issue("a.test"), authority.issue("b.test"))


def _one_file(authority: Authority, folder: Path) -> Settings:
    pair = authority.issue("a.test")
    both = folder / "both.pem"
    both.write_bytes(Path(pair.certificate).read_bytes() + Path(pair.key).read_bytes())
    return settings_of(folder, Pair(str(both), str(both)), tls_key="")


@pytest.mark.parametrize("make", [_good, _one_file])
def test_good_files_open_a_listener_of_its_own(
    authority: Authority, tmp_path: Path, make: Callable[[Authority, Path], Settings]
) -> None:
    settings = make(authority, tmp_path)
    gateway = open_gateway(settings)
    try:
        assert not gateway.settings.proxy_tls.endswith(":0")
        (control, worker) = gateway.specs
        assert gateway.secure[0].fileno() in worker.fds
        assert gateway.secure[0].fileno() not in control.fds
    finally:
        gateway.close()
    found = [one for one in look_at_certificates(settings) if one.what == "certificate"]
    assert ([one.verdict for one in found], "days left" in found[0].detail) == (["good"] * len(found), True)


def _missing(authority: Authority, folder: Path) -> Settings:
    return settings_of(folder, Pair(f"{folder}/no.pem", f"{folder}/no.key"))


def _mismatch(authority: Authority, folder: Path) -> Settings:
    return settings_of(folder, Pair(authority.issue("a.test").certificate, authority.issue("b.test").key))


def _other_kind(authority: Authority, folder: Path) -> Settings:
    """A key of RSA, and a certificate for one of ECDSA."""
    certificate = authority.issue("a.test").certificate
    return settings_of(folder, Pair(certificate, authority.issue("b.test", key_type="RSA").key))


def _encrypted(authority: Authority, folder: Path) -> Settings:
    pair = authority.issue("a.test")
    command = ["openssl", "pkey", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", f"{folder}/locked"]
    subprocess.run(command, check=True, capture_output=True)
    return settings_of(folder, Pair(pair.certificate, f"{folder}/locked"))


def _expired(authority: Authority, folder: Path) -> Settings:
    return settings_of(folder, authority.issue("a.test"), authority.issue("b.test", days=(-90, -1)))


def _early(authority: Authority, folder: Path) -> Settings:
    return settings_of(folder, authority.issue("a.test", days=(1, 90)))


def _swapped(authority: Authority, folder: Path) -> Settings:
    pair = authority.issue("a.test")
    return settings_of(folder, Pair(pair.key, pair.certificate))


def _uneven(authority: Authority, folder: Path) -> Settings:
    pairs = authority.issue("a.test"), authority.issue("b.test")
    return settings_of(folder, *pairs, tls_key=pairs[0].key)


def _no_authority(authority: Authority, folder: Path) -> Settings:
    return settings_of(folder, authority.issue("a.test"), tls_client_ca=f"{folder}/no-ca.pem")


def _garbled(authority: Authority, folder: Path) -> Settings:
    pair = authority.issue("a.test")
    replace(pair.key, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    return settings_of(folder, pair)


@pytest.mark.parametrize(
    ("make", "words", "hint"),
    [
        (_missing, "no.pem does not exist", "check the path"),
        (_mismatch, "does not belong to the certificate", "stands first"),
        (_other_kind, "does not belong to the certificate", "stands first"),
        (_encrypted, "is encrypted", "openssl pkey -in"),
        (_expired, "b.test.pem expired at", "renew it"),
        (_early, "is not valid before", "clock"),
        (_swapped, "holds no certificate", "BEGIN CERTIFICATE"),
        (_uneven, "names 2 files and --tls-key 1", "one key for each"),
        (_no_authority, "no-ca.pem does not exist", "check the path"),
        (_garbled, "cannot be used", None),
    ],
)
def test_what_cannot_be_used_is_said_with_its_file_and_remedy_and_nothing_starts(
    authority: Authority,
    tmp_path: Path,
    make: Callable[[Authority, Path], Settings],
    words: str,
    hint: str | None,
) -> None:
    settings = make(authority, tmp_path)
    with pytest.raises(StartupError) as caught:
        open_gateway(settings)
    assert words in caught.value.detail
    assert (hint or "") in (caught.value.hint or "")
    (finding,) = look_at_certificates(settings)
    assert (finding.verdict, words in finding.detail) == ("bad", True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"proxy_tls": "127.0.0.1:8443"}, "needs a certificate"),
        ({"tls_certificate": "a.pem"}, "nothing listens for https"),
        ({"tls_client_ca": "a.pem"}, "nothing listens for https"),
        ({"proxy_tls": "8443", "tls_certificate": "a.pem"}, "--proxy-tls is '8443'"),
    ],
)
def test_settings_that_need_one_another_are_told(given: dict[str, str], words: str) -> None:
    with pytest.raises(StartupError) as caught:
        read(given, {})
    assert words in caught.value.detail


def test_a_reload_is_refused_where_the_new_files_cannot_be_used(authority: Authority, tmp_path: Path) -> None:
    settings = _good(authority, tmp_path)
    gateway = open_gateway(settings)
    try:
        bound = gateway.settings
        with pytest.raises(StartupError, match="does not exist"):
            gateway.renew(with_fields(settings, tls_key="", tls_certificate=f"{tmp_path}/no.pem"))
        with pytest.raises(StartupError, match="proxy_tls was"):
            gateway.renew(with_fields(settings, proxy_tls="127.0.0.1:8443"))
        assert gateway.settings == bound
        more = authority.issue("c.test")
        gateway.renew(with_fields(settings, tls_key=more.key, tls_certificate=more.certificate))
        assert gateway.settings.proxy_tls == bound.proxy_tls
    finally:
        gateway.close()


def test_doctor_notes_what_will_soon_be_bad(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("a.test", days=(-80, 5.5))
    Path(pair.key).chmod(0o644)
    found = list(look_at_certificates(settings_of(tmp_path, pair)))
    assert [(one.what, one.verdict) for one in found] == [("certificate", "note"), ("private key", "note")]
    assert "5 days left" in found[0].detail


def test_without_a_listener_there_are_no_files() -> None:
    assert find_server_files(Settings()) is None
