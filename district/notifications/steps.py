"""What is told, by which way and when: one row for each step that residents are told of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Step:
    """How a step is told.

    keeps: a customer-service message is spent on it only while this many are left for what matters more.
    is_worth_consent: a consent to one subscription notice may be used up for it.
    template: the template of its own that it uses where one is set, else the common one.
    is_urgent: told at night, too.
    """

    keeps: int = 0
    is_worth_consent: bool = True
    template: str = ""
    is_urgent: bool = False


PROGRESS, QUESTION, DONE = "progress", "question", "done"
TEMPLATES = (PROGRESS, QUESTION, DONE)

STEPS: Mapping[str, Step] = {
    "assigned": Step(),
    # It says little more than `assigned`; a question or the end of the case must still get through.
    "accepted": Step(keeps=2, is_worth_consent=False),
    "question": Step(template=QUESTION),
    "extended": Step(keeps=1),
    "suspended": Step(keeps=1),
    "resolved": Step(template=DONE),
    "closed": Step(template=DONE),
    "rejected": Step(template=DONE),
    "reopened": Step(keeps=1),
    "merged": Step(keeps=1, is_worth_consent=False),
    "unmerged": Step(keeps=2, is_worth_consent=False),
    "joined": Step(keeps=1, is_worth_consent=False),
    "joined_with_unit": Step(keeps=1, is_worth_consent=False),
    "announced": Step(keeps=1),
    "closed_too": Step(template=DONE),
    "replied": Step(),
    "split": Step(keeps=1, is_worth_consent=False),
}
_OTHER = Step()


def step_of(kind: str) -> Step:
    """How a step is told; one that has no row is told plainly."""
    return STEPS.get(kind, _OTHER)


@dataclass(frozen=True)
class QuietHours:
    """When nobody is woken for what can wait. begins, ends: on the district's clocks; the same means never."""

    begins: time
    ends: time
    zone: ZoneInfo

    def until(self, moment: datetime) -> datetime | None:
        """When the quiet hours that `moment` lies in are over; None when it lies in none. moment: aware."""
        if self.begins == self.ends:
            return None
        local = moment.astimezone(self.zone)
        clock_face = local.time()
        if self.begins < self.ends:
            is_quiet, next_day = self.begins <= clock_face < self.ends, False
        else:
            is_quiet, next_day = clock_face >= self.begins or clock_face < self.ends, clock_face >= self.begins
        if not is_quiet:
            return None
        day = local.date() + timedelta(days=1 if next_day else 0)
        return datetime.combine(day, self.ends, self.zone)


def read_quiet_hours(begins: object, ends: object, zone: str) -> QuietHours:
    """From the district's settings, such as "22:00" and "07:30"."""
    return QuietHours(time.fromisoformat(str(begins)), time.fromisoformat(str(ends)), ZoneInfo(zone))
