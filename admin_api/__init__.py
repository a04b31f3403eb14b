"""The REST admin API: people edit definitions here, and see what is served and why.

The rules of the surface, each kept in one file:

- every answer that is not a success is problem+json (``problems``), and lists all faults at once (``faults``)
- one write is one transaction, and is answered when the local engines serve it (``writes``)
- every GET has a strong ETag (``etags``), every list the same shape (``pages``)
- nobody but the user reaches it: Host, Origin, Sec-Fetch-Site, token (``security``)

Nothing is wired at import: ``create_app`` gets every part passed in.
"""

from admin_api.app import create_app
from admin_api.parts import Prober

__all__ = ["Prober", "create_app"]
