"""What the panel costs with ten thousand reports stored, and with a million: lists, search, a report, wall, figures.

Two districts are served by gunicorn as `make run` starts it, and asked by turns over HTTP as a browser asks: whatever
else the machine does falls on both alike. Beside the times stands what each answer cost the processor, which a busy
machine changes less.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from sqlalchemy import create_engine, func, insert, select, text

from bench.filling import OPEN_REPORTS, UNIT, stored
from bench.routing import WORDS
from bench.system import System, processor_s, server
from district import clock, jobs
from district.extensions import db
from district.numbers.models import NumberCell
from district.overview import figures as overview
from district.reports.models import Report, ReportEvent
from district.reports.sight import Sight
from district.work import unit_of_work

SMALL = 10_000
TIMES = 40
AIM_P95_MS, AIM_GROWTH = 100, 1.3
# Nearer than this two figures are the same: what a busy machine adds by itself.
NOISE_MS = 5.0
PASSWORD = "bihuan-demo"
# A busy quarter of an hour: so many reports have a new line of history when the figures are brought up to date.
CHANGED = 1_000
READ_ANEW = 20


@dataclass(frozen=True)
class _Page:
    """A page: what it is called in the table, who asks for it, and where it is."""

    name: str
    username: str
    address: str


_LIST = "/admin/?tab=all&"
PAGES = (
    _Page("mine", "shift1", "/admin/"),
    _Page("open", "shift1", "/admin/?tab=open"),
    _Page("open, far down", "shift1", "/admin/?tab=open&after={pressing}"),
    _Page("overdue", "shift1", "/admin/?tab=overdue"),
    _Page("a unit's own work", "sz-m", "/admin/"),
    _Page("all that a unit had", "sz-m", "/admin/?tab=all"),
    _Page("all", "shift1", "/admin/?tab=all"),
    _Page("all, far down", "shift1", _LIST + "after={middle}"),
    _Page("closed in a street", "shift1", _LIST + "status=closed&area={area}"),
    _Page("a unit's", "shift1", _LIST + "unit={unit}"),
    _Page("a category's", "shift1", _LIST + "category={category}"),
    _Page("a unit's of a category", "shift1", _LIST + "unit={unit}&category={category}"),
    _Page("rejected in a street", "shift1", _LIST + "status=rejected&area={area}"),
    _Page("reopened, critical", "shift1", _LIST + "reopened=1&urgency=critical"),
    _Page("badly rated", "shift1", _LIST + "rating=low"),
    _Page("said not solved", "shift1", _LIST + "rating=not_solved"),
    _Page("sent back", "shift1", _LIST + "reworked=1"),
    _Page("handed back", "shift1", _LIST + "handed_back=1"),
    _Page("with a picture", "shift1", _LIST + "photo=yes&category={category}"),
    _Page("without a place", "shift1", _LIST + "pinned=no"),
    _Page("critical, waiting", "shift1", _LIST + "urgency=critical&asked=1"),
    _Page("of one week", "shift1", _LIST + "from={week}&to={week_end}"),
    _Page("closed in one week", "shift1", _LIST + "closed_from={week}&closed_to={week_end}"),
    _Page("a unit's of one week", "shift1", _LIST + "unit={unit}&from={week}&to={week_end}"),
    _Page("somebody's work", "shift1", _LIST + "staff={staff}"),
    _Page("counts of the tabs", "shift1", "/admin/live?tab=open&loaded_at={ago}"),
    _Page("search, common word", "shift1", _LIST + "q={common}"),
    _Page("search, common, far down", "shift1", _LIST + "q={common}&after={middle}"),
    _Page("search, two words", "shift1", _LIST + "q={common}+{place}"),
    _Page("search, in a row", "shift1", _LIST + "q=%22{place}%22"),
    _Page("search, rare word", "shift1", _LIST + "q=rare{number}"),
    _Page("search, rare and common", "shift1", _LIST + "q=rare{number}+{common}"),
    _Page("search, nothing", "shift1", _LIST + "q=nowhere"),
    _Page("search, common in a unit", "shift1", _LIST + "q={common}&unit={unit}"),
    _Page("search, rejected ones", "shift1", _LIST + "q={common}&status=rejected"),
    _Page("search, in open work", "shift1", "/admin/?tab=open&q={common}"),
    _Page("search by a unit", "sz-m", _LIST + "q={common}"),
    _Page("a report", "shift1", "/admin/reports/{report}"),
    _Page("a report, its unit's", "sz-m", "/admin/reports/{own}"),
    _Page("wall", "leader", "/admin/wall"),
    _Page("wall, its renewal", "leader", "/admin/district/data.json?view=wall"),
    _Page("twin", "leader", "/admin/district"),
    _Page("twin of a unit", "sz-m", "/admin/district"),
    _Page("numbers, day", "leader", "/admin/numbers?kind=day&on={day}"),
    _Page("numbers, week by unit", "leader", "/admin/numbers?kind=week&on={day}"),
    _Page("numbers, month by street", "leader", "/admin/numbers?kind=month&by=street"),
    _Page("numbers, month by category", "leader", "/admin/numbers?kind=month&by=category"),
    _Page("numbers, year by unit", "leader", "/admin/numbers?kind=year"),
    _Page("numbers, year by category", "leader", "/admin/numbers?kind=year&by=category"),
    _Page("numbers, a unit's year", "sz-m", "/admin/numbers?kind=year"),
    _Page("behind a number of a month", "leader", "/admin/numbers/behind/received?kind=month"),
    _Page("behind a unit's number", "leader", "/admin/numbers/behind/overdue?kind=year&by=unit&key={unit_id}"),
)  # fmt: skip


def measure(folder: Path, kind: str, count: int, *, fresh: bool = False) -> dict[str, Any]:
    """Both sizes on PostgreSQL. count: the larger one. fresh: fill both anew, also where kept ones would do."""
    with stored(folder, SMALL, fresh=fresh) as small_one, stored(folder, count, fresh=fresh) as large_one:
        with _served(small_one) as small, _served(large_one) as large:
            pages = _side_by_side(small, large)
        wall = _beside(*(_wall_anew(one) for one in (small_one, large_one)))
        sums = {"small": _sums_kept(small_one), "large": _sums_kept(large_one)}
    slow = {name: one for name, one in pages.items() if one["large"]["p95_ms"] - one["small"]["p95_ms"] > NOISE_MS}
    return {
        "small": SMALL,
        "large": count,
        "pages": pages,
        "wall_read_anew": wall,
        "sums": sums,
        "slowest_ms": max(one["large"]["p95_ms"] for one in pages.values()),
        "most_growth": max((one["growth"] for one in slow.values()), default=1.0),
    }


@dataclass
class _Panel:
    """A served district: its people's logins, and what is asked for in turn."""

    instance: System
    pid: int
    cookies: dict[str, str]
    asked: list[dict[str, Any]]
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.instance.port, timeout=60)

    def took_ms(self, page: _Page, turn: int) -> float:
        address = page.address.format(**self.asked[turn % len(self.asked)])
        began = time.perf_counter()
        headers = {"Cookie": self.cookies[page.username], "Accept-Encoding": "gzip", "Accept-Language": "zh-CN"}
        self.connection.request("GET", address, headers=headers)
        answer = self.connection.getresponse()
        answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{address} answers {answer.status}")
        return took

    def processor_s(self) -> tuple[float, float]:
        """Seconds that the web server has used, and the database's connections; both of them end with the server."""
        with server() as connection:
            found = connection.execute(
                "select pid from pg_stat_activity where datname = %s", [self.instance.database_url.rsplit("/", 1)[1]]
            ).fetchall()
        return processor_s(self.pid), sum(processor_s(int(str(pid))) for (pid,) in found)


