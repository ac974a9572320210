"""What a facility is found by: the tokens of its name and address, kept in its own row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, bindparam, event, select, update
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapper, attributes

from district.extensions import db
from district.facilities.models import Facility
from district.search.tokens import tokens
from district.search.written import stored

FILLED_AT_ONCE = 1000


def words_of(name: str, address: str, dialect: Dialect) -> str:
    """As the column keeps it."""
    return stored(tokens(f"{name}\n{address}"), on_sqlite=dialect.name == "sqlite")


def is_behind() -> bool:
    """Whether some facility was written without its words."""
    return db.session.scalar(select(Facility.id).where(Facility.words.is_(None)).limit(1)) is not None


def fill(limit: int = FILLED_AT_ONCE) -> int:
    """Give their words to facilities that were written without; how many. Call inside a unit of work."""
    facility = _table()
    rows = db.session.execute(
        select(facility.c.id, facility.c.name, facility.c.address)
        .where(facility.c.words.is_(None))
        .order_by(facility.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        connection = db.session.connection()
        connection.execute(
            update(facility).where(facility.c.id == bindparam("_id")).values(words=bindparam("_words")),
            [{"_id": row.id, "_words": words_of(row.name, row.address, connection.dialect)} for row in rows],
        )
    return len(rows)


def forget(codes: list[str]) -> None:
    """These have been changed past the objects: their words are read again."""
    facility = _table()
    for start in range(0, len(codes), FILLED_AT_ONCE):
        some = codes[start : start + FILLED_AT_ONCE]
        db.session.execute(update(facility).where(facility.c.code.in_(some)).values(words=None))


def _table() -> Table:
    found: Any = Facility.__table__
    return found  # type: ignore[no-any-return]


def _before_write(_mapper: Mapper[Any], connection: Connection, facility: Facility) -> None:
    state = attributes.instance_state(facility)
    is_new = not state.has_identity
    if is_new or any(state.attrs[name].history.has_changes() for name in ("name", "address")):
        facility.words = words_of(facility.name, facility.address or "", connection.dialect)


event.listen(Facility, "before_insert", _before_write)
event.listen(Facility, "before_update", _before_write)
