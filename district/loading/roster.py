"""Read roster.csv: who is on duty when, and which unit stands in for one that is away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from district.loading.files import Row

DUTY, AWAY = "duty", "away"


@dataclass(frozen=True)
class RosterRow:
    """One row. starts_at, ends_at: on the district's clocks; only an absence may be without an end."""

    unit_code: str
    kind: str
    name: str
    phone: str
    stand_in: str
    starts_at: datetime
    ends_at: datetime | None


def read_roster(rows: Iterable[Row], units: Collection[str] | None, where: str) -> tuple[RosterRow, ...]:
    """Every row without a mistake; mistakes are noted by the rows themselves. units: known codes of `where`."""
    found: dict[RosterRow, None] = {}
    for row in rows:
        code = row.reference("unit_code", units, where) or ""
        kind = row.one_of("kind", (DUTY, AWAY))
        starts_at = _moment(row, "starts_at")
        ends_at = _moment(row, "ends_at", required=kind != AWAY)
        name = row.text("name", longest=60, required=kind == DUTY)
        phone = row.phone("phone")
        if kind == DUTY and not phone:
            row.wrong("phone", "empty")
        stand_in = row.reference("stand_in", units, where, required=kind == AWAY) or ""
        if kind == AWAY and stand_in and stand_in == code:
            row.wrong("stand_in", "duplicate", value=stand_in)
        if starts_at is not None and ends_at is not None and ends_at <= starts_at:
            row.wrong("ends_at", "bad_moment", value=ends_at.isoformat(" ", "minutes"))
        if starts_at is not None:
            made = RosterRow(code, kind, name, phone, stand_in, starts_at, ends_at)
            if made in found:
                row.wrong("unit_code", "duplicate", value=code)
            found[made] = None
    return tuple(found)


def by_kind(
    rows: Iterable[RosterRow], unit_ids: Mapping[str, int], zone: str
) -> tuple[set[tuple[int, str, str, datetime, datetime]], set[tuple[int, int, datetime, datetime | None]]]:
    """Shifts and absences as `duty.bring` wants them. zone: the district's, whose clocks the file means."""
    here = ZoneInfo(zone)
    shifts: set[tuple[int, str, str, datetime, datetime]] = set()
    absences: set[tuple[int, int, datetime, datetime | None]] = set()
    for row in rows:
        starts_at = row.starts_at.replace(tzinfo=here)
        ends_at = row.ends_at.replace(tzinfo=here) if row.ends_at is not None else None
        if row.kind == AWAY:
            absences.add((unit_ids[row.unit_code], unit_ids[row.stand_in], starts_at, ends_at))
        elif ends_at is not None:
            shifts.add((unit_ids[row.unit_code], row.name, row.phone, starts_at, ends_at))
    return shifts, absences


def _moment(row: Row, column: str, *, required: bool = True) -> datetime | None:
    """A time written 2026-11-26 08:30. None when empty or unreadable, which is noted."""
    value = row.text(column, required=required)
    if not value:
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M")  # noqa: DTZ007  the zone is the district's, known later
    except ValueError:
        row.wrong(column, "bad_moment", value=value)
        return None
