"""The composition root: one supervisor, one control process, N proxy workers.

    supervisor   binds the listening sockets, starts the children and replaces those that die
    control      admin API, discovery and publishing, on one event loop
    worker       the embedded engine on one listening socket, fed with snapshots

The children import this package too, so it imports nothing heavy itself.
"""

from __future__ import annotations

from collections.abc import Callable

from coalmine.settings import Settings


def run(settings: Settings, reread: Callable[[], Settings] | None = None) -> int:
    """Serve until a signal says stop; returns the exit code. Raises StartupError where serving cannot begin.

    ``reread`` gives the settings at a reload.
    """
    from coalmine.serve.gateway import serve

    return serve(settings, reread)
