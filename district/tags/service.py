"""Putting tags on reports and taking them off. Verbs flush and never commit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, select

from district import audit, clock
from district.errors import NotAllowed
from district.extensions import db
from district.people.models import Staff
from district.reference import Reference, reference
from district.tags.models import ReportTag, Tag


@dataclass(frozen=True, slots=True)
class TagRef:
    """A tag, those out of use included. roles: as the table says."""

    id: int
    code: str
    name: str
    colour: str
    roles: frozenset[str]
    is_retired: bool


def offered() -> list[TagRef]:
    """All tags in use, by name; read once for each state of the reference data."""
    return [tag for tag in _all() if not tag.is_retired]


def may_set(staff: Staff, tag: TagRef | Tag) -> bool:
    """Whether the tag is this person's to put on and take off. That they may act on reports is asked elsewhere."""
    return not tag.roles or bool(staff.roles & set(tag.roles))


def of_reports(report_ids: Collection[int]) -> dict[int, list[TagRef]]:
    """The tags of these reports, by the report's id, each by name; one query, and none in a district without tags."""
    known = _all()
    if not report_ids or not known:
        return {}
    rows = db.session.execute(
        select(ReportTag.report_id, ReportTag.tag_id).where(ReportTag.report_id.in_(list(report_ids)))
    )
    on = {(row.report_id, row.tag_id) for row in rows}
    found = {report_id: [tag for tag in known if (report_id, tag.id) in on] for report_id in report_ids}
    return {report_id: tags for report_id, tags in found.items() if tags}


def _all() -> tuple[TagRef, ...]:
    return reference().once("tags", _read)


def _read(_ref: Reference) -> tuple[TagRef, ...]:
    with db.engine.connect() as connection:
        rows = connection.execute(select(Tag.__table__).order_by(Tag.name, Tag.id))
        return tuple(
            TagRef(row.id, row.code, row.name, row.colour, frozenset(row.roles), row.retired_at is not None)
            for row in rows
        )


def put(report_id: int, chosen: Collection[str], *, had: Collection[str], by: Staff) -> None:
    """Put on the tags that were chosen and take off those that were left out, by their codes.

    had: the tags that the form showed as set: what others did since the form was opened stays. A tag out of use can be
    taken off and not put on. Raises NotAllowed for a tag that is not this person's to set.
    """
    wanted, gone = set(chosen) - set(had), set(had) - set(chosen)
    tags = {tag.code: tag for tag in db.session.scalars(select(Tag).where(Tag.code.in_(wanted | gone)))}
    if any(not may_set(by, tag) for tag in tags.values()):
        raise NotAllowed()
    on = set(db.session.scalars(select(ReportTag.tag_id).where(ReportTag.report_id == report_id)))
    added = [tags[code] for code in sorted(wanted) if code in tags]
    added = [tag for tag in added if tag.id not in on and tag.retired_at is None]
    removed = [tags[code] for code in sorted(gone) if code in tags and tags[code].id in on]
    for tag in added:
        db.session.add(ReportTag(report_id=report_id, tag_id=tag.id, at=clock.now(), staff_id=by.id))
    if removed:
        db.session.execute(
            delete(ReportTag).where(ReportTag.report_id == report_id, ReportTag.tag_id.in_([tag.id for tag in removed]))
        )
    if added or removed:
        audit.record(
            by, "report.tags", f"report:{report_id}",
            added=[tag.name for tag in added], removed=[tag.name for tag in removed],
        )  # fmt: skip
    db.session.flush()
