"""How Alembic reaches the catalog.

``Catalog.migrate`` passes its connection, inside its own transaction. On the command line (``alembic upgrade head``,
``alembic revision --autogenerate``) the database is the one that ``COALMINE_DATABASE`` names.
"""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from coalmine.catalog.engine import database_path, open_engine
from coalmine.catalog.rows import Row


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Row.metadata,
        render_as_batch=True,  # SQLite alters a table by rebuilding it
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_from_command_line() -> None:
    path = database_path(os.environ.get("COALMINE_DATABASE", "sqlite:///coalmine.db"))
    path.touch(mode=0o600)
    engine = open_engine(path)
    with engine.begin() as connection:
        run(connection)
    engine.dispose()


if context.is_offline_mode():
    raise SystemExit("SQLite is migrated in place; --sql has no use here")

given = context.config.attributes.get("connection")
if given is None:
    run_from_command_line()
else:
    run(given)
