"""One engine and one raw upstream for the tests of a file that need nothing special."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import RawUpstream, default_script


@pytest.fixture(scope="module")
def _pair() -> Iterator[tuple[Gateway, RawUpstream]]:
    with RawUpstream() as upstream, Gateway(define(route(), up=upstream.origin)) as gateway:
        yield gateway, upstream


@pytest.fixture
def upstream(_pair: tuple[Gateway, RawUpstream]) -> RawUpstream:
    _, upstream = _pair
    upstream.script = default_script
    upstream.scripts.clear()
    upstream.seen.clear()
    return upstream


@pytest.fixture
def gateway(_pair: tuple[Gateway, RawUpstream], upstream: RawUpstream) -> Gateway:
    return _pair[0]
