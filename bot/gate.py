"""How much one resident may send, and who is blocked: decided before and after the dialogue's turn.

Nothing here ever stands in the way of an emergency. What is not handled is still kept with the conversation, and
the resident is told once, calmly. The limits are the district's (`[limits.chat]` of its folder).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app

from bot.draft import danger_said
from bot.protocol.inbound import Inbound
from bot.talk import AddPhoto, AddWords, FileReport, KeepPhoto, Say, Step, Talk, Turn, World
from bot.words import plain
from district.categories.models import Urgency
from district.reference import reference
from district.reports.photos import MOST_PHOTOS
from district.understanding import understand

# Where the district says nothing.
DEFAULTS = {"messages_a_minute": 20, "photos_in_ten_minutes": 30, "reports_a_day": 20, "same_text_minutes": 5}
MINUTE_S, TEN_MINUTES_S = 60, 600
# After an emergency everything passes for this long: the place and the photos belong to it.
URGENT_S = 1800
# Shorter texts are answers and orders, which one may well repeat.
SHORTEST_SAME = 4
MOST_REMEMBERED = 5
# Wrong codes of facilities in an hour, typed or scanned; beyond that none is looked up.
MOST_WRONG_CODES, HOUR_S = 20, 3600


_COUNTS = ("messages", "photos", "codes")


@dataclass
class Count:
    """How many came since `since` (seconds of the epoch), and whether the resident was told that it is too much."""

    since: int = 0
    number: int = 0
    told: bool = False

    def up(self, now_s: int, window_s: int) -> int:
        if now_s - self.since >= window_s:
            self.since, self.number, self.told = now_s, 0, False
        self.number += 1
        return self.number

    def once(self, say: Say) -> list[Say]:
        """The sentence the first time, then silence."""
        said, self.told = self.told, True
        return [] if said else [say]


@dataclass
class Pace:
    """What is remembered of a resident between two messages, beside the dialogue. Times in seconds of the epoch.

    said: digests of words that became part of a report, with when. filed: the day and how many reports it brought.
    pictures: a report's id and how many pictures it got. urgent_s: the last emergency. enough_s: when it was last
    said that the pictures suffice. asked: (question id, words) of which the bot asked whether they are its answer.
    heard: (question id, when the chat last said it).
    """

    messages: Count = field(default_factory=Count)
    photos: Count = field(default_factory=Count)
    codes: Count = field(default_factory=Count)
    filed: list[Any] = field(default_factory=lambda: ["", 0])
    pictures: list[int] = field(default_factory=lambda: [0, 0])
    said: list[list[Any]] = field(default_factory=list)
    urgent_s: int = 0
    enough_s: int = 0
    asked: list[Any] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Pace:
        pace = cls()
        for name, value in kept.items():
            if name in _COUNTS:
                setattr(pace, name, Count(*value))
            elif name in _PLAIN:
                setattr(pace, name, value)
        return pace

    def to_json(self) -> dict[str, Any]:
        """Only what says something: most are nearly empty."""
        kept: dict[str, Any] = {}
        for name in _COUNTS:
            count: Count = getattr(self, name)
            if count.number:
                kept[name] = [count.since, count.number, count.told]
        mine = vars(self)
        return kept | {name: mine[name] for name, fresh in _PLAIN.items() if mine[name] != fresh}


_PLAIN = {name: value for name, value in vars(Pace()).items() if name not in _COUNTS}


def may_try_codes(pace: Pace, now: datetime) -> bool:
    """Whether this resident's codes are still looked up: too many were none within the hour otherwise."""
    return pace.codes.number < MOST_WRONG_CODES or now.timestamp() - pace.codes.since >= HOUR_S


def note_codes(pace: Pace, turn: Turn, now: datetime, *, wrong: int, was_held_back: bool) -> None:
    """Count the wrong ones of this message; say once that it is too much."""
    for _ in range(wrong):
        pace.codes.up(int(now.timestamp()), HOUR_S)
    if was_held_back:
        turn.says = [*pace.codes.once(Say("gate.codes")), *turn.says]


def refuse(
    pace: Pace, talk: Talk, message: Inbound, world: World, *, blocked_until: datetime | None
) -> list[Say] | None:
    """What is said instead of handling the message (nothing, when it was said before); None lets it through."""
    now_s = int(world.now.timestamp())
    if message.kind == "event":
        return None
    is_photo = message.kind == "image"
    number = pace.photos.up(now_s, TEN_MINUTES_S) if is_photo else pace.messages.up(now_s, MINUTE_S)
    text = _text_of(message)
    if blocked_until is not None and blocked_until > world.now:
        return None if _presses(pace, talk, text, now_s) else [Say("gate.blocked")]
    limits = reference().setting("limits.chat", {})
    if is_photo:
        if number > _limit(limits, "photos_in_ten_minutes") and not _presses(pace, talk, "", now_s):
            return pace.photos.once(Say("gate.photos"))
    elif number > _limit(limits, "messages_a_minute") and not _presses(pace, talk, text, now_s):
        return pace.messages.once(Say("gate.slow"))
    elif text and pace.said and _was_said(pace, talk, text, now_s, 60 * _limit(limits, "same_text_minutes")):
        return _said_again(pace, talk, text, world, now_s)
    return None


