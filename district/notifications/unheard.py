"""What could not be delivered, as the pages show it; and what need not be said any more. None of these commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select, update

from district import clock
from district.extensions import db
from district.messages import t
from district.notifications.models import Delivery, Notification
from district.people.models import Resident

MOST_SHOWN = 20
ENDED = "question ended"
_UNHEARD = and_(
    Notification.delivery.in_((Delivery.FAILED, Delivery.NOT_POSSIBLE)), Notification.read_at.is_(None)
)  # fmt: skip


@dataclass(frozen=True)
class Missed:
    """A step that never reached its resident. text: its sentence, in the language now spoken."""

    id: int
    number: str
    text: str
    at: datetime


def waiting(*, resident_id: int | None = None, report_ids: Collection[int] = ()) -> list[Missed]:
    """What a resident has not heard, and what the residents of these reports have not heard of them; newest first."""
    from district.reports.models import Report  # models of a later subject, read only

    whose: list[ColumnElement[bool]] = []
    if resident_id is not None:
        whose.append(Notification.resident_id == resident_id)
    if report_ids:
        whose.append(and_(Notification.report_id.in_(report_ids), Notification.resident_id == Report.resident_id))
    if not whose:
        return []
    rows = db.session.execute(
        select(Notification, Report.number)
        .join(Report, Report.id == Notification.report_id)
        .where(_UNHEARD, or_(*whose))
        .order_by(Notification.id.desc())
        .limit(MOST_SHOWN)
    )
    return [
        Missed(row.id, number, t(f"notifications.{row.kind}", number=number, **row.params), row.created_at)
        for row, number in rows
    ]


def mark_read(notification_ids: Sequence[int]) -> None:
    """These were seen on a page: the bot need not say them again."""
    if not notification_ids:
        return
    chosen = Notification.id.in_(notification_ids)
    # Residents first, always in one order: whoever sends or answers holds them before their messages.
    residents = db.session.scalars(
        select(Resident.id)
        .where(Resident.id.in_(select(Notification.resident_id).where(chosen)))
        .order_by(Resident.id)
        .with_for_update()
    ).all()
    db.session.execute(update(Notification).where(chosen, _UNHEARD).values(read_at=clock.now()))
    db.session.execute(
        update(Resident)
        .where(Resident.id.in_(residents), ~exists().where(Notification.resident_id == Resident.id, _UNHEARD))
        .values(has_unheard=False)
    )


def end_question(report_id: int) -> None:
    """A question has ended: what still waits to be told of it is not sent, nor said later. report: locked.

    What a sender holds at this moment is left to it; it looks at the report itself.
    """
    waiting_ids = db.session.scalars(
        select(Notification.id)
        .where(
            Notification.report_id == report_id,
            Notification.kind == "question",
            or_(Notification.delivery == Delivery.QUEUED, _UNHEARD),
        )
        .with_for_update(skip_locked=True)
    ).all()
    if waiting_ids:
        db.session.execute(update(Notification).where(Notification.id.in_(waiting_ids)).values(**not_said()))


def not_said() -> dict[str, object]:
    """The columns of a message that nobody needs any more."""
    return {
        "delivery": Delivery.NOT_POSSIBLE, "next_try_at": None, "last_error": ENDED, "read_at": clock.now(),
    }  # fmt: skip
