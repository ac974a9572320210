"""Keeping the sums up to date, making them anew, and proving that they are right.

What has changed is read from the history: whoever changes a report writes a line there, so filing and handling pay
nothing for the figures. A report that has new lines is counted again as a whole, and the difference to what it
counted as before is added to the sums: doing so twice changes nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from district import work
from district.extensions import db
from district.numbers import counting
from district.numbers.counting import Case, Fact, Line, Measure, Returned, Terms
from district.numbers.models import NumberCell, NumberFact, NumberReport, NumberState
from district.numbers.scale import bucket_of
from district.reference import reference
from district.reports.models import HandBack, Report, ReportEvent

# Lines of history looked at in one unit of work.
BATCH = 500
# A transaction that began before the one whose lines were counted may still write lines with smaller ids. Longer
# than any job or request may take: lines younger than this are looked at again.
LAG = timedelta(minutes=10)
# Counts up when the meaning of a measure changes, so that every district counts anew.
MEANING = 1

_FACT = cast(Table, NumberFact.__table__)
_CELL = cast(Table, NumberCell.__table__)
_DONE = cast(Table, NumberReport.__table__)
_STATE = cast(Table, NumberState.__table__)

# (grain, dimension, day, key, measure, bucket)
Cell = tuple[str, str, date, str, str, int]
# (measure, day, unit, area, category, seconds)
Stored = tuple[str, date, int | None, str, int | None, int | None]


def terms() -> Terms:
    """The district's own: setting `numbers` with `response_hours` and `satisfied_stars`."""
    own = reference().setting("numbers", {}) or {}
    return Terms(
        ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]),
        response_hours=int(own.get("response_hours", 24)),
        satisfied_stars=int(own.get("satisfied_stars", 4)),
    )


def stated(own: Terms) -> str:
    """All that the counting depends on beside the reports, as it is kept with the figures."""
    return json.dumps([MEANING, own.zone.key, own.response_hours, own.satisfied_stars])


def bring_up_to_date(now: datetime, *, after: int | None = None) -> int | None:
    """Count one batch. after: the id of the line where the last batch of this turn ended, None to begin.

    Returns where to go on, None when nothing is left. Needs a unit of work.
    """
    connection, own = work.connection(), terms()
    state = _hold(connection, own)
    start = state if after is None else after
    lines = connection.execute(
        select(ReportEvent.id, ReportEvent.report_id, ReportEvent.at)
        .where(ReportEvent.id > start)
        .order_by(ReportEvent.id)
        .limit(BATCH)
    ).all()
    newest: dict[int, int] = {report_id: event_id for event_id, report_id, _ in lines}
    known = _known(connection, newest)
    todo = {key: event_id for key, event_id in newest.items() if known.get(key, 0) < event_id}
    if len(lines) < BATCH:
        due = connection.execute(
            select(NumberReport.report_id, NumberReport.event_id)
            .where(NumberReport.next_at < now)
            .order_by(NumberReport.next_at)
            .limit(BATCH)
        ).all()
        todo = {row.report_id: row.event_id for row in due} | todo
    else:
        due = []
    _count_again(connection, todo, now, own)
    settled = state
    for event_id, _, at in lines:
        if at > now - LAG:
            break
        settled = max(settled, event_id)
    connection.execute(update(NumberState).values(cursor=settled, counted_at=now))
    if len(lines) == BATCH:
        return int(lines[-1][0])
    # Whatever waited for this moment waits for a later one now, so that this ends.
    return start if len(due) == BATCH else None


def forget() -> None:
    """Throw all figures away; the next turn makes them anew. Needs a unit of work."""
    connection = work.connection()
    _hold(connection, terms())
    _empty(connection)


def counted_at() -> datetime | None:
    """When the figures were last brought up to date; None before the first time."""
    return db.session.scalar(select(NumberState.counted_at))


def _hold(connection: Connection, own: Terms) -> int:
    """Become the one who counts, until the commit. Returns the cursor."""
    depends_on = stated(own)
    _put_new(connection, _STATE, ["id"], [{"id": 1, "cursor": 0, "terms": depends_on, "counted_at": None}])
    row = connection.execute(select(NumberState.cursor, NumberState.terms).with_for_update()).one()
    if row.terms == depends_on:
        return int(row.cursor)
    _empty(connection)
    connection.execute(update(NumberState).values(terms=depends_on))
    return 0


def _empty(connection: Connection) -> None:
    for table in (_FACT, _CELL, _DONE):
        connection.execute(delete(table))
    connection.execute(update(NumberState).values(cursor=0, counted_at=None))


def _known(connection: Connection, report_ids: Collection[int]) -> dict[int, int]:
    query = select(NumberReport.report_id, NumberReport.event_id).where(NumberReport.report_id.in_(list(report_ids)))
    return {row.report_id: row.event_id for row in connection.execute(query)}


