"""Keeping what reports are found by in step with them, and asking it.

Nothing is written while a report is filed or changed: every change leaves a line in the history, and the lines that
came since say which reports to read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, cast, column, false, func, literal, select, table, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from district import settings
from district.extensions import db
from district.facilities.models import Facility
from district.reports.models import Report, ReportEvent
from district.search.models import SQLITE_INDEX, ReportSearch
from district.search.tokens import Wanted, read_query, tokens
from district.search.written import fts5, stored, tsquery
from district.understanding.personal import without_personal

# Up to which line of the history every report has been read.
DONE = "search.done"
BATCH = 1000
# Lines are numbered before they are committed: that many before the last one are looked at again.
LATE_LINES = 1000
# How many reports are looked through for a common word before the index is asked.
NEWEST = 4000
# Words that so many of these have are common, or so common that their index is never asked under other conditions:
# what passes those, and has no page full of such words, is little.
COMMON, VERY_COMMON = 8, 80
# So many reports that have a rare word are looked through by other conditions, some at a time.
MOST_RARE, RARE_AT_ONCE = 5000, 500
# How far back what other conditions leave is looked through for common words, as a number of reports.
NEWER = 50_000


def is_behind() -> bool:
    """Whether the history has lines that nobody has read for the search."""
    newest = db.session.scalar(select(func.max(ReportEvent.id))) or 0
    return bool(newest > int(settings.get(DONE, 0)))


def catch_up() -> bool:
    """Read again what has changed, at most BATCH lines of the history. True when there may be more."""
    done = int(settings.get(DONE, 0))
    last, is_full = _read_lines(max(0, done - LATE_LINES), BATCH + LATE_LINES)
    if last > done:
        settings.put(DONE, last)
    return is_full


def rebuild(after: int) -> tuple[int, bool]:
    """Read everything again, in steps: the history's lines from `after` on. (Where to go on, whether it is needed.)"""
    last, is_full = _read_lines(after, BATCH, all_of_it=True)
    settings.put(DONE, max(last, after))
    return max(last, after), is_full


def count() -> int:
    """How many reports can be found."""
    return db.session.scalar(select(func.count()).select_from(ReportSearch)) or 0


def matching(query: str, *, among_few: bool = False) -> ColumnElement[bool]:
    """The condition that a report is found by all words of `query`.

    among_few: other conditions leave only so many reports that each may be looked at by itself.
    """
    wanted = read_query(query)
    if not wanted:
        return false()
    if _is_sqlite():
        found = text(f"{SQLITE_INDEX} match :wanted").bindparams(wanted=fts5(wanted))
        return Report.id.in_(select(column("rowid")).select_from(table(SQLITE_INDEX)).where(found))
    if among_few:
        # The offset keeps PostgreSQL from looking for the words first: a common one is in very many old reports.
        one = select(ReportSearch.report_id).where(ReportSearch.report_id == Report.id, _has(wanted))
        return one.offset(0).exists()
    all_of_it = select(ReportSearch.report_id).where(_has(wanted))
    return Report.id.in_(select(all_of_it.cte("found").prefix_with("MATERIALIZED", dialect="postgresql").c.report_id))


def newest_found(query: str, *, before: int | None, limit: int) -> list[int] | None:
    """The ids of the newest reports that all words of `query` find, newest first; None on SQLite, which needs no help.

    before: only ids under it. The newest reports are looked through one by one, more of them where the word turned
    out to be common: a page is full by these. What is rare the index finds at once. To guess which of the two a word
    is from its figures, as PostgreSQL would, goes wrong for rows and beginnings of words.
    """
    wanted = read_query(query)
    if not wanted or _is_sqlite():
        return None
    for most, least in ((NEWEST, COMMON), (NEWER, limit)):
        few = _newest(before, most).subquery("few")
        having = select(few.c.report_id).where(few.c.words.op("@@")(_asked(wanted)))
        found = list(db.session.scalars(having.order_by(few.c.report_id.desc()).limit(limit)))
        if len(found) == limit or len(found) < least:
            break
    if len(found) == limit:
        return found
    return by_index(query, before=before, limit=limit)


def by_index(query: str, *, before: int | None, limit: int) -> list[int]:
    """The same by the index, for words that are rare. PostgreSQL only.

    Their ids alone are found and sorted: joined to other conditions PostgreSQL would rather look through all reports.
    """
    all_of_it = select(ReportSearch.report_id).where(_has(read_query(query)))
    if before is not None:
        all_of_it = all_of_it.where(ReportSearch.report_id < before)
    ids = all_of_it.cte("found").prefix_with("MATERIALIZED", dialect="postgresql").c.report_id
    return list(db.session.scalars(select(ids).order_by(ids.desc()).limit(limit)))


