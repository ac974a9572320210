"""One message, one unit of work: who wrote it, was it answered before, the dialogue's turn, what it wants done.

An ordinary message needs no more than the four statements of `bot.ledger`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import xmltodict
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from bot import answering, dialogue, gate, notices, world
from bot import talk as wishes
from bot.corrections import mend
from bot.ledger import Ledger, Memory, Said
from bot.models import Conversation
from bot.protocol.inbound import Inbound
from bot.protocol.reply import text_reply
from bot.talk import Action, Say, Step, Talk, Turn
from bot.words import language_of
from district import clock, links
from district.categories.models import Urgency
from district.errors import DistrictError
from district.extensions import db
from district.facilities import scans
from district.messages import speaking, t
from district.notifications import service as notifications
from district.people import leaving
from district.people.models import Resident
from district.people.service import MESSAGE_GRANT, NOTICE_VERSION, TAP_GRANT
from district.reference import held_reference
from district.reports import following, photos, questions, sorting
from district.reports import service as reports
from district.reports.models import Photo, PlaceSource, Source
from district.reports.service import LONGEST_NOTE
from district.reports.states import BY_ACTION, Status
from district.reports.states import Action as Deed
from district.rows import batch
from district.staff_wechat import service as staff_wechat
from district.work import connection, hurry, unit_of_work

log = logging.getLogger(__name__)

# Written out as the index over them is: with bound values SQLite cannot see that it applies.
_IS_UNFINISHED = text("conversation.step in ('choose_parts','choose_similar','danger_place')")
# WeChat waits five seconds; a locked database must not use them all up.
PATIENCE_S = 2.5
# WeChat's own limit for a text is about as long.
LONGEST_KEPT = 2048


@dataclass(frozen=True)
class Answered:
    """What a message was answered with. reply: plain XML, "" for none. repeated: it had been answered before."""

    reply: str
    repeated: bool = False


class _Repeated(Exception):
    """The message was answered before; nothing of this unit of work is kept."""

    def __init__(self, reply: str) -> None:
        self.reply = reply


class _Refused(Exception):
    """The district does not do what the dialogue wanted; why, as sentences for the resident."""

    def __init__(self, error: DistrictError) -> None:
        fields: dict[str, str] = getattr(error, "fields", {})
        self.says = [Say(key, dict(error.params)) for key in dict.fromkeys(fields.values())]
        self.says = self.says or [Say(error.key, dict(error.params))]


def answer(message: Inbound) -> Answered:
    """Handle one message and say what goes back. Safe to call again for the same message, at the same time too.

    Raises whatever the database raises: the caller keeps the message and tries again.
    """
    if notices.concern(message):
        notices.note(message)
        return Answered("")
    if dialogue.is_silent(message):
        return Answered("")
    now = clock.now()
    with held_reference():
        return _answered(message, now)


def _answered(message: Inbound, now: datetime) -> Answered:
    try:
        try:
            with unit_of_work(patience_s=PATIENCE_S) as session:
                return Answered(_handle(session, message, now))
        except _Refused as refused:
            # What the verbs had begun is rolled back; the resident hears why, in a unit of work of its own.
            with unit_of_work(patience_s=PATIENCE_S) as session:
                return Answered(_handle(session, message, now, instead=refused.says))
    except _Repeated as repeated:
        return Answered(repeated.reply, repeated=True)


def _handle(session: Session, message: Inbound, now: datetime, *, instead: list[Say] | None = None) -> str:
    """instead: what to say in place of doing anything; the report being made is dropped."""
    ledger = Ledger(connection())
    is_tap = message.kind == "event"
    if message.event == "subscribe":
        leaving.come_back(message.openid)
    count, length = TAP_GRANT if is_tap else MESSAGE_GRANT
    if message.event == dialogue.PLACE_PICKED:
        # Not one of the taps that WeChat lets us answer later.
        count, length = 0, timedelta()
    writer = ledger.meet(
        message.openid,
        now,
        follows=True,
        is_tap=is_tap,
        until=(min(message.created_at, now) if message.created_at else now) + length,
        messages=count,
    )
    memory = ledger.recall(message.key, writer.id)
    if memory.reply is not None:
        raise _Repeated(memory.reply)
    spoken = message.text if message.kind == "text" else message.recognition
    tag = language_of(spoken or "") or writer.language
    with speaking(tag):
        talk = _talk_of(memory)
        pace = gate.Pace.from_json(memory.pace)
        doing = _Doing(session, writer.id, tag)
        report_id = None
        if instead is None:
            view = world.DistrictWorld(writer.id, now)
            view.tries_codes = gate.may_try_codes(pace, now)
            refused = gate.refuse(pace, talk, message, view, blocked_until=writer.blocked_until)
            if refused is not None:
                turn = Turn(talk, refused)
            elif memory.question_id is not None:
                turn = answering.advance(talk, message, view, memory, pace)
            else:
                turn = dialogue.advance(talk, message, view, updated_at=memory.moved_at)
            turn = gate.weigh(turn, pace, view, before=lambda: _talk_of(memory))
            _note_codes(view, turn, pace)
            doing.all(turn)
            talk, says = turn.talk, turn.says
            report_id = _about(turn)
        else:
            talk.clear()
            says = instead
        notice = writer.notice_version < NOTICE_VERSION and bool(says)
        if notice:
            says = [*says, Say("bot.privacy.first", {"address": f"{links.base_url()}/privacy"})]
        words = _words(says, doing.known)
        if writer.has_unheard and words:
            words = "\n".join([*notifications.say_unheard(writer.id), words])
    reply = text_reply(message, words, now=now) if words else ""
    kind = f"event:{message.event}" if is_tap else message.kind
    said = Said(message.key, kind[:40], _kept_words(message, spoken), message.media_id, reply, report_id)
    noted = (tag, NOTICE_VERSION if notice else writer.notice_version)
    ledger.end(
        said, writer.id, now, step=str(talk.step), draft=talk.to_json(), pace=pace.to_json(),
        noted=noted if noted != (writer.language, writer.notice_version) else None,
    )  # fmt: skip
    return reply


def _note_codes(view: world.DistrictWorld, turn: Turn, pace: gate.Pace) -> None:
    """Codes that were scanned or typed are counted, right and wrong."""
    gate.note_codes(pace, turn, view.now, wrong=len(view.wrong_codes), was_held_back=view.was_held_back)
    for token, facility_id in view.opened.items():
        scans.count(token, facility_id)
    for _ in view.wrong_codes:
        scans.count_guess(scans.Door.CHAT)


def _talk_of(memory: Memory) -> Talk:
    return Talk.from_json(memory.step, memory.draft) if memory.step is not None else Talk()


def _about(turn: Turn) -> int | None:
    """The report that this message was about, as far as what was done tells."""
    for action in reversed(turn.actions):
        if isinstance(action, wishes.FileReport):
            return turn.talk.last_id
        if isinstance(action, wishes.MovePhotos):
            return action.to_id
        if isinstance(action, _ABOUT):
            return action.report_id
    return None


_ABOUT = (
    wishes.AddPhoto, wishes.AddWords, wishes.Rate, wishes.Reopen, wishes.Withdraw, wishes.AnswerQuestion,
)  # fmt: skip


def _kept_words(message: Inbound, spoken: str | None) -> str | None:
    """What staff may read beside the report: what was written or heard, a place's name."""
    words = spoken or (message.label if message.kind == "location" else None)
    return words[:LONGEST_KEPT] if words else None


