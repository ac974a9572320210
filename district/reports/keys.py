"""Where a list that is ordered by a moment goes on: `microseconds.id` of the last row that was shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, or_

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Row = TypeVar("_Row")


def spell(moment: datetime, row_id: int) -> str:
    """The key of a row."""
    return f"{(moment - _EPOCH) // timedelta(microseconds=1)}.{row_id}"


def behind(key: str, moment: Any, row_id: Any) -> ColumnElement[bool] | None:
    """The condition that a row comes after `key`, oldest first, by these columns; None for what is no key."""
    parts = key.split(".")
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        return None
    try:
        since = _EPOCH + timedelta(microseconds=int(parts[0]))
    except OverflowError:
        return None
    return or_(moment > since, and_(moment == since, row_id > int(parts[1])))


def page(rows: Sequence[_Row], limit: int) -> tuple[list[_Row], _Row | None]:
    """The rows of a page out of one more than that; and its last row, None when nothing follows it."""
    shown = list(rows[:limit])
    return shown, shown[-1] if len(rows) > limit else None
