"""A gateway that also speaks TLS, and clients that do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Self

from coalmine.model import Definitions
from coalmine.tls import ServerFiles, Spare
from proxy.embedded import Certificates
from tests.proxy.support.client import RawClient
from tests.proxy.support.gateway import Gateway


class SecureGateway(Gateway):
    """``files`` are those of its certificates, ``spare`` what was kept of them."""

    def __init__(
        self, definitions: Definitions, files: ServerFiles, spare: Spare | None = None, **options: Any
    ) -> None:
        super().__init__(definitions, **options)
        self._files = files
        self._spare = spare

    def __enter__(self) -> Self:
        super().__enter__()
        self.certificates: Certificates = self.call(lambda: Certificates(self._files, self._spare))
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self.secure_address: tuple[str, int] = sock.getsockname()
        serving = self.engine.serve_tls(sock, self.certificates)
        asyncio.run_coroutine_threadsafe(serving, self._loop).result(5)
        return self

    def secure_client(self, context: ssl.SSLContext, name: str | None = "localhost") -> SecureClient:
        """Raises ssl.SSLError where the handshake fails."""
        return SecureClient(self.secure_address, context, name)

    def bare_client(self) -> RawClient:
        """Connected to the TLS port, and silent."""
        return RawClient(self.secure_address)


class SecureClient(RawClient):
    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, name: str | None) -> None:
        super().__init__(address)
        bare = self.sock
        try:
            self.tls = context.wrap_socket(bare, server_hostname=name, suppress_ragged_eofs=False)
        except BaseException:
            bare.close()
            raise
        self.sock = self.tls

    @property
    def names(self) -> set[str]:
        """Whom the certificate is for."""
        certificate: Any = self.tls.getpeercert()
        return {value for _, value in certificate["subjectAltName"]}
