"""Every entry point the queue knows. Names may not change while old jobs wait; each is safe to run twice.

A job is a doorbell: it drains whatever waits in its table, in small batches, each one unit of work.
"""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import redis
from flask import Flask, current_app
from sqlalchemy import select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from district import clock, wechat
from district.devices import filing as device_filing
from district.devices import service as devices
from district.errands import kinds as errand_kinds
from district.errands import running as errand_process
from district.errands import service as errands
from district.errors import BadInput, DistrictError
from district.extensions import db, redis_door
from district.facilities import heaps as facility_heaps
from district.learning import habits, study, versions
from district.learning import runs as learning_runs
from district.learning.lessons import gather as gather_lessons
from district.notifications import service as notifications
from district.notifications.models import Delivery, Notification
from district.numbers import service as figures
from district.reference import forget, reference
from district.register import words as facility_words
from district.reports import incidents, looking, photos, questions, recompute, reminders
from district.reports import service as reports
from district.reports.models import Photo, PhotoState, Report
from district.reports.states import Status
from district.retention import service as retention
from district.retention.kinds import KINDS, Part, before
from district.routing import again
from district.routing import service as routing
from district.search import service as search
from district.staff_wechat import outbox as staff_outbox
from district.wechat import errors as wechat_errors
from district.work import BELLS, answered, hurry, ring, unit_of_work

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
ROUTING_BATCH = 50
REMINDERS_BATCH = 100
SENDERS = 8
# Well under the time limit of `work.ring`, by more than the slowest batch.
LONGEST_TURN_S = 100.0
# The scheduler tidies, and must be back at the sweep soon: what is left of a part goes at the next turn.
LONGEST_PART_S = 2.0
# A process for lengthy work has been started and has not begun yet; if it never does, the next one is.
_ERRANDS_START = "bihuan:errands:start"
_LONGEST_START_S = 60


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
            with _uncollected(), unit_of_work():
                handled = routing.route_waiting(ROUTING_BATCH)
        except OperationalError:
            raise  # the database is away: nothing is wrong with the reports
        except SQLAlchemyError as error:
            # One report of the batch cannot be written down. It must not hold up the others.
            log.error("batch not routed, trying one by one", extra={"reason": type(error).__name__})
            handled = _route_one_by_one()
        db.session.remove()
        if handled < ROUTING_BATCH:
            break
    while turn.goes_on():
        with unit_of_work():
            handled = again.route_again(ROUTING_BATCH)
        db.session.remove()
        if handled < ROUTING_BATCH:
            return


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for garbage within one batch, whose rows all live until its end; a short one after it.

    Searching again and again through what is in use took a tenth of a routed report's time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
            gc.collect(0)


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
    """Send what waits for residents."""
    _send_waiting("deliver_notifications", notifications)


def tell_staff() -> None:
    """Send what waits for staff in WeChat."""
    _send_waiting("tell_staff", staff_outbox)


def _send_waiting(bell: str, book: _Book) -> None:
    """Drain an outbox. No transaction is open while WeChat is asked."""
    answered(bell)
    app, turn = _app(), _Turn(bell)
    send = partial(_send, book=book)
    while turn.goes_on():
        with unit_of_work():
            batch = book.claim_due()
        if not batch:
            return
        with ThreadPoolExecutor(SENDERS) as pool:
            outcomes = list(pool.map(lambda message: _in_context(app, send, message), batch))
        with unit_of_work():
            for note_outcome in outcomes:
                note_outcome()
        db.session.remove()


def gather_for_staff() -> None:
    """Put into the outbox what staff in WeChat should know."""
    with unit_of_work():
        if staff_outbox.gather():
            hurry("tell_staff")


class _Book(Protocol):
    """An outbox: what is due, and where what WeChat answered is written down."""

    def claim_due(self, limit: int = 20) -> list[notifications.Outgoing]: ...
    def sent(self, message_id: int, wechat_id: str = "", /) -> None: ...
    def window_closed(self, message_id: int, error: str, /) -> None: ...
    def not_follower(self, message_id: int, error: str, /) -> None: ...
    def no_consent(self, message_id: int, template_id: str, error: str, /) -> None: ...
    def not_sent(self, message_id: int, error: str, /, *, final: bool = False, grant_back: bool = True) -> None: ...


