"""``call --via direct`` to an upstream with trust of its own, and the same as a command of curl."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from coalmine.model import Upstream
from tests.admin_api.support import make_function
from tests.coalmine.cli.conftest import Cli
from tests.proxy.support.upstream import RawUpstream, answer, ok
from tests.support.certificates import Authority

FOUND = answer(ok(json.dumps({"found": 1}).encode(), "Content-Type: application/json"))


def test_a_call_trusts_and_shows_what_the_upstream_s_definition_says(cli: Cli, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = authority.issue("gateway@x.test", name="client")
    context = authority.server_context(authority.issue("service.test"), client_ca=authority.ca_file)
    tls = {
        "ca_file": authority.ca_file,
        "server_name": "service.test",
        "client_certificate_file": client.certificate,
        "client_key_file": client.key,
    }
    with RawUpstream(FOUND, tls=context) as service:
        origin = f"https://127.0.0.1:{service.port}"
        with cli.api.catalog.write() as writer:
            writer.put_upstream(Upstream.model_validate({"name": "pets", "endpoints": [origin], "tls": tls}))
        cli.api.discover("pets", make_function("pets", "find", "/find"))
        assert cli("call find --via direct").json == {"found": 1}
        command = cli("call find --via direct -o curl").out
        printed = subprocess.run(command, shell=True, capture_output=True, check=True, timeout=20).stdout
        assert json.loads(printed) == {"found": 1}
        Path(client.key).unlink()
        failed = cli("call find --via direct", code=1).err
        assert "does not exist" in failed and "--via proxy" in failed


@pytest.mark.parametrize(("tls", "code"), [({"verify": False}, 0), (None, 1)])
def test_who_is_not_verified_is_called_where_the_definition_says_so(
    cli: Cli, tmp_path: Path, tls: dict[str, object] | None, code: int
) -> None:
    authority = Authority(tmp_path)
    with RawUpstream(FOUND, tls=authority.server_context(authority.issue("service.test"))) as service:
        origin = f"https://127.0.0.1:{service.port}"
        body = {"name": "pets", "endpoints": [origin], **({"tls": tls} if tls else {})}
        with cli.api.catalog.write() as writer:
            writer.put_upstream(Upstream.model_validate(body))
        cli.api.discover("pets", make_function("pets", "find", "/find"))
        cli("call find --via direct", code=code)
        assert ("--insecure" in cli("call find --via direct -o curl").out) is (code == 0)
