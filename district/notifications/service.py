"""Telling residents: rows in the outbox with the change, sent later, `sent` only when WeChat said so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import ColumnElement, delete, func, or_, select, update

from district import audit, clock, links
from district.categories.models import Urgency
from district.config import NoticeTemplate
from district.errors import NotFound, WrongState
from district.extensions import db
from district.messages import speaking, t
from district.notifications import unheard
from district.notifications.models import Delivery, EarlyVerdict, Notification, SubscriptionGrant
from district.notifications.steps import PROGRESS, QuietHours, Step, read_quiet_hours, step_of
from district.people.models import Resident, Staff
from district.people.service import MESSAGE_GRANT, take_grant
from district.reference import reference
from district.rows import put_all
from district.wechat.text import cut
from district.work import hurry

if TYPE_CHECKING:
    from district.reports.models import Report

# Seconds before each new try; when they are used up the message has failed and the panel shows it.
RETRY_AFTER_S = (5, 15, 60, 300, 1800, 7200)
# A worker that died while sending leaves the row to others after this long.
LEASE = timedelta(seconds=60)
CUSTOM, SUBSCRIPTION, TEMPLATE = "custom", "subscription", "template"
NO_CHANNEL = "no channel"
# Whoever wrote a moment ago is awake: what they wait for is told at night, too.
AWAKE = timedelta(minutes=10)
QUIET_FROM, QUIET_TO = "22:00", "07:30"
# What WeChat says later about a delivery comes within minutes; what belongs to nobody is kept no longer.
VERDICT_KEPT = timedelta(days=1)
# Of what was not delivered, as much is said at the next contact as leaves room for the answer itself.
MOST_UNHEARD = 3
UNHEARD_BYTES = 900
MOST_CONSENTS = 1000
# Followers are told of every step but these: only whoever reported can answer.
NOT_FOR_FOLLOWERS = frozenset({"question", "replied", "split"})
# These are said in another way to them: only whoever reported can rate.
FOR_FOLLOWERS = {"closed": "closed_too"}


def tell(report: Report, kind: str, *, but: int | None = None, **params: Any) -> int:
    """Tell the report's resident, its followers and those whose reports have joined it about a step; how many.

    Everybody is told once, under the number of their own report where they have one.

    kind: names the sentence `notifications.<kind>`; params fill it and hold no personal data. A true `photos` turns
    the link into one to the pictures after the work. but: the id of a resident who did it and so knows.
    """
    receivers: dict[int, tuple[int, str]] = {}
    if report.resident_id is not None:
        receivers[report.resident_id] = (report.id, kind)
    if report.has_followers and kind not in NOT_FOR_FOLLOWERS:
        for resident_id, report_id in _others(report.id):
            receivers.setdefault(resident_id, (report_id, FOR_FOLLOWERS.get(kind, kind)))
    if but is not None:
        receivers.pop(but, None)
    if not receivers:
        return 0
    now = clock.now()
    put_all(
        Notification,
        [
            {
                "report_id": report_id,
                "resident_id": resident_id,
                "kind": their_kind,
                "params": params,
                "created_at": now,
                "delivery": Delivery.QUEUED,
                "next_try_at": now,
                "tries": 0,
                "last_error": "",
            }
            for resident_id, (report_id, their_kind) in receivers.items()
        ],
    )
    hurry("deliver_notifications")
    return len(receivers)


def _others(report_id: int) -> list[tuple[int, int]]:
    """Who else is told, as (resident, the report they know it by): who reported the same, then who follows."""
    from district.reports.models import Report, ReportFollower  # models of a later subject, read only

    joined = select(Report.resident_id, Report.id).where(Report.parent_id == report_id, Report.resident_id.is_not(None))
    following = select(ReportFollower.resident_id, ReportFollower.report_id).where(
        or_(
            ReportFollower.report_id == report_id,
            ReportFollower.report_id.in_(select(Report.id).where(Report.parent_id == report_id)),
        )
    )
    rows = [*db.session.execute(joined.order_by(Report.id.desc())), *db.session.execute(following)]
    return [(resident_id, known_as) for resident_id, known_as in rows]


@dataclass(frozen=True)
class Outgoing:
    """One message ready for the network: everything the sender needs, nothing that touches the database.

    by_tap: the customer-service message was taken off a tap's grant, which is over before another try.
    """

    id: int
    openid: str
    channel: str
    text: str
    address: str
    template_id: str
    template_data: dict[str, str]
    by_tap: bool = False


def claim_due(limit: int = 20) -> list[Outgoing]:
    """Take due rows for sending; nobody else gets them during LEASE. Rows that no channel reaches are closed.

    A customer-service message is taken off the resident's grant when it is claimed, not when it arrives; so is the
    consent to a subscription notice. What can wait is put off until the quiet hours are over.
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
            select(*_needed(Report)).where(Report.id.in_({row.report_id for row in rows}))
        )
    }
    ways = _Ways(set(residents), now)
    quiet_until = quiet_hours().until(now)
    outgoing: list[Outgoing] = []
    for row in rows:
        resident, report, step = residents[row.resident_id], reports[row.report_id], step_of(row.kind)
        if row.tries > len(RETRY_AFTER_S):
            # Only workers that died while sending bring it here.
            _give_up(row, resident, Delivery.FAILED, row.last_error or "no worker came back")
            continue
        if row.kind == "question" and not report.waiting_for_resident:
            for name, value in unheard.not_said().items():
                setattr(row, name, value)
            continue
        is_urgent = step.is_urgent or report.urgency == Urgency.CRITICAL
        if quiet_until is not None and not is_urgent and now - resident.last_seen_at > AWAKE:
            row.delivery, row.next_try_at = Delivery.QUEUED, quiet_until
            continue
        way = ways.take(resident, step) if resident.openid else None
        if way is None or resident.openid is None:
            _give_up(row, resident, Delivery.NOT_POSSIBLE, row.last_error or NO_CHANNEL)
            continue
        row.channel, row.delivery, row.next_try_at = way.channel, Delivery.SENDING, now + LEASE
        row.tries += 1
        with speaking(resident.language):
            said = _said(row, report)
            short = t(f"notifications.short.{row.kind}", number=report.number, **row.params)
        told = {"number": report.number, "step": short, "time": _clock_face(now)}
        keywords = way.template.keywords if way.template is not None else {}
        outgoing.append(
            Outgoing(
                id=row.id,
                openid=resident.openid,
                channel=way.channel,
                text=said.text,
                address=said.address,
                template_id=way.template.id if way.template is not None else "",
                template_data={keyword: told[name] for name, keyword in keywords.items()},
                by_tap=way.by_tap,
            )
        )
    return outgoing


