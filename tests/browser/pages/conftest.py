"""A district with something of everything on its pages, served by this very process.

Pages are looked at when all work is done that they show: no workers, scheduler and supervisor need run beside them.
Each process that takes a module of this folder has a district of its own, whatever its pages leave behind in it.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from district import jobs
from district.extensions import db
from tests.support import services
from tests.support.filled import filled_of
from tests.support.pictures import jpeg
from tests.support.running import eventually, free_port
from tests.support.serving import serving

# What a worker looks for, and how often.
LOOK_EVERY_S = 0.05
AFTERWARDS: tuple[Callable[[], None], ...] = (
    jobs.gather_for_staff, jobs.remind_overdue, jobs.tell_unseen, jobs.count_numbers, jobs.read_facilities,
)  # fmt: skip


@dataclass(frozen=True)
class Served:
    """The application, where it answers, and where it keeps what it has."""

    app: Flask
    address: str
    folder: Path

    def ask(self, question: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.folder / "bihuan.db", timeout=60)) as connection, connection:
            return connection.execute(question, values).fetchall()

    def work(self) -> None:
        """What the workers would do now."""
        with self.app.app_context():
            for name in jobs.waiting_work():
                getattr(jobs, name)()
            db.session.remove()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Meanwhile the workers' part is done beside; at the end, all that is left of it and of the scheduler's."""
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(LOOK_EVERY_S):
                self.work()

        worker = threading.Thread(target=look, daemon=True)
        worker.start()
        try:
            yield
        finally:
            stop.set()
            worker.join(60)
        with self.app.app_context():
            for job in AFTERWARDS:
                job()
            db.session.remove()
        self.work()


@pytest.fixture(scope="package")
def served(demo_sqlite: Path, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The chat window's memory is in the queue server; nobody answers what rings there."""
    from wsgi import create_app

    folder, port = tmp_path_factory.mktemp("pages"), free_port()
    shutil.copy(demo_sqlite, folder / "bihuan.db")
    address = f"http://127.0.0.1:{port}"
    app = create_app(
        services.config_for(
            f"sqlite:///{folder / 'bihuan.db'}", folder, REDIS_URL=redis_url, HOST="127.0.0.1", PORT=str(port),
            PUBLIC_BASE_URL=address,
        )
    )  # fmt: skip
    with serving(app, port):
        yield Served(app, address, folder)
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="package")
def address(served: Served) -> str:
    return served.address


@pytest.fixture(scope="package")
def example(served: Served) -> dict[str, str]:
    """Words to fill addresses with: a report with a picture, assigned, a facility, an incident of three reports, and a
    district with work in it.
    """
    base = f"{served.address}/api/v1"
    with served.at_work():
        photo = requests.post(f"{base}/photos", files={"photo": ("a.jpg", jpeg(size=(900, 700)))}, timeout=60)
        body = {
            "description": "路灯不亮了，晚上黑得看不见路，已经三天了" * 4, "latitude": 50.426, "longitude": 124.1262,
            "contact": "13800138000", "photos": [photo.json()["id"]],
        }  # fmt: skip
        filed = requests.post(f"{base}/reports", json=body, timeout=60).json()
        burst = {"description": "水管爆了", "category": "21002", "latitude": 50.421, "longitude": 124.131}
        for _ in range(3):
            assert requests.post(f"{base}/reports", json=burst, timeout=60).status_code == 201
        unit = "select unit_id from report where number = ?"
        eventually(lambda: bool(served.ask(unit, filed["number"])[0][0]), "the report has its unit")
        eventually(lambda: bool(served.ask("select id from incident")), "the incident is there")
        filled = filled_of(served.address)
    found = re.search(r"/f/([a-z0-9]+)", requests.get(f"{served.address}/nearby", timeout=60).text)
    one = "select token, code17 from facility_token join facility on facility.id = facility_id limit 1"
    token, code = served.ask(one)[0]
    return filled | {
        "number": filed["number"], "key": filed["key"], "token": found[1] if found else token, "facility": code,
        "incident": str(served.ask("select id from incident")[0][0]), "errand": _errand(served),
        "label_run": _label_run(served), "import": _import(served),
    }  # fmt: skip


def _label_run(served: Served) -> str:
    """Three labels, printed."""
    made = served.ask(
        "insert into label_run (asked_at, finished_at, layout, chosen, labels, sheets) values "
        "(datetime('now'), datetime('now'), 'sheet21', '{\"layout\": \"sheet21\"}', 3, 1) returning id"
    )
    run_id = str(made[0][0])
    served.ask(
        "insert into label_print (run_id, position, token) select ?, row_number() over (order by token), token "
        "from (select token from facility_token order by token limit 3)",
        run_id,
    )
    served.ask(
        "update facility_token set state = 'printed', printed_at = datetime('now') where token in "
        "(select token from label_print where run_id = ?)",
        run_id,
    )
    return run_id


def _errand(served: Served) -> str:
    """A task of the desk's, under way."""
    made = served.ask(
        "insert into errand (kind, staff_id, language, parameters, given, state, done, total, attempts, asked_at, "
        "beat_at, outcome, problem, file_name, file_type, file_bytes) select 'export_reports', id, 'zh-Hans', "
        "'{}', '', 'running', 40, 100, 1, datetime('now'), datetime('now', '+1 hour'), '{}', '{}', '', '', 0 "
        "from staff where username = 'desk' returning id"
    )
    return str(made[0][0])


def _import(served: Served) -> str:
    """A file of facilities that the administrator had looked through, two rows of it wrong."""
    made = served.ask(
        "insert into errand (kind, staff_id, language, parameters, given, state, done, total, attempts, asked_at, "
        "ended_at, outcome, problem, file_name, file_type, file_bytes) select 'check_facilities', id, 'zh-Hans', "
        """'{"name": "lamps.csv"}', 'lamps.csv', 'done', 3, 3, 1, datetime('now'), datetime('now'), """
        """'{"read": 3, "created": 1, "updated": 0, "unchanged": 0, "refused": 2}', '{}', 'refused.csv', """
        "'text/csv', 99 from staff where username = 'admin' returning id"
    )
    folder = served.folder / "errands" / str(made[0][0])
    folder.mkdir(parents=True)
    (folder / "given").write_text("编码,名称,经度,纬度\n23276101037000001,灯,124.1,50.4\n", encoding="utf-8")
    (folder / "problems.json").write_text('[[3, "没有名称"], [4, "没有编码"]]', encoding="utf-8")
    return str(made[0][0])
