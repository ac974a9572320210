"""Telling residents: rows in the outbox with the change, sent later, `sent` only when WeChat said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import current_app
from sqlalchemy import func, select, update

from district import audit, clock, links
from district.errors import NotFound, WrongState
from district.extensions import db
from district.messages import speaking, t
from district.notifications.models import Delivery, Notification
from district.people.models import Resident, Staff
from district.rows import put
from district.work import hurry

if TYPE_CHECKING:
    from district.reports.models import Report

# Seconds before each new try; when they are used up the message has failed and the panel shows it.
RETRY_AFTER_S = (5, 15, 60, 300, 1800, 7200)
# A worker that died while sending leaves the row to others after this long.
LEASE = timedelta(seconds=60)
CUSTOM, TEMPLATE = "custom", "template"
# The template every step uses: WECHAT_TEMPLATE_PROGRESS.
PROGRESS_TEMPLATE = "progress"


def tell(report: Report, kind: str, **params: Any) -> None:
    """Tell the report's resident, and its followers, about a step.

    kind: names the sentence `notifications.<kind>`; params fill it and hold no personal data.
    """
    receivers = [report.resident_id] if report.resident_id is not None else []
    if report.has_followers:
        receivers += _followers(report.id)
    if not receivers:
        return
    now = clock.now()
    for resident_id in dict.fromkeys(receivers):
        put(
            Notification,
            report_id=report.id,
            resident_id=resident_id,
            kind=kind,
            params=params,
            created_at=now,
            delivery=Delivery.QUEUED,
            next_try_at=now,
            tries=0,
            last_error="",
        )
    hurry("deliver_notifications")


def _followers(report_id: int) -> list[int]:
    from district.reports.models import ReportFollower  # models of a later subject, read only

    return list(db.session.scalars(select(ReportFollower.resident_id).where(ReportFollower.report_id == report_id)))


@dataclass(frozen=True)
class Outgoing:
    """One message ready for the network: everything the sender needs, nothing that touches the database."""

    id: int
    openid: str
    channel: str
    text: str
    address: str
    template_id: str
    template_data: dict[str, str]


def claim_due(limit: int = 20) -> list[Outgoing]:
    """Take due rows for sending; nobody else gets them during LEASE. Rows that no channel reaches are closed.

    A customer-service message is taken off the resident's grant when it is claimed, not when it arrives.
    An empty list means that nothing is due.
    """
    while True:
        rows = db.session.scalars(
            select(Notification)
            .where(
                Notification.delivery.in_((Delivery.QUEUED, Delivery.SENDING)),
                Notification.next_try_at <= clock.now(),
            )
            .order_by(Notification.next_try_at, Notification.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        outgoing = _claim(rows)
        if outgoing or not rows:
            return outgoing


def _claim(rows: Sequence[Notification]) -> list[Outgoing]:
    """Those of `rows` that can be sent, each by the best channel there is now."""
    from district.reports.models import Report

    now = clock.now()
    residents = {
        row.id: row
        for row in db.session.scalars(
            select(Resident)
            .where(Resident.id.in_({row.resident_id for row in rows}))
            .order_by(Resident.id)  # always in one order: two senders must not wait for each other
            .with_for_update()
        )
    }
    reports = {
        row.id: row
        for row in db.session.execute(
            select(Report.id, Report.number, Report.access_key, Report.resident_id).where(
                Report.id.in_({row.report_id for row in rows})
            )
        )
    }
    templates: dict[str, str] = current_app.config["WECHAT_TEMPLATES"]
    outgoing: list[Outgoing] = []
    for row in rows:
        resident, report = residents[row.resident_id], reports[row.report_id]
        if row.tries > len(RETRY_AFTER_S):
            # Only workers that died while sending bring it here.
            row.delivery, row.next_try_at = Delivery.FAILED, None
            row.last_error = row.last_error or "no worker came back"
            continue
        has_window = resident.window_left > 0 and resident.window_until is not None and resident.window_until > now
        template_id = templates.get(PROGRESS_TEMPLATE, "")
        if resident.openid and has_window:
            row.channel = CUSTOM
            resident.window_left -= 1
        elif resident.openid and template_id:
            row.channel = TEMPLATE
        else:
            row.delivery, row.next_try_at = Delivery.NOT_POSSIBLE, None
            row.last_error = row.last_error or "no channel"
            continue
        row.delivery = Delivery.SENDING
        row.tries += 1
        row.next_try_at = now + LEASE
        key = report.access_key if report.resident_id == resident.id else None
        address = links.report_page(report.number, key)
        with speaking(resident.language):
            step = t(f"notifications.{row.kind}", number=report.number, **row.params)
            text = t("notifications.with_link", text=step, address=address, number=report.number)
            short = t(f"notifications.short.{row.kind}", number=report.number, **row.params)
        outgoing.append(
            Outgoing(
                id=row.id,
                openid=resident.openid,
                channel=row.channel,
                text=text,
                address=address,
                template_id=template_id,
                template_data={
                    "character_string1": report.number,
                    "thing2": short[:20],
                    "time3": _clock_face(now),
                },
            )
        )
    return outgoing


def _clock_face(moment: Any) -> str:
    from zoneinfo import ZoneInfo

    local = moment.astimezone(ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]))
    return str(local.strftime("%Y-%m-%d %H:%M"))


def sent(notification_id: int) -> None:
    """WeChat accepted it."""
    db.session.execute(
        update(Notification)
        .where(Notification.id == notification_id, Notification.delivery == Delivery.SENDING)
        .values(delivery=Delivery.SENT, sent_at=clock.now(), next_try_at=None, last_error="")
    )


def window_closed(notification_id: int, error: str) -> None:
    """WeChat takes no customer-service message for this person now: the next try uses another channel."""
    row = _sending(notification_id)
    if row is None:
        return
    resident = db.session.get_one(Resident, row.resident_id, with_for_update=True)
    resident.window_left = 0
    row.delivery, row.next_try_at, row.last_error = Delivery.QUEUED, clock.now(), error[:200]
    hurry("deliver_notifications")


def not_sent(notification_id: int, error: str, *, final: bool = False, grant_back: bool = True) -> None:
    """A try failed. It is tried again, ever later, until RETRY_AFTER_S is used up; with `final` never.

    grant_back: WeChat did not take the message, so the resident's grant is whole again.
    """
    row = _sending(notification_id)
    if row is None:
        return
    row.last_error = error[:200]
    if grant_back and row.channel == CUSTOM:
        resident = db.session.get_one(Resident, row.resident_id, with_for_update=True)
        resident.window_left += 1
    if final or row.tries > len(RETRY_AFTER_S):
        row.delivery, row.next_try_at = Delivery.FAILED, None
    else:
        row.delivery = Delivery.QUEUED
        row.next_try_at = clock.now() + timedelta(seconds=RETRY_AFTER_S[row.tries - 1])


def _sending(notification_id: int) -> Notification | None:
    return db.session.scalar(
        select(Notification)
        .where(Notification.id == notification_id, Notification.delivery == Delivery.SENDING)
        .with_for_update()
    )


def counts() -> dict[str, int]:
    """How many messages are in each delivery state, for the panel and the metrics."""
    rows = db.session.execute(select(Notification.delivery, func.count()).group_by(Notification.delivery))
    return {str(Delivery(name)): count for name, count in rows}


def undelivered(*, before: int | None = None, limit: int = 50) -> list[tuple[Notification, str]]:
    """Messages that were given up, newest first, each with its report's number; by keyset."""
    from district.reports.models import Report  # models of a later subject, read only

    query = select(Notification, Report.number).join(Report, Report.id == Notification.report_id)
    query = query.where(Notification.delivery == Delivery.FAILED)
    if before is not None:
        query = query.where(Notification.id < before)
    return [(row, number) for row, number in db.session.execute(query.order_by(Notification.id.desc()).limit(limit))]


def try_again(notification_id: int, *, by: Staff) -> None:
    """A message that was given up starts anew, with all its tries. Raises NotFound, and WrongState when it was not."""
    row = db.session.get(Notification, notification_id, with_for_update=True)
    if row is None:
        raise NotFound()
    if row.delivery != Delivery.FAILED:
        raise WrongState()
    row.delivery, row.tries, row.next_try_at = Delivery.QUEUED, 0, clock.now()
    audit.record(by, "notification.retry", f"report:{row.report_id}", notification=row.id)
    hurry("deliver_notifications")


def for_report(report_id: int, limit: int = 50) -> list[Notification]:
    """What was told about a report, newest first, with the truth of each delivery."""
    return list(
        db.session.scalars(
            select(Notification)
            .where(Notification.report_id == report_id)
            .order_by(Notification.id.desc())
            .limit(limit)
        )
    )
