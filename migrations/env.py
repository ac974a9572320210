"""Runs the migrations inside the application, on its database."""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from district.tables import is_compared

database = current_app.extensions["migrate"].db


def process_revision_directives(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Make no empty migration."""
    if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


def render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:
    """Spell our column types in plain SQLAlchemy: a migration imports nothing of the application."""
    name = type(item).__name__
    if kind == "type" and name == "UtcDateTime":
        return "sa.DateTime(timezone=True)"
    if kind == "type" and name == "BigInteger":
        return 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")'
    if kind == "type" and name == "JSON":
        autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
        process_revision_directives=process_revision_directives,
        render_item=render_item,
        include_object=is_compared,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("migrations need a database: run them online")

with database.engine.connect() as connection:
    if connection.dialect.name == "sqlite":
        # Tables are copied to change them: rows that point at them must not be touched meanwhile. Said to the
        # driver itself, because inside a transaction, which SQLAlchemy would begin, SQLite does not listen.
        connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
    run(connection)
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        connection.rollback()
        connection.connection.cursor().execute("PRAGMA foreign_keys=ON")
        if broken:
            raise SystemExit(f"rows point at rows that are not there: {broken[:5]}")
