"""The codes that hang and that nobody ever scanned, as a file for whoever goes and looks."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from flask import current_app

from district.errands.kinds.import_facilities import TYPES
from district.errands.running import Running
from district.errors import NotFound
from district.extensions import db
from district.facilities import scans
from district.facilities.scans import Silent, Unscanned
from district.messages import t
from district.people.models import Staff
from district.reference import reference
from district.register.refused import CsvWriter, Writer, XlsxWriter
from district.reports import sight

COLUMNS = ("street", "type", "code", "name", "address", "unit", "token", "since", "state")
_SAY_EACH = 500


def do(running: Running) -> None:
    """parameters: `kind` csv or xlsx, `wanted` the fields of `scans.Unscanned` without how far somebody sees.

    Raises NotFound when its owner has left meanwhile.
    """
    kind = str(running.asked.parameters["kind"])
    staff = db.session.get(Staff, running.asked.staff_id)
    if staff is None or staff.left_at is not None:
        raise NotFound()
    seen = sight.sight_of(staff)
    wanted = replace(Unscanned(**running.asked.parameters["wanted"]), areas=seen.areas, units=seen.units)
    total = scans.count_never_scanned(wanted)
    path = running.result(f"{t('scans.file')}-{scans.today():%Y%m%d}.{kind}", TYPES[kind])
    headings = [t(f"scans.column.{name}") for name in COLUMNS]
    writer: Writer = CsvWriter(path, headings) if kind == "csv" else XlsxWriter(path, headings)
    written = 0
    try:
        for written, one in enumerate(scans.all_never_scanned(wanted), 1):
            writer.row(_cells(one), None)
            if written % _SAY_EACH == 0:
                running.say(written, total)
    finally:
        writer.close()
    running.outcome["written"] = written


def _cells(one: Silent) -> list[str]:
    ref, facility = reference(), one.facility
    kind = ref.facility_types_by_id.get(facility.type_id)
    unit = ref.units_by_id.get(facility.maintainer_unit_id or facility.owner_unit_id or 0)
    area = ref.areas_by_code.get(facility.area_code)
    since = one.placed_at.astimezone(ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]))
    return [
        area.name if area else facility.area_code,
        kind.name if kind else "",
        facility.code17,
        facility.name,
        facility.address,
        unit.name if unit else "",
        one.token,
        f"{since:%Y-%m-%d}",
        t(f"status.facility.{facility.state}"),
    ]