def _send(message: notifications.Outgoing, book: _Book) -> Callable[[], None]:
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
        return lambda: book.window_closed(message.id, reason)
    except wechat_errors.NotFollower as error:
        reason = str(error)
        return lambda: book.not_follower(message.id, reason)
    except wechat_errors.NoGrant as error:
        reason = str(error)
        return lambda: book.no_consent(message.id, message.template_id, reason)
    except wechat_errors.BadRecipient as error:
        reason = str(error)
        return lambda: book.not_sent(message.id, reason, final=True)
    except wechat_errors.WeChatError as error:
        reason = str(error)
        log.warning("message not sent", extra={"notification": message.id, "code": error.code})
        # Without an answer it may have arrived all the same; then the grant is used up.
        grant_back = not message.by_tap and error.reason != wechat_errors.NO_ANSWER
        return lambda: book.not_sent(message.id, reason, grant_back=grant_back)
    except Exception as error:
        # What nobody foresaw about one message must not lose what WeChat said about the others.
        reason = type(error).__name__
        log.exception("message not sent", extra={"notification": message.id})
        return lambda: book.not_sent(message.id, reason)
    return lambda: book.sent(message.id, message_id)


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


def index_reports() -> None:
    """Make what has changed findable."""
    answered("index_reports")
    turn = _Turn("index_reports")
    while turn.goes_on():
        with unit_of_work():
            more = search.catch_up()
        db.session.remove()
        if not more:
            return


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
    ) or db.session.scalar(select(Report.id).where(Report.route_again_at <= now).limit(1)):
        found.append("route_reports")
    if db.session.scalar(select(Photo.id).where(Photo.state == PhotoState.WAITING, Photo.next_try_at <= now).limit(1)):
        found.append("fetch_photos")
    if db.session.scalar(
        select(Notification.id)
        .where(Notification.delivery.in_((Delivery.QUEUED, Delivery.SENDING)), Notification.next_try_at <= now)
        .limit(1)
    ):
        found.append("deliver_notifications")
    if staff_outbox.is_waiting():
        found.append("tell_staff")
    if search.is_behind():
        found.append("index_reports")
    if errands.is_waiting():
        found.append("run_errands")
    return [name for name in BELLS if name in found]


def report_alarms() -> None:
    """What devices have alarmed about for long enough becomes reports, those of one cabinet together."""
    for parcel in device_filing.due():
        try:
            with unit_of_work():
                devices.hold(parcel.unit_id)
                device_filing.report(parcel)
        except (OperationalError, DistrictError):
            # The others must not wait for this one; it is still due at the next turn.
            log.exception("alarms not reported", extra={"alarms": len(parcel.alarm_ids)})
        db.session.remove()


def remind_overdue() -> None:
    """Remind of clocks that run out and are over, each step once; take up what was put aside until now."""
    for batch in (reports.resume_due, reminders.remind):
        more = True
        while more:
            with unit_of_work():
                more = batch(REMINDERS_BATCH) == REMINDERS_BATCH
            if more:
                db.session.remove()  # what one batch has read must not fill the memory of the next


def recompute_deadlines() -> None:
    """Work deadlines out anew when the calendar or a limit has changed; a batch is a unit of work."""
    more = True
    while more:
        with unit_of_work():
            more = recompute.recompute()
        if more:
            db.session.remove()


def give_up_questions() -> None:
    """End the questions that no resident answered in time, so that their clocks go on."""
    with unit_of_work():
        questions.give_up_old()


def tell_unseen() -> None:
    """Tell the unit's managers, then the shift lead, of what nobody has looked at."""
    with unit_of_work():
        looking.tell_unseen()


def end_incidents() -> None:
    """End the incidents of which nothing was heard for long, or whose report is done."""
    with unit_of_work():
        incidents.end_quiet()


