"""``coalmine serve`` with certificates: renewed under clients, reloaded, a worker killed, and https on both sides."""

from __future__ import annotations

import http.client
import signal
import socket
import ssl
import threading
import time
from pathlib import Path

from tests.proxy.support.upstream import RawUpstream
from tests.support.certificates import Authority, copy
from tests.support.processes import ask, child_processes, kill, serve_command, spawn, wait_until


class Client(threading.Thread):
    """Asks again and again; ``keep`` on one connection. ``failures`` are all that went wrong."""

    def __init__(self, port: int, context: ssl.SSLContext, *, keep: bool) -> None:
        super().__init__()
        self._port, self._context, self._keep = port, context, keep
        self.over = threading.Event()
        self.answers = 0
        self.failures: list[str] = []

    def run(self) -> None:
        connection: http.client.HTTPSConnection | None = None
        while not self.over.is_set():
            connection = connection or http.client.HTTPSConnection(
                "localhost", self._port, timeout=10, context=self._context
            )
            try:
                connection.request("GET", "/", headers={} if self._keep else {"Connection": "close"})
                answer = connection.getresponse()
                assert (answer.status, answer.read()) == (200, b"ok")
                self.answers += 1
            except Exception as error:
                self.failures.append(repr(error))
            if not self._keep:
                connection.close()
                connection = None
            time.sleep(0.005)
        if connection is not None:
            connection.close()


def shown(port: int, context: ssl.SSLContext) -> set[str]:
    bare = socket.create_connection(("127.0.0.1", port), timeout=10)
    with context.wrap_socket(bare, server_hostname="localhost") as secure:
        certificate = secure.getpeercert()
    assert certificate
    return {str(value) for _, value in certificate["subjectAltName"]}  # type: ignore[misc]


def list_workers(supervisor: int) -> list[int]:
    return [pid for pid, command in child_processes(supervisor).items() if "coalmine.serve.worker" in command]


def test_certificates_are_renewed_and_workers_replaced_without_losing_a_request(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    served = authority.issue("localhost", "first.test", name="served")
    context = authority.client_context()
    upstream_tls = authority.server_context(authority.issue("service.test"))
    arguments = ["--proxy-tls", "127.0.0.1:0", "--tls-certificate", served.certificate, "--tls-key", served.key]
    with (
        RawUpstream(tls=upstream_tls) as upstream,
        spawn([*serve_command(tmp_path / "c.db", 2), *arguments], mixed=True) as (process, output),
    ):
        addresses = [output.next().split()[1] for _ in range(3)]
        plain, secure, admin = addresses
        port = int(secure.rpartition(":")[2])
        assert secure.startswith("https://")
        up = {
            "name": "up",
            "endpoints": [f"https://127.0.0.1:{upstream.port}"],
            "tls": {"ca_file": authority.ca_file, "server_name": "service.test"},
        }
        route = {"name": "all", "match": {"path": {"prefix": "/"}}, "destinations": [{"upstream": "up"}]}
        assert ask(f"{admin}/api/v1/upstreams", method="POST", body=up).status == 201
        assert ask(f"{admin}/api/v1/routes", method="POST", body=route).status == 201
        assert ask(f"{plain}/").body == b"ok"

        clients = [Client(port, context, keep=keep) for keep in (True, True, False)]
        for client in clients:
            client.start()
        copy(authority.issue("localhost", "second.test", name="renewed"), served)
        wait_until(lambda: all("second.test" in shown(port, context) for _ in range(8)), "the renewed certificate")
        copy(authority.issue("localhost", "third.test", name="again"), served)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: all("third.test" in shown(port, context) for _ in range(8)), "what the reload brings")
        time.sleep(0.5)
        for client in clients:
            client.over.set()
        for client in clients:
            client.join(10)
        assert [client.failures for client in clients] == [[], [], []]
        assert min(client.answers for client in clients) > 10

        Path(served.key).unlink()
        wait_until(
            lambda: b"tls_files_unusable" in ask(f"{admin}/api/v1/problems").body, "the problem of the missing key"
        )
        assert "third.test" in shown(port, context)
        metrics = ask(f"{admin}/metrics").body.decode()
        assert f'coalmine_certificate_expiry_timestamp_seconds{{certificate="{served.certificate}"}}' in metrics
        assert 'coalmine_problems{severity="warning"} 1' in metrics

        workers = list_workers(process.pid)
        for worker in workers:
            kill(worker)
        wait_until(lambda: len(set(list_workers(process.pid)) - set(workers)) == 2, "other workers")
        assert "third.test" in shown(port, context)
        wait_until(lambda: b"those read before are served" in ask(f"{admin}/readyz").body, "what readyz says of it")
        assert ask(f"{admin}/readyz").status == 200
        copy(authority.issue("localhost", "fourth.test", name="mended"), served)
        wait_until(lambda: all("fourth.test" in shown(port, context) for _ in range(8)), "the mended files")
    assert any("does not exist" in line and "still served" in line for line in output.lines)
    assert "PRIVATE" not in "\n".join(output.lines)
