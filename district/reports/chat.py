"""The conversation around a report, for staff who may see it: what the resident wrote and what they were told.

No openid, and no private links: whoever reads along must not be able to act as the resident. Every reader is in the
audit log, once for each report and day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import xmltodict
from flask import current_app
from sqlalchemy import and_, or_, select

from district import audit, clock
from district.chats.models import InboundMessage
from district.errors import NotAllowed
from district.extensions import db
from district.messages import has, speaking, t
from district.notifications.models import Notification
from district.people.models import AuditEntry, Staff
from district.reports import sight
from district.reports.models import Photo, Report

# A report is seldom begun longer than this before it is filed; drafts do not live longer.
BEGINS_BEFORE = timedelta(hours=24)
MOST_LINES = 300
_LINK = re.compile(r"<a\s[^>]*>(.*?)</a>", re.DOTALL)
_ADDRESS = re.compile(r"https?://\S+[?&]key=\S+")
READ = "report.chat_read"


@dataclass(frozen=True)
class Line:
    """One bubble. by: `resident`, `bot` (an answer in the chat) or `told` (a message sent by itself).

    kind: of the resident's message, in WeChat's names. photo: its picture, None while it is on its way.
    """

    at: datetime
    by: str
    text: str = ""
    kind: str = "text"
    photo: Photo | None = None
    delivery: str = ""


def has_chat(report: Report) -> bool:
    """Whether there can be a conversation at all."""
    return report.resident_id is not None


def read(report: Report, *, by: Staff) -> list[Line]:
    """The conversation around a report, oldest first; writes that `by` has read it. report: locked.

    Raises NotAllowed for somebody who may not see the report.
    """
    if not sight.may_see(by, report):
        raise NotAllowed()
    _note_reader(report, by)
    if report.resident_id is None:
        return []
    rows = _messages(report)
    photos = _photos(report, [row.media_id for row in rows if row.media_id])
    lines: list[Line] = []
    for row in rows:
        photo = photos.get(row.media_id or "")
        lines.append(Line(row.received_at, "resident", row.text or "", row.kind, photo))
        said = _words_of(row.reply)
        if said:
            lines.append(Line(row.received_at, "bot", said))
    lines += _told(report)
    # Sorting keeps the order of what happened at the same moment: the resident first, then the answer.
    return sorted(lines, key=lambda line: line.at)[-MOST_LINES:]


def _messages(report: Report) -> list[InboundMessage]:
    """What is known to be about this report, and what came before it since the last one was filed."""
    previous = db.session.scalar(
        select(Report.submitted_at)
        .where(Report.resident_id == report.resident_id, Report.id < report.id)
        .order_by(Report.id.desc())
        .limit(1)
    )
    begins = report.submitted_at - BEGINS_BEFORE
    if previous is not None:
        begins = max(begins, previous)
    leads_to_it = and_(
        InboundMessage.report_id.is_(None),
        InboundMessage.received_at > begins,
        InboundMessage.received_at <= report.submitted_at,
    )
    query = (
        select(InboundMessage)
        .where(
            InboundMessage.resident_id == report.resident_id,
            or_(InboundMessage.report_id == report.id, leads_to_it),
            # What a tap or a following brings is not said by anybody.
            InboundMessage.kind.not_like("event:%"),
        )
        .order_by(InboundMessage.received_at.desc())
        .limit(MOST_LINES)
    )
    return list(db.session.scalars(query))[::-1]


def _photos(report: Report, media_ids: list[str]) -> dict[str, Photo]:
    if not media_ids:
        return {}
    rows = db.session.scalars(
        select(Photo).where(
            Photo.resident_id == report.resident_id, Photo.media_id.in_(media_ids), Photo.report_id == report.id
        )
    )
    return {row.media_id: row for row in rows if row.media_id}


def _told(report: Report) -> list[Line]:
    rows = db.session.scalars(
        select(Notification)
        .where(Notification.report_id == report.id, Notification.resident_id == report.resident_id)
        .order_by(Notification.id)
        .limit(MOST_LINES)
    )
    lines = []
    with speaking(report.language):
        for row in rows:
            key = f"notifications.{row.kind}"
            if has(key):
                words = t(key, number=report.number, **row.params)
                lines.append(Line(row.sent_at or row.created_at, "told", _harmless(words), delivery=row.delivery))
    return lines


def _words_of(reply: str) -> str:
    return _harmless(xmltodict.parse(reply)["xml"].get("Content") or "") if reply else ""


def _harmless(words: str) -> str:
    """Without the addresses that open the private part of a page."""
    return _ADDRESS.sub("", _LINK.sub(r"\1", words)).strip()


def _note_reader(report: Report, by: Staff) -> None:
    """Once for each reader, report and day of the district."""
    zone = ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])
    midnight = clock.now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    seen = db.session.scalar(
        select(AuditEntry.id)
        .where(
            AuditEntry.subject == f"report:{report.id}",
            AuditEntry.action == READ,
            AuditEntry.staff_id == by.id,
            AuditEntry.at >= midnight,
        )
        .limit(1)
    )
    if seen is None:
        audit.record(by, READ, f"report:{report.id}")