def _count_again(connection: Connection, todo: dict[int, int], now: datetime, own: Terms) -> None:
    """Count these reports anew and add the difference. todo: report id -> newest line of it that is known of."""
    if not todo:
        return
    cases = _cases(connection, list(todo))
    before: dict[int, dict[int, Stored]] = {key: {} for key in todo}
    for row in connection.execute(select(_FACT).where(_FACT.c.report_id.in_(list(todo)))):
        before[row.report_id][row.id] = (
            row.measure, row.day, row.unit_id, row.area_code, row.category_id, row.seconds,
        )  # fmt: skip
    change: Counter[Cell] = Counter()
    gone: list[int] = []
    new: list[dict[str, Any]] = []
    done: list[dict[str, Any]] = []
    for report_id, event_id in todo.items():
        case = cases[report_id]
        counted = counting.count(case, now, own)
        left = Counter(_stored(fact, case) for fact in counted.facts)
        for fact_id, stored in before[report_id].items():
            if left[stored] > 0:
                left[stored] -= 1
            else:
                gone.append(fact_id)
                _add(change, stored, -1)
        for stored in left.elements():
            names = ("measure", "day", "unit_id", "area_code", "category_id", "seconds")
            new.append({"report_id": report_id, **dict(zip(names, stored, strict=True))})
            _add(change, stored, 1)
        done.append({"report_id": report_id, "event_id": event_id, "next_at": counted.next_at})
    if gone:
        connection.execute(delete(_FACT).where(_FACT.c.id.in_(gone)))
    if new:
        connection.execute(insert(_FACT), new)
    _put(connection, _DONE, ["report_id"], done)
    _add_up(connection, change)


def _add_up(connection: Connection, change: Counter[Cell]) -> None:
    names = ("grain", "dimension", "day", "key", "measure", "bucket")
    less = [(cell, amount) for cell, amount in sorted(change.items()) if amount < 0]
    more = [dict(zip(names, cell, strict=True)) | {"amount": n} for cell, n in sorted(change.items()) if n > 0]
    if more:
        statement = _insert(connection)(_CELL).values(dict.fromkeys((*names, "amount")))
        adding = statement.on_conflict_do_update(
            index_elements=list(names), set_={"amount": _CELL.c.amount + statement.excluded.amount}
        )
        connection.execute(adding, more)
    for cell, amount in less:
        where = [_CELL.c[name] == value for name, value in zip(names, cell, strict=True)]
        connection.execute(update(_CELL).where(*where).values(amount=_CELL.c.amount + amount))


def _insert(connection: Connection) -> Any:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def _put(connection: Connection, table: Table, keys: Sequence[str], rows: list[dict[str, Any]]) -> None:
    statement = _insert(connection)(table).values(dict.fromkeys(rows[0]))
    others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=others), rows)


def _put_new(connection: Connection, table: Table, keys: Sequence[str], rows: list[dict[str, Any]]) -> None:
    statement = _insert(connection)(table).values(dict.fromkeys(rows[0]))
    connection.execute(statement.on_conflict_do_nothing(index_elements=list(keys)), rows)


def _stored(fact: Fact, case: Case) -> Stored:
    return (str(fact.measure), fact.day, fact.unit_id, case.area_code, case.category_id, fact.seconds)


def _add(change: Counter[Cell], stored: Stored, amount: int) -> None:
    measure, day, unit_id, area_code, category_id, seconds = stored
    bucket = 0 if seconds is None else bucket_of(seconds)
    for where in counting.cells_of(Fact(Measure(measure), day, unit_id), area_code, category_id):
        change[(*where, measure, bucket)] += amount


def _cases(connection: Connection, report_ids: Sequence[int]) -> dict[int, Case]:
    """The reports with their history, in three queries."""
    lines: dict[int, list[Line]] = {key: [] for key in report_ids}
    query = (
        select(ReportEvent.report_id, ReportEvent.at, ReportEvent.kind, ReportEvent.unit_id, ReportEvent.data)
        .where(ReportEvent.report_id.in_(report_ids), ReportEvent.kind.in_(sorted(counting.KINDS)))
        .order_by(ReportEvent.id)
    )
    for key, at, kind, unit_id, data in connection.execute(query):
        lines[key].append(Line(at, kind, unit_id, (data or {}).get("solved"), (data or {}).get("stars")))
    returned: dict[int, list[Returned]] = {key: [] for key in report_ids}
    backs = select(
        HandBack.report_id, HandBack.asked_at, HandBack.unit_id, HandBack.upheld, HandBack.is_late, HandBack.is_repeated
    ).where(HandBack.report_id.in_(report_ids))
    for key, at, unit_id, upheld, is_late, is_repeated in connection.execute(backs):
        is_shirked = upheld is False or is_late or (is_repeated and upheld is None)
        returned[key].append(Returned(at, unit_id, bool(is_shirked)))
    reports = select(
        Report.id, Report.status, Report.submitted_at, Report.unit_id, Report.area_code, Report.category_id,
        Report.handling_due_at, Report.resolved_at, Report.clock_paused_at,
    ).where(Report.id.in_(report_ids))  # fmt: skip
    return {
        row[0]: Case(*row[1:], lines=lines[row[0]], returned=returned[row[0]]) for row in connection.execute(reports)
    }