def count_numbers(at: datetime | None = None) -> None:
    """Bring the figures up to date with what has happened; a batch is a unit of work. at: as of when, now if None."""
    now, after, more = at or clock.now(), None, True
    while more:
        with unit_of_work():
            after = figures.bring_up_to_date(now, after=after)
        more = after is not None
        if more:
            db.session.remove()


def tidy() -> None:
    """Delete what has served, kind by kind as `retention.kinds` lists them; a batch is a unit of work."""
    gone = {kind.name: sum(_take_out(part, before(retention.days(kind))) for part in kind.parts) for kind in KINDS}
    with unit_of_work():
        errands.forget_old()
        retention.note_round(gone)


def _take_out(part: Part, moment: datetime) -> int:
    """Take out what was over at `moment`, for LONGEST_PART_S; how much it was."""
    ends_at, count = time.monotonic() + LONGEST_PART_S, 0
    while keys := retention.find(part, moment):
        retention.delete_files(part, keys)
        with unit_of_work():
            part.forget(keys)
        db.session.remove()
        count += len(keys)
        if time.monotonic() > ends_at:
            break
    db.session.remove()
    return count


def read_facilities() -> None:
    """Let facilities be found that were written without their words, by an older version or past the objects.

    What was counted of them for the map, one by one, is added up as well.
    """
    while facility_words.is_behind():
        with unit_of_work():
            facility_words.fill()
        db.session.remove()
    more = True
    while more:
        with unit_of_work():
            more = facility_heaps.settle()
        db.session.remove()


def learn_nightly() -> None:
    """Ring for the night's learning when its hour has come and nobody has done it."""
    if learning_runs.is_due():
        ring("learn")


def learn() -> None:
    """Begin the night's learning, once a night, in a process of its own.

    A training takes a processor for a while and memory that a worker should not keep; meanwhile the worker goes on.
    Nobody waits for the process: the night's row says how it ended, and it is begun again when it never did.
    """
    answered("learn")
    with unit_of_work():
        night = learning_runs.claim()
    if night is None:
        return
    ref = reference()
    if not study.is_worth_training(gather_lessons(ref), ref, versions.studied_before()):
        learn_now(night=night)
        return
    _start("learn", "--night", night)


def run_errands() -> None:
    """Begin the lengthy work that waits, in a process of its own, unless one is already at it."""
    answered("run_errands")
    if errands.is_waiting() and _is_first_to_start():
        _start("errands")


def _is_first_to_start() -> bool:
    """Whether no other process is on its way: on a busy machine it takes longer to start than bells take to ring."""
    try:
        return bool(redis_door().connection.set(_ERRANDS_START, "1", nx=True, ex=_LONGEST_START_S))
    except (redis.ConnectionError, redis.TimeoutError):
        return True


def run_errands_now() -> int:
    """Do the lengthy work that waits; give back how many were begun."""
    with suppress(redis.ConnectionError, redis.TimeoutError):
        redis_door().connection.delete(_ERRANDS_START)
    return errand_process.run_waiting(errand_kinds.find)


def _start(*command: str) -> None:
    """Run `flask district …` beside the workers; nobody waits for it."""
    subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "district", *command],
        cwd=Path(__file__).parents[1], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip


@dataclass(frozen=True)
class Learnt:
    """What a training came to. kept: None for a trial."""

    studied: study.Study
    kept: versions.Kept | None
    habits: int = 0


def learn_now(*, night: str = "", is_trial: bool = False, tell: Callable[[str], None] = lambda part: None) -> Learnt:
    """Train, judge, and put it down; the night's row is ended. is_trial: nothing is written.

    No transaction is open during the training.
    """
    ref = reference()
    lessons = gather_lessons(ref)
    before = [] if is_trial else versions.studied_before()
    db.session.rollback()
    studied = study.study(lessons, ref, known=before, tell=tell)
    if is_trial:
        return Learnt(studied, None)
    found = habits.count(ref)
    db.session.rollback()
    with unit_of_work():
        kept = versions.keep(studied)
        habits.keep(found)
        if night:
            learning_runs.finish(night, kept.why | {"version": kept.version})
    forget()
    log.info("learnt", extra={"verdict": studied.verdict, "version": kept.version, "state": kept.state})
    return Learnt(studied, kept, len(found))


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