# Questions nobody answered


def finish_unanswered(limit: int = 50) -> int:
    """File what was as good as reported when its resident went away from a question of ours; how many.

    For the sweep; the resident is told that it was filed.
    """
    now = clock.now()
    waiting = db.session.scalars(
        select(Conversation.resident_id)
        .where(_IS_UNFINISHED, Conversation.updated_at < now - dialogue.SOONEST_UNFINISHED)
        .order_by(Conversation.resident_id)
        .limit(limit)
    ).all()
    db.session.rollback()
    return sum(_finish(resident_id, now) for resident_id in waiting)


def _finish(resident_id: int, now: datetime) -> bool:
    try:
        with unit_of_work() as session:
            # The same lock as a message's: an answer that comes this moment is handled before or after.
            resident = session.get_one(Resident, resident_id, with_for_update=True, populate_existing=True)
            row = session.get_one(Conversation, resident_id, populate_existing=True)
            with speaking(resident.language):
                talk = Talk.from_json(row.step, row.draft)
                turn = dialogue.let_go(talk, world.DistrictWorld(resident_id, now), updated_at=row.updated_at)
                if turn is None:
                    return False
                doing = _Doing(session, resident_id, resident.language)
                doing.all(turn)
            for report in doing.filed:
                notifications.tell(reports.lock(report.id), "submitted")
            row.step, row.draft, row.updated_at = str(turn.talk.step), turn.talk.to_json(), now
            return True
    except _Refused:
        # It cannot be filed as it is (its place was taken out of the map, say): not tried again for ever.
        with unit_of_work() as session:
            row = session.get_one(Conversation, resident_id, with_for_update=True)
            row.step = str(Step.IDLE)
        return False


