"""The base path of operations: ``servers`` of OpenAPI 3, ``basePath`` of Swagger 2.0.

Rule: only the path counts. Requests go to the registered upstream, whatever host a document names, and a base
path cannot climb above the root or carry a query. This file performs no I/O.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from discovery.text import has_control

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_SAFE = "/%:@!$&'()*+,;=-._~{}"  # RFC 3986 section 3.3, and what is escaped or templated already


def base_of_swagger(root: dict[str, Any]) -> str:
    """The base path without a slash at its end; "" for the root."""
    base = root.get("basePath")
    if not isinstance(base, str):
        return ""
    if "://" in base:  # a whole URL where only its path belongs
        return _path_of(base, "") or ""
    return _tidy(base)


def find_base(servers: Any, document_url: str) -> str | None:
    """The base path of ``servers``, without a slash at its end; None where no server is usable.

    Of several servers the one that names the origin the document came from counts, else the first.
    """
    urls = [url for server in servers for url in _expand(server)] if isinstance(servers, list) else []
    own = _origin(document_url)
    # What is written first stays first: sorting is stable.
    for url in sorted(urls, key=lambda url: own is None or _origin(url) != own):
        # An empty URL is the document's own by RFC 3986 section 5.2.2; those who write it mean the root.
        path = _path_of(url, document_url) if url else ""
        if path is not None:
            return path
    return None


def _path_of(url: str, document_url: str) -> str | None:
    try:
        return _tidy(urlsplit(urljoin(document_url, url)).path)
    except ValueError:  # such as http://[oops/v1
        return None


def _expand(server: Any) -> list[str]:
    """The URL of one server, its variables replaced by their defaults."""
    url = server.get("url") if isinstance(server, dict) else None
    if not isinstance(url, str) or has_control(url):
        return []
    variables = server.get("variables")
    values = variables if isinstance(variables, dict) else {}
    return [_VARIABLE.sub(lambda match: _default(values.get(match[1])), url.strip())]


def _default(variable: Any) -> str:
    if not isinstance(variable, dict):
        return ""
    enum = variable.get("enum")
    default = variable.get("default", enum[0] if isinstance(enum, list) and enum else "")
    return str(default) if isinstance(default, str | int | float) else ""


def _origin(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return (parts.scheme.lower(), parts.netloc.lower()) if parts.scheme and parts.netloc else None


def _tidy(path: str) -> str:
    path = path.strip().split("?", 1)[0].split("#", 1)[0]
    if has_control(path):
        return ""
    tidy = posixpath.normpath("/" + path).lstrip("/")
    return "/" + quote(tidy, safe=_SAFE) if tidy else ""


def join(base: str, path: str) -> str:
    """The full path of an operation; a path without its leading slash gets one."""
    return base + path if path.startswith("/") else f"{base}/{path}"
