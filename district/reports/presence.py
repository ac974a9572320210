"""Who else has a report open just now. A courtesy, not a lock: the version of the report is what protects it.

It is kept in the queue server, forgotten within a minute, and simply missing while that server is away.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis
from sqlalchemy import select

from district import clock
from district.extensions import db, redis_door
from district.people.models import Staff
from district.reports.states import Action

# A page says that it is open every 10 s (60 s in a hidden tab); silent for longer than this it is closed.
GONE_AFTER_S = 75


@dataclass(frozen=True)
class Present:
    """Somebody with the page open. doing: the action whose form they have open, or None for looking."""

    staff: Staff
    doing: Action | None


def beat(report_id: int, staff_id: int, doing: str = "") -> list[Present]:
    """This person has the report open; the others who have. doing: an action's name, anything else means looking."""
    now = int(clock.now().timestamp())
    door, key = redis_door(), _key(report_id)
    if door.is_resting:
        return []
    try:
        pipeline = door.connection.pipeline(transaction=False)
        pipeline.hset(key, str(staff_id), f"{now} {doing[:40]}")
        pipeline.expire(key, GONE_AFTER_S)
        pipeline.hgetall(key)
        *_, found = pipeline.execute()
    except (redis.ConnectionError, redis.TimeoutError):
        door.failed()
        return []
    others: dict[int, str] = {}
    for name, value in found.items():
        since, _, what = value.decode().partition(" ")
        if int(name) != staff_id and now - int(since) <= GONE_AFTER_S:
            others[int(name)] = what
    if not others:
        return []
    rows = db.session.scalars(select(Staff).where(Staff.id.in_(others)).order_by(Staff.name, Staff.id))
    return [Present(row, _action(others[row.id])) for row in rows]


def leave(report_id: int, staff_id: int) -> None:
    """This person has closed it."""
    door = redis_door()
    if door.is_resting:
        return
    try:
        door.connection.hdel(_key(report_id), str(staff_id))
    except (redis.ConnectionError, redis.TimeoutError):
        door.failed()


def _key(report_id: int) -> str:
    return f"bihuan:here:{report_id}"


def _action(name: str) -> Action | None:
    return Action(name) if name in set(Action) else None