# What the dialogue wants done


class _Doing:
    """Carries out a turn's actions in order. filed: the reports; known: number and link of each, for the sentences."""

    def __init__(self, session: Session, resident_id: int, tag: str) -> None:
        self._session = session
        self._resident_id = resident_id
        self._tag = tag
        self._kept: list[int] = []
        self.filed: list[reports.Filed] = []
        self.known: list[dict[str, Any]] = []

    def all(self, turn: Turn) -> None:
        """Do everything the turn wants. Raises _Refused when the district does not do it."""
        for action in turn.actions:
            try:
                self._do(action, turn.talk)
            except DistrictError as error:
                log.info("the chat's wish was refused", extra={"action": type(action).__name__, "code": error.code})
                raise _Refused(error) from error
        if turn.talk.is_open:
            turn.talk.photo_ids += self._kept

    def _do(self, action: Action, talk: Talk) -> None:
        if isinstance(action, wishes.KeepPhoto):
            self._kept.append(photos.expect_media(action.media_id, self._resident_id))
            hurry("fetch_photos")
        elif isinstance(action, wishes.FileReport):
            self._file(action, talk)
        elif isinstance(action, wishes.AddPhoto):
            add = following.add_media if action.follows else reports.add_media
            add(action.report_id, action.media_id, by=self._resident())
        elif isinstance(action, wishes.MovePhotos):
            sorting.move_photos(
                action.from_id, action.to_id, by=self._resident(), media_ids=action.media_ids,
                photo_ids=action.photo_ids,
            )  # fmt: skip
        elif isinstance(action, wishes.AddWords) and action.follows:
            following.add(reports.lock(action.report_id), by=self._resident(), text=action.text[:LONGEST_NOTE])
        elif isinstance(action, wishes.AddWords):
            loose = self._loose(action.photo_ids)
            reports.comment(
                reports.standing(action.report_id), by=self._resident(), text=action.text[:LONGEST_NOTE],
                photo_ids=(*loose, *self._kept), reason=action.reason, urges=action.urges,
            )  # fmt: skip
            self._kept.clear()
        elif isinstance(action, wishes.Fix):
            self._fix(action)
        elif isinstance(action, wishes.Support):
            self._support(action)
        elif isinstance(action, wishes.AnswerQuestion):
            self._answer(action)
        elif isinstance(action, wishes.BindStaff):
            self._bind(action)
        elif isinstance(action, wishes.Rate):
            report = reports.lock(action.report_id)
            reports.rate(report, by=self._resident(), solved=action.solved, stars=action.stars)
        elif isinstance(action, wishes.Reopen):
            reports.reopen(reports.lock(action.report_id), by=self._resident())
        elif isinstance(action, wishes.Withdraw):
            reports.withdraw(reports.lock(action.report_id), by=self._resident())

    def _bind(self, action: wishes.BindStaff) -> None:
        writer = self._session.get_one(Resident, self._resident_id)
        if writer.openid is not None:
            staff_wechat.bind(action.code, writer.openid)

    def _support(self, action: wishes.Support) -> None:
        report = reports.lock(action.report_id)
        reports.support(report, by=self._resident())
        photo_ids = self._loose(action.photo_ids)
        if action.text or photo_ids:
            following.add(report, by=self._resident(), text=action.text[:LONGEST_NOTE], photo_ids=photo_ids)

    def _answer(self, action: wishes.AnswerQuestion) -> None:
        photo_ids = []
        if action.media_id is not None:
            photo_ids.append(photos.expect_media(action.media_id, self._resident_id))
            hurry("fetch_photos")
        report = reports.lock(action.report_id)
        questions.answer(report, by=self._resident(), text=action.text[: questions.LONGEST_ANSWER], photo_ids=photo_ids)

    def _file(self, action: wishes.FileReport, talk: Talk) -> None:
        place = action.place
        photo_ids = (*self._still_loose(action), *self._kept)
        report = reports.file(
            reports.NewReport(
                source=Source.QR if action.scanned else Source.BOT,
                description=action.description,
                category_code=action.category or "",
                facility_id=action.facility_id,
                latitude=place.latitude if place else None,
                longitude=place.longitude if place else None,
                address=place.address if place else "",
                place_source=PlaceSource(place.source) if place else None,
                photo_ids=photo_ids,
                language=self._tag,
                urgency=Urgency.CRITICAL if action.is_critical else None,
                intent=action.intent,
                is_another=action.is_another,
            ),
            by=self._resident(),
        )
        self._kept.clear()
        talk.last_id, talk.last_number = report.id, report.number
        if action.piece is not None and action.piece < len(talk.last_pieces):
            talk.last_pieces[action.piece] |= {"id": report.id, "number": report.number}
        self.filed.append(report)
        self.known.append({"number": report.number, "link": links.private_report_page(report)})

    def _fix(self, action: wishes.Fix) -> None:
        """Changed while it waits for dispatch; afterwards somebody works by it, and is told what was said."""
        report = reports.lock(action.report_id)
        place, correction = action.place, action.correction
        if Status(report.status) not in BY_ACTION[Deed.CORRECT].sources:
            reports.comment(report, by=self._resident(), text=action.said[:LONGEST_NOTE])
            return
        # A flush would go through everything that a report is related to, for the few columns that have changed.
        with batch():
            reports.correct(
                report,
                by=self._resident(),
                category_code=action.category,
                latitude=place.latitude if place else None,
                longitude=place.longitude if place else None,
                address=place.address if place else None,
                place_source=PlaceSource(place.source) if place else PlaceSource.PICKED,
                description=mend(report.description, correction, action.said) if correction else None,
                said=action.said,
            )

    def _still_loose(self, action: wishes.FileReport) -> Sequence[int]:
        """Photos that no report has yet: those of a draft of yesterday may have been tidied away."""
        return self._loose(action.photo_ids) if action.is_old else action.photo_ids

    def _loose(self, photo_ids: Sequence[int]) -> Sequence[int]:
        if not photo_ids:
            return ()
        query = select(Photo.id).where(
            Photo.id.in_(photo_ids), Photo.report_id.is_(None), Photo.resident_id == self._resident_id
        )
        return list(self._session.scalars(query.order_by(Photo.id)))

    def _resident(self) -> Resident:
        """Who acts. The verbs ask for the id alone, so the row itself is not read."""
        return Resident(id=self._resident_id)


