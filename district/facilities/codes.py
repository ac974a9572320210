"""Codes over time: issued, printed, placed, revoked, replaced. Verbs flush and never commit."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable

from sqlalchemy import insert, select, update

from district import audit, clock
from district.errors import BadInput, NotAllowed, NotFound, WrongState
from district.extensions import db
from district.facilities.code_states import LIVE, CodeAction, CodeState, step
from district.facilities.models import Facility, FacilityToken
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.words import clean

# Base 32 without letters that are easily confused; 10 of them are 50 bits: not to be guessed.
TOKEN_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # noqa: S105
TOKEN_LENGTH = 10
LONGEST_REASON = 200
# What can be a code at all: nothing else is asked of the database.
_SHAPE = re.compile(r"[0-9A-Z]{4,20}")
# Letters that no code of ours has, as those that people see: a printed L is read as 1, a Q as 0.
_LOOKS_LIKE = str.maketrans("01IO", "QLLQ")
_BETWEEN = re.compile(r"[\s\-‐-―_.·]+")
# How many codes one statement names: databases limit a statement's parameters.
_BATCH = 500
_ISSUE = frozenset({Role.ADMINISTRATOR})
_ISSUE_IN_UNIT = frozenset({Role.UNIT_MANAGER, Role.HANDLER})


def new_token() -> str:
    """A random token as printed codes hold it."""
    return "".join(secrets.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))


def is_theirs(staff: Staff, facility: Facility) -> bool:
    """Whether this person's unit, or one below it, owns or maintains the facility."""
    theirs = unit_and_below(staff.unit_id)
    return facility.maintainer_unit_id in theirs or facility.owner_unit_id in theirs


def may(staff: Staff, action: CodeAction, row: FacilityToken) -> bool:
    """Whether this person may do this to this code as it is now: for buttons, and for the verbs below."""
    found = step(action, CodeState(row.state))
    if found is None:
        return False
    return bool(staff.roles & found.roles) or bool(staff.roles & found.unit_roles and is_theirs(staff, row.facility))


def spellings(text: str) -> tuple[str, ...]:
    """What somebody who typed this may have read on a label, likeliest first; () for what can be no code.

    Any case, full-width letters, spaces and dashes in between, and letters that no code has for those they look like.
    """
    typed = _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper()
    if not _SHAPE.fullmatch(typed):
        return ()
    return tuple(dict.fromkeys((typed, typed.translate(_LOOKS_LIKE))))


def of(token: str) -> FacilityToken | None:
    """The code with these letters as people type them (see `spellings`), whatever its state."""
    found = (db.session.get(FacilityToken, typed) for typed in spellings(token))
    return next((row for row in found if row is not None), None)


def may_issue(staff: Staff, facility: Facility) -> bool:
    """Whether this person may have a new code made for the facility."""
    return bool(staff.roles & _ISSUE) or bool(staff.roles & _ISSUE_IN_UNIT and is_theirs(staff, facility))


def issue(facility: Facility, *, by: Staff, reason: str = "") -> FacilityToken:
    """A new code beside those there are; they stay good until it hangs. Raises NotAllowed, BadInput.

    reason: why, at most 200 characters, such as "faded"; kept beside the code for whoever prints it.
    """
    if not may_issue(by, facility):
        raise NotAllowed()
    row = FacilityToken(
        token=new_token(),
        facility_id=facility.id,
        state=CodeState.ISSUED,
        issued_at=clock.now(),
        issued_by_id=by.id,
        reason=_read_reason(reason),
    )
    db.session.add(row)
    db.session.flush()
    audit.record(by, "facility.issue_code", f"facility:{facility.id}")
    return row


