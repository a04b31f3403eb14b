"""What was built is not built again, and nothing else is taken for it."""

from __future__ import annotations

import pytest

from coalmine.model import Definitions, Upstream, VirtualService
from coalmine.routing.build import Builder, build_snapshot
from coalmine.routing.remembered import RememberedBuild
from coalmine.routing.snapshot import Snapshot


def definitions(name: str) -> Definitions:
    upstream = Upstream(name=name, endpoints=("http://127.0.0.1:9001",))
    return Definitions(upstreams=(upstream,), virtual_services=(VirtualService(name="v"),))


def test_the_last_two_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    expected = [build_snapshot(definitions(name)).version for name in "ab"]
    really_build = Builder.build

    def build(self: Builder, given: Definitions) -> Snapshot:
        built.append(given.upstreams[0].name)
        return really_build(self, given)

    monkeypatch.setattr(Builder, "build", build)
    remember = RememberedBuild()
    snapshots = [remember(definitions(name)) for name in "abbaabcb"]
    assert built == ["a", "b", "c"]
    assert [snapshot.version for snapshot in snapshots[:2]] == expected
    assert snapshots[1] is snapshots[2]
    remember(definitions("a"))
    assert built == ["a", "b", "c", "a"]
