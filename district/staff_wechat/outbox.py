"""What goes to the WeChat of staff: new work and whatever their bell rings for.

Gathered from what the database says already (reports that were assigned, notices of the bell), so that no verb has to
think of it and nothing is lost or told twice. None commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import delete, select
from sqlalchemy.orm import joinedload

from district import clock, links
from district.categories.models import Urgency
from district.config import NoticeTemplate
from district.duty import service as duty
from district.extensions import db
from district.messages import CHINESE, speaking, t
from district.notices.models import StaffNotice
from district.notifications.models import Delivery
from district.notifications.service import (
    CUSTOM,
    LEASE,
    NO_CHANNEL,
    RETRY_AFTER_S,
    TEMPLATE,
    Outgoing,
    quiet_hours,
)
from district.notifications.steps import PROGRESS
from district.people.models import Resident, Staff, StaffRole
from district.people.roles import Role
from district.people.service import take_grant
from district.reports.models import Report, ReportUnit
from district.reports.states import Status
from district.rows import put_all
from district.staff_wechat.models import StaffMessage, StaffWeChat

# What is older was not told in time, and is not told any more.
WORTH_TELLING = timedelta(hours=2)
KEPT = timedelta(days=30)
STAFF_TEMPLATE = "staff"
ASSIGNED, HELPS = "assigned", "helps"
_WORKS = (Role.HANDLER, Role.UNIT_MANAGER)


def gather(limit: int = 200) -> int:
    """Put into the outbox what those who have bound their WeChat should know and were not told; how many messages."""
    bound = {row.staff_id: row.bound_at for row in db.session.scalars(select(StaffWeChat))}
    if not bound:
        return 0
    now = clock.now()
    rows = [*_assigned(bound, now, limit), *_rung_for(bound, now, limit)]
    put_all(
        StaffMessage,
        [
            {
                **row, "created_at": now, "delivery": Delivery.QUEUED, "next_try_at": now, "tries": 0, "last_error": "",
                "channel": None, "sent_at": None,
            }
            for row in rows
        ],
    )  # fmt: skip
    return len(rows)


def _assigned(bound: dict[int, datetime], now: datetime, limit: int) -> list[dict[str, Any]]:
    """New work of the units whose people have bound their WeChat, as the responsible unit or as a co-unit."""
    workers = list(
        db.session.execute(
            select(Staff.id, Staff.unit_id)
            .join(StaffRole, StaffRole.staff_id == Staff.id)
            .where(Staff.id.in_(bound), Staff.left_at.is_(None), StaffRole.role.in_([str(role) for role in _WORKS]))
            .distinct()
        )
    )
    units = {unit_id for _, unit_id in workers}
    if not units:
        return []
    since = now - WORTH_TELLING
    own = select(Report.id, Report.unit_id, Report.assigned_at).where(
        Report.status == Status.ASSIGNED, Report.unit_id.in_(units), Report.assigned_at >= since
    )
    part = (
        select(Report.id, ReportUnit.unit_id, Report.assigned_at)
        .join(ReportUnit, ReportUnit.report_id == Report.id)
        .where(
            Report.status.in_((Status.ASSIGNED, Status.IN_PROGRESS)), ReportUnit.unit_id.in_(units),
            ReportUnit.role == "co", ReportUnit.done_at.is_(None), Report.assigned_at >= since,
        )
    )  # fmt: skip
    found: list[dict[str, Any]] = []
    for kind, query in ((ASSIGNED, own), (HELPS, part)):
        for report_id, unit_id, assigned_at in db.session.execute(query.order_by(Report.assigned_at).limit(limit)):
            found += [
                {"staff_id": staff_id, "report_id": report_id, "kind": kind, "params": {}, "about_at": assigned_at}
                for staff_id, their_unit in workers
                if their_unit == unit_id and assigned_at is not None and bound[staff_id] <= assigned_at
            ]
    return _new(found)


def _rung_for(bound: dict[int, datetime], now: datetime, limit: int) -> list[dict[str, Any]]:
    """Unread notices of the bell."""
    notices = db.session.scalars(
        select(StaffNotice)
        .where(
            StaffNotice.staff_id.in_(bound), StaffNotice.at >= now - WORTH_TELLING, StaffNotice.read_at.is_(None),
            StaffNotice.report_id.is_not(None),
        )
        .order_by(StaffNotice.id)
        .limit(limit)
    )  # fmt: skip
    return _new(
        [
            {
                "staff_id": row.staff_id, "report_id": row.report_id, "kind": row.kind, "params": row.params,
                "about_at": row.at,
            }
            for row in notices
            if bound[row.staff_id] <= row.at
        ]
    )  # fmt: skip


def _new(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are not in the outbox yet."""
    if not rows:
        return []
    names = ("staff_id", "report_id", "kind", "about_at")
    query = select(*(getattr(StaffMessage, name) for name in names)).where(
        StaffMessage.report_id.in_({row["report_id"] for row in rows})
    )
    known = {tuple(found) for found in db.session.execute(query)}
    return [row for row in rows if tuple(row[name] for name in names) not in known]


