"""Print runs: what is asked for, which codes it becomes, and that they were printed. Verbs flush and never commit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, func, insert, or_, select
from sqlalchemy.orm import aliased

from district import audit, clock
from district.errors import BadInput, NotAllowed, NotFound
from district.extensions import db
from district.facilities import codes
from district.facilities.code_states import LIVE, CodeState
from district.facilities.models import Facility, FacilityToken, FacilityType
from district.labels.layouts import layout
from district.labels.models import LabelPrint, LabelRun
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reference import reference

BATCH = 500
RUNS_A_PAGE = 30
MOST_CODES = 2000
_EVERYWHERE = frozenset({Role.ADMINISTRATOR})
_IN_UNIT = frozenset({Role.UNIT_MANAGER})
MAY_PRINT = _EVERYWHERE | _IN_UNIT
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Order:
    """What somebody wants printed; everything in use that fits all of it.

    codes: of facilities, either scheme; none means all. street: an area's code or name, or a part of an address.
    only_new: leave out what was printed before. fresh: new codes for all, for labels that are worn; the old ones stay
    good until the new ones hang.
    """

    layout: str
    codes: tuple[str, ...] = ()
    type_code: str = ""
    street: str = ""
    only_new: bool = False
    fresh: bool = False


@dataclass(frozen=True)
class Printed:
    """One label of a run, with what stands on it."""

    position: int
    token: str
    state: str
    facility_id: int
    name: str
    code: str
    address: str
    area_code: str


def begin(order: Order, *, by: Staff | None) -> LabelRun:
    """Write down that somebody has labels printed. by: None for the operator's command.

    Raises NotAllowed, and BadInput for a layout, type or code that does not exist.
    """
    if by is not None and not by.roles & MAY_PRINT:
        raise NotAllowed()
    layout(order.layout)
    _check(order)
    run = LabelRun(asked_by_id=by.id if by else None, asked_at=clock.now(), layout=order.layout, chosen=asdict(order))
    db.session.add(run)
    # The batches name the run.
    db.session.flush()
    audit.record(by, "facility.print_labels", f"label_run:{run.id}", layout=order.layout)
    return run


def order_of(run: LabelRun) -> Order:
    """What was asked for."""
    given: dict[str, Any] = dict(run.chosen)
    return Order(**given | {"codes": tuple(given.get("codes", ()))})


def chosen(order: Order, *, by: Staff | None) -> Iterator[list[int]]:
    """Ids of the facilities in batches, as a crew walks: by area, then address with its numbers as numbers.

    A unit's manager gets only what the unit owns or maintains. Reads one area at a time, so that memory does not grow
    with the register.
    """
    conditions = _conditions(order, by)
    areas = list(db.session.scalars(select(Facility.area_code).where(*conditions).distinct()))
    waiting: list[int] = []
    for area in sorted(areas):
        rows = db.session.execute(
            select(Facility.id, Facility.address, Facility.code17).where(*conditions, Facility.area_code == area)
        )
        walked = sorted((_by_numbers(row.address), row.code17, row.id) for row in rows)
        for _, _, facility_id in walked:
            waiting.append(facility_id)
            if len(waiting) == BATCH:
                yield waiting
                waiting = []
    if waiting:
        yield waiting


def add(run: LabelRun, facility_ids: Sequence[int], *, by: Staff | None) -> int:
    """Put these facilities' codes into the run, in this order after those already there; how many were added.

    A facility without a code in use gets one. Added again, nothing changes: a job may be run twice.
    """
    known = set(
        db.session.scalars(
            select(FacilityToken.facility_id)
            .join(LabelPrint, LabelPrint.token == FacilityToken.token)
            .where(LabelPrint.run_id == run.id, FacilityToken.facility_id.in_(facility_ids))
        )
    )
    wanted = [facility_id for facility_id in facility_ids if facility_id not in known]
    if order_of(run).fresh:
        codes.issue_many(wanted, by=by)
    else:
        codes.issue_where_missing(wanted, by=by)
    newest = _newest(wanted)
    rows = [
        {"run_id": run.id, "position": run.labels + number, "token": newest[facility_id]}
        for number, facility_id in enumerate(wanted, 1)
    ]
    if rows:
        db.session.execute(insert(LabelPrint), rows)
    run.labels += len(rows)
    return len(rows)


def finish(run: LabelRun, *, sheets: int) -> None:
    """The file is made: its codes are printed now. Raises BadInput when nothing was chosen."""
    if not run.labels:
        raise BadInput("labels.errors.nothing")
    after = 0
    while True:
        rows = db.session.execute(
            select(LabelPrint.position, LabelPrint.token)
            .where(LabelPrint.run_id == run.id, LabelPrint.position > after)
            .order_by(LabelPrint.position)
            .limit(BATCH)
        ).all()
        if not rows:
            break
        codes.mark_printed(row.token for row in rows)
        after = rows[-1].position
    run.sheets, run.finished_at = sheets, clock.now()


def printed(run_id: int, *, after: int = 0, limit: int = BATCH) -> list[Printed]:
    """The labels of a run behind position `after`, in order."""
    rows = db.session.execute(
        select(
            LabelPrint.position,
            LabelPrint.token,
            FacilityToken.state,
            Facility.id.label("facility_id"),
            Facility.name,
            Facility.code17.label("code"),
            Facility.address,
            Facility.area_code,
        )
        .join(FacilityToken, FacilityToken.token == LabelPrint.token)
        .join(Facility, Facility.id == FacilityToken.facility_id)
        .where(LabelPrint.run_id == run_id, LabelPrint.position > after)
        .order_by(LabelPrint.position)
        .limit(limit)
    ).mappings()
    return [Printed(**row) for row in rows]


def prints_among(run_id: int, tokens: Sequence[str]) -> frozenset[str]:
    """Those of these codes that are in the run."""
    return frozenset(
        db.session.scalars(
            select(LabelPrint.token).where(LabelPrint.run_id == run_id, LabelPrint.token.in_(list(tokens)))
        )
    )


def run_of(run_id: int, *, by: Staff) -> LabelRun:
    """A run, for those who may see it: everybody's for administrators, their own for others. Raises NotFound."""
    run = db.session.get(LabelRun, run_id)
    if run is None or not (by.roles & _EVERYWHERE or run.asked_by_id == by.id):
        raise NotFound("labels.errors.run")
    return run


