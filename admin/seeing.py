"""What the person at the panel may see, for lists of things beside reports."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression

from admin.guard import me, pages
from district.errors import NotFound
from district.extensions import db
from district.reports import queries, sight
from district.reports.models import Report
from district.reports.queries import Filters


def seen_filters() -> Filters:
    """As wide as the person's sight and no wider."""
    seen = sight.sight_of(me())
    return Filters(units=seen.units, areas=seen.areas)


def seen_within(report_id: SQLColumnExpression[Any], *, of: type[Any]) -> ColumnElement[bool] | None:
    """The condition that a row of `of` is about a report the person may see; None for who sees all."""
    return queries.within(seen_filters(), report_id, of=of)


def require_seen(report_id: int | None) -> None:
    """Raise NotFound for a report that the person may not see."""
    if sight.sight_of(me()).is_whole:
        return
    found = db.session.get(Report, report_id) if report_id is not None else None
    if found is None or not sight.may_see(me(), found):
        raise NotFound()


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"may_open": lambda report: sight.may_see(me(), report)}
