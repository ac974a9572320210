"""A database's schema as plain data, so that two can be compared to the last condition of an index."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, inspect


def schema_of(connection: Connection) -> dict[str, Any]:
    """Tables by name: columns, keys, checks and indexes, each with its name and its words."""
    look = inspect(connection)
    # All tables at once: one by one takes most of a migration's test.
    columns, primary, foreign, unique, checks, indexes = (
        {name: each for (_, name), each in ask().items()}
        for ask in (
            look.get_multi_columns, look.get_multi_pk_constraint, look.get_multi_foreign_keys,
            look.get_multi_unique_constraints, look.get_multi_check_constraints, look.get_multi_indexes,
        )
    )  # fmt: skip
    found: dict[str, Any] = {}
    for table in sorted(columns):
        if table == "alembic_version":
            continue
        found[table] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], _plain(column["default"]))
                for column in columns[table]
            },
            "primary key": primary[table]["constrained_columns"],
            "foreign keys": sorted(
                (
                    str(key["name"]), tuple(key["constrained_columns"]), key["referred_table"],
                    tuple(key["referred_columns"]), str(key["options"]),
                )
                for key in foreign[table]
            ),
            "unique": sorted(
                (str(one["name"]), tuple(one["column_names"])) for one in unique[table]
            ),
            "checks": {str(check["name"]): _plain(check["sqltext"]) for check in checks[table]},
            "indexes": {
                str(index["name"]): (
                    tuple(index["column_names"]), bool(index["unique"]),
                    _condition(index.get("dialect_options", {})),
                )
                for index in indexes[table]
                if not index.get("duplicates_constraint")
            },
        }  # fmt: skip
    return found


def _condition(options: dict[str, Any]) -> str:
    """Which rows a partial index holds."""
    return _plain(" ".join(str(value) for name, value in options.items() if "where" in name))


def _plain(words: str | None) -> str:
    """Without what databases add to or take from the words: blanks, brackets around all."""
    return re.sub(r"\s+", " ", words or "").strip()