def _needed(report: type[Report]) -> tuple[Any, ...]:
    """As much of a report as its messages need."""
    return (
        report.id, report.number, report.access_key, report.resident_id, report.urgency, report.waiting_for_resident,
    )  # fmt: skip


@dataclass(frozen=True)
class _Way:
    """How one message travels. template: None for a customer-service message."""

    channel: str
    template: NoticeTemplate | None = None
    by_tap: bool = False


class _Ways:
    """The ways to some residents, whose rows are locked, at one moment; each that is taken is used up."""

    def __init__(self, resident_ids: set[int], now: datetime) -> None:
        self._now = now
        self._templates = _read_templates(current_app.config["WECHAT_TEMPLATES"])
        self._notices = _read_templates(current_app.config["WECHAT_SUBSCRIPTIONS"])
        self._consents: dict[tuple[int, str], SubscriptionGrant] = {}
        if self._notices:
            query = select(SubscriptionGrant).where(
                SubscriptionGrant.resident_id.in_(resident_ids), SubscriptionGrant.left_over > 0
            )
            self._consents = {(row.resident_id, row.template_id): row for row in db.session.scalars(query)}

    def take(self, resident: Resident, step: Step) -> _Way | None:
        """A customer-service message while a grant lasts and the step is worth one, else a notice that was agreed
        to, else a template message; None when nothing would arrive.
        """
        notice = _template_for(step, self._notices)
        template = _template_for(step, self._templates) if resident.is_follower else None
        by_tap = take_grant(resident, self._now, keeps=step.keeps)
        if by_tap is not None:
            return _Way(CUSTOM, by_tap=by_tap)
        if notice is not None and (step.is_worth_consent or notice.is_lasting) and self._use(resident.id, notice):
            return _Way(SUBSCRIPTION, notice)
        return _Way(TEMPLATE, template) if template is not None else None

    def _use(self, resident_id: int, notice: NoticeTemplate) -> bool:
        """Use up a consent to this notice; False when there is none."""
        consent = self._consents.get((resident_id, notice.id))
        if consent is None or consent.left_over <= 0:
            return False
        if not notice.is_lasting:
            consent.left_over -= 1
            consent.changed_at = self._now
        return True


