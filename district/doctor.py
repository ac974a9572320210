"""What an operator asks first: is everything well, and if not, what is missing?"""

from __future__ import annotations

from dataclasses import dataclass

import redis
from flask import current_app
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from district import clock
from district.categories.models import Category
from district.deadlines import service as deadlines
from district.extensions import db, redis_door
from district.facilities.models import Facility
from district.messages import t
from district.notifications import service as notifications
from district.pulse import living_workers
from district.routing.models import RoutingRule
from district.units.models import Unit


@dataclass(frozen=True)
class Finding:
    """One thing looked at. text: a sentence for the operator, with what to do when it is not well."""

    name: str
    is_well: bool
    text: str


def examine() -> list[Finding]:
    """Look at the database, its data, the queue, the workers and the outbox. Changes nothing."""
    found: list[Finding] = []
    try:
        db.session.execute(text("select 1"))
        found.append(Finding("database", True, t("cli.doctor.database", address=_without_password())))
    except SQLAlchemyError as error:
        return [Finding("database", False, t("cli.doctor.database_away", reason=type(error).__name__))]
    try:
        counts = {
            model: db.session.scalar(select(func.count()).select_from(model)) or 0
            for model in (Unit, Category, RoutingRule, Facility)
        }
        loaded = all(counts[model] for model in (Unit, Category, RoutingRule))
        found.append(
            Finding(
                "district", loaded,
                t(
                    "cli.doctor.district" if loaded else "cli.doctor.district_empty",
                    units=counts[Unit], categories=counts[Category], rules=counts[RoutingRule],
                    facilities=counts[Facility],
                ),
            )
        )  # fmt: skip
        missing = deadlines.missing_years(clock.now())
        found.append(
            Finding(
                "calendar", not missing,
                t("deadlines.doctor.missing", years=", ".join(map(str, missing))) if missing
                else t("deadlines.doctor.known"),
            )
        )  # fmt: skip
        outbox = notifications.counts()
        failed = outbox.get("failed", 0)
        found.append(Finding("outbox", failed == 0, t("cli.doctor.outbox", sent=outbox.get("sent", 0), failed=failed)))
    except SQLAlchemyError:
        db.session.rollback()
        found.append(Finding("district", False, t("cli.doctor.not_migrated")))
    try:
        redis_door().connection.ping()
        found.append(Finding("queue", True, t("cli.doctor.queue")))
        workers = len(living_workers(redis_door().connection))
        found.append(
            Finding(
                "workers",
                workers > 0,
                t("cli.doctor.workers" if workers else "cli.doctor.no_workers", count=workers),
            )
        )
    except (redis.ConnectionError, redis.TimeoutError):
        found.append(Finding("queue", False, t("cli.doctor.queue_away")))
    return found


def _without_password() -> str:
    return db.engine.url.render_as_string(hide_password=True) if current_app else ""
