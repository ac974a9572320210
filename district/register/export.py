"""The register taken along as CSV, XLSX or GeoJSON. What was exported can be imported again and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, select

from district.errors import BadInput
from district.extensions import db
from district.facilities.models import Facility
from district.messages import t
from district.reference import reference
from district.register.columns import FIELDS
from district.register.refused import CsvWriter, GeoJsonWriter, Writer, XlsxWriter

KINDS = ("csv", "xlsx", "geojson")
_READ_AT_ONCE = 2000
# Told by the place, so not read again: for those who sort by them.
_TOLD = ("area", "grid")


def export(path: Path, wanted: Select[int]) -> Iterator[int]:
    """Write the facilities whose ids `wanted` selects, in the order of their ids; gives how many there are so far.

    The kind is the file name's ending. Raises BadInput for another. Reads in steps, outside of a unit of work.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise BadInput("register.file.kinds")
    names = (*FIELDS, *_TOLD)
    headings = [t(f"register.field.{name}") for name in names]
    writer: Writer = (
        CsvWriter(path, headings) if kind == "csv"
        else XlsxWriter(path, headings) if kind == "xlsx"
        else GeoJsonWriter(path)
    )  # fmt: skip
    written, last = 0, 0
    try:
        while rows := _read(wanted, last):
            for row in rows:
                cells = _cells(row)
                feature = None
                if kind == "geojson":
                    feature = {
                        "type": "Feature",
                        "geometry": {"type": "Point", "coordinates": [row.longitude, row.latitude]},
                        "properties": {
                            name: cell
                            for name, cell in zip(names, cells, strict=True)
                            if name not in ("longitude", "latitude")
                        },
                    }
                writer.row(cells, feature)
            written, last = written + len(rows), rows[-1].id
            yield written
    finally:
        writer.close()


def _read(wanted: Select[int], after: int) -> list[Row[Any]]:
    facility: Any = Facility.__table__
    ids = wanted.where(facility.c.id > after).order_by(facility.c.id).limit(_READ_AT_ONCE)
    columns = [column for column in facility.c if column.name != "words"]
    rows = db.session.execute(select(*columns).where(facility.c.id.in_(ids)).order_by(facility.c.id)).all()
    db.session.rollback()
    return list(rows)


def _cells(row: Row[Any]) -> list[str]:
    ref = reference()
    units, areas = ref.units_by_id, ref.areas_by_code
    own, other = (row.code17, row.code) if row.code_scheme == "17" else (row.code, row.code17)
    kind = ref.facility_types_by_id.get(row.type_id)
    return [
        own,
        other if other != own else "",
        kind.code if kind else "",
        row.name,
        row.address,
        repr(row.longitude),
        repr(row.latitude),
        units[row.owner_unit_id].code if row.owner_unit_id in units else "",
        units[row.maintainer_unit_id].code if row.maintainer_unit_id in units else "",
        row.contract_from.isoformat() if row.contract_from else "",
        row.contract_to.isoformat() if row.contract_to else "",
        row.emergency_phone,
        t(f"status.facility.{row.state}"),
        row.installed_on.isoformat() if row.installed_on else "",
        "1" if row.is_smart else "0",
        row.source,
        areas[row.area_code].name if row.area_code in areas else row.area_code,
        row.grid_code,
    ]
