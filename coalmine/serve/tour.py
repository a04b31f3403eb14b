"""What the demo does to a running gateway: registers two pet stores, waits for their functions, adds routes.

Through the admin API, as anybody would. urllib, because httpx belongs to the probes and the command line.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

V1 = "default-petstore-v1-8080"
V2 = "default-petstore-v2-8080"
VIRTUAL_SERVICE = "coalmine"
ROUTES: tuple[dict[str, Any], ...] = (
    {
        "match": {"path": {"prefix": "/petstore"}},
        "destinations": [{"upstream": V1}],
        "rewrite": {"prefix": "/api/pets"},
    },
    {"match": {"path": {"prefix": "/findPets"}}, "destinations": [{"upstream": V1, "function": "findPets"}]},
    {"match": {"path": {"prefix": "/findPetWithId"}}, "destinations": [{"upstream": V1, "function": "findPetById"}]},
)
# A pet store starts in a tenth of a second and is probed at once; a busy machine may take a few seconds.
PATIENCE_SECONDS = 30.0


class TourError(Exception):
    """The demo cannot go on; the text says why."""


@dataclass(frozen=True)
class Site:
    """Where everything is: base URLs."""

    proxy: str
    admin: str
    petstores: tuple[tuple[str, str], ...]  # upstream name, URL


def register_petstores(site: Site) -> None:
    """Both upstreams, as soon as the stores answer: a first probe that fails would be repeated much later."""
    for name, url in site.petstores:
        wait_for(partial(fetch, f"{url}/swagger.json"), f"{url} does not answer")
        # PUT: in a catalog that was kept, the upstream may have another port.
        fetch(f"{site.admin}/api/v1/upstreams/{name}", {"name": name, "endpoints": [url]}, method="PUT")


def discover_functions(site: Site) -> Iterator[tuple[str, list[str]]]:
    """Each upstream with the names of its functions, as they are found."""
    for name, _ in site.petstores:
        functions = wait_for(partial(_function_names, site, name), f"no functions of {name} were found")
        yield name, functions


def add_routes(site: Site) -> None:
    service = {"name": VIRTUAL_SERVICE, "domains": ["*"]}
    fetch(f"{site.admin}/api/v1/virtual-services/{VIRTUAL_SERVICE}", service, method="PUT")
    for route in ROUTES:
        fetch(f"{site.admin}/api/v1/routes", {**route, "virtual_service": VIRTUAL_SERVICE}, method="POST")


def first_answer(site: Site) -> list[dict[str, Any]]:
    """What ``curl PROXY/findPets`` gives."""
    pets: list[dict[str, Any]] = fetch(f"{site.proxy}/findPets")
    return pets


def has_routes(site: Site) -> bool:
    """Whether the catalog, kept from an earlier demo, has its routes already."""
    return bool(fetch(f"{site.admin}/api/v1/routes?virtual_service={VIRTUAL_SERVICE}")["total"])


def _function_names(site: Site, upstream: str) -> list[str]:
    found = fetch(f"{site.admin}/api/v1/upstreams/{upstream}/functions")["items"]
    return sorted(str(function["name"]) for function in found)


def fetch(url: str, body: dict[str, Any] | None = None, *, method: str = "GET") -> Any:
    """The JSON of the answer. Raises TourError with what the other side said."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  our own URLs
    try:
        with _OPENER.open(request, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise TourError(f"{url} answers {error.code}: {error.read(2000).decode(errors='replace')}") from None
    except (OSError, ValueError) as error:
        raise TourError(f"{url}: {error}") from None


def wait_for(attempt: Callable[[], Any], complaint: str) -> Any:
    """What ``attempt`` returns once it is true; raises TourError when that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if found := attempt():
                return found
            last = ""
        except TourError as error:
            last = f" ({error})"
        if time.monotonic() > deadline:
            raise TourError(complaint + last)
        time.sleep(0.05)


# The proxy settings of the environment are for the internet, not for this machine's own ports.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
