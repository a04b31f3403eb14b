"""What the supervisor tells a child, as JSON in ``COALMINE_CHILD``. This file performs no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from coalmine.serve.children import VARIABLE
from coalmine.settings import Settings


@dataclass(frozen=True)
class Orders:
    """``settings`` hold the addresses as bound."""

    settings: Settings
    fd: int  # the listening socket, inherited
    scratch: str  # a folder of this run, removed by whoever ends last
    snapshot_file: str
    index: int = 0
    status_fd: int = -1
    standby: bool = False  # prepare everything, and take over when told to
    tls_fd: int = -1  # the listening socket for https; -1: there is none
    spare_fd: int = -1  # what is kept of the files for https (``coalmine.tls.Spare``), inherited; -1: nothing

    @property
    def feed_socket(self) -> Path:
        return Path(self.scratch) / "feed.sock"


def dump_orders(orders: Orders) -> dict[str, Any]:
    return asdict(orders)


def read_orders(environ: Mapping[str, str]) -> Orders:
    """Keys that are not known here are left out: after an upgrade, the supervisor may be of an older version."""
    given = json.loads(environ[VARIABLE])
    return Orders(**{**_only_known(Orders, given), "settings": Settings(**_only_known(Settings, given["settings"]))})


def _only_known(kind: type[Orders | Settings], given: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(kind)}
    return {name: value for name, value in given.items() if name in known}


def without_secrets(settings: Settings) -> Settings:
    """The settings of a process that faces the public."""
    return replace(settings, admin_token=None, admin_read_token=None)
