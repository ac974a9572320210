"""Where somebody is logged in: one row for each login, so that each can be ended. None commits."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from district import audit, clock
from district.errors import NotAllowed, NotFound
from district.extensions import db
from district.people.models import Staff, StaffLogin
from district.people.roles import Role

# "Last seen" need not be more exact, and a row is not written for every page.
SEEN_EVERY = timedelta(minutes=5)
KEPT = timedelta(days=90)


def begin(staff_id: int, *, device: str) -> StaffLogin:
    """A login begins. device: `<browser>/<system>`, as `accounts.browser` and `accounts.system` name them.

    Rows older than KEPT go. Flushes, for the id.
    """
    now = clock.now()
    db.session.execute(delete(StaffLogin).where(StaffLogin.staff_id == staff_id, StaffLogin.seen_at < now - KEPT))
    login = StaffLogin(staff_id=staff_id, began_at=now, seen_at=now, device=device[:40])
    db.session.add(login)
    db.session.flush()
    return login


def note_seen(login_id: int) -> None:
    """The person used this login just now; written at most every SEEN_EVERY."""
    now = clock.now()
    db.session.execute(
        update(StaffLogin).where(StaffLogin.id == login_id, StaffLogin.seen_at < now - SEEN_EVERY).values(seen_at=now)
    )


def going_on(staff_id: int, *, since: datetime) -> list[StaffLogin]:
    """This person's logins that hold, last seen first. since: older ones have run out."""
    query = select(StaffLogin).where(
        StaffLogin.staff_id == staff_id, StaffLogin.ended_at.is_(None), StaffLogin.began_at > since
    )
    return list(db.session.scalars(query.order_by(StaffLogin.seen_at.desc(), StaffLogin.id.desc())))


def end(login_id: int, *, by: Staff) -> None:
    """End one login of one's own. Raises NotFound for anybody else's."""
    login = db.session.get(StaffLogin, login_id)
    if login is None or login.staff_id != by.id:
        raise NotFound()
    if login.ended_at is None:
        login.ended_at = clock.now()
        audit.record(by, "staff.login_end", f"staff:{by.id}")


def end_others(by: Staff, *, keep: int) -> None:
    """End all logins of one's own but the one with the id `keep`."""
    _end_all(by.id, keep=keep)
    audit.record(by, "staff.login_end", f"staff:{by.id}", others=True)


def end_all_of(staff_id: int, *, by: Staff) -> Staff:
    """Log somebody out everywhere. Raises NotAllowed for anybody but an administrator; NotFound."""
    if Role.ADMINISTRATOR not in by.roles:
        raise NotAllowed()
    staff = db.session.get(Staff, staff_id)
    if staff is None:
        raise NotFound("errors.staff_unknown")
    _end_all(staff_id)
    audit.record(by, "staff.login_end", f"staff:{staff_id}", others=True)
    return staff


def _end_all(staff_id: int, keep: int = 0) -> None:
    db.session.execute(
        update(StaffLogin)
        .where(StaffLogin.staff_id == staff_id, StaffLogin.ended_at.is_(None), StaffLogin.id != keep)
        .values(ended_at=clock.now())
    )