def _read_templates(settings: Mapping[str, str]) -> dict[str, NoticeTemplate]:
    return {name: NoticeTemplate.read(text) for name, text in settings.items()}


def _template_for(step: Step, templates: Mapping[str, NoticeTemplate]) -> NoticeTemplate | None:
    return templates.get(step.template) or templates.get(PROGRESS)


@dataclass(frozen=True)
class _Said:
    text: str
    address: str


def _said(row: Notification, report: Any) -> _Said:
    """The message and the page it leads to, in the language now spoken. The key goes to the report's owner alone."""
    key = report.access_key if report.resident_id == row.resident_id else None
    address = links.report_page(report.number, key)
    if row.params.get("photos") and key:
        address += "#result"
    step = t(f"notifications.{row.kind}", number=report.number, **row.params)
    link = "notifications.with_photos" if row.params.get("photos") else "notifications.with_link"
    return _Said(t(link, text=step, address=address), address)


def preview(report: Report, kind: str, **params: Any) -> str:
    """The message about a step as its resident would read it in WeChat, written the way the real one is."""
    resident = db.session.get(Resident, report.resident_id) if report.resident_id else None
    row = Notification(resident_id=report.resident_id, report_id=report.id, kind=kind, params=params)
    with speaking(resident.language if resident is not None else report.language):
        return _said(row, report).text


def quiet_hours() -> QuietHours:
    """The district's: settings `notifications.quiet_from` and `quiet_to`."""
    ref = reference()
    return read_quiet_hours(
        ref.setting("notifications.quiet_from", QUIET_FROM),
        ref.setting("notifications.quiet_to", QUIET_TO),
        current_app.config["DISTRICT_TIMEZONE"],
    )


def _clock_face(moment: datetime) -> str:
    local = moment.astimezone(ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]))
    return str(local.strftime("%Y-%m-%d %H:%M"))


def sent(notification_id: int, message_id: str = "") -> None:
    """WeChat accepted it. message_id: WeChat's own, which it names again when the delivery comes to nothing."""
    accepted = {"delivery": Delivery.SENT, "sent_at": clock.now(), "next_try_at": None, "last_error": ""}
    if not message_id:
        db.session.execute(
            update(Notification)
            .where(Notification.id == notification_id, Notification.delivery == Delivery.SENDING)
            .values(**accepted)
        )
        return
    row = _sending(notification_id)
    if row is None:
        return
    # Whoever brings WeChat's verdict holds this lock too: one of us sees what the other wrote.
    resident = db.session.get_one(Resident, row.resident_id, with_for_update=True)
    for name, value in accepted.items():
        setattr(row, name, value)
    row.message_id = message_id[:64]
    early = db.session.get(EarlyVerdict, row.message_id)
    if early is not None:
        _give_up(row, resident, Delivery.FAILED, early.reason)
        db.session.delete(early)


