"""Replying to the resident in words of one's own or prepared ones, and keeping the prepared ones. None commits."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import select

from district import audit, clock
from district.errors import BadInput, NotFound
from district.extensions import db
from district.messages import CHINESE, language, speaking, t
from district.notifications import service as notifications
from district.people.models import Resident, Staff
from district.reference import reference
from district.replies.filling import EmptyPlaceholder, check, fill
from district.replies.models import ReplyTemplate
from district.reports.guards import require
from district.reports.history import record
from district.reports.models import EventKind, Report
from district.reports.states import PLAIN, Action, Status
from district.wechat.text import MAX_TEXT_BYTES
from district.words import clean

# Characters. With its number and link a Chinese reply of this length still is one WeChat message.
LONGEST_REPLY = 500
LONGEST_TITLE = 60
MOST_TEMPLATES = 200


def reply(report: Report, *, by: Staff, text: str) -> str:
    """Tell the resident something; it is on their page, and in WeChat as far as WeChat lets it through.

    report: locked. text: 1 to 500 characters once its placeholders are filled. Returns the words that were sent.
    Raises NotAllowed, WrongState, BadInput (also for placeholders that are unknown or have nothing to say yet).
    """
    require(by, Action.REPLY, report)
    said = written(report, text)
    if len(notifications.preview(report, "replied", text=said).encode()) > MAX_TEXT_BYTES:
        raise BadInput(fields={"text": "reply.problem.wechat_long"})
    record(report, EventKind.REPLIED, by, unit_id=report.unit_id, note=said)
    audit.record(by, "report.reply", f"report:{report.id}")
    notifications.tell(report, "replied", text=said)
    return said


def written(report: Report, text: str) -> str:
    """The reply as it will read. Raises BadInput where it cannot be sent so."""
    text = clean(text)
    if not text:
        raise BadInput(fields={"text": "reply.problem.missing"})
    check(text, "text")
    said, empty = fill(text, values_of(report))
    if empty:
        raise EmptyPlaceholder("text", empty[0])
    if len(said) > LONGEST_REPLY:
        raise BadInput(fields={"text": "reply.problem.long"})
    return said


def preview(report: Report, text: str) -> str:
    """The message exactly as WeChat would show it, its link included. Raises BadInput as `reply` does."""
    said = written(report, text)
    message = notifications.preview(report, "replied", text=said)
    if len(message.encode()) > MAX_TEXT_BYTES:
        raise BadInput(fields={"text": "reply.problem.wechat_long"})
    return message


def values_of(report: Report) -> dict[str, str]:
    """What the placeholders say about this report, in the resident's language; "" where there is nothing to say."""
    unit = reference().units_by_id.get(report.unit_id) if report.unit_id else None
    category = reference().categories_by_id.get(report.category_id) if report.category_id else None
    due = report.handling_due_at
    zone = ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])
    with speaking(spoken_to(report)):
        name = ""
        if category is not None:
            name = category.name if language() == CHINESE or not category.name_en else category.name_en
        return {
            "number": report.number,
            "unit": unit.name if unit else "",
            "due": f"{due.astimezone(zone):%m-%d %H:%M}" if due else "",
            "category": name.replace("_", " ") if language() != CHINESE else name,
            "place": report.address or (report.facility.address if report.facility else "") or _area(report),
            "status": t(f"status.plain.{PLAIN[Status(report.status)]}", unit=unit.name if unit else ""),
        }


def _area(report: Report) -> str:
    areas = reference().areas_by_code
    return "".join(areas[code].name for code in (report.area_code, report.community_code) if code in areas)


def spoken_to(report: Report) -> str:
    """The language in which its resident is written to."""
    resident = db.session.get(Resident, report.resident_id) if report.resident_id else None
    return resident.language if resident is not None else report.language


@dataclass(frozen=True)
class Offer:
    """A prepared reply for one report. text: its placeholders filled."""

    template: ReplyTemplate
    text: str


def offers(report: Report) -> list[Offer]:
    """The prepared replies that can be sent about this report now, those made for its category first."""
    category = reference().categories_by_id.get(report.category_id) if report.category_id else None
    code = category.code if category else ""
    values, tag = values_of(report), spoken_to(report)
    found = []
    for row in listed():
        if row.category_codes and code not in row.category_codes:
            continue
        if row.statuses and report.status not in row.statuses:
            continue
        words = row.words if tag == CHINESE or not row.words_en else row.words_en
        text, empty = fill(words, values)
        if not empty:
            found.append(Offer(row, text))
    return sorted(found, key=lambda offer: (not offer.template.category_codes, not offer.template.statuses))


def listed() -> list[ReplyTemplate]:
    """All that are in use, by title."""
    query = select(ReplyTemplate).where(ReplyTemplate.ended_at.is_(None)).order_by(ReplyTemplate.code)
    return list(db.session.scalars(query.limit(MOST_TEMPLATES)))


def template(template_id: int) -> ReplyTemplate:
    """One that is in use. Raises NotFound."""
    row = db.session.get(ReplyTemplate, template_id)
    if row is None or row.ended_at is not None:
        raise NotFound()
    return row


def save(
    template_id: int | None,
    *,
    by: Staff,
    title: str,
    words: str,
    words_en: str = "",
    category_codes: Sequence[str] = (),
    statuses: Sequence[str] = (),
) -> ReplyTemplate:
    """Add a prepared reply, or change one. Raises NotFound, and BadInput naming each field that cannot be used."""
    title, words, words_en = clean(title), clean(words), clean(words_en)
    fields: dict[str, str] = {}
    if not title:
        fields["title"] = "reply.problem.title_missing"
    if len(title) > LONGEST_TITLE:
        fields["title"] = "reply.problem.title_long"
    if not words:
        fields["words"] = "reply.problem.missing"
    for name, text in (("words", words), ("words_en", words_en)):
        if len(text) > LONGEST_REPLY:
            fields[name] = "reply.problem.long"
    if any(code not in reference().categories_by_code for code in category_codes):
        fields["categories"] = "errors.category_unknown"
    if any(status not in set(Status) for status in statuses):
        fields["statuses"] = "reply.problem.status"
    if fields:
        raise BadInput(fields=fields)
    check(words, "words")
    check(words_en, "words_en")
    row = template(template_id) if template_id is not None else ReplyTemplate(code=f"T{secrets.token_hex(4)}")
    before = _told(row) if template_id is not None else {}
    row.title, row.words, row.words_en = title, words, words_en
    row.category_codes, row.statuses = list(dict.fromkeys(category_codes)), list(dict.fromkeys(statuses))
    row.changed_at, row.changed_by_id = clock.now(), by.id
    db.session.add(row)
    # For the id, which the log names.
    db.session.flush()
    audit.record(by, "reply_template.save", f"reply_template:{row.id}", before=before, after=_told(row))
    return row


def end(template_id: int, *, by: Staff) -> None:
    """It is no longer offered. Raises NotFound."""
    row = template(template_id)
    row.ended_at, row.changed_at, row.changed_by_id = clock.now(), clock.now(), by.id
    audit.record(by, "reply_template.end", f"reply_template:{row.id}", before=_told(row))


def _told(row: ReplyTemplate) -> dict[str, object]:
    return {
        "title": row.title, "words": row.words, "words_en": row.words_en, "categories": row.category_codes,
        "statuses": row.statuses,
    }  # fmt: skip
