"""Residents who are kept from filing through the chat for a stated time: with a reason, by whom, until when.

A block never stops an emergency, and it is never for good. None of these commits.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import joinedload

from district import audit, clock
from district.errors import BadInput, NotAllowed, NotFound, WrongState
from district.extensions import db
from district.people.models import Resident, ResidentBlock, Staff
from district.people.roles import Role
from district.words import clean

# Who may block and unblock; the panel's guard reads this, too.
MAY_BLOCK = frozenset({Role.SHIFT_LEAD, Role.ADMINISTRATOR})
# What staff can choose from, in days.
LENGTHS = (1, 3, 7, 30)
LONGEST_REASON = 300


def block(resident_id: int, *, by: Staff, report_id: int, days: int, reason: str) -> ResidentBlock:
    """Block a resident for `days`, one of LENGTHS; a block that still holds is replaced by this one.

    report_id: the report that shows why. Raises NotAllowed, NotFound, BadInput.
    """
    _require(by)
    resident = _locked(resident_id)
    reason = clean(reason)
    fields: dict[str, str] = {}
    if not reason:
        fields["reason"] = "errors.reason_missing"
    elif len(reason) > LONGEST_REASON:
        fields["reason"] = "errors.block_reason_long"
    if days not in LENGTHS:
        fields["days"] = "errors.block_days"
    if fields:
        raise BadInput(fields=fields)
    now = clock.now()
    for older in _holding(resident_id, now):
        older.lifted_at, older.lifted_by_id = now, by.id
    row = ResidentBlock(
        resident_id=resident_id, report_id=report_id, reason=reason, blocked_by_id=by.id, blocked_at=now,
        until=now + timedelta(days=days),
    )  # fmt: skip
    db.session.add(row)
    resident.blocked_until = row.until
    audit.record(by, "resident.block", f"report:{report_id}", days=days)
    return row


def lift(block_id: int, *, by: Staff) -> ResidentBlock:
    """End a block before its time. Raises NotAllowed, NotFound, WrongState when it is over already."""
    _require(by)
    row = db.session.get(ResidentBlock, block_id)
    if row is None:
        raise NotFound()
    resident = _locked(row.resident_id)
    db.session.refresh(row)
    now = clock.now()
    if row.lifted_at is not None or row.until <= now:
        raise WrongState()
    row.lifted_at, row.lifted_by_id = now, by.id
    resident.blocked_until = None
    audit.record(by, "resident.unblock", f"report:{row.report_id}")
    return row


def blocks_list(
    *, over: bool = False, shown: ColumnElement[bool] | None = None, before: int | None = None, limit: int = 50
) -> list[ResidentBlock]:
    """Blocks that hold now, or with `over` those that ended, newest first; by keyset. shown: only these."""
    now = clock.now()
    holds = ResidentBlock.lifted_at.is_(None) & (ResidentBlock.until > now)
    query = select(ResidentBlock).where(~holds if over else holds)
    if shown is not None:
        query = query.where(shown)
    if before is not None:
        query = query.where(ResidentBlock.id < before)
    query = query.options(joinedload(ResidentBlock.blocked_by), joinedload(ResidentBlock.lifted_by))
    return list(db.session.scalars(query.order_by(ResidentBlock.id.desc()).limit(limit)))


def report_of(block_id: int) -> int | None:
    """The report that shows why. Raises NotFound."""
    row = db.session.get(ResidentBlock, block_id)
    if row is None:
        raise NotFound()
    return row.report_id


def blocked_until(resident_id: int) -> datetime | None:
    """Until when this resident is blocked; None for who is not."""
    until = db.session.scalar(select(Resident.blocked_until).where(Resident.id == resident_id))
    return until if until is not None and until > clock.now() else None


def held(resident_id: int) -> ResidentBlock | None:
    """The block that holds for this resident now."""
    return next(iter(_holding(resident_id, clock.now())), None)


def count_of(resident_id: int) -> int:
    """How often this resident was ever blocked."""
    query = select(func.count()).select_from(ResidentBlock).where(ResidentBlock.resident_id == resident_id)
    return db.session.scalar(query) or 0


def _holding(resident_id: int, now: datetime) -> list[ResidentBlock]:
    return list(
        db.session.scalars(
            select(ResidentBlock)
            .where(
                ResidentBlock.resident_id == resident_id, ResidentBlock.lifted_at.is_(None), ResidentBlock.until > now
            )
            .options(joinedload(ResidentBlock.blocked_by))
            .order_by(ResidentBlock.id.desc())
        )
    )


def _require(by: Staff) -> None:
    if by.left_at is not None or not by.roles & MAY_BLOCK:
        raise NotAllowed()


def _locked(resident_id: int) -> Resident:
    resident = db.session.get(Resident, resident_id, with_for_update=True)
    if resident is None:
        raise NotFound()
    return resident