def window_closed(notification_id: int, error: str) -> None:
    """WeChat takes no customer-service message for this person now: the next try uses another channel."""
    row = _sending(notification_id)
    if row is None:
        return
    resident = db.session.get_one(Resident, row.resident_id, with_for_update=True)
    resident.window_left = resident.tap_left = 0
    _another_way(row, error)


def no_consent(notification_id: int, template_id: str, error: str) -> None:
    """WeChat knows of no consent to this notice: it is forgotten, and the next try uses another channel."""
    row = _sending(notification_id)
    if row is None:
        return
    resident = db.session.get_one(Resident, row.resident_id, with_for_update=True)
    _set_consents(resident.id, template_id, 0)
    _another_way(row, error)


def not_follower(notification_id: int, error: str) -> None:
    """They do not follow the account, so no template message reaches them: the next try uses another channel."""
    row = _sending(notification_id)
    if row is None:
        return
    resident = db.session.get_one(Resident, row.resident_id, with_for_update=True)
    resident.is_follower = False
    resident.window_left = resident.tap_left = 0
    _another_way(row, error)


def _another_way(row: Notification, error: str) -> None:
    row.delivery, row.next_try_at, row.last_error = Delivery.QUEUED, clock.now(), error[:200]
    hurry("deliver_notifications")


def _give_up(row: Notification, resident: Resident, how: Delivery, error: str) -> None:
    """Nothing more is tried; the resident hears of it at the next contact."""
    row.delivery, row.next_try_at, row.sent_at, row.last_error = how, None, None, error[:200]
    row.read_at = None
    resident.has_unheard = True


def not_sent(notification_id: int, error: str, *, final: bool = False, grant_back: bool = True) -> None:
    """A try failed. It is tried again, ever later, until RETRY_AFTER_S is used up; with `final` never.

    grant_back: WeChat did not take the message, so the resident's grant is whole again.
    """
    row = _sending(notification_id)
    if row is None:
        return
    row.last_error = error[:200]
    resident = db.session.get_one(Resident, row.resident_id, with_for_update=True)
    if grant_back and row.channel == CUSTOM:
        # They may have written meanwhile: their new grant is whole already.
        resident.window_left = min(resident.window_left + 1, MESSAGE_GRANT[0])
    elif grant_back and row.channel == SUBSCRIPTION:
        _give_consent_back(row)
    if final or row.tries > len(RETRY_AFTER_S):
        _give_up(row, resident, Delivery.FAILED, error)
    else:
        row.delivery = Delivery.QUEUED
        row.next_try_at = clock.now() + timedelta(seconds=RETRY_AFTER_S[row.tries - 1])


def _sending(notification_id: int) -> Notification | None:
    return db.session.scalar(
        select(Notification)
        .where(Notification.id == notification_id, Notification.delivery == Delivery.SENDING)
        .with_for_update()
    )


# What WeChat and residents say later


def delivery_failed(openid: str, message_id: str, reason: str) -> None:
    """WeChat could not deliver what it had accepted. reason: its own words, e.g. `failed:user block`."""
    resident = db.session.scalar(select(Resident).where(Resident.openid == openid).with_for_update())
    message_id = message_id[:64]
    row = db.session.scalar(select(Notification).where(Notification.message_id == message_id).with_for_update())
    if row is not None:
        if resident is not None and row.resident_id == resident.id and row.delivery == Delivery.SENT:
            _give_up(row, resident, Delivery.FAILED, reason)
        return
    now = clock.now()
    db.session.execute(delete(EarlyVerdict).where(EarlyVerdict.at < now - VERDICT_KEPT))
    if resident is not None and db.session.get(EarlyVerdict, message_id) is None:
        db.session.add(EarlyVerdict(message_id=message_id, reason=reason[:200], at=now))


def consented(resident_id: int, template_id: str) -> None:
    """A resident agreed to one more notice of this template. The resident's row is locked."""
    row = db.session.get(SubscriptionGrant, (resident_id, template_id))
    _set_consents(resident_id, template_id, min((row.left_over if row is not None else 0) + 1, MOST_CONSENTS))


