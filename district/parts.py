"""The processes of a running district: the web server, the workers, the scheduler, and who prepares the database.

`make run` forks them; by hand each is `python -m district.parts NAME`.
"""

from __future__ import annotations

import contextlib
import csv
import gc
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from district.config import Config, ConfigError

DEMO = Path(__file__).resolve().parent.parent / "demo"
WEB_THREADS = 8
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - memory, not a temporary file of ours

# What the parts import when they start: read once, before they are forked.
CODE = ("wsgi", "district.worker", "district.schedule", "flask_migrate", "gunicorn.app.wsgiapp",
        "gunicorn.workers.gthread", "district.serving")  # fmt: skip


def read_code() -> None:
    """Import everything the parts need, so that processes forked from this one share it.

    Nothing may begin a thread here: it would not live on in a forked process.
    """
    # The library for matrices would start one for each core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Code stays: looking for garbage in it takes a fifth of the time now, and later would copy the shared pages.
    gc.disable()
    for name in CODE:
        import_module(name)
    gc.enable()
    gc.freeze()


def web_arguments(config: Config, descriptor: int, application: str = "wsgi:create_app()") -> list[str]:
    """gunicorn with threads: a waiting database or client holds a thread, not a process.

    descriptor: the listening socket that it inherits.
    """
    arguments = [
        *(application, "--bind", f"fd://{descriptor}"),
        *("--workers", str(max(config.web_workers, 1))),
        *("--config", "python:district.serving", "--worker-class", "gthread", "--threads", str(WEB_THREADS)),
        *("--timeout", "60", "--graceful-timeout", "8", "--keep-alive", "5"),
        # gunicorn's control socket lies in the home folder: two instances would quarrel about it.
        *("--no-control-socket", "--log-level", "warning"),
    ]
    # Its heartbeat file belongs in memory: a slow disk must not look like a dead worker.
    if os.access(SHARED_MEMORY, os.W_OK):
        arguments += ["--worker-tmp-dir", SHARED_MEMORY]
    return arguments


def web(*arguments: str) -> int:
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", *arguments]
    run()
    return 0


def worker(queues: str) -> int:
    """queues: names of queues, the first named first, with commas between them."""
    from district.worker import run_worker
    from wsgi import create_app

    app = create_app()
    with app.app_context():
        run_worker(app, queues.split(","))
    return 0


def scheduler() -> int:
    from district import schedule
    from wsgi import create_app

    app = create_app()
    with app.app_context():
        schedule.run(app)
    return 0


# Who prepares the database

# Whom a newcomer wants to be, and the order of a report's way.
_SHOWN_ROLES = ("administrator", "shift_lead", "acceptor", "unit_manager", "handler", "verifier", "leader")


def demo_logins(folder: Path) -> tuple[str, list[dict[str, str]]]:
    """The demo's password and one account a role; manager and handler of the unit that has most facilities."""
    staff = _rows(folder / "staff.csv")
    unit_names = {row["code"]: row["name_zh"] for row in _rows(folder / "units.csv")}
    busiest = Counter(row["maintainer_unit"] for row in _rows(folder / "facilities.csv")).most_common()
    rank = {code: place for place, (code, _) in enumerate(busiest)}
    shown = []
    for role in _SHOWN_ROLES:
        # Somebody with two roles shows more of the work than somebody with one.
        having = [row for row in staff if role in row["roles"].split(";")]
        having.sort(key=lambda row: (rank.get(row["unit_code"], len(rank)), -len(row["roles"])))
        if having:
            row = having[0]
            unit = unit_names.get(row["unit_code"], row["unit_code"])
            shown.append({"username": row["username"], "role": role, "unit": unit})
    return (staff[0]["demo_password"] if staff else ""), shown


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _opens(password_hash: str | None, password: str) -> bool:
    """Whether the demo's password is still this account's. All have one hash, and each look is slow."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return bool(password_hash) and PasswordHasher().verify(password_hash or "", password)
    except (Argon2Error, InvalidHashError):
        return False


def prepare() -> int:
    """Bring the schema up to date; in development fill an empty database with the demo.

    Prints one line of JSON: what was found and done, and the demo's logins (never in production).
    """
    import flask_migrate
    from sqlalchemy import select

    from district import loading
    from district.cli import ensure_first_administrator
    from district.extensions import db
    from district.people.models import Staff
    from district.units.models import Unit
    from district.work import unit_of_work
    from wsgi import create_app

    app = create_app()
    config: Config = app.config["BIHUAN"]
    with app.app_context():
        with contextlib.redirect_stdout(sys.stderr):
            flask_migrate.upgrade()
        loaded = False
        if not config.is_production and db.session.query(Unit.id).first() is None:
            db.session.remove()
            with unit_of_work():
                loading.load_folder(DEMO)
            loaded = True
        ensure_first_administrator(config)
        answer: dict[str, Any] = {
            "loaded": loaded,
            "empty": db.session.query(Unit.id).first() is None,
            "database": db.engine.url.render_as_string(hide_password=True),
            "password": "",
            "logins": [],
        }
        if not config.is_production:
            answer["password"], logins = demo_logins(DEMO)
            rows = db.session.execute(select(Staff.username, Staff.password_hash))
            hashes: dict[str, str | None] = {row.username: row.password_hash for row in rows}
            answer["logins"] = [one for one in logins if _opens(hashes.get(one["username"]), answer["password"])]
        if config.admin_password:
            admin = db.session.query(Staff.password_hash).filter(Staff.username == "admin").scalar()
            answer["own_administrator"] = _opens(admin, config.admin_password)
        db.session.remove()
    print(json.dumps(answer))
    return 0


PARTS: dict[str, Callable[..., int]] = {"web": web, "worker": worker, "scheduler": scheduler, "prepare": prepare}


def command(name: str, *arguments: str) -> list[str]:
    """What starts this part as a programme of its own."""
    return [sys.executable, "-m", "district.parts", name, *arguments]


def main(given: Sequence[str]) -> int:
    """Be one of PARTS until stopped."""
    if not given or given[0] not in PARTS:
        print(f"python -m district.parts {'|'.join(PARTS)}", file=sys.stderr)
        return 2
    try:
        return PARTS[given[0]](*given[1:])
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
