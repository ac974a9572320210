"""What a register of 200,000 facilities costs: taking it over from a file, and looking things up in it.

One row in twenty of the file is wrong in one of five ways. It is taken over by the operator's command, in a process of
its own whose memory is read at its end; a tenth of the file comes first, to see whether the memory grows with the rows.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select, text

from bench.system import ROOT, database
from district import clock, jobs
from district.extensions import db
from district.people import logins
from district.people.models import Staff
from district.work import unit_of_work

TIMES = 30
AIM_P95_MS, AIM_MINUTES, AIM_MEMORY_GROWTH = 100, 5, 1.2
BAD_SHARE = 0.05

PAGES = {
    "first page": "/admin/facilities",
    "far down": "/admin/facilities?after={middle}",
    "a code's beginning": "/admin/facilities?q={code}",
    "common word": "/admin/facilities?q={common}",
    "two words": "/admin/facilities?q={common}+{rare}",
    "rare word": "/admin/facilities?q={rare}",
    "nothing": "/admin/facilities?q=nowhere",
    "a type's, damaged": "/admin/facilities?type={type}&state=damaged",
    "a unit's in a street": "/admin/facilities?unit={unit}&area={area}",
    "nearest to a point": "/admin/facilities?near={latitude},{longitude}",
    "map, whole district": "/admin/facilities/map.json?box={district}",
    "map, some streets": "/admin/facilities/map.json?box={streets}",
    "map, one crossing": "/admin/facilities/map.json?box={crossing}",
    "map, a type's": "/admin/facilities/map.json?box={district}&type={type}",
    "one facility": "/admin/facilities/{facility}",
}


def measure(folder: Path, kind: str, count: int) -> dict[str, Any]:
    """count: rows of the file. Seconds, megabytes, and milliseconds of the 95th of 100 for each page."""
    from tests.support import services

    own = folder / f"facilities-{kind}"
    own.mkdir(parents=True, exist_ok=True)
    with database(own, kind) as url:
        services.migrate(url, own)
        services.load_demo(url, own)
        tenth, whole = own / "tenth.csv", own / "whole.csv"
        _write(tenth, count // 10, first=0)
        _write(whole, count, first=count)
        small, large = _import(tenth, url, own), _import(whole, url, own)
        again = _import(whole, url, own)
        with services.application(url, own) as app:
            # As the scheduler does within a minute.
            jobs.read_facilities()
            if kind == "postgresql":
                db.session.execute(text("analyze"))
                db.session.commit()
            pages = _pages(app)
    return {
        "rows": count,
        "import": large,
        "import_again": again,
        "memory_growth": round(large["memory_mb"] / small["memory_mb"], 2),
        "pages": pages,
        "slowest_ms": max(pages.values()),
    }


def _write(path: Path, count: int, *, first: int) -> None:
    """Rows around the demo district's own facilities, as a district's survey might bring them."""
    draw = random.Random(first)
    with (ROOT / "demo" / "facilities.csv").open(encoding="utf-8-sig") as file:
        known = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow(["部件编码", "类型", "名称", "地址", "经度", "纬度", "权属单位", "养护单位", "状态", "安装日期"])
        for number in range(first, first + count):
            like = draw.choice(known)
            row = [
                f"232761{like['facility_type']}{number + 100_000:06d}", like["facility_type"],
                f"{like['name'].split('-')[0]}-{number}", like["address"],
                f"{float(like['lon']) + draw.uniform(-0.0008, 0.0008):.6f}",
                f"{float(like['lat']) + draw.uniform(-0.0008, 0.0008):.6f}",
                like["owner_unit"], like["maintainer_unit"], like["state"], "2024-05-01",
            ]  # fmt: skip
            if draw.random() < BAD_SHARE:
                place, wrong = draw.choice([(0, "12"), (1, "没有的"), (4, "1.5"), (6, "NOBODY"), (9, "昨天")])
                row[place] = wrong
            out.writerow(row)


def _import(path: Path, url: str, own: Path) -> dict[str, Any]:
    """Take a file over with the operator's command."""
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env |= {"DATABASE_URL": url, "VAR_DIR": str(own), "REDIS_URL": "redis://127.0.0.1:1/0"}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "district", "facilities", "import", str(path), "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the import ended with {process.returncode}")
    found = json.loads(answer)
    counts = {name: found[name] for name in ("read", "created", "unchanged", "refused")}
    return counts | {
        "seconds": round(time.perf_counter() - began, 1),
        "processor_s": round(used.ru_utime + used.ru_stime, 1),
        "memory_mb": round(used.ru_maxrss / 1024),
    }


def _pages(app: Flask) -> dict[str, float]:
    """Each page asked for as a browser asks, without the network, with other values each time."""
    client = app.test_client()
    with unit_of_work():
        staff = db.session.scalars(select(Staff).where(Staff.username == "shift1")).one()
        staff.login_id = logins.begin(staff.id, device="bench").id
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = staff.get_id(), True
        session["since"] = clock.now().timestamp()
    asked = _asked_for()
    db.session.remove()
    found = {}
    for name, page in PAGES.items():
        took = []
        for turn in range(-1, TIMES):
            with app.app_context():
                address = page.format(**asked[turn])
                began = time.perf_counter()
                answer = client.get(address)
                took.append((time.perf_counter() - began) * 1000)
                db.session.remove()
            if answer.status_code != 200:
                raise RuntimeError(f"{address} answers {answer.status_code}")
        # The first one warms what every later one finds warm.
        found[name] = round(sorted(took[1:])[int(TIMES * 0.95) - 1], 1)
    return found


def _asked_for() -> list[dict[str, Any]]:
    rows = db.session.execute(
        text(
            "select f.id, f.code17, f.name, f.latitude, f.longitude, f.area_code, t.code as type, u.code as unit "
            "from facility f join facility_type t on t.id = f.type_id join unit u on u.id = f.maintainer_unit_id "
            "order by f.name desc limit 3000"
        )
    ).all()
    bounds = db.session.execute(
        text("select min(latitude), min(longitude), max(latitude), max(longitude) from facility")
    ).one()
    chosen = random.Random(1).sample(rows, TIMES)
    return [
        {
            "middle": row.id, "code": row.code17[:12], "common": "路灯", "rare": row.name.rpartition("-")[2],
            "type": row.type, "unit": row.unit, "area": row.area_code, "latitude": row.latitude,
            "longitude": row.longitude, "facility": row.code17, "district": ",".join(map(str, bounds)),
            "streets": _box(row, 0.008), "crossing": _box(row, 0.0008),
        }
        for row in chosen
    ]  # fmt: skip


def _box(row: Any, half: float) -> str:
    return ",".join(
        str(place) for place in (row.latitude - half, row.longitude - half, row.latitude + half, row.longitude + half)
    )