@contextmanager
def _served(instance: System) -> Iterator[_Panel]:
    web = instance.start_web()
    try:
        names = sorted({page.username for page in PAGES})
        cookies = {name: _log_in(f"http://127.0.0.1:{instance.port}", name) for name in names}
        yield _Panel(instance, web.pid, cookies, _asked_for(instance))
    finally:
        instance.end(web)


def _log_in(address: str, username: str) -> str:
    session = requests.Session()
    session.trust_env = False
    page = session.get(f"{address}/admin/login", timeout=60).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"username": username, "password": PASSWORD, "csrf_token": token}
    if session.post(f"{address}/admin/login", data=form, timeout=60, allow_redirects=False).status_code not in (
        302,
        303,
    ):
        raise RuntimeError(f"{username} cannot log in")
    return "; ".join(f"{name}={value}" for name, value in session.cookies.items())


def _side_by_side(small: _Panel, large: _Panel) -> dict[str, Any]:
    found = {}
    for page in PAGES:
        took: tuple[list[float], list[float]] = ([], [])
        # Each of the server's processes has its own snapshot, statements and templates to get ready.
        for turn in range(6):
            for panel in (small, large):
                panel.took_ms(page, turn)
        before = [panel.processor_s() for panel in (small, large)]
        for turn in range(TIMES):
            for panel, times in zip((small, large), took, strict=True):
                times.append(panel.took_ms(page, turn))
        after = [panel.processor_s() for panel in (small, large)]
        found[page.name] = _beside(
            *(
                _figures(times)
                | {
                    "web_ms": round((end[0] - start[0]) * 1000 / TIMES, 1),
                    "database_ms": round((end[1] - start[1]) * 1000 / TIMES, 1),
                }
                for times, start, end in zip(took, before, after, strict=True)
            )
        )
    return found


