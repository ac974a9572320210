"""A question from staff waits: is what the resident sends its answer?

Called instead of the dialogue when, and only when, something waits for this resident. Whatever is plainly something
else (an order, a number, danger, a report being made) goes to the dialogue as ever; in doubt the bot asks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select

from bot import dialogue
from bot.gate import Pace
from bot.ledger import Memory
from bot.protocol.inbound import Inbound
from bot.recent import touch
from bot.talk import AnswerQuestion, Say, Step, Talk, Turn, World
from bot.words import is_only_pictures, plain
from district.extensions import db
from district.messages import t
from district.notifications.models import Delivery, Notification
from district.reference import reference
from district.reports.models import ReportQuestion
from district.wechat.text import shorten

# Orders and kind words; "yes" and "no" are answers.
NO_ANSWERS = ("progress", "withdraw", "cancel", "help", "person", "report", "thanks", "hello", "sticker", "noted")
# What people write about who is no answer to what they were asked.
OTHER_INTENTS = frozenset({"withdraw", "thanks", "abuse", "spam"})
# After this long the question is said again, when the resident comes with something else.
REMIND_AFTER_S = 3600
_SHOWN_QUESTION, _SHOWN_WORDS = 60, 20


@dataclass(frozen=True)
class Waiting:
    """The question: what was asked, by which unit, about which report. heard_at: when it reached the resident."""

    id: int
    report_id: int
    number: str
    category: str | None
    text: str
    unit: str
    heard_at: datetime | None


def advance(talk: Talk, message: Inbound, world: World, memory: Memory, pace: Pace) -> Turn:
    """One message further, as `dialogue.advance`, with the question in mind."""
    assert memory.question_id is not None
    question = _waiting(memory.question_id, pace)
    if message.kind == "event" or question is None:
        return dialogue.advance(talk, message, world, updated_at=memory.moved_at)
    asked, pace.asked = pace.asked, []
    words = world.words
    text = (message.text if message.kind == "text" else message.recognition) or ""
    if asked and asked[0] == question.id and text:
        if words.means("yes", text):
            return _answered(talk, question, world, text=str(asked[1]))
        if words.means("no", text):
            other = replace(message, kind="text", text=str(asked[1]))
            return dialogue.advance(talk, other, world, updated_at=memory.moved_at)
    verdict = _verdict(talk, message, text.strip(), world, memory, question)
    if verdict == "answer":
        if message.kind == "image":
            return _answered(talk, question, world, media_id=message.media_id)
        said = words.without_number(text) if words.number_in(text) else text.strip()
        return _answered(talk, question, world, text=said or _place(message, world))
    if verdict == "unsure":
        pace.asked = [question.id, text]
        shown = {"words": shorten(text, _SHOWN_WORDS), "question": shorten(question.text, _SHOWN_QUESTION)}
        return Turn(talk, [Say("question.is_it", shown)])
    turn = dialogue.advance(talk, message, world, updated_at=memory.moved_at)
    _remind(turn, question, world, pace)
    return turn


def _verdict(talk: Talk, message: Inbound, text: str, world: World, memory: Memory, question: Waiting) -> str:
    """`answer`, `unsure` or `other`."""
    if question.heard_at is None or _is_busy(talk, memory, question):
        return "other"
    if message.kind == "image":
        return "answer" if message.media_id else "other"
    if message.kind == "location":
        return "answer" if _place(message, world) else "other"
    if not plain(text) or is_only_pictures(text) or any(world.words.means(word, text) for word in NO_ANSWERS):
        return "other"
    if world.words.stars(text) or world.words.means("solved", text) or world.words.means("unsolved", text):
        # Two things are open, and these words fit both: the one that was closed asked for just these.
        return "other" if world.to_rate() is not None else "answer"
    reading = world.read(text)
    if reading.dangers or reading.facility is not None:
        return "other"
    says_more = not world.words.is_little(world.words.without_number(text))
    if reading.number and not (reading.number == question.number and says_more):
        return "other"
    if reading.intent in OTHER_INTENTS and not reading.category:
        return "other"
    is_another = reading.category and question.category and reading.category != question.category
    asks_back = reading.intent == "followup" or world.words.chase(text) is not None
    return "unsure" if is_another or asks_back else "answer"


def _is_busy(talk: Talk, memory: Memory, question: Waiting) -> bool:
    """Whether the dialogue waits for something itself, and asked later than the question came."""
    if not talk.is_open and talk.step == Step.IDLE:
        return False
    if memory.moved_at is None or question.heard_at is None:
        return False
    return question.heard_at <= memory.moved_at


def _answered(talk: Talk, question: Waiting, world: World, *, text: str = "", media_id: str | None = None) -> Turn:
    """It lands on the report; what comes next belongs there, too."""
    touch(talk, question.report_id, question.number, world)
    talk.last_category, talk.last_place = None, None
    key = "question.thanks_photo" if media_id else "question.thanks"
    turn = Turn(talk, [Say(key, {"number": question.number, "unit": question.unit})])
    turn.actions.append(AnswerQuestion(question.report_id, text, media_id))
    return turn


def _remind(turn: Turn, question: Waiting, world: World, pace: Pace) -> None:
    """Say the question, unless the dialogue asks for something itself or it was said a moment ago."""
    now_s = int(world.now.timestamp())
    if turn.talk.is_open or turn.talk.step != Step.IDLE or not turn.says:
        return
    if pace.heard and pace.heard[0] == question.id and now_s - pace.heard[1] < REMIND_AFTER_S:
        return
    pace.heard = [question.id, now_s]
    turn.says.append(
        Say("question.waiting", {"number": question.number, "unit": question.unit, "question": question.text})
    )


def _place(message: Inbound, world: World) -> str:
    """A location message as words; "" when there is no place in it."""
    if message.kind != "location" or message.point is None:
        return ""
    place = world.place(*message.point, message.label or "")
    return f"{place.address} ({place.latitude:.5f}, {place.longitude:.5f})".strip() if place is not None else ""


def _waiting(question_id: int, pace: Pace) -> Waiting | None:
    """The question with when it was heard: by a message that arrived, on the page, or here in the chat."""
    row = db.session.get(ReportQuestion, question_id)
    if row is None or row.ended_at is not None:
        return None
    told = Notification.report_id == row.report_id, Notification.resident_id == row.resident_id
    sent_at = db.session.scalar(
        select(func.max(func.coalesce(Notification.read_at, Notification.sent_at))).where(
            *told,
            Notification.kind == "question",
            Notification.created_at >= row.asked_at,
            (Notification.delivery == Delivery.SENT) | Notification.read_at.is_not(None),
        )
    )
    said_at = datetime.fromtimestamp(pace.heard[1], row.asked_at.tzinfo) if pace.heard[:1] == [row.id] else None
    report = row.report
    category = reference().categories_by_id.get(report.category_id) if report.category_id else None
    unit = reference().units_by_id.get(row.asked_by.unit_id)
    return Waiting(
        id=row.id,
        report_id=report.id,
        number=report.number,
        category=category.code if category else None,
        text=row.text,
        unit=unit.name if unit else t("question.staff"),
        heard_at=max((at for at in (sent_at, said_at) if at is not None), default=None),
    )
