"""Putting tags on reports and taking them off. Verbs flush and never commit."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select

from district import audit, clock
from district.errors import NotAllowed
from district.extensions import db
from district.people.models import Staff
from district.tags.models import ReportTag, Tag


def offered() -> list[Tag]:
    """All tags in use, by name."""
    return list(db.session.scalars(select(Tag).where(Tag.retired_at.is_(None)).order_by(Tag.name, Tag.id)))


def may_set(staff: Staff, tag: Tag) -> bool:
    """Whether the tag is this person's to put on and take off. That they may act on reports is asked elsewhere."""
    return not tag.roles or bool(staff.roles & set(tag.roles))


def of_reports(report_ids: Collection[int]) -> dict[int, list[Tag]]:
    """The tags of these reports, by the report's id, each by name; one query however many there are."""
    found: dict[int, list[Tag]] = {}
    if report_ids:
        query = (
            select(ReportTag.report_id, Tag)
            .join(Tag, Tag.id == ReportTag.tag_id)
            .where(ReportTag.report_id.in_(list(report_ids)))
            .order_by(Tag.name, Tag.id)
        )
        for report_id, tag in db.session.execute(query):
            found.setdefault(report_id, []).append(tag)
    return found


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
