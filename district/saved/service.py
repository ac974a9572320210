"""Saving lists, sharing them, and taking them away; the columns somebody is used to."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select

from district import audit, clock
from district.errors import BadInput, NotAllowed, NotFound
from district.extensions import db
from district.people.models import Staff
from district.people.roles import Role
from district.saved.models import ListColumns, SavedList
from district.words import clean

MAY_SHARE = frozenset({Role.SHIFT_LEAD, Role.ADMINISTRATOR})
LONGEST_NAME = 20
MOST = 30


def save(name: str, query: str, *, by: Staff, is_shared: bool = False) -> SavedList:
    """Keep a list under a name of 1 to LONGEST_NAME letters; one's own of the same name is replaced.

    Raises BadInput for a name that cannot be used or too many lists, NotAllowed to share without the right.
    """
    name = clean(name)
    if not name or len(name) > LONGEST_NAME:
        raise BadInput(fields={"name": "lists.saved.name_wrong"})
    if is_shared and not by.roles & MAY_SHARE:
        raise NotAllowed()
    own = select(SavedList).where(SavedList.staff_id == by.id)
    found = db.session.scalar(own.where(SavedList.name == name))
    if found is None:
        if (db.session.scalar(select(func.count()).select_from(own.subquery())) or 0) >= MOST:
            raise BadInput(fields={"name": "lists.saved.many"})
        found = SavedList(staff_id=by.id, name=name, created_at=clock.now())
        db.session.add(found)
    found.query, found.is_shared = query[:1000], is_shared
    db.session.flush()
    audit.record(by, "list.save", f"list:{found.id}", shared=is_shared)
    return found


def drop(list_id: int, *, by: Staff) -> None:
    """Take a list away: one's own, or a shared one by whoever may share. Raises NotFound for any other."""
    found = db.session.get(SavedList, list_id)
    if found is None or not may_drop(found, by):
        raise NotFound()
    audit.record(by, "list.drop", f"list:{found.id}", name=found.name)
    db.session.delete(found)


def may_drop(one: SavedList, staff: Staff) -> bool:
    """Whether this person may take the list away."""
    return one.staff_id == staff.id or bool(one.is_shared and staff.roles & MAY_SHARE)


def offered_to(staff: Staff) -> list[SavedList]:
    """One's own lists and the shared ones, by name."""
    query = select(SavedList).where(or_(SavedList.staff_id == staff.id, SavedList.is_shared.is_(True)))
    return list(db.session.scalars(query.order_by(SavedList.name, SavedList.id).limit(100)))


def columns_of(staff: Staff) -> tuple[str, ...] | None:
    """The columns this person wants by themselves, in order; None while they have not said."""
    kept = db.session.scalar(select(ListColumns.names).where(ListColumns.staff_id == staff.id))
    return None if kept is None else tuple(name for name in kept.split(".") if name)


def keep_columns(names: Sequence[str] | None, *, by: Staff) -> None:
    """From now on this person's lists have these columns, in this order; None: those that everybody starts with."""
    kept = db.session.get(ListColumns, by.id)
    if names is None:
        if kept is not None:
            db.session.delete(kept)
    elif kept is None:
        db.session.add(ListColumns(staff_id=by.id, names=".".join(names)))
    else:
        kept.names = ".".join(names)
    audit.record(by, "list.columns", f"staff:{by.id}", columns=list(names or ()))
    db.session.flush()
