"""Working deadlines out anew when the calendar, the working hours or a limit has changed. None commits."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import select

from district import clock
from district.categories.models import Urgency
from district.deadlines import service as deadlines
from district.extensions import db
from district.reference import Reference, reference
from district.reports import clocks, standards
from district.reports.guards import SYSTEM
from district.reports.history import record
from district.reports.models import EventKind, Report
from district.reports.states import WITH_UNIT, Status
from district.settings import DistrictSetting

# What the deadlines were last worked out with, and how far a run has come: {done, going, after}.
STATE = "deadlines:policy"
BATCH = 100


def digest(ref: Reference) -> str:
    """Changes whenever something changes that deadlines are made of."""
    made_of: list[Any] = [
        [[str(day), kind] for day, kind in ref.calendar],
        ref.setting("hours", {}),
        ref.setting("limits.default_handling", {}),
        [
            [row.id, row.limit_value, row.limit_unit, [[s.code, s.limit_value, s.limit_unit] for s in row.standards]]
            for row in ref.categories_by_id.values()
        ],
    ]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def recompute(limit: int = BATCH) -> bool:
    """One batch of the open reports, by id. True while there is more to do.

    What deadlines are made of is compared with what they were last made of: where it is the same nothing is read.
    A run that is broken off goes on where it stopped; done twice, it changes nothing the second time.
    """
    row = db.session.get(DistrictSetting, STATE, with_for_update=True)
    wanted = reference().once("deadlines.digest", digest)
    if row is None:
        # The first look: every deadline there is was made of what holds now.
        db.session.add(DistrictSetting(name=STATE, value={"done": wanted}))
        return False
    state = dict(row.value)
    if state.get("going") != wanted:
        if state.get("done") == wanted and "going" not in state:
            return False
        state = {"done": state.get("done"), "going": wanted, "after": 0}
    reports = db.session.scalars(
        select(Report)
        .where(Report.status.in_((*WITH_UNIT, Status.SUSPENDED)), Report.id > state["after"])
        .order_by(Report.id)
        .limit(limit)
        .with_for_update()
    ).all()
    found = clocks.histories(reports) if reports else {}
    for report in reports:
        _work_out(report, found[report.id])
    more = len(reports) == limit
    row.value = state | {"after": reports[-1].id} if more else {"done": wanted}
    return more


def _work_out(report: Report, history: clocks.History) -> None:
    """Move what is due; leave alone what is over already, and what would be over by the change."""
    now = report.clock_paused_at or clock.now()
    before, limit_before = report.handling_due_at, clocks.limit_of(report)
    if before is None or before <= now:
        return
    limit = limit_before
    if not report.standard_code or standards.chosen_for(report) is not None:
        # A condition that is no longer in use keeps the limit it had.
        limit = deadlines.handling_limit(report.category_id, Urgency(report.urgency), report.standard_code)
    due = clocks.worked_out(report, history, limit).due_at
    if due == before or due <= now:
        return
    report.handling_due_at, report.limit_value, report.limit_unit = due, limit.value, limit.unit
    report.alarm_at = clocks.next_alarm(report)
    record(
        report, EventKind.DEADLINE_MOVED, SYSTEM, unit_id=report.unit_id, is_public=False,
        data=standards.moved(before, limit_before, report),
    )  # fmt: skip