def _figures(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "p50_ms": round(ordered[len(ordered) // 2], 1),
        "p95_ms": round(ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)], 1),
    }


def _beside(small: dict[str, float], large: dict[str, float]) -> dict[str, Any]:
    return {"small": small, "large": large, "growth": round(large["p95_ms"] / small["p95_ms"], 2)}


def _asked_for(instance: System) -> list[dict[str, Any]]:
    """What the pages' addresses are filled with, other values each time."""
    engine = create_engine(instance.database_url)
    with engine.connect() as connection:

        def column(query: str, **given: str) -> list[Any]:
            return list(connection.execute(text(query), given).scalars())

        units = connection.execute(
            text("select id, code from unit where id in (select unit_id from report_unit) order by id limit 20")
        ).all()
        areas = column("select code from area where level = 'area' order by code")
        categories = column("select code from category order by id limit 20")
        staff = column("select username from staff order by id limit 20")
        reports = column("select number from report where number like 'BH2030%' order by id")
        own = column(
            "select r.number from report r join unit u on u.id = r.unit_id where u.code = :unit and r.number like "
            "'BH2030%' order by r.id desc",
            unit=UNIT,
        )
        week = column("select to_char(min(submitted_at) + interval '3 days', 'YYYY-MM-DD') from report")[0]
        week_end = column("select to_char(min(submitted_at) + interval '10 days', 'YYYY-MM-DD') from report")[0]
        day = column("select to_char(now() - interval '14 days', 'YYYY-MM-DD')")[0]
        middle = column("select max(id) / 2 from report")[0]
        pressing = column(
            "select '2.' || (extract(epoch from handling_due_at) * 1000000)::bigint || '.0' from report where status = "
            f"'assigned' order by handling_due_at offset {OPEN_REPORTS // 4} limit 1"
        )[0]
    engine.dispose()
    commons = [one.split("{place}")[-1].strip("，。！ ")[:2] for one in WORDS["texts"]]
    commons = [quote(one) for one in commons if len(one) == 2]
    places = [quote(one) for one in WORDS["places"]]
    return [
        {
            "middle": middle, "unit": units[turn % len(units)][1], "unit_id": units[turn % len(units)][0],
            "area": areas[turn % len(areas)], "category": categories[turn % len(categories)],
            "staff": staff[turn % len(staff)], "week": week, "week_end": week_end, "day": day,
            "common": commons[turn % len(commons)], "place": places[turn % len(places)],
            "number": 7 + turn * 11, "report": reports[turn % len(reports)], "own": own[turn % len(own)],
            "pressing": pressing, "ago": time.time() - 300,
        }
        for turn in range(TIMES)
    ]  # fmt: skip


def _wall_anew(instance: System) -> dict[str, float]:
    """How long the wall's figures take when nothing is kept of them: once in ten seconds for all screens together."""
    from wsgi import create_app

    times = []
    with create_app(instance.config).app_context():
        for _ in range(READ_ANEW + 1):
            overview.forget()
            began = time.perf_counter()
            overview.look(Sight())
            times.append((time.perf_counter() - began) * 1000)
            db.session.remove()
        db.engine.dispose()
    return _figures(times[1:])


def _sums_kept(instance: System) -> dict[str, float]:
    """How fast the figures follow what happened to CHANGED closed reports, and a turn in which nothing did."""
    from wsgi import create_app

    with create_app(instance.config).app_context():
        jobs.count_numbers()
        db.session.remove()
        # Spread over the last months, so that the sums of many days change.
        newest = db.session.scalar(select(func.max(Report.id))) or 0
        ids = range(newest - OPEN_REPORTS - 5 * CHANGED, newest - OPEN_REPORTS, 5)
        rated = db.session.scalars(select(Report.id).where(Report.id.in_(ids), Report.status == "closed")).all()
        db.session.rollback()
        line = {"at": clock.now(), "kind": "rated", "actor": "resident", "data": {"solved": True, "stars": 5}}
        with unit_of_work():
            db.session.execute(insert(ReportEvent), [{"report_id": key, **line} for key in rated])
        db.session.remove()
        began, spent = time.monotonic(), time.process_time()
        jobs.count_numbers()
        counted_s, processor = time.monotonic() - began, time.process_time() - spent
        db.session.remove()
        began = time.monotonic()
        jobs.count_numbers()
        idle_s = time.monotonic() - began
        db.session.remove()
        cells = db.session.scalar(select(func.count()).select_from(NumberCell))
        db.session.remove()
        db.engine.dispose()
    return {
        "lines": len(rated),
        "counted_s": round(counted_s, 2),
        "lines_per_second": round(len(rated) / counted_s),
        "processor_ms": round(processor * 1000 / max(1, len(rated)), 2),
        "again_s": round(idle_s, 2),
        "sums": int(cells or 0),
    }
