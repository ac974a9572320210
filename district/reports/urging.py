"""Asking that a report be hurried (催办), from its page. None commits.

In the chat whoever asks why nobody comes urges by that; `reports.comment` keeps those words.
"""

from __future__ import annotations

from datetime import timedelta

from district import clock
from district.errors import WrongState
from district.reports import merging
from district.reports.guards import Actor, require
from district.reports.history import record
from district.reports.models import URGES, EventKind, Report
from district.reports.states import WAITING_FOR_DISPATCH, WITH_UNIT, Action, Status

# One tap a day says it; more would only make the number mean less.
AGAIN_AFTER = timedelta(hours=24)
_CAN_BE_HURRIED = WAITING_FOR_DISPATCH | WITH_UNIT


def can_be_hurried(report: Report) -> bool:
    """Whether somebody still has to begin or to finish: of what it joined, where it joined another."""
    return Status((report.parent or report).status) in _CAN_BE_HURRIED


def urged_lately(report: Report) -> bool:
    """Whether its resident urged within `AGAIN_AFTER`, here or in the chat."""
    since = clock.now() - AGAIN_AFTER
    return any(event.urges and event.at > since for event in report.events)


def urge(report: Report, *, by: Actor) -> Report:
    """Note in the history that the resident asks for it to be hurried. report: locked.

    Raises NotAllowed, WrongState (nothing left to hurry, or urged within a day).
    """
    require(by, Action.COMMENT, report)
    if not can_be_hurried(report):
        raise WrongState()
    if urged_lately(report):
        raise WrongState("errors.urged_already")
    record(report, EventKind.COMMENTED, by, data={URGES: True})
    merging.pass_words(report, "", by, {URGES: True})
    return report
