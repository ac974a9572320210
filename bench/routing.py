"""Reports routed a second by a real worker's drain, beside a plain loop that does the same work in the database
(`bench.floors` says row by row and column by column what that is)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tomllib
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from bench.floors import Shares
from bench.mix import EAST, NORTH, SOUTH, WEST
from bench.system import ROOT, System, processor_s, system, wait_for
from district import clock, settings
from district.categories.models import Urgency
from district.extensions import db
from district.jobs import ROUTING_BATCH
from district.people import service as people
from district.reports import service as reports
from district.reports.models import PlaceSource, Report, ReportUnit, Source
from district.reports.states import Status
from district.work import ring, unit_of_work

WORDS = tomllib.loads((Path(__file__).parent / "mix.toml").read_text(encoding="utf-8"))
WARM_UP = 60
TURNS = 3
LATER = timedelta(days=1)


def measure(folder: Path, kind: str, count: int) -> dict[str, Any]:
    """The drain of `count` waiting reports by a worker, and of the same reports in another database by the floor's
    loop, in turns: what disturbs the machine for a while disturbs both."""
    from wsgi import create_app

    ours, floor = _Sum(), _Sum()
    each = count // TURNS
    with (
        system(folder / f"routing-{kind}", kind) as instance,
        system(folder / f"loop-{kind}", kind) as loop,
        create_app(instance.config).app_context(),
    ):
        _each_by_itself()
        worker = instance.start_worker("routing")
        _drain(worker.pid, file_reports(WARM_UP, seed=1, wait=LATER))
        for turn in range(TURNS):
            ours.add(each, *_drain(worker.pid, file_reports(each, seed=2 + turn, wait=LATER)))
            shares = _shares()
            _let_go()
            floor.add(each, *_loop(loop, each, 2 + turn, shares))
        instance.end(worker)
    return {
        "ours": ours.figures() | {"shares": asdict(shares)},
        "floor": floor.figures(),
        "rate_ratio": round(ours.per_second / floor.per_second, 2),
    }


@dataclass
class _Sum:
    reports: int = 0
    seconds: float = 0.0
    processor_s: float = 0.0

    def add(self, reports: int, seconds: float, processor: float) -> None:
        self.reports += reports
        self.seconds += seconds
        self.processor_s += processor

    @property
    def per_second(self) -> float:
        return self.reports / self.seconds

    def figures(self) -> dict[str, Any]:
        return {
            "reports": self.reports,
            "per_second": round(self.per_second, 1),
            "processor_ms": round(self.processor_s * 1000 / self.reports, 3),
        }


def file_reports(count: int, seed: int, wait: timedelta = timedelta(0)) -> int:
    """File reports of as many residents through the verbs; they wait for routing, or not before `wait` is over.

    Returns `count`.
    """
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
    return count


def _each_by_itself() -> None:
    """What is measured is routing. So many reports of so few kinds in one town would be incidents: looked for, as
    always, but with a number that is never reached.
    """
    with unit_of_work():
        settings.put("incident", dict(settings.get("incident", {})) | {"reports": 1_000_000})
        settings.changed("settings")


def waiting() -> int:
    """How many reports have no unit and no place in triage yet."""
    count = db.session.scalar(select(func.count()).select_from(Report).where(Report.status == Status.SUBMITTED))
    db.session.rollback()
    return int(count or 0)


def _drain(worker_pid: int, count: int) -> tuple[float, float]:
    """Let the worker have what was put off; (seconds, processor seconds) until all of it is routed."""
    _bring_forward()
    before = processor_s(worker_pid)
    ring("route_reports", again=True)
    seconds = wait_for(lambda: waiting() == 0, f"{count} reports are routed", 180, every_s=0.05)
    return seconds, processor_s(worker_pid) - before


def _loop(instance: System, count: int, seed: int, shares: Shares) -> tuple[float, float]:
    """The same reports by the floor's loop; (seconds, processor seconds)."""
    from wsgi import create_app

    with create_app(instance.config).app_context():
        file_reports(count, seed)
        _let_go()
    ran = subprocess.run(
        [sys.executable, "-m", "bench.floors", "loop", str(ROUTING_BATCH), json.dumps(asdict(shares))],
        cwd=ROOT, env=instance.env, check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = json.loads(ran.stdout.splitlines()[-1])
    if found["reports"] != count:
        raise RuntimeError(f"the loop found {found['reports']} reports, not {count}")
    return found["seconds"], found["processor_s"]


def _bring_forward() -> None:
    with unit_of_work() as session:
        session.execute(update(Report).where(Report.status == Status.SUBMITTED).values(route_after=clock.now()))


def _shares() -> Shares:
    """What the rules made of the reports routed so far."""
    reports_, known, urgent, triage = db.session.execute(
        select(
            func.count(),
            func.count(Report.category_id),
            func.count().filter(Report.urgency != Urgency.NORMAL),
            func.count().filter(Report.status == Status.TRIAGE),
        ).select_from(Report)
    ).one()
    parts = db.session.scalar(select(func.count()).select_from(ReportUnit)) or 0
    return Shares(*(round(count / reports_, 3) for count in (triage, known, urgent, parts)))


def _let_go() -> None:
    """Leave the database alone while others are measured."""
    db.session.remove()
    db.engine.dispose()