def _words(says: list[Say], known: Sequence[dict[str, Any]]) -> str:
    """The sentences in the language now spoken, a line each. known: what fills those about a report just filed."""
    lines: list[str] = []
    for say in says:
        lines.append(_sentence(say, known[say.filed] if say.filed < len(known) else {}))
        lines += say.lines
    return "\n".join(line for line in lines if line)


_COMMON: dict[str, Callable[[], str]] = {
    "hotline": world.hotline,
    "service": world.service_name,
    "advice": world.outside_advice,
}


def _sentence(say: Say, known: dict[str, Any]) -> str:
    params = {**known, **{name: _said(value) for name, value in say.params.items()}}
    return t(say.key, **params, **{name: _Lazy(make) for name, make in _COMMON.items() if name not in params}).strip()


def _said(value: Any) -> Any:
    """A parameter that is a sentence, or several of them."""
    if isinstance(value, Say):
        return _sentence(value, {})
    if isinstance(value, list | tuple):
        return " · ".join(str(_said(one)) for one in value)
    return value


def words_of(reply: str) -> str:
    """The words of a passive reply made by `answer`; "" for none."""
    return (xmltodict.parse(reply)["xml"].get("Content") or "") if reply else ""


class _Lazy:
    """A placeholder's value that is worked out only when a sentence has the placeholder."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def __format__(self, spec: str) -> str:
        return format(self._make(), spec)