def runs(*, by: Staff, before: int | None = None, limit: int = RUNS_A_PAGE) -> list[tuple[LabelRun, str]]:
    """Runs with the names of those who asked (empty: the operator), newest first."""
    query = select(LabelRun, Staff.name).outerjoin(Staff, Staff.id == LabelRun.asked_by_id)
    if not by.roles & _EVERYWHERE:
        query = query.where(LabelRun.asked_by_id == by.id)
    if before is not None:
        query = query.where(LabelRun.id < before)
    rows = db.session.execute(query.order_by(LabelRun.id.desc()).limit(limit))
    return [(run, name or "") for run, name in rows]


def prints_of(tokens: Sequence[str]) -> dict[str, list[tuple[LabelRun, str]]]:
    """In which finished runs each of these codes was printed, and who asked, newest first."""
    rows = db.session.execute(
        select(LabelPrint.token, LabelRun, Staff.name)
        .join(LabelRun, LabelRun.id == LabelPrint.run_id)
        .outerjoin(Staff, Staff.id == LabelRun.asked_by_id)
        .where(LabelPrint.token.in_(tokens), LabelRun.finished_at.is_not(None))
        .order_by(LabelRun.id.desc())
    )
    found: dict[str, list[tuple[LabelRun, str]]] = {}
    for token, run, name in rows:
        found.setdefault(token, []).append((run, name or ""))
    return found


def counts(run_ids: Sequence[int]) -> dict[int, int]:
    """How many labels of each run hang, or hung, where they belong."""
    rows = db.session.execute(
        select(LabelPrint.run_id, func.count())
        .join(FacilityToken, FacilityToken.token == LabelPrint.token)
        .where(LabelPrint.run_id.in_(run_ids), FacilityToken.placed_at.is_not(None))
        .group_by(LabelPrint.run_id)
    )
    return dict(rows.all())


def _check(order: Order) -> None:
    if order.type_code and order.type_code not in reference().facility_types_by_code:
        raise BadInput("labels.errors.type", {"type": "labels.errors.type"}, code=order.type_code)
    if len(order.codes) > MOST_CODES:
        raise BadInput("labels.errors.many", {"codes": "labels.errors.many"}, most=MOST_CODES)
    unknown = set(order.codes)
    for start in range(0, len(order.codes), BATCH):
        batch = order.codes[start : start + BATCH]
        for code, code17 in db.session.execute(
            select(Facility.code, Facility.code17).where(
                or_(Facility.code.in_(batch), Facility.code17.in_(batch)), Facility.retired_at.is_(None)
            )
        ):
            unknown -= {code, code17}
    if unknown:
        raise BadInput("labels.errors.codes", {"codes": "labels.errors.codes"}, codes=", ".join(sorted(unknown)[:5]))


def _conditions(order: Order, by: Staff | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Facility.retired_at.is_(None)]
    if order.codes:
        found.append(or_(Facility.code.in_(order.codes), Facility.code17.in_(order.codes)))
    if order.type_code:
        found.append(Facility.type_id.in_(select(FacilityType.id).where(FacilityType.code == order.type_code)))
    if order.street:
        areas = reference().areas_by_code.values()
        named = [area.code for area in areas if order.street in (area.code, area.name)]
        found.append(
            Facility.area_code.in_(named) if named else Facility.address.contains(order.street, autoescape=True)
        )
    if order.only_new:
        token = aliased(FacilityToken)
        in_print = (CodeState.PRINTED, CodeState.PLACED)
        found.append(~exists().where(token.facility_id == Facility.id, token.state.in_(in_print)))
    if by is not None and not by.roles & _EVERYWHERE:
        theirs = unit_and_below(by.unit_id)
        found.append(or_(Facility.maintainer_unit_id.in_(theirs), Facility.owner_unit_id.in_(theirs)))
    return found


def _newest(facility_ids: Sequence[int]) -> dict[int, str]:
    """The newest code in use of each facility."""
    rows = db.session.execute(
        select(FacilityToken.facility_id, FacilityToken.token)
        .where(FacilityToken.facility_id.in_(facility_ids), FacilityToken.state.in_(LIVE))
        .order_by(FacilityToken.issued_at, FacilityToken.token)
    )
    return dict(rows.all())


def _by_numbers(address: str) -> list[tuple[int, int, str]]:
    """`人民路9号` before `人民路10号`."""
    return [(0, int(part[:18]), "") if part.isdecimal() else (1, 0, part) for part in _NUMBER.split(address) if part]
