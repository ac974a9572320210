"""What dispatchers decided, as lessons: a report's words with the category they left it with.

Reads only. The words are never stored anywhere else than in their report: they are read from it for each training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, select

from district import clock
from district.extensions import db
from district.geo.gazetteer import plain
from district.reference import Reference
from district.reports.models import EventKind, Report, ReportEvent
from district.reports.states import HAS_UNIT, Status
from district.understanding.personal import without_personal
from district.understanding.training import Lesson

# The newest of each, of these days, are learnt from; older ones say how the district was. This bounds time and memory.
_DAYS = 730
MOST_CORRECTED = 3000
MOST_CONFIRMED = 3000
# One report in this many is never learnt from: what was learnt is judged by them.
_HELD_BACK = 4
# How much a decision counts beside one of the district's own utterances. A closed report that nobody corrected
# confirms what was understood, which teaches less than a correction.
_CORRECTED, _CONFIRMED = 2.0, 1.0
# Words longer than this say more than what is wrong, and cost more than they teach.
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Decided:
    """One report that somebody decided about. text: without personal data. is_corrected: staff changed its category."""

    report_id: int
    text: str
    category: str
    is_corrected: bool
    whose: str

    def lesson(self) -> Lesson:
        return Lesson(self.text, self.category, _CORRECTED if self.is_corrected else _CONFIRMED, self.whose)


@dataclass(frozen=True, slots=True)
class Lessons:
    """To learn from, and never to learn from."""

    taught: tuple[Decided, ...]
    held_back: tuple[Decided, ...]

    @property
    def counts(self) -> dict[str, int]:
        return {
            "decisions": len(self.taught),
            "corrected": sum(one.is_corrected for one in self.taught),
            "held_back": len(self.held_back),
            "held_back_corrected": sum(one.is_corrected for one in self.held_back),
        }

    @property
    def newest(self) -> int:
        """The id of the newest report among them, 0 without any."""
        return max((one.report_id for one in (*self.taught, *self.held_back)), default=0)


def gather(ref: Reference) -> Lessons:
    """The newest decided reports, told apart for good by their id's digest. The same reports give the same lessons."""
    corrected = _corrected()
    rows = [
        *(_read(_decided(MOST_CORRECTED).where(corrected, Report.status.in_(HAS_UNIT)), ref, is_corrected=True)),
        *(_read(_decided(MOST_CONFIRMED).where(~corrected, Report.status == Status.CLOSED), ref, is_corrected=False)),
    ]
    rows.sort(key=lambda one: one.report_id)
    taught = tuple(one for one in rows if not is_held_back(one.report_id))
    known = {plain(one.text) for one in taught}
    # The same words filed again would be asked after they were learnt.
    held_back = tuple(one for one in rows if is_held_back(one.report_id) and plain(one.text) not in known)
    return Lessons(taught, held_back)


def is_held_back(report_id: int) -> bool:
    """Whether this report judges and never teaches: the same answer for ever, whatever else is filed."""
    return hashlib.sha256(f"report:{report_id}".encode()).digest()[0] % _HELD_BACK == 0


def _corrected() -> ColumnElement[bool]:
    """Staff set its category right."""
    return exists().where(
        ReportEvent.report_id == Report.id,
        ReportEvent.kind == EventKind.CORRECTED,
        ReportEvent.actor == "staff",
        ReportEvent.data["category"].as_string().is_not(None),
    )


def _decided(limit: int) -> Any:
    return (
        select(Report.id, Report.description, Report.category_id, Report.resident_id)
        .where(
            Report.submitted_at >= clock.now() - timedelta(days=_DAYS),
            Report.description != "",
            Report.category_id.is_not(None),
        )
        .order_by(Report.id.desc())
        .limit(limit)
    )


def _read(query: Any, ref: Reference, *, is_corrected: bool) -> Sequence[Decided]:
    found = []
    for report_id, description, category_id, resident_id in db.session.execute(query):
        category = ref.categories_by_id.get(category_id) if category_id is not None else None
        text = without_personal(description)[:_LONGEST]
        if category is not None and not category.is_retired and text:
            whose = f"resident:{resident_id}" if resident_id is not None else f"report:{report_id}"
            found.append(Decided(report_id, text, category.code, is_corrected, whose))
    return found
