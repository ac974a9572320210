"""Every entry point the queue knows. Names may not change while old jobs wait; each is safe to run twice.

A job is a doorbell: it drains whatever waits in its table, in small batches, each one unit of work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import redis
from flask import Flask, current_app
from sqlalchemy import delete, or_, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from district import clock, wechat
from district.chats.models import Conversation, InboundMessage
from district.errors import BadInput
from district.extensions import db, redis_door
from district.notifications import service as notifications
from district.notifications.models import Delivery, Notification
from district.reference import reference
from district.reports import incidents, photos, questions
from district.reports import service as reports
from district.reports.models import Photo, PhotoState, Report
from district.reports.states import Status
from district.routing import service as routing
from district.wechat import errors as wechat_errors
from district.work import BELLS, answered, ring, unit_of_work

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
ROUTING_BATCH = 50
SENDERS = 8
# Well under the time limit of `work.ring`, by more than the slowest batch.
LONGEST_TURN_S = 100.0
# How long the chat's words are kept where the district says nothing.
CHAT_DAYS = 180
LOOSE_PHOTO_KEPT = timedelta(days=1)


class _Turn:
    """How long one job may go on. Then it rings for the next one: the queue ends jobs that take too long, which
    in the middle of a batch would lose what WeChat has just answered.
    """

    def __init__(self, bell: str) -> None:
        self.bell = bell
        self.ends_at = time.monotonic() + LONGEST_TURN_S

    def goes_on(self) -> bool:
        if time.monotonic() < self.ends_at:
            return True
        ring(self.bell, again=True)
        return False


def route_reports() -> None:
    """Give every waiting report its unit."""
    answered("route_reports")
    turn = _Turn("route_reports")
    while turn.goes_on():
        try:
            with unit_of_work():
                handled = routing.route_waiting(ROUTING_BATCH)
        except OperationalError:
            raise  # the database is away: nothing is wrong with the reports
        except SQLAlchemyError as error:
            # One report of the batch cannot be written down. It must not hold up the others.
            log.error("batch not routed, trying one by one", extra={"reason": type(error).__name__})
            handled = _route_one_by_one()
        db.session.remove()
        if handled < ROUTING_BATCH:
            return


def _route_one_by_one() -> int:
    waiting = routing.waiting_ids(ROUTING_BATCH)
    for report_id in waiting:
        try:
            with unit_of_work():
                routing.route_waiting(1, only=[report_id])
        except OperationalError:
            raise
        except SQLAlchemyError as error:
            log.error("report not routed", extra={"report": report_id, "reason": type(error).__name__})
            with unit_of_work():
                routing.put_off(report_id)
    return len(waiting)


def deliver_notifications() -> None:
    """Send what waits in the outbox. No transaction is open while WeChat is asked."""
    answered("deliver_notifications")
    app, turn = _app(), _Turn("deliver_notifications")
    while turn.goes_on():
        with unit_of_work():
            batch = notifications.claim_due()
        if not batch:
            return
        with ThreadPoolExecutor(SENDERS) as pool:
            outcomes = list(pool.map(lambda message: _in_context(app, _send, message), batch))
        with unit_of_work():
            for note_outcome in outcomes:
                note_outcome()
        db.session.remove()


def _send(message: notifications.Outgoing) -> Callable[[], None]:
    """Ask WeChat; give back what to write down."""
    client = wechat.client_for(_app())
    message_id = ""
    try:
        if message.channel == notifications.CUSTOM:
            client.send_text(message.openid, message.text)
        elif message.channel == notifications.SUBSCRIPTION:
            message_id = client.send_subscription_notice(
                message.openid, message.template_id, message.address, message.template_data
            )
        else:
            message_id = client.send_template(
                message.openid,
                message.template_id,
                message.address,
                message.template_data,
                f"bihuan-{message.id}",
            )
    except wechat_errors.WindowClosed as error:
        reason = str(error)
        return lambda: notifications.window_closed(message.id, reason)
    except wechat_errors.NotFollower as error:
        reason = str(error)
        return lambda: notifications.not_follower(message.id, reason)
    except wechat_errors.NoGrant as error:
        reason = str(error)
        return lambda: notifications.no_consent(message.id, message.template_id, reason)
    except wechat_errors.BadRecipient as error:
        reason = str(error)
        return lambda: notifications.not_sent(message.id, reason, final=True)
    except wechat_errors.WeChatError as error:
        reason = str(error)
        log.warning("message not sent", extra={"notification": message.id, "code": error.code})
        # Without an answer it may have arrived all the same; then the grant is used up.
        grant_back = not message.by_tap and error.reason != wechat_errors.NO_ANSWER
        return lambda: notifications.not_sent(message.id, reason, grant_back=grant_back)
    except Exception as error:
        # What nobody foresaw about one message must not lose what WeChat said about the others.
        reason = type(error).__name__
        log.exception("message not sent", extra={"notification": message.id})
        return lambda: notifications.not_sent(message.id, reason)
    return lambda: notifications.sent(message.id, message_id)


def fetch_photos() -> None:
    """Bring the pictures WeChat holds into our own store."""
    answered("fetch_photos")
    app, turn = _app(), _Turn("fetch_photos")
    while turn.goes_on():
        with unit_of_work():
            batch = photos.claim_waiting()
        if not batch:
            return
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda row: _in_context(app, _fetch, row), batch))
        with unit_of_work():
            for note_outcome in outcomes:
                note_outcome()
        db.session.remove()


def _fetch(row: tuple[int, str]) -> Callable[[], None]:
    photo_id, media_id = row
    try:
        content = wechat.client_for(_app()).download_media(media_id, photos.LARGEST_BYTES)
        picture = photos.prepare(content)
        photos.keep(picture)
    except wechat_errors.MediaGone as error:
        reason = str(error)
        return lambda: photos.not_fetched(photo_id, reason, final=PhotoState.LOST)
    except BadInput as error:
        reason = error.key
        return lambda: photos.not_fetched(photo_id, reason, final=PhotoState.REFUSED)
    except (wechat_errors.WeChatError, OSError) as error:
        reason = str(error)
        log.warning("photo not fetched", extra={"photo": photo_id})
        return lambda: photos.not_fetched(photo_id, reason)
    except Exception as error:
        # As above: the other pictures of the batch have arrived.
        reason = type(error).__name__
        log.exception("photo not fetched", extra={"photo": photo_id})
        return lambda: photos.not_fetched(photo_id, reason)
    return lambda: photos.fetched(photo_id, picture)


def sweep() -> None:
    """Ring again for whatever still waits: what makes a lost job cost seconds and never a report.

    While the queue server is away the scheduler does the routing itself.
    """
    with_work = waiting_work()
    db.session.remove()
    for name in with_work:
        if not ring(name) and name == "route_reports":
            route_reports()
    # What doors left for later: messages that came while the database was away.
    for try_again in _app().extensions.get("sweeps", ()):
        try_again()


def waiting_work() -> list[str]:
    """The bells whose tables hold work that is due."""
    now = clock.now()
    found = []
    if db.session.scalar(
        select(Report.id).where(Report.status == Status.SUBMITTED, Report.route_after <= now).limit(1)
    ):
        found.append("route_reports")
    if db.session.scalar(select(Photo.id).where(Photo.state == PhotoState.WAITING, Photo.next_try_at <= now).limit(1)):
        found.append("fetch_photos")
    if db.session.scalar(
        select(Notification.id)
        .where(Notification.delivery.in_((Delivery.QUEUED, Delivery.SENDING)), Notification.next_try_at <= now)
        .limit(1)
    ):
        found.append("deliver_notifications")
    return [name for name in BELLS if name in found]


def remind_overdue() -> None:
    """Note, once for each clock, that a report is overdue."""
    with unit_of_work():
        reports.note_overdue()


def give_up_questions() -> None:
    """End the questions that no resident answered in time, so that their clocks go on."""
    with unit_of_work():
        questions.give_up_old()


def end_incidents() -> None:
    """End the incidents of which nothing was heard for long, or whose report is done."""
    with unit_of_work():
        incidents.end_quiet()


def tidy() -> None:
    """Delete what has served: the chat's words after the district's days, pictures that became part of no report."""
    now = clock.now()
    chats_kept = timedelta(days=int(reference().setting("privacy.retention_days.conversation", CHAT_DAYS)))
    with unit_of_work() as session:
        session.execute(delete(InboundMessage).where(InboundMessage.received_at < now - chats_kept))
        session.execute(delete(Conversation).where(Conversation.updated_at < now - chats_kept))
        session.execute(
            delete(Photo).where(
                Photo.report_id.is_(None),
                Photo.created_at < now - LOOSE_PHOTO_KEPT,
                or_(Photo.state != PhotoState.WAITING, Photo.created_at < now - photos.MEDIA_LIVES),
            )
        )


def queue_is_up() -> bool:
    """Whether the queue server answers."""
    try:
        return bool(redis_door().connection.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]


def _in_context(app: Flask, call: Callable[[T], R], argument: T) -> R:
    with app.app_context():
        return call(argument)
