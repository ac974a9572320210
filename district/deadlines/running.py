"""A clock that runs, stands still and is given more time: when it ends, and when somebody is reminded of it.

Pure: what happened to the clock is an argument, so that its end can be worked out anew whenever the calendar or a
limit changes, and comes out the same however often that is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import lru_cache

from district.categories.models import LimitUnit
from district.deadlines.calendar import WorkingCalendar


@dataclass(frozen=True)
class Limit:
    """How long something may take, e.g. 2 working_days."""

    value: int
    unit: LimitUnit


@dataclass(frozen=True)
class Stop:
    """The clock stood still from `since` on; until: None while it still does."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Extra:
    """More time that was granted at `at`: either so much more, or until a moment."""

    at: datetime
    more: Limit | None
    until: datetime | None


@dataclass(frozen=True)
class Clock:
    """When a clock ends as things are, and since when it stands still (None while it runs)."""

    due_at: datetime
    paused_at: datetime | None


def run(
    calendar: WorkingCalendar, limit: Limit, start: datetime, stops: Iterable[Stop] = (), extras: Iterable[Extra] = ()
) -> Clock:
    """The clock of a limit that began at `start`, after all that happened to it.

    Time left when it stops is left when it goes on. What stood still before `start` was another clock's.
    """
    due = calendar.due_at(start, limit.value, limit.unit)
    whole = _joined(stops, start)
    # More time that was granted while the clock stood still is there when it goes on.
    changes: list[tuple[datetime, int, Stop | Extra]] = [(extra.at, 0, extra) for extra in extras if extra.at >= start]
    changes += [(stop.until, 1, stop) for stop in whole if stop.until is not None]
    for _, _, change in sorted(changes, key=lambda one: one[:2]):
        if isinstance(change, Stop):
            due = given_back(calendar, limit.unit, due, change)
        else:
            due = _more(calendar, due, change)
    return Clock(due, next((stop.since for stop in whole if stop.until is None), None))


def given_back(calendar: WorkingCalendar, unit: LimitUnit, due: datetime, stop: Stop) -> datetime:
    """What was due at `due` when the clock stopped is due then, now that it goes on again."""
    if stop.until is None:
        return due
    if due <= stop.since:
        # It was late already: standing still, it has not become later.
        return due + (stop.until - stop.since)
    return calendar.after(stop.until, calendar.between(stop.since, due, unit), unit)


def _more(calendar: WorkingCalendar, due: datetime, extra: Extra) -> datetime:
    if extra.more is not None:
        return calendar.due_at(due, extra.more.value, extra.more.unit)
    return max(due, extra.until) if extra.until is not None else due


def _joined(stops: Iterable[Stop], start: datetime) -> list[Stop]:
    """Stops in order without overlaps, cut to what lies after `start`: two reasons at once stop one clock once."""
    joined: list[Stop] = []
    for stop in sorted(stops, key=lambda one: one.since):
        if stop.until is not None and stop.until <= start:
            continue
        since = max(stop.since, start)
        last = joined[-1] if joined else None
        if last is not None and (last.until is None or since <= last.until):
            until = None if last.until is None or stop.until is None else max(last.until, stop.until)
            joined[-1] = Stop(last.since, until)
        else:
            joined.append(Stop(since, stop.until))
    return joined


class Step(IntEnum):
    """Who is told of a clock, in this order, each once for each clock."""

    SOON = 1  # a part of the time has gone: yellow
    PRESSING = 2  # most of it has: red
    OVERDUE = 3
    HEAD = 4  # the head of the unit
    SUPERVISION = 5  # the supervision office


@dataclass(frozen=True)
class Reminders:
    """When to remind. yellow, red: parts of the limit, 0 to 1. head, supervision: hours after it is due, counted
    as the clock itself counts: working hours where working time runs, else day and night.
    """

    yellow: float = 0.5
    red: float = 0.8
    head_hours: int = 4
    supervision_hours: int = 8


@lru_cache(maxsize=512)
def steps(
    calendar: WorkingCalendar, limit: Limit, due: datetime, reminders: Reminders
) -> tuple[tuple[Step, datetime], ...]:
    """Each step with its moment, earliest first, for a clock that runs until `due`."""
    length = calendar.length(limit.value, limit.unit)

    def left(part: float) -> datetime:
        return calendar.before(due, length * (1 - part), limit.unit)

    def late(hours: int) -> datetime:
        return calendar.after(due, timedelta(hours=hours), limit.unit)

    return (
        (Step.SOON, left(reminders.yellow)),
        (Step.PRESSING, left(reminders.red)),
        (Step.OVERDUE, due),
        (Step.HEAD, late(reminders.head_hours)),
        (Step.SUPERVISION, late(max(reminders.head_hours, reminders.supervision_hours))),
    )
