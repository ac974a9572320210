"""Column types and small annotations that every subject's tables share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Float, Index, Integer, String, Text, TypeDecorator, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column


def naive_text(moment: datetime) -> str:
    """An aware moment as SQLite keeps it: in UTC, without saying so, always with microseconds."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime cannot be stored")
    # All but the six characters of the offset.
    return moment.astimezone(UTC).isoformat(" ", "microseconds")[:-6]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC. SQLite keeps it naive; it comes back aware on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# BIGINT on PostgreSQL; SQLite's own row id must be spelled INTEGER to count up by itself.
BigId = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")

Key = Annotated[int, mapped_column(BigId, primary_key=True, autoincrement=True)]
Code = Annotated[str, mapped_column(String(40))]
Name = Annotated[str, mapped_column(String(200))]
Words = Annotated[str, mapped_column(Text)]
Moment = Annotated[datetime, mapped_column(UtcDateTime)]
Degrees = Annotated[float, mapped_column(Float)]
JsonDict = Annotated[dict[str, Any], mapped_column(Json)]
JsonList = Annotated[list[Any], mapped_column(Json)]


def one_of(column: str, values: type[Any] | tuple[str, ...]) -> str:
    """The SQL condition that `column` holds one of an enumeration's values (or is null)."""
    names = ", ".join(f"'{value}'" for value in values)
    return f"{column} in ({names})"


def few(name: str, *columns: str, where: str) -> Index:
    """An index over the few rows for which `where` holds: rows without a place in it cost nothing to write.

    where: SQL that both databases read.
    """
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))
