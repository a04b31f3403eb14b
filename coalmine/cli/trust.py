"""TLS of a call past the gateway: as the upstream's definition says, as far as its files are on this machine."""

from __future__ import annotations

import shlex
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from coalmine.cli.client import trust_anchors
from coalmine.errors import CoalmineError


class Trust(NamedTuple):
    """``tls`` is that of an upstream, or empty."""

    tls: Mapping[str, Any]

    def context(self, url: str) -> ssl.SSLContext:
        if not self.tls:
            return trust_anchors(url)
        from coalmine.model import UpstreamTls
        from coalmine.tls import TlsError
        from coalmine.tls.client import ClientTls

        try:
            return ClientTls(UpstreamTls.model_validate(self.tls), url).read()
        except TlsError as error:
            hint = "files of an upstream's tls are those of the machine that serves; try --via proxy"
            raise CoalmineError(error.detail, code="upstream_tls", hint=hint) from None

    def extensions(self) -> dict[str, str]:
        """For httpx: the name to ask for and to verify."""
        name = self.tls.get("server_name")
        return {"sni_hostname": name} if name else {}

    def curl_words(self, url: str) -> Iterator[str]:
        """The same for curl; what it cannot say is the name that differs from the host's, so it is sent there."""
        for key, flag in (("ca_file", "--cacert"), ("client_certificate_file", "--cert"), ("client_key_file", "--key")):
            if self.tls.get(key):
                yield f"{flag} {shlex.quote(self.tls[key])}"
        if self.tls.get("verify") is False:
            yield "--insecure"
        if self.tls.get("server_name"):
            yield f"--connect-to ::{urlsplit(url).netloc}"

    def curl_url(self, url: str) -> str:
        """With the name in it that is to be proved; ``--connect-to`` leads to the endpoint."""
        name, parts = self.tls.get("server_name"), urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return parts._replace(netloc=f"{name}{port}").geturl() if name else url


NOTHING = Trust({})
