"""The figures: how fast the sums are brought up to date, and how long the page takes, with so many reports stored.

The reports and their history are written straight into the tables, three years of them: what is measured is counting.
"""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from bench.system import system
from district import clock, jobs
from district.extensions import db
from district.numbers import service as figures
from district.numbers.models import NumberCell, NumberFact
from district.people.models import Staff, StaffRole
from district.people.roles import Role
from district.reference import reference
from district.reports.models import Report, ReportEvent
from district.work import unit_of_work

AIM_P95_MS = 100
DAYS = 3 * 365
BATCH = 2000
PAGES = 40
PASSWORD = "bihuan-demo"
# A busy minute's work, counted again after everything else.
CHANGED = 500


def measure(folder: Path, kind: str, count: int) -> dict[str, Any]:
    """`count` reports with five lines of history each."""
    from wsgi import create_app

    with system(folder / f"numbers-{kind}", kind) as instance, create_app(instance.config).app_context():
        app = create_app(instance.config)
        now = clock.now()
        write_reports(count, now)
        began, spent = time.monotonic(), time.process_time()
        jobs.count_numbers(now)
        counted_s, processor = time.monotonic() - began, time.process_time() - spent
        _touch(CHANGED)
        began = time.monotonic()
        jobs.count_numbers(clock.now())
        again_s = time.monotonic() - began
        facts = db.session.scalar(select(func.count()).select_from(NumberFact))
        cells = db.session.scalar(select(func.count()).select_from(NumberCell))
        db.session.rollback()
        proof = figures.prove(clock.now()) if count <= 20_000 else None
        pages = {name: _page_ms(app, address) for name, address in ADDRESSES.items()}
    return {
        "reports": count,
        "counted_per_second": round(count / counted_s),
        "processor_ms": round(processor / count * 1000, 2),
        "changed": CHANGED,
        "changed_s": round(again_s, 2),
        "facts": facts,
        "sums": cells,
        "differences": None if proof is None else proof.differences,
        "pages": pages,
    }


ADDRESSES = {
    "day": "/admin/numbers?kind=day", "month by unit": "/admin/numbers?kind=month",
    "month by category": "/admin/numbers?kind=month&by=category", "year by unit": "/admin/numbers?kind=year",
    "year by category": "/admin/numbers?kind=year&by=category",
    "behind a number": "/admin/numbers/behind/received?kind=month",
}  # fmt: skip


def write_reports(count: int, now: datetime) -> None:
    """Closed reports spread evenly over three years, of the demo district's units, streets and categories."""
    chance, ref = random.Random(5), reference()
    units = [key for key, unit in ref.units_by_id.items() if not unit.is_closed]
    areas, categories = list(ref.areas_by_code), list(ref.categories_by_id)
    handler, verifier = _somebody(Role.HANDLER), _somebody(Role.VERIFIER)
    first = (db.session.scalar(select(func.max(Report.id))) or 0) + 1
    db.session.rollback()
    for start in range(0, count, BATCH):
        reports, lines = [], []
        for number in range(start, min(start + BATCH, count)):
            at = now - timedelta(days=DAYS * (count - number) / count, hours=1)
            steps = [at]
            for hours in (0.1, chance.expovariate(1 / 6), chance.expovariate(1 / 30), chance.expovariate(1 / 8)):
                steps.append(min(now, steps[-1] + timedelta(hours=hours)))
            unit, key = chance.choice(units), first + number
            reports.append({
                "id": key, "version": 5, "number": f"BH-N{number}", "access_key": "k", "source": "bot",
                "description": "路灯不亮", "category_id": chance.choice(categories), "area_code": chance.choice(areas),
                "status": "closed", "unit_id": unit, "reason": {}, "submitted_at": at, "dispatch_due_at": at,
                "assigned_at": steps[1], "handling_due_at": steps[1] + timedelta(hours=48), "accepted_at": steps[2],
                "resolved_at": steps[3], "resolved_by_id": handler, "closed_at": steps[4], "verified_by_id": verifier,
                "route_after": at,
            })  # fmt: skip
            kinds = ("submitted", "routed", "accepted", "resolved", "verified")
            for step, what in zip(steps, kinds, strict=True):
                lines.append({
                    "report_id": key, "at": step, "kind": what, "actor": "system", "data": {},
                    "unit_id": unit if what in ("routed", "accepted", "resolved") else None,
                })  # fmt: skip
        with unit_of_work():
            db.session.execute(insert(Report.__table__), [_whole(row) for row in reports])
            db.session.execute(insert(ReportEvent), lines)
        db.session.remove()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("analyze")


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """The row with what the table asks for beside it."""
    return row | {
        "language": "zh-Hans", "contact_sealed": "", "intent": "report", "urgency": "normal", "address": "",
        "place_source": "", "community_code": "", "grid_code": "", "hand_back_pending": False,
        "waiting_for_resident": False, "resolution": "", "verification_waived": False, "has_followers": False,
        "rework_count": 0, "reopen_count": 0, "rating_text": "", "route_tries": 0,
    }  # fmt: skip


def _somebody(role: Role) -> int:
    query = select(Staff.id).join(StaffRole, StaffRole.staff_id == Staff.id).where(StaffRole.role == role)
    return int(db.session.scalars(query.order_by(Staff.id)).first() or 0)


def _touch(count: int) -> None:
    """So many of the newest reports have a new line in their history."""
    newest = list(db.session.scalars(select(Report.id).order_by(Report.id.desc()).limit(count)))
    db.session.rollback()
    line = {"at": clock.now(), "kind": "rated", "actor": "resident", "data": {"solved": True, "stars": 5}}
    with unit_of_work():
        db.session.execute(insert(ReportEvent), [{"report_id": key, **line} for key in newest])
    db.session.remove()


def _page_ms(app: Any, address: str) -> dict[str, float]:
    """The page's times as a leader's browser would see them, without the network."""
    client = app.test_client()
    token = client.get("/admin/login").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    client.post("/admin/login", data={"username": "leader", "password": PASSWORD, "csrf_token": token})
    times = []
    for _ in range(PAGES):
        began = time.perf_counter()
        answer = client.get(address)
        times.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answers {answer.status_code}")
    times = sorted(times[1:])
    return {"p50_ms": round(times[len(times) // 2], 1), "p95_ms": round(times[int(len(times) * 0.95)], 1)}
