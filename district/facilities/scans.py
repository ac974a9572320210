"""How often codes are scanned, which never are, and how many were guessed: counts for each day, nothing about whom.

A scan is a facility's page, its data or the chat opened with a code in use. What staff open while logged in is none,
and neither is a page that somebody merely comes back to: the doors know that. None of these commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, case, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from district import clock
from district.extensions import Model, db
from district.facilities.code_states import CodeState
from district.facilities.models import CodeGuessDay, Facility, FacilityScanDay, FacilityToken

# For so long a fresh label may hang without anybody having needed it.
USUAL_DAYS = 30
SHOWN_DAYS = 30
PAGE_SIZE = 50


class Door(StrEnum):
    """Where a code can be tried."""

    PAGE = "page"
    FORM = "form"
    API = "api"
    CHAT = "chat"


def today() -> date:
    """The district's day."""
    return clock.local_day(clock.now(), current_app.config["DISTRICT_TIMEZONE"])


# ---------------------------------------------------------------- counting


def count(token: str, facility_id: int) -> None:
    """One more scan of a facility by this code, in capitals. Inside a unit of work; two short statements."""
    day = today()
    _one_more(FacilityScanDay, {"facility_id": facility_id, "day": day}, "scans")
    # Once a day: the row of a code on a busy square is not written for everybody who scans it.
    db.session.execute(
        update(FacilityToken)
        .where(
            FacilityToken.token == token,
            or_(FacilityToken.last_scanned_on.is_(None), FacilityToken.last_scanned_on < day),
        )
        .values(last_scanned_on=day)
        .execution_options(synchronize_session=False)
    )


def count_guess(door: Door) -> None:
    """One more code that opens nothing. Inside a unit of work."""
    _one_more(CodeGuessDay, {"day": today(), "door": str(door)}, "wrong")


def _one_more(model: type[Model], key: Mapping[str, Any], name: str) -> None:
    column = getattr(model, name)
    insert = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert
    adding: Any = insert(model).values(**key, **{name: 1})
    db.session.execute(adding.on_conflict_do_update(index_elements=list(key), set_={name: column + 1}))


# ---------------------------------------------------------------- reading


@dataclass(frozen=True)
class Scans:
    """A facility's last days. by_day: one for each day, oldest first. last_on: the last day ever, None for never."""

    total: int
    by_day: tuple[tuple[date, int], ...]
    last_on: date | None


def of_facility(facility_id: int, days: int = SHOWN_DAYS) -> Scans:
    """How often a facility was scanned in the last days, today included."""
    last = today()
    first = last - timedelta(days=days - 1)
    rows = db.session.execute(
        select(FacilityScanDay.day, FacilityScanDay.scans).where(
            FacilityScanDay.facility_id == facility_id, FacilityScanDay.day >= first
        )
    )
    counted = {row.day: row.scans for row in rows}
    last_on = db.session.scalar(
        select(func.max(FacilityToken.last_scanned_on)).where(FacilityToken.facility_id == facility_id)
    )
    by_day = tuple((day, counted.get(day, 0)) for day in (first + timedelta(days=n) for n in range(days)))
    return Scans(sum(counted.values()), by_day, last_on)


@dataclass(frozen=True)
class Unscanned:
    """Which codes that hang and were never scanned. days: how long they must have hung at least.

    areas, units: how far somebody sees, street codes and unit ids; None: everywhere, all.
    """

    type_code: str = ""
    area_code: str = ""
    days: int = USUAL_DAYS
    areas: frozenset[str] | None = None
    units: frozenset[int] | None = None


@dataclass(frozen=True)
class Silent:
    """One such code. placed_at: since when it hangs."""

    token: str
    placed_at: datetime
    facility: Facility


@dataclass(frozen=True)
class Street:
    """How many codes of a street hang long enough, and how many of them were never scanned."""

    area_code: str
    placed: int
    silent: int

    @property
    def percent(self) -> int:
        """Of those that hang, in whole percent; only nothing is 0 and only all is 100."""
        share = round(100 * self.silent / self.placed)
        return min(max(share, 1 if self.silent else 0), 100 if self.silent == self.placed else 99)