def issue_where_missing(facility_ids: Iterable[int], *, by: Staff | None = None) -> int:
    """Give a code to each of these facilities that has none in use; how many were issued."""
    wanted = list(facility_ids)
    issued = 0
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        has_one = set(
            db.session.scalars(
                select(FacilityToken.facility_id).where(
                    FacilityToken.facility_id.in_(batch), FacilityToken.state.in_(LIVE)
                )
            )
        )
        issued += issue_many((facility_id for facility_id in batch if facility_id not in has_one), by=by)
    return issued


def issue_many(facility_ids: Iterable[int], *, by: Staff | None = None) -> int:
    """A new code for each of these facilities, whatever it has; how many. by: None for the operator's commands."""
    now = clock.now()
    rows = [
        {"token": new_token(), "facility_id": facility_id, "issued_at": now, "issued_by_id": by.id if by else None}
        for facility_id in facility_ids
    ]
    for start in range(0, len(rows), _BATCH):
        db.session.execute(insert(FacilityToken), rows[start : start + _BATCH])
    return len(rows)


def mark_printed(tokens: Iterable[str]) -> None:
    """Note that these codes were printed. One that hangs already, or was printed before, stays what it is."""
    wanted = list(tokens)
    for start in range(0, len(wanted), _BATCH):
        db.session.execute(
            update(FacilityToken)
            .where(FacilityToken.token.in_(wanted[start : start + _BATCH]), FacilityToken.state == CodeState.ISSUED)
            .values(state=CodeState.PRINTED, printed_at=clock.now())
        )


def place(token: str, *, by: Staff) -> FacilityToken:
    """Note that this label hangs on its facility now; every older code of the facility ends with it.

    Raises NotFound, WrongState (it was never printed, or has ended), NotAllowed.
    """
    row = _locked(token, CodeAction.PLACE, by)
    now = clock.now()
    row.state, row.placed_at, row.placed_by_id = CodeState.PLACED, now, by.id
    # Whoever scanned it before was trying it out; what counts is whether anybody finds it where it hangs.
    row.last_scanned_on = None
    # Written before it is named: the older codes point at it.
    db.session.flush()
    older = db.session.scalars(
        select(FacilityToken)
        .where(
            FacilityToken.facility_id == row.facility_id,
            FacilityToken.token != row.token,
            FacilityToken.state.in_(LIVE),
            FacilityToken.issued_at <= row.issued_at,
        )
        .order_by(FacilityToken.token)
        .with_for_update(of=FacilityToken)
    )
    for old in older:
        old.state, old.replaced_at, old.replaced_by, old.ended_by_id = CodeState.REPLACED, now, row.token, by.id
    audit.record(by, "facility.place_code", f"facility:{row.facility_id}")
    return row


def revoke(token: str, *, by: Staff, reason: str = "") -> FacilityToken:
    """Take one code out of use; others of the facility stay good. One that has ended already stays as it is.

    reason: at most 200 characters. Raises NotFound, NotAllowed, BadInput.
    """
    if Role.ADMINISTRATOR not in by.roles:
        raise NotAllowed()
    why = _read_reason(reason)
    row = _lock(token)
    if row.state not in LIVE:
        return row
    row.state, row.revoked_at, row.ended_by_id = CodeState.REVOKED, clock.now(), by.id
    row.reason = why or row.reason
    audit.record(by, "facility.revoke_token", f"facility:{row.facility_id}")
    return row


def _locked(token: str, action: CodeAction, by: Staff) -> FacilityToken:
    row = _lock(token)
    if step(action, CodeState(row.state)) is None:
        raise WrongState("errors.code_state")
    if not may(by, action, row):
        raise NotAllowed()
    return row


def _lock(token: str) -> FacilityToken:
    found = of(token)
    if found is None:
        raise NotFound("errors.facility_unknown")
    return db.session.get_one(FacilityToken, found.token, with_for_update={"of": FacilityToken}, populate_existing=True)


def _read_reason(text: str) -> str:
    why = clean(text)
    if len(why) > LONGEST_REASON:
        raise BadInput(fields={"reason": "errors.note_long"})
    return why
