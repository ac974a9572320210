"""One message, one unit of work: who wrote it, was it answered before, the dialogue's turn, what it wants done.

Four statements carry an ordinary message: the resident (upserted, which also locks them, so that one
person's messages are handled one after the other), what is remembered, the inbound message, the conversation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import xmltodict
from sqlalchemy import bindparam, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot import dialogue, world
from bot import talk as wishes
from bot.models import Conversation, InboundMessage
from bot.protocol.inbound import Inbound
from bot.protocol.reply import text_reply
from bot.talk import Action, Say, Talk, Turn
from bot.words import language_of
from district import clock, links
from district.categories.models import Urgency
from district.errors import DistrictError
from district.messages import speaking, t
from district.people.models import Resident
from district.people.service import MESSAGE_GRANT, NOTICE_VERSION, TAP_GRANT
from district.reports import photos
from district.reports import service as reports
from district.reports.models import Photo, PlaceSource, Source
from district.reports.service import LONGEST_NOTE
from district.work import hurry, unit_of_work

log = logging.getLogger(__name__)

# WeChat waits five seconds; a locked database must not use them all up.
PATIENCE_S = 2.5


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
    if dialogue.is_silent(message):
        return Answered("")
    now = clock.now()
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
    dialect = session.connection().dialect.name
    resident = _meet(session, dialect, message, now)
    stored, step, draft, updated_at = _recall(session, message.key, resident.id)
    if stored is not None:
        raise _Repeated(stored)
    spoken = message.text if message.kind == "text" else message.recognition
    tag = language_of(spoken or "") or resident.language
    with speaking(tag):
        talk = Talk.from_json(step, draft) if step is not None else Talk()
        doing = _Doing(session, resident.id, tag)
        if instead is None:
            turn = dialogue.advance(talk, message, world.DistrictWorld(resident.id, now), updated_at=updated_at)
            doing.all(turn)
            talk, says = turn.talk, turn.says
        else:
            talk.clear()
            says = instead
        notice = resident.notice_version < NOTICE_VERSION and bool(says)
        if notice:
            says = [*says, Say("bot.privacy.first", {"address": f"{links.base_url()}/privacy"})]
        words = _words(says, doing.known)
    reply = text_reply(message, words, now=now) if words else ""
    changed: dict[str, Any] = {}
    if tag != resident.language:
        changed["language"] = tag
    if notice:
        changed["notice_version"] = NOTICE_VERSION
    if changed:
        session.execute(_residents.update().where(_residents.c.id == resident.id).values(**changed))
    _remember(session, dialect, message, resident.id, reply, talk, now)
    return reply


# The four statements. Built once: SQLAlchemy then finds them compiled.


@dataclass(frozen=True)
class _Known:
    id: int
    language: str
    notice_version: int


def _insert(dialect: str) -> Callable[..., Any]:
    """The dialect's insert, which knows ON CONFLICT."""
    return postgresql.insert if dialect == "postgresql" else sqlite.insert


def _meet(session: Session, dialect: str, message: Inbound, now: datetime) -> _Known:
    """The resident, made at the first contact, locked until the commit, with WeChat's sending grant renewed."""
    tap = message.kind == "event"
    count, length = TAP_GRANT if tap else MESSAGE_GRANT
    follows = message.event != "unsubscribe"
    key = ("meet", dialect, tap)
    statement = _statements.get(key)
    if statement is None:
        table = _residents
        made = _insert(dialect)(table).values(
            openid=bindparam("openid"), language="zh-Hans", notice_version=0, is_follower=bindparam("follows"),
            window_until=bindparam("until"), window_left=bindparam("count"), first_seen_at=bindparam("now"),
            last_seen_at=bindparam("now"),
        )  # fmt: skip
        new = made.excluded
        values: dict[str, Any] = {"last_seen_at": new.last_seen_at, "is_follower": new.is_follower}
        if not tap:
            # A tap's short grant never cuts the long one that a message gave.
            values |= {"window_until": new.window_until, "window_left": new.window_left}
        statement = _statements[key] = made.on_conflict_do_update(
            index_elements=[table.c.openid], set_=values
        ).returning(table.c.id, table.c.language, table.c.notice_version)
    row = session.execute(
        statement,
        {"openid": message.openid, "follows": follows, "until": now + length, "count": count, "now": now},
    ).one()
    return _Known(row.id, row.language, row.notice_version)


def _recall(
    session: Session, key: str, resident_id: int
) -> tuple[str | None, str | None, dict[str, Any], datetime | None]:
    """(the stored reply if this message was answered, step, draft, when the conversation moved on)."""
    row = session.execute(_RECALL, {"key": key, "resident_id": resident_id}).one()
    if row.answered_for is not None and row.answered_for != resident_id:
        # The key holds the sender's digest, so this does not happen; nobody gets another's reply if it does.
        return "", row.step, row.draft or {}, row.updated_at
    return row.reply, row.step, row.draft or {}, row.updated_at


