"""The register, or the part of it that a list is narrowed to, as a file."""

from __future__ import annotations

from flask import current_app
from sqlalchemy import func, select

from district import clock
from district.errands.kinds.import_facilities import TYPES
from district.errands.running import Running
from district.extensions import db
from district.facilities import queries
from district.messages import t
from district.register.export import export


def do(running: Running) -> None:
    """parameters: `kind` csv, xlsx or geojson, `wanted` the fields of `queries.Wanted`."""
    kind = str(running.asked.parameters["kind"])
    wanted = queries.ids_of(queries.Wanted(**running.asked.parameters["wanted"]))
    total = db.session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    day = clock.local_day(clock.now(), current_app.config["DISTRICT_TIMEZONE"])
    # Written under its own ending, by which the export knows what is meant.
    path = running.result(f"{t('register.export.file')}-{day:%Y%m%d}.{kind}", TYPES[kind])
    beside = path.with_name(f"export.{kind}")
    written = 0
    for written in export(beside, wanted):
        running.say(written, total)
    beside.replace(path)
    running.outcome["written"] = written