def weigh(turn: Turn, pace: Pace, world: World, *, before: Callable[[], Talk]) -> Turn:
    """The turn without what is too much of it. before: the talk as it was, for a report that is not filed now."""
    if not turn.actions and not turn.says:
        return turn
    now_s = int(world.now.timestamp())
    filing = [action for action in turn.actions if isinstance(action, FileReport)]
    if filing:
        day = f"{world.now.astimezone(ZoneInfo(current_app.config['DISTRICT_TIMEZONE'])):%Y%m%d}"
        if pace.filed[0] != day:
            pace.filed = [day, 0]
        most = _limit(reference().setting("limits.chat", {}), "reports_a_day")
        if pace.filed[1] + len(filing) > most and not any(action.is_critical for action in filing):
            return Turn(before(), [Say("gate.reports", {"count": most})])
        pace.filed[1] += len(filing)
        kept = sum(isinstance(action, KeepPhoto) for action in turn.actions)
        # Filed in this turn: its id is not known yet, so it goes by nought until the next picture names it.
        pace.pictures = [0, len(filing[-1].photo_ids) + kept]
        if any(action.is_critical for action in filing):
            pace.urgent_s = now_s
    for action in turn.actions:
        if isinstance(action, FileReport):
            _remember(pace, now_s, action.description, *action.description.split("\n"))
        elif isinstance(action, AddWords):
            _remember(pace, now_s, action.text)
        elif isinstance(action, AddPhoto) and not _has_room(pace, action.report_id):
            turn.actions.remove(action)
            turn.says = [Say("bot.photo.enough", {"count": MOST_PHOTOS})]
            break
    if any(say.key == "bot.photo.enough" for say in turn.says):
        if now_s - pace.enough_s < TEN_MINUTES_S:
            turn.says = []
        else:
            pace.enough_s = now_s
    return turn


def _has_room(pace: Pace, report_id: int) -> bool:
    """Whether one more picture may join the report; counts it."""
    if pace.pictures[0] not in (0, report_id):
        pace.pictures = [report_id, 0]
    pace.pictures[0] = report_id
    if pace.pictures[1] >= MOST_PHOTOS:
        return False
    pace.pictures[1] += 1
    return True


def _presses(pace: Pace, talk: Talk, text: str, now_s: int) -> bool:
    """Whether this is about an emergency: danger in the words, or one that began a moment ago."""
    if talk.danger is not None or now_s - pace.urgent_s < URGENT_S:
        return True
    if not text or understand(text, reference()).urgency is not Urgency.CRITICAL:
        return False
    pace.urgent_s = now_s
    return True


def _was_said(pace: Pace, talk: Talk, text: str, now_s: int, length_s: int) -> bool:
    """Whether the same words became part of a report a moment ago, and nothing new was begun since."""
    if talk.is_open or talk.step != Step.IDLE or len(plain(text)) < SHORTEST_SAME:
        return False
    digest = _digest(text)
    return any(one == digest and now_s - then_s < length_s for one, then_s in pace.said)


def _said_again(pace: Pace, talk: Talk, text: str, world: World, now_s: int) -> list[Say] | None:
    """The short answer; with the number to call again where there is danger that was filed."""
    dangers = world.read(text).dangers
    if dangers and now_s - pace.urgent_s >= URGENT_S:
        return None
    says = [danger_said(one) for one in dangers[:1]]
    return [*says, Say("gate.same", {"number": talk.last_number})]


def _remember(pace: Pace, now_s: int, *texts: str) -> None:
    fresh = [[_digest(text), now_s] for text in dict.fromkeys(texts) if len(plain(text)) >= SHORTEST_SAME]
    pace.said = (fresh + pace.said)[:MOST_REMEMBERED]


def _digest(text: str) -> str:
    """Short: it is compared with a handful of others, and holds no words."""
    return hashlib.blake2b(plain(text).encode(), digest_size=6).hexdigest()


def _limit(limits: Any, name: str) -> int:
    return int(limits.get(name, DEFAULTS[name]))


def _text_of(message: Inbound) -> str:
    return (message.text if message.kind == "text" else message.recognition) or ""