def never_scanned(
    wanted: Unscanned, *, after: tuple[int, str] | None = None, limit: int = PAGE_SIZE
) -> tuple[list[Silent], tuple[int, str] | None]:
    """A page of the codes, in the order of the register, and where the next one begins, None for the last.

    after: the facility's id and the code that the page before ended with.
    """
    query = _hanging(select(FacilityToken, Facility), wanted).where(FacilityToken.last_scanned_on.is_(None))
    if after is not None:
        query = query.where(tuple_(FacilityToken.facility_id, FacilityToken.token) > after)
    query = query.order_by(FacilityToken.facility_id, FacilityToken.token).limit(limit + 1)
    rows = [(row, facility) for row, facility in db.session.execute(query)]
    last = rows[limit - 1][0] if len(rows) > limit else None
    shown = [_silent(row, facility) for row, facility in rows[:limit]]
    return shown, (last.facility_id, last.token) if last is not None else None


def all_never_scanned(wanted: Unscanned) -> Iterator[Silent]:
    """The whole list for a file, street by street and type by type; the memory does not grow with it."""
    query = _hanging(select(FacilityToken, Facility), wanted).where(FacilityToken.last_scanned_on.is_(None))
    query = query.order_by(Facility.area_code, Facility.type_id, Facility.address, Facility.id, FacilityToken.token)
    for row, facility in db.session.execute(query.execution_options(yield_per=500)):
        yield _silent(row, facility)


def count_never_scanned(wanted: Unscanned) -> int:
    """How many the list has."""
    query = _hanging(select(func.count()).select_from(FacilityToken), wanted)
    return db.session.scalar(query.where(FacilityToken.last_scanned_on.is_(None))) or 0


def by_street(wanted: Unscanned) -> list[Street]:
    """Each street's share, the worst first. A type that is asked for counts; a street does not: all are compared."""
    placed, silent = func.count(), func.sum(case((FacilityToken.last_scanned_on.is_(None), 1), else_=0))
    everywhere = Unscanned(wanted.type_code, "", wanted.days, wanted.areas, wanted.units)
    query = _hanging(select(Facility.area_code, placed, silent).select_from(FacilityToken), everywhere)
    rows = [Street(*row) for row in db.session.execute(query.group_by(Facility.area_code))]
    return sorted(rows, key=lambda row: (-row.silent / row.placed, -row.silent, row.area_code))


def guesses(days: int = SHOWN_DAYS) -> dict[str, int]:
    """How many codes that are none were tried in the last days, today included, by door; doors without are left out."""
    query = select(CodeGuessDay.door, func.sum(CodeGuessDay.wrong)).group_by(CodeGuessDay.door)
    since = today() - timedelta(days=days - 1)
    return {row[0]: row[1] for row in db.session.execute(query.where(CodeGuessDay.day >= since))}


def _hanging(query: Any, wanted: Unscanned) -> Any:
    """Codes that have hung long enough on facilities that are in the register, as far as somebody sees."""
    before = clock.now() - timedelta(days=wanted.days)
    conditions: list[ColumnElement[bool]] = [
        FacilityToken.state == CodeState.PLACED,
        FacilityToken.placed_at < before,
        Facility.retired_at.is_(None),
    ]
    if wanted.type_code:
        conditions.append(Facility.type.has(code=wanted.type_code))
    if wanted.area_code:
        conditions.append(Facility.area_code == wanted.area_code)
    if wanted.areas is not None:
        conditions.append(Facility.area_code.in_(wanted.areas))
    if wanted.units is not None:
        conditions.append(or_(Facility.maintainer_unit_id.in_(wanted.units), Facility.owner_unit_id.in_(wanted.units)))
    return query.join(Facility, Facility.id == FacilityToken.facility_id).where(*conditions)


def _silent(row: FacilityToken, facility: Facility) -> Silent:
    assert row.placed_at is not None
    return Silent(row.token, row.placed_at, facility)
