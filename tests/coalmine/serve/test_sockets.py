"""Listening sockets: a taken port is an error that names the flag."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from coalmine.errors import StartupError
from coalmine.serve.sockets import bind_many, bind_one, close_all, find_free_port, format_address


@contextmanager
def taken(*, shared: bool = False) -> Iterator[int]:
    with socket.socket() as sock:
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def test_port_0_takes_one_free_port_for_all_workers() -> None:
    sockets = bind_many("127.0.0.1", 0, 3, flag="--proxy")
    try:
        assert len({sock.getsockname() for sock in sockets}) == 1
        assert len({sock.fileno() for sock in sockets}) == 3
        with socket.create_connection(sockets[0].getsockname(), timeout=1):
            pass  # listening, before any worker has been started
    finally:
        close_all(sockets)


@pytest.mark.parametrize("shared", [False, True], ids=["a foreign listener", "a second instance of ours"])
def test_a_taken_port_names_the_flag_and_a_way_out(shared: bool) -> None:
    with taken(shared=shared) as port:
        with pytest.raises(StartupError) as caught:
            bind_many("127.0.0.1", port, 2, flag="--proxy")
        assert caught.value.detail == f"--proxy is 127.0.0.1:{port}, and that port is taken"
        assert f"--proxy 127.0.0.1:{port + 1}" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("host", "words"),
    [("192.0.2.1", "this machine has no such address"), ("no such host.invalid", "cannot be resolved")],
)
def test_a_host_that_cannot_be_listened_on_is_named(host: str, words: str) -> None:
    with pytest.raises(StartupError) as caught:
        bind_one(host, 0, flag="--admin")
    assert words in caught.value.detail
    assert caught.value.detail.startswith("--admin")


def test_the_next_free_port_is_found() -> None:
    with taken() as port:
        found = find_free_port("127.0.0.1", port)
        assert found > port
        with pytest.raises(StartupError, match=f"no port from {port} to {port} is free"):
            find_free_port("127.0.0.1", port, tries=1)


@pytest.mark.parametrize(("host", "text"), [("127.0.0.1", "127.0.0.1:{}"), ("::1", "[::1]:{}")])
def test_addresses_are_written_as_they_are_given(host: str, text: str) -> None:
    with closing(bind_one(host, 0, flag="--proxy")) as sock:
        assert format_address(sock) == text.format(sock.getsockname()[1])
