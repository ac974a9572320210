"""Calling residents back (回访) after their report is closed. None commits.

Whoever left a telephone number and cannot be asked in WeChat is called; what they say counts as if they had rated it.
"""

from __future__ import annotations

from district import audit
from district.people.models import Staff
from district.reports import service as reports
from district.reports.guards import require
from district.reports.history import record
from district.reports.models import EventKind, Report
from district.reports.queries import NO_ANSWER
from district.reports.states import Action
from district.words import clean


def call_back(
    report: Report, *, by: Staff, is_reached: bool, solved: bool = True, stars: int | None = None, text: str = ""
) -> Report:
    """Write down a call: nobody answered, or what the resident says of it.

    report: locked. stars: 1 to 5, None where they gave none. Not solved sends it back to the unit, as a rating does.
    Raises NotAllowed, WrongState (rated already, or too late to reopen), BadInput.
    """
    require(by, Action.CALL_BACK, report)
    audit.record(by, "report.call_back", f"report:{report.id}", reached=is_reached)
    if is_reached:
        return reports.rate_by_call(report, by=by, solved=solved, stars=stars if solved else None, text=text)
    note = clean(text)[: reports.LONGEST_NOTE]
    record(report, EventKind.COMMENTED, by, note=note, is_public=False, data={"called": NO_ANSWER})
    return report
