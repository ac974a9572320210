"""Liveness, readiness and metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import redis
from flask import Blueprint, Response, current_app, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from rq import Queue
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from district import clock
from district.extensions import db, redis_door
from district.facilities import scans
from district.notifications import service as notifications
from district.pulse import living_workers
from district.reports import looking, photos
from district.reports.models import Report
from district.reports.states import Status
from district.work import BELLS

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def alive() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@pages.get("/readyz")
def ready() -> tuple[Response, int]:
    """Database, queue, workers and the oldest waiting work; 503 when the database or the queue is away."""
    state: dict[str, Any] = {"database": False, "queue": False, "workers": 0, "oldest_waiting_s": None}
    try:
        db.session.execute(text("select 1"))
        state["database"] = True
        state["oldest_waiting_s"] = _oldest_waiting()
    except SQLAlchemyError:
        db.session.rollback()
    try:
        state["queue"] = bool(redis_door().connection.ping())
        state["workers"] = len(living_workers(redis_door().connection))
    except (redis.ConnectionError, redis.TimeoutError):
        pass
    good = state["database"] and state["queue"] and state["workers"] > 0
    return jsonify(status="ok" if good else "not ready", **state), 200 if good else 503


@pages.get("/metrics")
def metrics() -> Response:
    """Prometheus: reports by status, oldest waiting work, messages by delivery, what is stuck, photos, wrong codes and
    queues."""
    registry = CollectorRegistry()
    by_status = Gauge("bihuan_open_reports", "Open reports by status", ["status"], registry=registry)
    rows = db.session.execute(
        select(Report.status, func.count())
        .where(Report.status.in_(("submitted", "triage", "assigned", "in_progress", "resolved", "suspended")))
        .group_by(Report.status)
    )
    for status, count in rows:
        by_status.labels(status).set(count)
    Gauge("bihuan_oldest_unrouted_seconds", "Age of the oldest unrouted report", registry=registry).set(
        _oldest_waiting() or 0
    )
    outbox = Gauge("bihuan_notifications", "Messages by delivery state", ["delivery"], registry=registry)
    for name, count in notifications.counts().items():
        outbox.labels(name).set(count)
    Gauge("bihuan_photos_waiting", "Photos still with WeChat", registry=registry).set(photos.count_waiting())
    still = looking.stuck()
    for name, words, number in (
        ("bihuan_reports_unseen", "Reports that nobody of their unit has looked at in time", still.unseen),
        ("bihuan_reports_unrouted_too_long", "Reports that have waited too long for the router", still.unrouted),
        ("bihuan_notifications_sending_too_long", "Messages that have been on their way too long", still.sending),
    ):
        Gauge(name, words, registry=registry).set(number)
    guessed = Gauge("bihuan_code_guesses_today", "Wrong facility codes tried today", ["door"], registry=registry)
    for door, wrong in scans.guesses(days=1).items():
        guessed.labels(door).set(wrong)
    queued = Gauge("bihuan_queue_length", "Jobs waiting", ["queue"], registry=registry)
    try:
        for name in sorted(set(BELLS.values())):
            count = Queue(name, connection=redis_door().connection).count
            queued.labels(name).set(count)  # asked first: a label without a value would say that nothing waits
    except (redis.ConnectionError, redis.TimeoutError):
        current_app.logger.warning("metrics without the queue server")
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _oldest_waiting() -> float | None:
    oldest: datetime | None = db.session.scalar(
        select(func.min(Report.submitted_at)).where(Report.status == Status.SUBMITTED)
    )
    return None if oldest is None else max(0.0, (clock.now() - oldest).total_seconds())
