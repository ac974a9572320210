"""What the panel's lists, searches and pages cost with ten thousand reports stored, and with many more.

The reports are written straight into PostgreSQL. Open work is the same at both sizes: a district has no more to do
today because it has kept the reports of ten years. Each page is asked for as a browser asks, without the network.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from bench.routing import WORDS
from bench.system import database
from district import clock
from district.extensions import db
from district.people.models import Staff
from district.reports import numbers
from district.search.tokens import tokens
from district.work import unit_of_work

SMALL = 10_000
OPEN_REPORTS = 3_000
TIMES = 40
AIM_P95_MS, AIM_GROWTH = 100, 1.3
# Nearer than this two figures are the same: what a busy machine adds by itself.
NOISE_MS = 5.0

PAGES = {
    "mine": "/admin/",
    "open": "/admin/?tab=open",
    "overdue": "/admin/?tab=overdue",
    "all": "/admin/?tab=all",
    "all, far down": "/admin/?tab=all&after={middle}",
    "closed in a street": "/admin/?tab=all&status=closed&area={area}",
    "a unit's": "/admin/?tab=all&unit={unit}",
    "a category's": "/admin/?tab=all&category={category}",
    "reopened, critical": "/admin/?tab=all&reopened=1&urgency=critical",
    "badly rated": "/admin/?tab=all&rating=low",
    "of one week": "/admin/?tab=all&from={week}&to={week_end}",
    "somebody's work": "/admin/?tab=all&staff={staff}",
    "search, common word": "/admin/?tab=all&q={common}",
    "search, two words": "/admin/?tab=all&q={common}+{place}",
    "search, rare word": "/admin/?tab=all&q=rare{number}",
    "search, nothing": "/admin/?tab=all&q=nowhere",
    "search, in open work": "/admin/?tab=open&q={common}",
    "a report": "/admin/reports/{report}",
}


def measure(folder: Path, kind: str, count: int) -> dict[str, Any]:
    """Both sizes on PostgreSQL. count: the larger one. Milliseconds of the 95th of 100, and how they grow."""
    with _filled(folder, kind, SMALL) as small_one, _filled(folder, kind, count) as large_one:
        small, large = _side_by_side(small_one, large_one)
    pages = {
        name: {"small_ms": small[name], "large_ms": large[name], "growth": round(large[name] / small[name], 2)}
        for name in PAGES
    }
    return {
        "small": SMALL,
        "large": count,
        "pages": pages,
        "slowest_ms": max(large.values()),
        "most_growth": max(
            (one["growth"] for one in pages.values() if one["large_ms"] - one["small_ms"] > NOISE_MS), default=1.0
        ),
    }


@dataclass
class _Panel:
    """Somebody at the panel of one of the two districts, and what they ask for."""

    app: Flask
    client: FlaskClient
    asked: list[dict[str, Any]]

    def took_ms(self, page: str, turn: int) -> float:
        with self.app.app_context():
            address = page.format(**self.asked[turn])
            began = time.perf_counter()
            answer = self.client.get(address)
            took = (time.perf_counter() - began) * 1000
            db.session.remove()
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answers {answer.status_code}")
        return took


@contextmanager
def _filled(folder: Path, kind: str, count: int) -> Iterator[_Panel]:
    from tests.support import services

    own = folder / f"lists{count}"
    own.mkdir(parents=True, exist_ok=True)
    with database(own, kind) as url:
        services.migrate(url, own)
        services.load_demo(url, own)
        with services.application(url, own) as app:
            fill(count)
            client = app.test_client()
            staff = db.session.scalars(select(Staff).where(Staff.username == "shift1")).one()
            with client.session_transaction() as session:
                session["_user_id"], session["_fresh"] = staff.get_id(), True
                session["since"] = clock.now().timestamp()
            asked = _asked_for(count)
            db.session.remove()
            yield _Panel(app, client, asked)


def _side_by_side(small: _Panel, large: _Panel) -> tuple[dict[str, float], dict[str, float]]:
    """Every page of both by turns, so that whatever else the machine does falls on both alike."""
    found: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for name, page in PAGES.items():
        took: tuple[list[float], list[float]] = ([], [])
        for panel in (small, large):
            panel.took_ms(page, 0)
        for turn in range(TIMES):
            for panel, times in zip((small, large), took, strict=True):
                times.append(panel.took_ms(page, turn))
        for figures, times in zip(found, took, strict=True):
            figures[name] = round(sorted(times)[int(len(times) * 0.95) - 1], 1)
    return found


def _asked_for(count: int) -> list[dict[str, Any]]:
    """What the pages' addresses are filled with, other values each time."""
    sql = db.session.execute
    units = sql(text("select code from unit where id in (select unit_id from report) order by id limit 20")).scalars()
    areas = sql(text("select code from area where level = 'area' order by code")).scalars().all()
    categories = sql(text("select code from category order by id limit 20")).scalars().all()
    staff = sql(text("select username from staff order by id limit 20")).scalars().all()
    reports = sql(text("select number from report where number like 'BH2030%' order by id")).scalars().all()
    units_ = units.all()
    commons = [one.split("{place}")[-1].strip("，。！ ")[:2] for one in WORDS["texts"]]
    commons = [one for one in commons if len(one) == 2]
    week = sql(text("select to_char(min(submitted_at) + interval '3 days', 'YYYY-MM-DD') from report")).scalar()
    week_end = sql(text("select to_char(min(submitted_at) + interval '10 days', 'YYYY-MM-DD') from report")).scalar()
    db.session.rollback()
    return [
        {
            "middle": count // 2, "unit": units_[turn % len(units_)], "area": areas[turn % len(areas)],
            "category": categories[turn % len(categories)], "staff": staff[turn % len(staff)], "week": week,
            "week_end": week_end, "common": commons[turn % len(commons)], "place": WORDS["places"][turn % 5],
            "number": 7 + turn * 11, "report": reports[turn % len(reports)],
        }
        for turn in range(TIMES)
    ]  # fmt: skip


