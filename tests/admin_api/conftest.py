"""Fixtures: one running admin API for a file, and petstores in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coalmine.model import Upstream
from tests.admin_api.support import V1, V2, Api, open_api, petstore_functions


@pytest.fixture(scope="module")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with open_api(tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture
def api(shared_api: Api) -> Api:
    """An empty one; the server is shared, because starting it takes longer than the tests."""
    with shared_api.catalog.write() as writer:
        for name in writer.names("route"):
            writer.delete_route(name)
        for name in writer.names("virtual_service"):
            writer.delete_virtual_service(name)
        for name in writer.names("upstream"):
            writer.delete_upstream(name)
        for canary in writer.list_canaries():
            writer.delete_canary(canary.name)
    shared_api.feed.publish()
    shared_api.prober.probed.clear()
    shared_api.prober.woken = 0
    return shared_api


@pytest.fixture
def petstore(api: Api) -> Api:
    """With both petstores, discovered, and the virtual service coalmine."""
    for upstream, port in ((V1, 9001), (V2, 9002)):
        with api.catalog.write() as writer:
            writer.put_upstream(
                Upstream(name=upstream, endpoints=(f"http://127.0.0.1:{port}",), labels={"app": "petstore"})
            )
        api.discover(upstream, *petstore_functions(upstream))
    assert api.put("/api/v1/virtual-services/coalmine", {}).status_code == 201
    return api
