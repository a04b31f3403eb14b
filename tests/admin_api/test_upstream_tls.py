"""An upstream's ``tls``: judged with its files when it is written, and never silent about what is not verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coalmine.feed.stats import Told
from tests.admin_api.support import Api
from tests.support.certificates import Authority

UPSTREAMS = "/api/v1/upstreams"
PETS: dict[str, Any] = {"name": "pets", "endpoints": ["https://127.0.0.1:9001"]}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_what_is_written_is_shown_and_served(api: Api, authority: Authority) -> None:
    client = authority.issue("gateway@x.test", name="client")
    tls = {
        "ca_file": authority.ca_file,
        "server_name": "pets.test",
        "client_certificate_file": client.certificate,
        "client_key_file": client.key,
        "verify": True,
    }
    answer = api.post(UPSTREAMS, PETS | {"tls": tls})
    assert (answer.status_code, answer.json()["tls"]) == (201, tls)
    assert api.get("/api/v1/config").json()["upstreams"][0]["tls"] == {k: v for k, v in tls.items() if k != "verify"}
    (served,) = api.feed.current.upstreams
    assert served.tls is not None and served.tls.server_name == "pets.test"


def test_no_key_leaves_its_file(api: Api, authority: Authority) -> None:
    client = authority.issue("gateway@x.test", name="client")
    tls = {"client_certificate_file": client.certificate, "client_key_file": client.key}
    api.post(UPSTREAMS, PETS | {"tls": tls})
    for path in ("upstreams/pets", "config", "snapshot", "revisions/1", "problems"):
        assert "PRIVATE KEY" not in api.get(f"/api/v1/{path}").text


def test_authorities_may_stand_in_the_definition(api: Api, authority: Authority) -> None:
    text = Path(authority.ca_file).read_text()
    assert api.post(UPSTREAMS, PETS | {"tls": {"ca": text}}).json()["tls"]["ca"] == text


# What is wrong, by the key that it stands at; {folder} is one with these files.
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a file that is not there": ({"ca_file": "{folder}/no.pem"}, "/tls/ca_file", "does not exist"),
    "a folder": ({"ca_file": "{folder}"}, "/tls/ca_file", "not a regular file"),
    "a device": ({"ca_file": "/dev/zero"}, "/tls/ca_file", "not a regular file"),
    "no PEM": ({"ca_file": "{folder}/noise"}, "/tls/ca_file", "holds no certificate"),
    "a broken certificate": ({"ca_file": "{folder}/broken.pem"}, "/tls/ca_file", "cannot be read"),
    "a broken certificate in the text": (
        {"ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"},
        "/tls/ca",
        "cannot be read",
    ),
    "a key for an authority": ({"ca": "-----BEGIN PRIVATE KEY-----"}, "/tls/ca", "should be certificates"),
    "a relative path": ({"ca_file": "ca.pem"}, "/tls/ca_file", "absolute path"),
    "both authorities": (
        {"ca_file": "{folder}/ca.pem", "ca": "-----BEGIN CERTIFICATE-----"},
        "/tls",
        "one of ca_file and ca",
    ),
    "a key alone": ({"client_key_file": "{folder}/client.key"}, "/tls", "needs client_certificate_file"),
    "no key": ({"client_certificate_file": "{folder}/client.pem"}, "/tls/client_certificate_file", "no private key"),
    "another's key": (
        {"client_certificate_file": "{folder}/client.pem", "client_key_file": "{folder}/other.key"},
        "/tls/client_key_file",
        "does not belong",
    ),
    "an encrypted key": (
        {"client_certificate_file": "{folder}/client.pem", "client_key_file": "{folder}/locked.key"},
        "/tls/client_key_file",
        "is encrypted",
    ),
    "an expired certificate": (
        {"client_certificate_file": "{folder}/old.pem", "client_key_file": "{folder}/old.key"},
        "/tls/client_certificate_file",
        "expired at",
    ),
    "a name that is none": ({"server_name": "a b"}, "/tls/server_name", "not a host name"),
    "trust and none": ({"verify": False, "ca_file": "{folder}/ca.pem"}, "/tls", "asks nobody"),
    "a key inside": ({"client_key": "-----BEGIN PRIVATE KEY-----"}, "/tls/client_key", "not a key"),
}


@pytest.fixture
def folder(authority: Authority, tmp_path: Path) -> Path:
    authority.issue("gateway@x.test", name="client")
    authority.issue("gateway@x.test", name="other")
    authority.issue("gateway@x.test", name="old", days=(-90, -1))
    (tmp_path / "noise").write_bytes(b"\x00\xff" * 100)
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    (tmp_path / "locked.key").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n")
    return tmp_path


@pytest.mark.parametrize(("tls", "pointer", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_when_it_is_written_and_nothing_is_stored(
    api: Api, folder: Path, tls: dict[str, Any], pointer: str, words: str
) -> None:
    filled = {key: value.format(folder=folder) if isinstance(value, str) else value for key, value in tls.items()}
    answer = api.post(UPSTREAMS, PETS | {"tls": filled})
    assert answer.status_code == 422
    assert [(one["pointer"], words in one["detail"]) for one in answer.json()["errors"]] == [(pointer, True)]
    assert "PRIVATE KEY-----" not in answer.json()["errors"][0]["detail"].replace("BEGIN", "")
    assert api.get(UPSTREAMS).json()["total"] == 0


def test_tls_is_for_https(api: Api) -> None:
    answer = api.post(UPSTREAMS, PETS | {"endpoints": ["http://a:1"], "tls": {"verify": False}})
    assert (answer.status_code, "https://" in answer.json()["errors"][0]["detail"]) == (422, True)


def test_a_set_is_told_of_missing_files_where_they_stand(api: Api) -> None:
    body = {"upstreams": [PETS, PETS | {"name": "cats", "tls": {"ca_file": "/nowhere/ca.pem"}}]}
    answer = api.post("/api/v1/config/apply", body)
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/upstreams/1/tls/ca_file"]


def test_who_is_not_verified_stands_as_a_warning(api: Api) -> None:
    shown = api.post(UPSTREAMS, PETS | {"tls": {"verify": False}}).json()
    assert (shown["status"]["state"], shown["tls"]) == ("warning", {"verify": False})
    listed = api.get("/api/v1/problems").json()["items"]
    assert [(one["code"], one["where"]) for one in listed] == [("upstream_unverified", "upstreams/pets")]
    api.patch(f"{UPSTREAMS}/pets", {"tls": None})
    assert api.get("/api/v1/problems").json()["total"] == 0


def test_what_workers_cannot_use_is_a_problem_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    fault = {"code": "tls_files_unusable", "where": "settings/tls_certificate", "detail": "gone", "severity": "error"}
    told.take({"problems": [fault]})
    monkeypatch.setattr(api.feed, "stats", lambda: told)
    assert api.get("/api/v1/problems").json()["items"] == [fault]


def test_file_and_text_are_shown_as_the_owner_wrote_them_after_a_file_is_gone(api: Api, authority: Authority) -> None:
    """What was accepted stays; only who writes it again is asked to mend it."""
    api.post(UPSTREAMS, PETS | {"tls": {"ca_file": authority.ca_file}})
    Path(authority.ca_file).unlink()
    assert api.get(f"{UPSTREAMS}/pets").json()["tls"]["ca_file"] == authority.ca_file
    assert api.patch(f"{UPSTREAMS}/pets", {"labels": {"a": "b"}}).status_code == 422