def claim_due(limit: int = 20) -> list[Outgoing]:
    """Take due rows for sending; nobody else gets them during LEASE. Rows that no channel reaches are closed."""
    while True:
        rows = db.session.scalars(
            select(StaffMessage)
            .where(
                StaffMessage.delivery.in_((Delivery.QUEUED, Delivery.SENDING)),
                StaffMessage.next_try_at <= clock.now(),
            )
            .order_by(StaffMessage.next_try_at, StaffMessage.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        outgoing = _claim(rows)
        if outgoing or not rows:
            return outgoing


def _claim(rows: Sequence[StaffMessage]) -> list[Outgoing]:
    now = clock.now()
    bindings = select(StaffWeChat).where(StaffWeChat.staff_id.in_({row.staff_id for row in rows}))
    openids = {binding.staff_id: binding.openid for binding in db.session.scalars(bindings)}
    residents = {
        row.openid: row
        for row in db.session.scalars(
            select(Resident)
            .where(Resident.openid.in_(openids.values()))
            .order_by(Resident.id)  # always in one order: two senders must not wait for each other
            .with_for_update()
        )
    }
    reports = {
        row.id: row
        for row in db.session.scalars(
            select(Report).where(Report.id.in_({row.report_id for row in rows})).options(joinedload(Report.category))
        )
    }
    quiet_until = quiet_hours().until(now)
    template = _template()
    outgoing: list[Outgoing] = []
    for row in rows:
        report, openid = reports[row.report_id], openids.get(row.staff_id, "")
        if row.tries > len(RETRY_AFTER_S):
            # Only workers that died while sending bring it here.
            _close(row, Delivery.FAILED, row.last_error or "no worker came back")
            continue
        if row.kind == ASSIGNED and (report.status != Status.ASSIGNED or report.assigned_at != row.about_at):
            # Somebody has it in hand, or it went elsewhere.
            _close(row, Delivery.NOT_POSSIBLE, "over")
            continue
        if quiet_until is not None and report.urgency != Urgency.CRITICAL and not _is_on_duty(report, now):
            row.delivery, row.next_try_at = Delivery.QUEUED, quiet_until
            continue
        resident = residents.get(openid)
        is_custom = resident is not None and take_grant(resident, now) is not None
        if not is_custom and (template is None or not openid or (resident is not None and not resident.is_follower)):
            _close(row, Delivery.NOT_POSSIBLE, row.last_error or NO_CHANNEL)
            continue
        row.channel, row.delivery, row.next_try_at = CUSTOM if is_custom else TEMPLATE, Delivery.SENDING, now + LEASE
        row.tries += 1
        address = links.staff_report_page(report.number)
        with speaking(CHINESE):
            text = words(row, report)
        told = {"number": report.number, "step": text.split("\n", 1)[0], "time": _clock_face(now)}
        keywords = template.keywords if template is not None else {}
        outgoing.append(
            Outgoing(
                id=row.id,
                openid=openid,
                channel=row.channel,
                text=t("notifications.with_link", text=text, address=address),
                address=address,
                template_id=template.id if template is not None else "",
                template_data={keyword: told[name] for name, keyword in keywords.items()},
            )
        )
    return outgoing


def words(row: StaffMessage, report: Report) -> str:
    """The message in the language now spoken: what it is about, which report, where, until when."""
    if row.kind in (ASSIGNED, HELPS):
        first = t(f"staff_wechat.told.{row.kind}")
    else:
        first = t(f"deadlines.notice.{row.kind}", **row.params)
    if report.urgency == Urgency.CRITICAL:
        first = t("staff_wechat.told.critical", text=first)
    lines = [first, t("staff_wechat.told.what", number=report.number, what=_what(report))]
    if report.address:
        lines.append(t("staff_wechat.told.where", where=report.address))
    if report.handling_due_at is not None and report.clock_paused_at is None:
        lines.append(t("staff_wechat.told.due", due=_clock_face(report.handling_due_at)[5:]))
    return "\n".join(lines)


def _what(report: Report) -> str:
    return report.category.name if report.category is not None else t("staff_wechat.told.something")


def _is_on_duty(report: Report, now: datetime) -> bool:
    """Whether the report's unit has somebody on duty: then it hears of its work at night, too."""
    return report.unit_id is not None and bool(duty.on_duty(report.unit_id, now))


def _template() -> NoticeTemplate | None:
    settings = current_app.config["WECHAT_TEMPLATES"]
    written = settings.get(STAFF_TEMPLATE) or settings.get(PROGRESS)
    return NoticeTemplate.read(written) if written else None


def _clock_face(moment: datetime) -> str:
    local = moment.astimezone(ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]))
    return str(local.strftime("%Y-%m-%d %H:%M"))