def refused(resident_id: int, template_id: str) -> None:
    """A resident wants no more notices of this template. The resident's row is locked."""
    _set_consents(resident_id, template_id, 0)


def _set_consents(resident_id: int, template_id: str, count: int) -> None:
    row = db.session.get(SubscriptionGrant, (resident_id, template_id))
    if row is None:
        db.session.add(
            SubscriptionGrant(resident_id=resident_id, template_id=template_id, left_over=count, changed_at=clock.now())
        )
    else:
        row.left_over, row.changed_at = count, clock.now()
    db.session.flush()


def _give_consent_back(row: Notification) -> None:
    notice = _template_for(step_of(row.kind), _read_templates(current_app.config["WECHAT_SUBSCRIPTIONS"]))
    if notice is not None and not notice.is_lasting:
        consented(row.resident_id, notice.id)


def forget_ways(resident_id: int) -> None:
    """A resident left the account: nothing more is sent to them, and nothing that waits is tried."""
    db.session.execute(delete(SubscriptionGrant).where(SubscriptionGrant.resident_id == resident_id))
    db.session.execute(
        update(Notification)
        .where(
            Notification.resident_id == resident_id,
            Notification.delivery.in_((Delivery.QUEUED, Delivery.SENDING)),
        )
        .values(delivery=Delivery.NOT_POSSIBLE, next_try_at=None, last_error=NO_CHANNEL)
    )


def say_unheard(resident_id: int) -> list[str]:
    """What could not be delivered to this resident, in the language now spoken: the newest of each report, oldest
    first, in at most UNHEARD_BYTES. All of it counts as said. The resident's row is locked.
    """
    from district.reports.models import Report  # models of a later subject, read only

    undelivered = (
        Notification.resident_id == resident_id,
        Notification.delivery.in_((Delivery.FAILED, Delivery.NOT_POSSIBLE)),
        Notification.read_at.is_(None),
    )
    columns = (Report.number, Report.access_key, Report.resident_id)
    rows = db.session.execute(
        select(Notification, *columns)
        .join(Report, Report.id == Notification.report_id)
        .where(*undelivered)
        .order_by(Notification.id.desc())
    ).all()
    newest: dict[str, Any] = {}
    for row in rows:
        newest.setdefault(row.number, row)
    said: list[str] = []
    for row in list(newest.values())[:MOST_UNHEARD]:
        text = _said(row.Notification, row).text
        if said and len("\n".join([text, *said]).encode()) > UNHEARD_BYTES:
            break
        said.insert(0, cut(text, UNHEARD_BYTES))
    db.session.execute(update(Notification).where(*undelivered).values(read_at=clock.now()))
    db.session.execute(update(Resident).where(Resident.id == resident_id).values(has_unheard=False))
    return said


def counts(shown: ColumnElement[bool] | None = None) -> dict[str, int]:
    """How many messages are in each delivery state, for the panel and the metrics. shown: which ones count."""
    query = select(Notification.delivery, func.count()).group_by(Notification.delivery)
    rows = db.session.execute(query if shown is None else query.where(shown))
    return {str(Delivery(name)): count for name, count in rows}


def undelivered(
    *, shown: ColumnElement[bool] | None = None, before: int | None = None, limit: int = 50
) -> list[tuple[Notification, str]]:
    """Messages that were given up, newest first, each with its report's number; by keyset. shown: only these."""
    from district.reports.models import Report  # models of a later subject, read only

    query = select(Notification, Report.number).join(Report, Report.id == Notification.report_id)
    query = query.where(Notification.delivery == Delivery.FAILED)
    if shown is not None:
        query = query.where(shown)
    if before is not None:
        query = query.where(Notification.id < before)
    return [(row, number) for row, number in db.session.execute(query.order_by(Notification.id.desc()).limit(limit))]


def report_of(notification_id: int) -> int:
    """Which report a message is about. Raises NotFound."""
    row = db.session.get(Notification, notification_id)
    if row is None:
        raise NotFound()
    return row.report_id


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
