"""Tags, set by hand: what is called a label where staff read it."""

from __future__ import annotations

from sqlalchemy import select

from district.extensions import db
from district.loading.problems import listed
from district.people.roles import Role
from district.tags.models import COLOURS, ReportTag, Tag
from district.upkeep.kinds import Cells, Kind, Record, Use, count, joined, read_row, refuse

LONGEST_NAME = 20


class Tags(Kind):
    """Tags. One that is out of use is offered no more; it stays on the reports that have it."""

    name = "tag"
    model = Tag
    columns = ("code", "name", "colour", "roles")
    versions = ("settings",)

    def read(self, cells: Cells) -> tuple[str, Record]:
        row, report = read_row(self.columns, cells)
        code = row.code("code", r"T[0-9a-f]{8}", "T0a1b2c3d")
        record: Record = {
            "name": row.text("name", longest=LONGEST_NAME),
            "colour": row.one_of("colour", COLOURS),
            "roles": row.items("roles"),
        }
        for role in record["roles"]:
            if role not in set(Role):
                row.wrong("roles", "unknown_value", value=role, allowed=listed(Role))
        same = select(Tag.id).where(Tag.name == record["name"], Tag.code != code, Tag.retired_at.is_(None))
        if db.session.scalar(same) is not None:
            row.wrong("name", "duplicate", value=record["name"])
        refuse(report)
        return code, record

    def told(self, row: Tag) -> Record:
        return {"name": row.name, "colour": row.colour, "roles": list(row.roles), "active": row.retired_at is None}

    def put(self, row: Tag, record: Record) -> None:
        row.name, row.colour, row.roles = record["name"], record["colour"], record["roles"]

    def written(self, code: str, record: Record) -> dict[str, str]:
        return {"code": code, "name": record["name"], "colour": record["colour"], "roles": joined(record["roles"])}

    def uses(self, row: Tag) -> list[Use]:
        return [Use("reports", count(ReportTag, ReportTag.tag_id == row.id), False)]