def _remember(
    session: Session, dialect: str, message: Inbound, resident_id: int, reply: str, talk: Talk, now: datetime
) -> None:
    kind = f"event:{message.event}" if message.kind == "event" else message.kind
    session.execute(
        _INBOUND,
        {"key": message.key, "resident_id": resident_id, "kind": kind[:40], "received_at": now, "reply": reply},
    )
    key = ("conversation", dialect)
    statement = _statements.get(key)
    if statement is None:
        made = _insert(dialect)(_conversation)
        new = made.excluded
        statement = _statements[key] = made.on_conflict_do_update(
            index_elements=[_conversation.c.resident_id],
            set_={"step": new.step, "draft": new.draft, "updated_at": new.updated_at},
        )
    session.execute(
        statement,
        {"resident_id": resident_id, "step": str(talk.step), "draft": talk.to_json(), "updated_at": now},
    )


_statements: dict[tuple[Any, ...], Any] = {}
_residents: Any = Resident.__table__
_inbound: Any = InboundMessage.__table__
_conversation: Any = Conversation.__table__
_INBOUND = _inbound.insert()
_one = select(literal(1).label("one")).subquery()
_RECALL = select(
    _inbound.c.reply,
    _inbound.c.resident_id.label("answered_for"),
    _conversation.c.step,
    _conversation.c.draft,
    _conversation.c.updated_at,
).select_from(
    _one.outerjoin(_inbound, _inbound.c.key == bindparam("key")).outerjoin(
        _conversation, _conversation.c.resident_id == bindparam("resident_id")
    )
)


# What the dialogue wants done


class _Doing:
    """Carries out a turn's actions in order. known: numbers and links for the sentences."""

    def __init__(self, session: Session, resident_id: int, tag: str) -> None:
        self._session = session
        self._resident_id = resident_id
        self._tag = tag
        self._kept: list[int] = []
        self.known: dict[str, Any] = {}

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
            self._kept.append(photos.expect_media(action.media_id, self._resident_id).id)
            hurry("fetch_photos")
        elif isinstance(action, wishes.FileReport):
            self._file(action, talk)
        elif isinstance(action, wishes.AddPhoto):
            report = reports.lock(action.report_id)
            reports.add_photo(report, photos.expect_media(action.media_id, self._resident_id), by=self._resident())
            hurry("fetch_photos")
        elif isinstance(action, wishes.AddWords):
            reports.comment(reports.lock(action.report_id), by=self._resident(), text=action.text[:LONGEST_NOTE])
        elif isinstance(action, wishes.Rate):
            report = reports.lock(action.report_id)
            reports.rate(report, by=self._resident(), solved=action.solved, stars=action.stars)
        elif isinstance(action, wishes.Reopen):
            reports.reopen(reports.lock(action.report_id), by=self._resident())
        elif isinstance(action, wishes.Withdraw):
            reports.withdraw(reports.lock(action.report_id), by=self._resident())
        elif isinstance(action, wishes.Follow) and not action.is_follower:
            # Whoever leaves can be sent nothing any more.
            away = _residents.update().where(_residents.c.id == self._resident_id)
            self._session.execute(away.values(window_left=0, window_until=None))

    def _file(self, action: wishes.FileReport, talk: Talk) -> None:
        place = action.place
        photo_ids = (*self._still_loose(action.photo_ids), *self._kept)
        report = reports.submit(
            reports.NewReport(
                source=Source.QR if action.scanned else Source.BOT,
                description=action.description,
                facility_id=action.facility_id,
                latitude=place.latitude if place else None,
                longitude=place.longitude if place else None,
                address=place.address if place else "",
                place_source=PlaceSource(place.source) if place else None,
                photo_ids=photo_ids,
                language=self._tag,
                urgency=Urgency.CRITICAL if action.is_critical else None,
                intent=action.intent,
            ),
            by=self._resident(),
        )
        self._kept.clear()
        talk.last_id, talk.last_number = report.id, report.number
        self.known |= {"number": report.number, "link": links.private_report_page(report)}

    def _still_loose(self, photo_ids: tuple[int, ...]) -> list[int]:
        """Photos that no report has yet: those of an old draft may have been tidied away."""
        if not photo_ids:
            return []
        query = select(Photo.id).where(
            Photo.id.in_(photo_ids), Photo.report_id.is_(None), Photo.resident_id == self._resident_id
        )
        return list(self._session.scalars(query.order_by(Photo.id)))

    def _resident(self) -> Resident:
        return self._session.get_one(Resident, self._resident_id)


def _words(says: list[Say], known: dict[str, Any]) -> str:
    """The sentences in the language now spoken, a line each."""
    common = {
        "hotline": world.hotline,
        "service": world.service_name,
        "advice": world.outside_advice,
    }
    lines: list[str] = []
    for say in says:
        params = {**known, **say.params}
        sentence = t(say.key, **params, **{name: _Lazy(make) for name, make in common.items() if name not in params})
        lines.append(sentence.strip())
        lines += say.lines
    return "\n".join(line for line in lines if line)


def words_of(reply: str) -> str:
    """The words of a passive reply made by `answer`; "" for none."""
    return (xmltodict.parse(reply)["xml"].get("Content") or "") if reply else ""


class _Lazy:
    """A placeholder's value that is worked out only when a sentence has the placeholder."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def __format__(self, spec: str) -> str:
        return format(self._make(), spec)
