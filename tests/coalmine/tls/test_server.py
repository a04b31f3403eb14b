"""What the listener's files become."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from coalmine.tls import ServerFiles, load_server
from tests.support.certificates import Authority


def test_keys_that_are_replaced_are_gone_at_once(tmp_path: Path) -> None:
    """Without the help of the collector, which comes by when it likes."""
    authority = Authority(tmp_path)
    loaded = load_server(ServerFiles((authority.issue("a.test"), authority.issue("b.test"))))
    contexts = [weakref.ref(identity.context) for identity in loaded.identities]
    gc.disable()
    try:
        del loaded
        assert [context() for context in contexts] == [None, None]
    finally:
        gc.enable()