@dataclass(slots=True)
class Proof:
    """What a recount found. wrong: sentences' parts `(what, where, kept, counted)`, at most a hundred kept.

    moved: reports to which something happened during the recount; they are left out.
    """

    reports: int = 0
    facts: int = 0
    cells: int = 0
    moved: int = 0
    differences: int = 0
    wrong: list[tuple[str, str, str, str]] = field(default_factory=list)

    def differ(self, what: str, where: object, kept: object, counted: object) -> None:
        self.differences += 1
        if len(self.wrong) < 100:
            self.wrong.append((what, str(where), str(kept), str(counted)))


def prove(now: datetime, *, first: date | None = None, last: date | None = None) -> Proof:
    """Count everything again, from the reports and their history, and compare it with what is kept.

    Bring the figures up to date as of the same `now` first. Reads one state of the database and writes nothing.
    first, last: only facts and sums of these days (a month's sum with the month's first day).
    """
    own, proof = terms(), Proof()
    db.session.rollback()
    engine = db.engine
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection, connection.begin():
        _prove_facts(connection, proof, now, own, first, last)
        _prove_cells(connection, proof, first, last)
    return proof


def _prove_facts(
    connection: Connection, proof: Proof, now: datetime, own: Terms, first: date | None, last: date | None
) -> None:
    """Every report's facts are those that its history gives."""
    for ids in _in_turns(connection):
        newest = {
            key: (event_id, at)
            for key, event_id, at in connection.execute(
                select(ReportEvent.report_id, func.max(ReportEvent.id), func.max(ReportEvent.at))
                .where(ReportEvent.report_id.in_(ids))
                .group_by(ReportEvent.report_id)
            )
        }
        known = _known(connection, ids)
        kept: dict[int, Counter[Stored]] = {key: Counter() for key in ids}
        for row in connection.execute(select(_FACT).where(_FACT.c.report_id.in_(ids))):
            stored = (row.measure, row.day, row.unit_id, row.area_code, row.category_id, row.seconds)
            kept[row.report_id][stored] += 1
        for key, case in _cases(connection, ids).items():
            event_id, at = newest.get(key, (0, now))
            if known.get(key, 0) < event_id and at > now - LAG:
                proof.moved += 1
                continue
            proof.reports += 1
            counted = Counter(_stored(fact, case) for fact in counting.count(case, now, own).facts)
            for stored in counted.keys() | kept[key].keys():
                if not _is_within(stored[1], first, last):
                    continue
                proof.facts += counted[stored]
                if counted[stored] != kept[key][stored]:
                    proof.differ("fact", (key, *stored), kept[key][stored], counted[stored])


def _prove_cells(connection: Connection, proof: Proof, first: date | None, last: date | None) -> None:
    """Every sum is the sum of its facts."""
    summed: Counter[Cell] = Counter()
    facts = select(
        _FACT.c.measure, _FACT.c.day, _FACT.c.unit_id, _FACT.c.area_code, _FACT.c.category_id, _FACT.c.seconds,
        func.count(),
    ).group_by(*list(_FACT.c)[2:])  # fmt: skip
    for *stored, amount in connection.execute(facts):
        _add(summed, cast(Stored, tuple(stored)), int(amount))
    kept: Counter[Cell] = Counter()
    for *where, amount in connection.execute(select(*list(_CELL.c)).where(_CELL.c.amount != 0)):
        kept[cast(Cell, tuple(where))] = int(amount)
    for cell in sorted(summed.keys() | kept.keys()):
        if not _is_within(cell[2], first, last):
            continue
        proof.cells += 1
        if summed[cell] != kept[cell]:
            proof.differ("cell", cell, kept[cell], summed[cell])


def _in_turns(connection: Connection) -> Iterator[list[int]]:
    after = 0
    while True:
        ids = list(connection.scalars(select(Report.id).where(Report.id > after).order_by(Report.id).limit(BATCH)))
        if not ids:
            return
        yield ids
        after = ids[-1]


def _is_within(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or day >= first) and (last is None or day <= last)
