"""Questions from staff to the resident who reported: asked, answered, taken back, given up.

Waiting for the resident is a flag, not a status. Meanwhile the clock stands still: when the question ends, however
it ends, the time that was left is left again. None of these commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from district import audit, clock
from district.errors import BadInput, WrongState
from district.extensions import db
from district.notifications import service as notifications
from district.notifications import unheard
from district.people.models import Resident, Staff
from district.reference import reference
from district.reports import clocks
from district.reports.guards import SYSTEM, Actor, KeyHolder, require
from district.reports.history import attach, record
from district.reports.models import EventKind, Outcome, Report, ReportQuestion
from district.reports.states import Action
from district.words import clean

LONGEST_QUESTION = 300
LONGEST_ANSWER = 1000
# How long a question waits where the district says nothing (setting `limits.question_days`).
DEFAULT_QUESTION_DAYS = 7


def ask(report: Report, *, by: Staff, text: str) -> ReportQuestion:
    """Ask the resident something and tell them; the report's clock stands still until the question ends.

    report: locked. text: 1 to 300 characters, shown to the resident as written.
    Raises NotAllowed, WrongState (also while another question waits), BadInput.
    """
    require(by, Action.ASK, report)
    text = clean(text)
    if not text:
        raise BadInput(fields={"text": "errors.question_missing"})
    if len(text) > LONGEST_QUESTION:
        raise BadInput(fields={"text": "errors.question_long"})
    row = ReportQuestion(
        report_id=report.id, resident_id=report.resident_id, asked_by_id=by.id, asked_at=clock.now(), text=text,
        answer="",
    )  # fmt: skip
    db.session.add(row)
    report.waiting_for_resident = True
    clocks.settle(report)
    record(report, EventKind.ASKED, by, unit_id=report.unit_id, note=text)
    audit.record(by, "report.ask", f"report:{report.id}")
    notifications.tell(report, "question", question=text)
    return row


def answer(
    report: Report, *, by: Resident | KeyHolder, text: str = "", photo_ids: Sequence[int] = ()
) -> ReportQuestion:
    """The resident's answer, in words or pictures: it lands on the report, and the clock goes on.

    report: locked. Raises NotAllowed, WrongState when nothing waits for an answer any more, BadInput.
    """
    require(by, Action.ANSWER, report)
    text = clean(text)
    if not text and not photo_ids:
        raise BadInput(fields={"text": "errors.answer_missing"})
    if len(text) > LONGEST_ANSWER:
        raise BadInput(fields={"text": "errors.note_long"})
    row = _pending(report)
    attach(report, photo_ids, by)
    row.answer = text
    _end(report, row, Outcome.ANSWERED)
    record(report, EventKind.ANSWERED, by, unit_id=report.unit_id, note=text)
    return row


def withdraw_question(report: Report, *, by: Staff) -> ReportQuestion:
    """Staff no longer need an answer; the clock goes on."""
    require(by, Action.WITHDRAW_QUESTION, report)
    row = _pending(report)
    _end(report, row, Outcome.WITHDRAWN)
    record(report, EventKind.QUESTION_WITHDRAWN, by, unit_id=report.unit_id, is_public=False)
    audit.record(by, "report.withdraw_question", f"report:{report.id}")
    return row


def drop(report: Report, *, by: Actor) -> None:
    """The report moves on to where nothing is asked any more. Does nothing when nothing waits."""
    if report.waiting_for_resident:
        _end(report, _pending(report), Outcome.WITHDRAWN)
        record(report, EventKind.QUESTION_WITHDRAWN, by, unit_id=report.unit_id, is_public=False)


def give_up_old(limit: int = 100) -> int:
    """Questions that nobody answered in time end: the clock goes on and staff see why. Returns how many."""
    days = int(reference().setting("limits.question_days", DEFAULT_QUESTION_DAYS))
    # The report is locked first, as everybody does; its question cannot change then.
    late = db.session.scalars(
        select(Report)
        .join(ReportQuestion, ReportQuestion.report_id == Report.id)
        .where(ReportQuestion.ended_at.is_(None), ReportQuestion.asked_at < clock.now() - timedelta(days=days))
        .order_by(ReportQuestion.asked_at)
        .limit(limit)
        .with_for_update(of=Report, skip_locked=True)
    ).all()
    for report in late:
        _end(report, _pending(report), Outcome.EXPIRED)
        record(report, EventKind.QUESTION_EXPIRED, SYSTEM, unit_id=report.unit_id, data={"days": days})
    return len(late)


def pending_for(resident_id: int) -> list[ReportQuestion]:
    """What waits for this resident's answer, oldest first, each with its report."""
    return list(
        db.session.scalars(
            select(ReportQuestion)
            .where(ReportQuestion.resident_id == resident_id, ReportQuestion.ended_at.is_(None))
            .options(joinedload(ReportQuestion.report), joinedload(ReportQuestion.asked_by))
            .order_by(ReportQuestion.id)
        )
    )


def pending_of(report: Report) -> ReportQuestion | None:
    """What waits for this report's resident, with who asked."""
    if not report.waiting_for_resident:
        return None
    return next((row for row in of_report(report.id, limit=1) if row.ended_at is None), None)


def of_report(report_id: int, limit: int = 50) -> list[ReportQuestion]:
    """A report's questions, newest first, with who asked."""
    return list(
        db.session.scalars(
            select(ReportQuestion)
            .where(ReportQuestion.report_id == report_id)
            .options(joinedload(ReportQuestion.asked_by))
            .order_by(ReportQuestion.id.desc())
            .limit(limit)
        )
    )


def _pending(report: Report) -> ReportQuestion:
    row = db.session.scalar(
        select(ReportQuestion).where(ReportQuestion.report_id == report.id, ReportQuestion.ended_at.is_(None))
    )
    if row is None:
        raise WrongState()
    return row


def _end(report: Report, row: ReportQuestion, outcome: Outcome) -> None:
    now = clock.now()
    row.ended_at, row.outcome = now, outcome
    report.waiting_for_resident = False
    unheard.end_question(report.id)
    # The unique index allows one that waits: it must be gone before another is asked.
    db.session.flush()
    clocks.settle(report)