# What WeChat answered; the same names as in `district.notifications.service`, so that one sender serves both


def sent(message_id: int, _wechat_id: str = "") -> None:
    row = _sending(message_id)
    if row is not None:
        row.delivery, row.sent_at, row.next_try_at, row.last_error = Delivery.SENT, clock.now(), None, ""


def window_closed(message_id: int, error: str) -> None:
    """WeChat takes no customer-service message for this person now: the next try uses the template."""
    row = _sending(message_id)
    if row is not None:
        resident = _resident(row)
        if resident is not None:
            resident.window_left = resident.tap_left = 0
        row.delivery, row.next_try_at, row.last_error = Delivery.QUEUED, clock.now(), error[:200]


def not_follower(message_id: int, error: str) -> None:
    """They do not follow the account any more: nothing reaches them until they do."""
    row = _sending(message_id)
    if row is not None:
        _close(row, Delivery.FAILED, error)


def no_consent(message_id: int, _template_id: str, error: str) -> None:
    not_sent(message_id, error, final=True)


def not_sent(message_id: int, error: str, *, final: bool = False, grant_back: bool = True) -> None:
    """A try failed. It is tried again, ever later, until RETRY_AFTER_S is used up; with `final` never."""
    row = _sending(message_id)
    if row is None:
        return
    resident = _resident(row)
    if grant_back and row.channel == CUSTOM and resident is not None:
        resident.window_left += 1
    if final or row.tries > len(RETRY_AFTER_S):
        _close(row, Delivery.FAILED, error)
        return
    row.delivery, row.last_error = Delivery.QUEUED, error[:200]
    row.next_try_at = clock.now() + timedelta(seconds=RETRY_AFTER_S[row.tries - 1])


def _close(row: StaffMessage, how: Delivery, error: str) -> None:
    row.delivery, row.next_try_at, row.sent_at, row.last_error = how, None, None, error[:200]


def _sending(message_id: int) -> StaffMessage | None:
    return db.session.scalar(
        select(StaffMessage)
        .where(StaffMessage.id == message_id, StaffMessage.delivery == Delivery.SENDING)
        .with_for_update()
    )


def _resident(row: StaffMessage) -> Resident | None:
    return db.session.scalar(
        select(Resident)
        .join(StaffWeChat, StaffWeChat.openid == Resident.openid)
        .where(StaffWeChat.staff_id == row.staff_id)
        .with_for_update(of=Resident)
    )


def is_waiting() -> bool:
    """Whether something is due."""
    return db.session.scalar(
        select(StaffMessage.id)
        .where(
            StaffMessage.delivery.in_((Delivery.QUEUED, Delivery.SENDING)), StaffMessage.next_try_at <= clock.now()
        )
        .limit(1)
    ) is not None  # fmt: skip


def listed(staff_id: int, limit: int = 20) -> list[StaffMessage]:
    """The newest messages to one person, with the truth of each delivery."""
    return list(
        db.session.scalars(
            select(StaffMessage).where(StaffMessage.staff_id == staff_id).order_by(StaffMessage.id.desc()).limit(limit)
        )
    )


def forget_old() -> None:
    """Delete what is older than KEPT."""
    db.session.execute(delete(StaffMessage).where(StaffMessage.created_at < clock.now() - KEPT))

