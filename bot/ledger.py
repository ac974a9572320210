"""The four statements that carry every message, in the databases' own language.

Who wrote (which also locks them, so that one person's messages are handled one after the other), what was answered
before and where the conversation stands, the message itself, the conversation's new place. They run for each of
hundreds of messages a second, and SQLAlchemy's layers would cost several times the statements themselves; so
they go past it (`district.quick`), inside the transaction of the unit of work. Both dialects read the same SQL.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection

from district.columns import naive_text
from district.quick import quick_on

# A message and a tap each renew a grant of their own. One handled late never shortens what a newer one gave.
_MEET = """
insert into resident (openid, language, notice_version, is_follower, {grant}_until, {grant}_left, {other}_left,
                      has_unheard, web_epoch, first_seen_at, last_seen_at)
values (?, 'zh-Hans', 0, ?, ?, ?, 0, false, 0, ?, ?)
on conflict (openid) do update set
    last_seen_at = excluded.last_seen_at, is_follower = excluded.is_follower,
    {grant}_left = case when resident.{grant}_until > excluded.{grant}_until then resident.{grant}_left
                   else excluded.{grant}_left end,
    {grant}_until = case when resident.{grant}_until > excluded.{grant}_until then resident.{grant}_until
                    else excluded.{grant}_until end
returning id, language, notice_version, has_unheard, blocked_until
"""
# The index over questions that wait is nearly empty: looking into it for everybody costs less than a flag would,
# which staff could only set while they hold the report that the chat may be waiting for.
_RECALL = """
select i.reply, i.resident_id, c.step, c.draft, c.updated_at, c.pace,
       (select min(q.id) from report_question q where q.resident_id = ? and q.ended_at is null)
from (select 1 as one) as start
left join inbound_message i on i.key = ?
left join conversation c on c.resident_id = ?
"""
_KEEP = """
insert into inbound_message (key, resident_id, kind, received_at, reply, text, media_id, report_id)
values (?, ?, ?, ?, ?, ?, ?, ?)
"""
_MOVE = """
insert into conversation (resident_id, step, draft, updated_at, pace) values (?, ?, ?, ?, ?)
on conflict (resident_id) do update set
    step = excluded.step, draft = excluded.draft, updated_at = excluded.updated_at, pace = excluded.pace
"""


_NOTE = "update resident set language = ?, notice_version = ? where id = ?"


# PostgreSQL does all of it in one round trip.
_KEEP_AND_MOVE = f"with kept as ({_KEEP}) {_MOVE}"
_NOTE_KEEP_AND_MOVE = f"with noted as ({_NOTE}), kept as ({_KEEP}) {_MOVE}"

# Made once: `json.dumps` makes an encoder anew for every call that is not its plainest.
_JSON = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Writer:
    """The resident who wrote. has_unheard: something could not be delivered to them; it is said now.

    blocked_until: of a block that may be over, None for none.
    """

    id: int
    language: str
    notice_version: int
    has_unheard: bool
    blocked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known before a message is handled. reply: what it was answered with, None if it is new.

    pace: how much came lately, see `bot.gate`. question_id: the oldest question that waits for this resident.
    """

    reply: str | None
    step: str | None
    draft: dict[str, Any]
    moved_at: datetime | None
    pace: dict[str, Any]
    question_id: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What is kept of a message. kind: WeChat's, with the event's name; report_id: what it was about, if known."""

    key: str
    kind: str
    text: str | None
    media_id: str | None
    reply: str
    report_id: int | None = None


class Ledger:
    """The statements of one message, on the connection of its unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._quick = quick_on(connection)
        self._is_postgres = connection.dialect.name == "postgresql"

    def meet(
        self, openid: str, now: datetime, *, follows: bool, is_tap: bool, until: datetime, messages: int
    ) -> Writer:
        """The resident, made at the first contact, locked until the commit, with what WeChat now lets us send."""
        moment = self._moment(now)
        ((writer_id, language, notice_version, has_unheard, blocked_until),) = self._quick.ask(
            _meet_statement(is_tap), (openid, follows, self._moment(until), messages, moment, moment)
        )
        return Writer(writer_id, language, notice_version, bool(has_unheard), _aware(blocked_until))

    def recall(self, key: str, resident_id: int) -> Memory:
        ((reply, answered_for, step, draft, moved_at, pace, question_id),) = self._quick.ask(
            _RECALL, (resident_id, key, resident_id)
        )
        if reply is not None and answered_for != resident_id:
            # The key holds the sender's digest, so this does not happen; nobody gets another's reply if it does.
            reply = ""
        if isinstance(draft, str):
            draft = json.loads(draft)
        if isinstance(pace, str):
            pace = json.loads(pace)
        return Memory(reply, step, draft or {}, _aware(moved_at), pace or {}, question_id)

    def end(
        self,
        said: Said,
        resident_id: int,
        now: datetime,
        *,
        step: str,
        draft: dict[str, Any],
        pace: dict[str, Any],
        noted: tuple[str, int] | None = None,
    ) -> None:
        """The message with what it was answered with, for a repeat gets the same; where the conversation stands.

        noted: when one has changed, the language the resident speaks now and the privacy notice they were shown.
        """
        moment = self._moment(now)
        kept = (said.key, resident_id, said.kind, moment, said.reply, said.text, said.media_id, said.report_id)
        moved = (
            resident_id, step, _JSON.encode(draft), moment, _JSON.encode(pace) if pace else None,
        )  # fmt: skip
        note = (*noted, resident_id) if noted is not None else ()
        if self._is_postgres:
            self._quick.ask(_NOTE_KEEP_AND_MOVE if note else _KEEP_AND_MOVE, (*note, *kept, *moved))
        else:
            if note:
                self._quick.ask(_NOTE, note)
            self._quick.ask(_KEEP, kept)
            self._quick.ask(_MOVE, moved)

    def _moment(self, moment: datetime) -> Any:
        """As `district.columns.UtcDateTime` keeps it."""
        return moment if self._is_postgres else naive_text(moment)


def _aware(moment: Any) -> datetime | None:
    """As the driver reads it: SQLite's is text without a zone."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment  # type: ignore[no-any-return]


@cache
def _meet_statement(is_tap: bool) -> str:
    grant, other = ("tap", "window") if is_tap else ("window", "tap")
    return _MEET.format(grant=grant, other=other)