def fill(count: int) -> None:
    """Write `count` reports with two lines of history each and what they are found by; the newest are open."""
    with unit_of_work() as session:
        session.execute(text("create temporary table bench_words (spot int primary key, words text, stored text)"))
        texts = [one.format(place=place) for one in WORDS["texts"] for place in WORDS["places"]]
        session.execute(
            text("insert into bench_words values (:n, :words, :stored)"),
            [{"n": n, "words": one, "stored": _stored(one)} for n, one in enumerate(texts)],
        )
        given = {"count": count, "open": OPEN_REPORTS, "texts": len(texts)}
        session.execute(text(_REPORTS), given)
        session.execute(text(_EVENTS))
        session.execute(text(_SEARCH), given)
        # Some with a number that can be read out, for their pages.
        named = 0
        for position in range(1, 400):
            number = numbers.spell("20300101", position)
            if named < TIMES and number[-1].isalpha():
                named += 1
                session.execute(
                    text("update report set number = :number where id = :id"),
                    {"number": number, "id": count - OPEN_REPORTS - named * 7},
                )
        session.execute(text("drop table bench_words"))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))


def _stored(words: str) -> str:
    return " ".join(f"'{token}':{place}" for place, token in enumerate(tokens(words), 1))


# Old ones closed, one in fifty rejected; the newest OPEN_REPORTS with their units. Ten years of them.
_REPORTS = """
insert into report (number, access_key, source, language, contact_sealed, description, category_id, intent, urgency,
  latitude, longitude, address, place_source, area_code, community_code, grid_code, status, unit_id, reason,
  hand_back_pending, waiting_for_resident, reject_reason, submitted_at, dispatch_due_at, assigned_at, handling_due_at,
  accepted_at, resolved_at, resolved_by_id, resolution, closed_at, verified_by_id, verification_waived, has_followers,
  rework_count, reopen_count, solved, stars, rating_text, rated_at, route_after, route_tries, version)
select 'BH' || to_char(at, 'YYYYMMDD') || '-' || n || 'Z', 'k', (array['bot', 'h5', 'qr', 'staff'])[1 + n % 4],
  'zh-Hans', '', w.words, c.ids[1 + (n * 31) % array_length(c.ids, 1)], 'report',
  case when n % 97 = 0 then 'critical' when n % 11 = 0 then 'urgent' else 'normal' end,
  50.40 + (n % 977) / 15000.0, 124.10 + (n % 1013) / 12000.0, (n % 4000) || '号', 'picked',
  a.codes[1 + (n * 17) % array_length(a.codes, 1)], '', '', status,
  case when has_unit then u.ids[1 + (n * 7) % array_length(u.ids, 1)] end, '{}', false, false,
  case when status = 'rejected' then '-' end, at, at + interval '1 hour', case when has_unit then at end,
  case when has_unit then at + (n % 100 - 10) * interval '1 hour' end,
  case when status <> 'assigned' and has_unit then at end,
  case when is_done then at + interval '1 day' end, case when is_done then s.ids[1] end, '',
  case when is_done then at + interval '2 days' end, case when is_done then s.ids[2] end, false, n % 20 = 0,
  (n % 60 = 0)::int, (n % 50 = 0)::int, case when is_rated then n % 6 <> 0 end,
  case when is_rated then 1 + n % 5 end, '', case when is_rated then at + interval '3 days' end, at, 0, 3
from (
  select n, at, status, status in ('assigned', 'in_progress', 'closed') as has_unit, status = 'closed' as is_done,
    status = 'closed' and n % 5 = 0 as is_rated
  from (
    select n, now() - (:count - n) * (interval '3650 days' / :count) as at,
      case when n > :count - :open then (array['assigned', 'in_progress'])[1 + n % 2]
        when n % 50 = 7 then 'rejected' else 'closed' end as status
    from generate_series(1, :count) n
  ) one
) made
join bench_words w on w.spot = (made.n * 13) % :texts
cross join (select array_agg(id order by id) as ids from category) c
cross join (select array_agg(id order by id) as ids from unit where role = 'handler') u
cross join (select array_agg(code order by code) as codes from area where level = 'area') a
cross join (select array_agg(id order by id) as ids from staff) s
order by made.n
"""
_EVENTS = """
insert into report_event (report_id, at, kind, actor, staff_id, to_status, note, is_public, data)
select r.id, r.submitted_at + step * interval '1 hour', case step when 0 then 'submitted' else 'accepted' end,
  case when step = 0 then 'system' else 'staff' end,
  case when step = 1 then s.ids[1 + r.id % array_length(s.ids, 1)] end, r.status, '', true, '{}'
from report r cross join generate_series(0, 1) step
cross join (select array_agg(id order by id) as ids from staff) s
"""
_SEARCH = """
insert into report_search (report_id, event_id, words)
select r.id, (select max(e.id) from report_event e where e.report_id = r.id),
  (w.stored || ' ''' || (r.id % 4000) || '''\\:900 ''号''\\:901 ''rare' || r.id % 9973 || '''\\:905')::tsvector
from report r join bench_words w on w.spot = (r.id * 13) % :texts
"""
