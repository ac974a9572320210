"""A storm: 5,000 reports, 3,000 of them about one burst main, as fast as the machine takes them or evenly over a time.

Meanwhile workers drain them and a dispatcher keeps opening the inbox. Counted is what must not happen: a report lost,
one routed twice, a second incident; measured is how long the screen and the assignment take.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import func, select

from bench.mix import EAST, NORTH, SOUTH, WEST
from bench.routing import WORDS, waiting
from bench.system import system, wait_for
from district.extensions import db
from district.people import service as people
from district.reports import service as reports
from district.reports.models import EventKind, Incident, PlaceSource, Report, ReportEvent, Source
from district.reports.states import Status
from district.work import unit_of_work

# The burst main: where, how far around people stand, and what they say.
BURST = (50.4225, 124.1330)
SPREAD_DEGREES = (0.0007, 0.0011)  # about 78 m each way
CATEGORY = "21002"
SAYINGS = (
    "水管爆了，水喷得老高", "自来水管破了，路上全是水", "水管爆裂，车都过不去了", "路上跑水了，是自来水管爆了",
    "水管爆了，快来修",
)  # fmt: skip
SHARE = 0.6
# A request holds few reports in real life; so many a unit of work keep the filing from being what is measured.
AT_ONCE = 10
DESK, PASSWORD = "desk", "bihuan-demo"
WORKERS = {"sqlite": 1, "postgresql": 2}


@dataclass
class _Screen:
    """A dispatcher who opens the inbox again and again."""

    address: str
    latencies_ms: list[float] = field(default_factory=list)
    refused: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        session = requests.Session()
        session.trust_env = False
        page = session.get(f"{self.address}/admin/login", timeout=60).text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {"username": DESK, "password": PASSWORD, "csrf_token": token}
        session.post(f"{self.address}/admin/login", data=form, timeout=60)
        while not self.over.is_set():
            began = time.perf_counter()
            answer = session.get(f"{self.address}/admin/?tab=open", timeout=60, allow_redirects=False)
            self.latencies_ms.append((time.perf_counter() - began) * 1000)
            self.refused += answer.status_code != 200
            # A person reads for a moment, too.
            self.over.wait(0.25)


def measure(folder: Path, kind: str, count: int, over_s: int = 0) -> dict[str, Any]:
    """The storm on one kind of database. count: reports, three in five about the incident. over_s: the seconds in
    which they come in, evenly; 0 for as fast as they can be filed."""
    from wsgi import create_app

    with system(folder / f"storm-{kind}", kind) as instance, create_app(instance.config).app_context():
        instance.start_web()
        for _ in range(WORKERS[kind]):
            instance.start_worker("routing")
        instance.start_scheduler()
        screen = _Screen(f"http://127.0.0.1:{instance.port}")
        watching = threading.Thread(target=screen.watch)
        watching.start()
        try:
            return _storm(screen, count, over_s)
        finally:
            screen.over.set()
            watching.join(90)
            db.session.remove()
            db.engine.dispose()


def _storm(screen: _Screen, count: int, over_s: int) -> dict[str, Any]:
    began = time.perf_counter()
    about_it = _file(count, over_s)
    filing_s = time.perf_counter() - began
    wait_for(lambda: waiting() == 0, f"{count} reports are routed", 600, every_s=0.2)
    all_s = time.perf_counter() - began
    screen.over.set()
    found = _counted(count, about_it)
    return found | {
        "reports": count,
        "about_one_thing": about_it,
        "over_s": over_s,
        "filed_per_second": round(count / filing_s, 1),
        "seconds_to_all_assigned": round(all_s, 1),
        "workers": WORKERS[db.engine.dialect.name],
        "inbox": {
            "opened": len(screen.latencies_ms),
            "refused": screen.refused,
            "p50_ms": _share_of(screen.latencies_ms, 0.5),
            "p95_ms": _share_of(screen.latencies_ms, 0.95),
            "longest_ms": _share_of(screen.latencies_ms, 1.0),
        },
    }


def _file(count: int, over_s: int) -> int:
    """File them through the verbs, in no order; how many are about the incident.

    Spread over a time each has a unit of work of its own and comes when its turn is, or at once when that has passed.
    """
    chance = random.Random(11)
    kinds = [number < count * SHARE for number in range(count)]
    chance.shuffle(kinds)
    at_once = 1 if over_s else AT_ONCE
    began = time.perf_counter()
    for first in range(0, count, at_once):
        time.sleep(max(0.0, began + over_s * first / count - time.perf_counter()))
        with unit_of_work():
            for number in range(first, min(first + at_once, count)):
                reports.submit(
                    _one_of_many(chance) if kinds[number] else _something_else(chance, number),
                    by=people.know_resident(f"o011{number:06d}".ljust(28, "S")),
                )
        db.session.remove()
    return sum(kinds)


def _one_of_many(chance: random.Random) -> reports.NewReport:
    north, east = (chance.uniform(-degrees, degrees) for degrees in SPREAD_DEGREES)
    return reports.NewReport(
        source=Source.BOT, description=chance.choice(SAYINGS), category_code=CATEGORY, latitude=BURST[0] + north,
        longitude=BURST[1] + east, place_source=PlaceSource.SHARED,
    )  # fmt: skip


def _something_else(chance: random.Random, number: int) -> reports.NewReport:
    return reports.NewReport(
        source=Source.BOT,
        description=chance.choice(WORDS["texts"]).format(place=f"{chance.choice(WORDS['places'])}{number}号"),
        latitude=chance.uniform(SOUTH, NORTH), longitude=chance.uniform(WEST, EAST), place_source=PlaceSource.SHARED,
    )  # fmt: skip


def _counted(count: int, about_it: int) -> dict[str, Any]:
    stored = db.session.scalar(select(func.count()).select_from(Report)) or 0
    by_status: dict[str, int] = dict(
        db.session.execute(select(Report.status, func.count()).group_by(Report.status)).tuples().all()
    )
    of_it = db.session.execute(
        select(Incident.report_id, Incident.members)
        .join(Report, Report.id == Incident.report_id)
        .where(Report.description.in_(SAYINGS))
    ).all()
    joined = sum(
        db.session.scalar(select(func.count()).select_from(Report).where(Report.parent_id == row.report_id)) or 0
        for row in of_it
    )
    twice = _more_than_once((EventKind.ROUTED, EventKind.SENT_TO_TRIAGE)) + _more_than_once((EventKind.MERGED,))
    delays = _delays_s()
    return {
        "filed": stored,
        "lost": count - stored + by_status.get(Status.SUBMITTED, 0),
        "routed_twice": twice,
        "incidents_of_it": len(of_it),
        "in_it": joined + len(of_it),
        "followers": joined,
        "missing_from_it": about_it - joined - len(of_it),
        "other_incidents": (db.session.scalar(select(func.count()).select_from(Incident)) or 0) - len(of_it),
        "by_status": by_status,
        "assigned_p50_s": _share_of(delays, 0.5, 2),
        "assigned_p95_s": _share_of(delays, 0.95, 2),
        "assigned_longest_s": _share_of(delays, 1.0, 2),
    }


def _more_than_once(kinds: tuple[EventKind, ...]) -> int:
    query = select(ReportEvent.report_id).where(ReportEvent.kind.in_(kinds)).group_by(ReportEvent.report_id)
    return len(db.session.scalars(query.having(func.count() > 1)).all())


def _delays_s() -> list[float]:
    """Seconds from accepted to assigned, in triage or joined: the first of them."""
    kinds = (EventKind.ROUTED, EventKind.SENT_TO_TRIAGE, EventKind.MERGED)
    rows = db.session.execute(
        select(Report.submitted_at, func.min(ReportEvent.at))
        .join(ReportEvent, ReportEvent.report_id == Report.id)
        .where(ReportEvent.kind.in_(kinds))
        .group_by(Report.id, Report.submitted_at)
    )
    return [(first - submitted).total_seconds() for submitted, first in rows]


def _share_of(values: list[float], share: float, digits: int = 1) -> float:
    ordered = sorted(values)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], digits) if ordered else 0.0
