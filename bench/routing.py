"""Reports routed a second by a real worker's drain, beside a plain loop that writes the same rows."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import func, select, update

from bench.mix import EAST, NORTH, SOUTH, WEST
from bench.system import ROOT, System, copy_of, processor_s, system, wait_for
from district import clock
from district.extensions import db
from district.jobs import ROUTING_BATCH
from district.people import service as people
from district.reports import service as reports
from district.reports.models import PlaceSource, Report, Source
from district.reports.states import Status
from district.work import ring, unit_of_work

WORDS = tomllib.loads((Path(__file__).parent / "mix.toml").read_text(encoding="utf-8"))
WARM_UP = 60
LATER = timedelta(days=1)


def measure(folder: Path, kind: str, count: int) -> dict[str, Any]:
    """The drain of `count` waiting reports, then the same reports by the floor's loop on a copy of the database."""
    from wsgi import create_app

    with system(folder / f"routing-{kind}", kind) as instance:
        app = create_app(instance.config)
        with app.app_context():
            file_reports(WARM_UP, seed=1)
            file_reports(count, seed=2, wait=LATER)
            _let_go(app)
            with copy_of(instance.database_url, instance.folder) as copy:
                ours = _drain(instance, app, count)
                floor = _loop(instance, copy, ours["triage_share"])
    return {"ours": ours, "floor": floor, "rate_ratio": round(ours["per_second"] / floor["per_second"], 2)}


def file_reports(count: int, seed: int, wait: timedelta = timedelta(0)) -> None:
    """File reports of as many residents through the verbs; they wait for routing, or not before `wait` is over."""
    chance = random.Random(seed)
    done = 0
    while done < count:
        with unit_of_work():
            for number in range(done, min(done + 100, count)):
                resident = people.know_resident(f"o{seed:03d}{number:06d}".ljust(28, "R"))
                words = chance.choice(WORDS["texts"]).format(place=chance.choice(WORDS["places"]) + f"{number}号")
                report = reports.submit(
                    reports.NewReport(
                        source=Source.BOT,
                        description=words,
                        latitude=chance.uniform(SOUTH, NORTH),
                        longitude=chance.uniform(WEST, EAST),
                        place_source=PlaceSource.SHARED,
                    ),
                    by=resident,
                )
                report.route_after = clock.now() + wait
        db.session.remove()
        done += 100


def waiting() -> int:
    """How many reports have no unit and no place in triage yet."""
    count = db.session.scalar(select(func.count()).select_from(Report).where(Report.status == Status.SUBMITTED))
    db.session.rollback()
    return int(count or 0)


def _drain(instance: System, app: Flask, count: int) -> dict[str, Any]:
    worker = instance.start_worker("routing")
    # It has rung for itself at its start: the warm-up is done, its reference data is read.
    wait_for(lambda: waiting() == count, "the warm-up is routed")
    with unit_of_work() as session:
        session.execute(update(Report).where(Report.status == Status.SUBMITTED).values(route_after=clock.now()))
    before = processor_s(worker.pid)
    ring("route_reports", again=True)
    seconds = wait_for(lambda: waiting() == 0, "everything is routed", 180, every_s=0.05)
    used = processor_s(worker.pid) - before
    instance.end(worker)
    by_status: dict[str, int] = dict(
        db.session.execute(select(Report.status, func.count()).group_by(Report.status)).tuples().all()
    )
    _let_go(app)
    share = round(by_status.get(Status.TRIAGE, 0) / sum(by_status.values()), 3)
    return _figures(count, seconds, used) | {"triage_share": share}


def _loop(instance: System, copy: str, triage_share: float) -> dict[str, Any]:
    env = instance.env | {"DATABASE_URL": copy}
    _bring_forward(copy)
    ran = subprocess.run(
        [sys.executable, "-m", "bench.floors", "loop", str(ROUTING_BATCH), str(triage_share)],
        cwd=ROOT, env=env, check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = json.loads(ran.stdout.splitlines()[-1])
    # The copy was taken before the warm-up was routed: the loop has those to do as well.
    return _figures(found["reports"], found["seconds"], found["processor_s"])


def _bring_forward(url: str) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(update(Report.__table__).values(route_after=clock.now()))  # type: ignore[arg-type]
    engine.dispose()


def _figures(count: int, seconds: float, processor: float) -> dict[str, Any]:
    return {
        "reports": count,
        "per_second": round(count / seconds, 1),
        "processor_ms": round(processor * 1000 / count, 3),
    }


def _let_go(app: Flask) -> None:
    """Leave the database alone, so that it can be copied or dropped."""
    db.session.remove()
    db.engine.dispose()
