"""One gateway per file, with both pet stores known and their functions found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Petstores
from tests.journeys.story import V1, V2
from tests.support.processes import Coalmine, run_coalmine


@pytest.fixture(scope="module")
def coalmine(petstores: Petstores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coalmine]:
    with run_coalmine(tmp_path_factory.mktemp("journey"), workers=2) as gateway:
        gateway.register(V1, petstores.v1.url)
        gateway.register(V2, petstores.v2.url)
        yield gateway