def matching_newest(query: str, *, before: int | None) -> ColumnElement[bool] | None:
    """The condition that a report is found and among the newest NEWEST, those with ids under `before`.

    None on SQLite, where it gains nothing.
    """
    wanted = read_query(query)
    if not wanted or _is_sqlite():
        return None
    few = _newest(before, NEWEST).subquery("few")
    return Report.id.in_(select(few.c.report_id).where(few.c.words.op("@@")(_asked(wanted))))


def count_newest(query: str, *, before: int | None) -> int:
    """How many of the newest NEWEST reports, of those with ids under `before`, have all words; at most VERY_COMMON."""
    few = _newest(before, NEWEST).subquery("few")
    having = select(few.c.report_id).where(few.c.words.op("@@")(_asked(read_query(query))))
    return db.session.scalar(select(func.count()).select_from(having.limit(VERY_COMMON).subquery())) or 0


def _newest(before: int | None, most: int) -> Select[int, str]:
    newest = select(ReportSearch.report_id, ReportSearch.words).order_by(ReportSearch.report_id.desc()).limit(most)
    return newest if before is None else newest.where(ReportSearch.report_id < before)


def _is_sqlite() -> bool:
    return bool(db.engine.dialect.name == "sqlite")


def _has(wanted: Collection[Wanted]) -> ColumnElement[bool]:
    return ReportSearch.words.op("@@", is_comparison=True)(_asked(wanted))


def _asked(wanted: Collection[Wanted]) -> ColumnElement[Any]:
    return cast(literal(tsquery(wanted)), TSQUERY)


def _read_lines(after: int, limit: int, *, all_of_it: bool = False) -> tuple[int, bool]:
    """Read the reports of the history's lines after `after`; (the last line, whether there may be more)."""
    lines = db.session.execute(
        select(ReportEvent.id, ReportEvent.report_id)
        .where(ReportEvent.id > after)
        .order_by(ReportEvent.id)
        .limit(limit)
    ).all()
    if not lines:
        return after, False
    ids = {report_id for _, report_id in lines}
    newest = dict(
        db.session.execute(
            select(ReportEvent.report_id, func.max(ReportEvent.id))
            .where(ReportEvent.report_id.in_(ids))
            .group_by(ReportEvent.report_id)
        ).all()
    )
    if all_of_it:
        # Once for each report: when its newest line comes.
        seen = {line_id for line_id, _ in lines}
        wanted = [report_id for report_id, line_id in newest.items() if line_id in seen]
    else:
        known = dict(
            db.session.execute(
                select(ReportSearch.report_id, ReportSearch.event_id).where(ReportSearch.report_id.in_(ids))
            ).all()
        )
        wanted = [report_id for report_id, line_id in newest.items() if known.get(report_id, 0) < line_id]
    # In the order of their ids, so that two workers that do the same wait for each other and no more.
    rows = [
        {"report_id": report_id, "event_id": newest[report_id], "words": stored(found, on_sqlite=_is_sqlite())}
        for report_id, found in sorted(_documents(wanted).items())
    ]
    if rows:
        _write(rows)
    return lines[-1][0], len(lines) == limit


def _documents(ids: Collection[int]) -> dict[int, list[str]]:
    """The tokens of these reports, by id: the resident's words and staff's, without what points to a person."""
    if not ids:
        return {}
    said: dict[int, list[str]] = defaultdict(list)
    facts: dict[int, list[str]] = {}
    for row in db.session.execute(
        select(
            Report.id, Report.number, Report.description, Report.address, Report.resolution, Report.reject_reason,
            Facility.code, Facility.name,
        ).outerjoin(Facility, Facility.id == Report.facility_id).where(Report.id.in_(ids))
    ):  # fmt: skip
        facts[row.id] = [row.number, row.code or "", row.name or "", row.address]
        said[row.id] += [row.description, row.resolution, row.reject_reason or ""]
    notes = select(ReportEvent.report_id, ReportEvent.note).where(
        ReportEvent.report_id.in_(ids), ReportEvent.note != ""
    )
    for report_id, note in db.session.execute(notes.order_by(ReportEvent.id)):
        if note not in said[report_id]:
            said[report_id].append(note)
    return {
        report_id: tokens("\n".join([*found, *map(without_personal, said[report_id])]))
        for report_id, found in facts.items()
    }


def _write(rows: list[dict[str, Any]]) -> None:
    insert = insert_sqlite if _is_sqlite() else insert_postgresql
    adding = insert(ReportSearch)
    changed = {name: adding.excluded[name] for name in ("event_id", "words")}
    # One statement each, sent together: SQLite takes only so many values in one.
    db.session.connection().execute(adding.on_conflict_do_update(index_elements=["report_id"], set_=changed), rows)
