"""Coalmine, a function gateway.

The house in one screen. Two halves with one value between them:

    control   discovery/ reads the documents of services, ``coalmine.catalog`` keeps what they offer,
              admin_api/ lets people edit routes
    value     ``coalmine.routing`` builds a Snapshot out of definitions; ``coalmine.feed`` publishes it
    data      proxy/ serves requests by it

Layers, each may import those below and never its neighbours (``make layers`` checks):

    coalmine.cli                          the command line
    coalmine.serve                        composition root: builds every part and passes it in
    admin_api | discovery | proxy
    coalmine.feed | coalmine.manifests    publish a snapshot | read what people write
    coalmine.catalog | coalmine.routing | coalmine.differences
                                          SQLite, no matching | pure routing, no SQL | what changed
    coalmine.model | coalmine.settings | coalmine.reading
    coalmine.errors

This file imports nothing, so that ``import coalmine.model`` never loads the root.
"""

__version__ = "0.1.0"
