"""A database's schema as plain data, so that two can be compared to the last condition of an index.

Read from the catalogue itself: an inspector asks it several questions for every table, which took most of a
migration's test.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, text

Schema = dict[str, dict[str, Any]]


def schema_of(connection: Connection) -> Schema:
    """Tables by name: columns, keys, checks and indexes, each with its name and its words."""
    found = _of_sqlite(connection) if connection.dialect.name == "sqlite" else _of_postgresql(connection)
    found.pop("alembic_version", None)
    return found


WRITTEN = """
    select tbl_name, sql from sqlite_master
    where type in ('table', 'index') and sql is not null
    order by tbl_name, type desc, name
"""


def _of_sqlite(connection: Connection) -> Schema:
    """SQLite keeps the words that made each table and index, and these say everything."""
    written: dict[str, list[str]] = {}
    for table, words in connection.execute(text(WRITTEN)):
        written.setdefault(table, []).append(words)
    return {table: _meaning(table, tuple(statements)) for table, statements in written.items()}


@cache
def _meaning(table: str, statements: tuple[str, ...]) -> dict[str, Any]:
    """What these statements make, seen in a database where there is nothing else; found out once for the same words."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        look = inspect(connection)
        found = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], _plain(column["default"]))
                for column in look.get_columns(table)
            },
            "primary key": look.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(
                (
                    str(key["name"]), tuple(key["constrained_columns"]), key["referred_table"],
                    tuple(key["referred_columns"]), str(key["options"]),
                )
                for key in look.get_foreign_keys(table)
            ),
            "unique": sorted(
                (str(one["name"]), tuple(one["column_names"])) for one in look.get_unique_constraints(table)
            ),
            "checks": {str(check["name"]): _plain(check["sqltext"]) for check in look.get_check_constraints(table)},
            "indexes": {
                str(index["name"]): (
                    tuple(index["column_names"]), bool(index["unique"]),
                    _condition(index.get("dialect_options", {})),
                )
                for index in look.get_indexes(table)
            },
        }  # fmt: skip
    engine.dispose()
    return found


TABLES = "select oid, relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
# Each question: the table, the name, and the words that say the rest.
CATALOGUE = {
    "columns": """
        select attrelid, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
               pg_get_expr(adbin, adrelid), nullif(attcollation, typcollation)::regcollation::text
        from pg_attribute join pg_type on pg_type.oid = atttypid
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attnum > 0 and not attisdropped and attrelid = any(:tables)
    """,
    "keys and checks": """
        select conrelid, conname, pg_get_constraintdef(oid)
        from pg_constraint where contype <> 'n' and conrelid = any(:tables)
    """,
    "indexes": """
        select indrelid, relname, pg_get_indexdef(indexrelid)
        from pg_index join pg_class on pg_class.oid = indexrelid
        where indrelid = any(:tables)
        and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
    """,
}


def _of_postgresql(connection: Connection) -> Schema:
    names: dict[int, str] = dict(map(tuple, connection.execute(text(TABLES))))
    found: Schema = {name: {part: {} for part in CATALOGUE} for name in names.values()}
    for part, question in CATALOGUE.items():
        for table, name, *words in connection.execute(text(question), {"tables": list(names)}):
            found[names[table]][part][name] = tuple(words)
    return found


def _condition(options: dict[str, Any]) -> str:
    """Which rows a partial index holds."""
    return _plain(" ".join(str(value) for name, value in options.items() if "where" in name))


def _plain(words: str | None) -> str:
    """Without what databases add to or take from the words: blanks, brackets around all."""
    return re.sub(r"\s+", " ", words or "").strip()
