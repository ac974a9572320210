"""Why a report went where it went. Reads only."""

from __future__ import annotations

from sqlalchemy import select

from district.extensions import db
from district.routing.models import RoutingDecision


def latest_decision(report_id: int) -> RoutingDecision | None:
    """The router's last decision for a report; None before it was routed."""
    return db.session.scalar(
        select(RoutingDecision)
        .where(RoutingDecision.report_id == report_id)
        .order_by(RoutingDecision.id.desc())
        .limit(1)
    )
