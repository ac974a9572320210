"""What the machine could do at best: the least that must happen for a message, and for a routed report.

Message: a bare Flask page that checks the signature, decrypts, parses, commits one ORM insert and encrypts a reply,
under the very gunicorn settings of `make run`.
Report: a loop that knows every answer beforehand and does a routed report's work in the database, and nothing else: the
same rows and columns of the same tables, in the same batches. A report that is routed

- reads itself whole, locked, with five columns of its facility; for each batch, once, the incidents that are going on
  and how many open reports of each category lie around each new one;
- sets `status`, `reason`, `category_id`, `alarm_at`, with a unit also `unit_id`, `assigned_at`, `handling_due_at`,
  `look_due_at`, `limit_value`, `limit_unit`; if it turned out to be urgent `urgency` and `dispatch_due_at`;
- adds a row each to `report_event` and `routing_decision`, with a unit one to `notification`, and one to `report_unit`
  for each unit that only takes part.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, event, func, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.replies import TextReply


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Message(db.Model):  # type: ignore[name-defined,misc]
    """The one row of the floor."""

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(String(40), unique=True)
    openid: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(String(4000))
    at: Mapped[datetime]


def create_app() -> Flask:
    """The message floor. Reads BENCH_FLOOR_DATABASE, BENCH_TOKEN, BENCH_AES_KEY, BENCH_APP_ID."""
    app = Flask("floor")
    url = os.environ["BENCH_FLOOR_DATABASE"]
    options: dict[str, Any] = {"connect_args": {"timeout": 15, "check_same_thread": False}}
    if not url.startswith("sqlite"):
        options = {"pool_size": 10, "max_overflow": 10}
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=options)
    db.init_app(app)
    with app.app_context():
        if url.startswith("sqlite"):
            event.listen(db.engine, "connect", _wal)
    token = os.environ["BENCH_TOKEN"]
    crypto = WeChatCrypto(token, os.environ["BENCH_AES_KEY"], os.environ["BENCH_APP_ID"])

    @app.get("/healthz")
    def health() -> str:
        return "ok"

    @app.post("/wechat")
    def receive() -> Response:
        args = request.args
        xml = crypto.decrypt_message(request.get_data(), args["msg_signature"], args["timestamp"], args["nonce"])
        message = parse_message(xml)
        db.session.add(
            Message(
                message_id=str(message.id), openid=message.source, kind=message.type, body=xml, at=datetime.now(UTC)
            )
        )
        db.session.commit()
        reply = TextReply(content="ok", message=message).render()
        return Response(crypto.encrypt_message(reply, args["nonce"], args["timestamp"]), mimetype="text/xml")

    return app


def _wal(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=15000"):
        connection.execute(f"PRAGMA {pragma}")


def make_tables() -> None:
    """Create the floor's one table."""
    with create_app().app_context():
        db.create_all()


@dataclass(frozen=True)
class Shares:
    """How many of the routed reports, 0 to 1, need what not every one needs: counted from those the rules routed.

    triage: left to people. known: of a category that was understood. urgent: found to be more urgent than they came
    in. parts: rows of units that take part, for each report.
    """

    triage: float
    known: float
    urgent: float
    parts: float


def route_in_a_plain_loop(batch: int, shares: Shares) -> dict[str, float]:
    """Give every waiting report a unit known beforehand, reading and writing what a routed report needs; how long it
    took. `batch` reports a commit; no rules, no words understood, no verbs, no queue.
    """
    from district import clock
    from district.categories.models import Category
    from district.extensions import db as house
    from district.facilities.models import Facility
    from district.notifications.models import Delivery, Notification
    from district.reports.models import EventKind, Incident, Report, ReportEvent, ReportUnit
    from district.reports.states import OPEN, Status
    from district.routing.models import RoutingDecision
    from district.units.models import Unit
    from district.work import unit_of_work
    from wsgi import create_app as create_whole

    # As long as the true ones are on the average: 150, 430 and 665 characters.
    reason = {
        "key": "routing.reason.category_area",
        "params": {"category": "路灯异常", "unit": "市政中心路灯", "area": "x" * 2},
    }
    inputs = {
        "area": "232761005", "category": "01037", "category.facility_type": "01037",
        "category.major": "市政设施类", "category.urgency": "normal", "intent": "report",
        "location.in_compound": False, "urgency": "normal", "day": "11-26", "month": "11", "season": "autumn",
        "time": "19:02", "weekday": "4", "category_source": "understood", "has_place": True,
        "candidates": [["01037", 0.957]], "danger": None, "classifier": "3b1653f11fc9",
    }  # fmt: skip
    lost = {"key": "routing.trace.condition", "params": {"part": "facility.owner_unit is not null"}}
    trace: list[dict[str, Any]] = [{"rule": f"R00{number}", "outcome": "lost", "why": lost} for number in range(3)]
    trace += [{"rule": "R069", "outcome": "won", "unit": "SZ-LD", "mode": "auto"}]
    trace += [{"rule": f"R12{number}", "outcome": "outranked", "unit": "J006"} for number in range(2)]
    trace += [{"rule": None, "outcome": "not_concerned", "count": 117}]
    new, near = aliased(Report, name="new"), aliased(Report, name="near")
    place = near.latitude.between(new.latitude - 0.0013, new.latitude + 0.0013) & near.longitude.between(
        new.longitude - 0.0021, new.longitude + 0.0021
    )
    routed = (Status.TRIAGE, Status.ASSIGNED, Status.IN_PROGRESS)
    app = create_whole()
    done = 0
    with app.app_context():
        unit_ids = house.session.scalars(select(Unit.id).order_by(Unit.id.desc()).limit(2)).all()
        category_id = house.session.scalar(select(Category.id).order_by(Category.id.desc()).limit(1))
        house.session.remove()
        began, used = time.perf_counter(), time.process_time()
        while True:
            with unit_of_work() as session, session.no_autoflush:
                reports = [
                    row[0]
                    for row in session.execute(
                        select(
                            Report, Facility.code, Facility.type_id, Facility.state, Facility.maintainer_unit_id,
                            Facility.owner_unit_id,
                        ).outerjoin(Facility, Facility.id == Report.facility_id)
                        .where(Report.status == Status.SUBMITTED, Report.route_after <= clock.now())
                        .order_by(Report.route_after, Report.id).limit(batch)
                        .with_for_update(of=Report, skip_locked=True)
                    )
                ]  # fmt: skip
                if reports:
                    session.execute(
                        select(Incident.report_id, Incident.category_id, Incident.latitude, Incident.longitude)
                        .join(Report, Report.id == Incident.report_id)
                        .where(Incident.ended_at.is_(None), Report.status.in_(OPEN))
                    ).all()
                    session.execute(
                        select(new.id, near.category_id, func.count())
                        .join(near, place)
                        .where(
                            new.id.in_([report.id for report in reports]),
                            # As the index over open places is told of: else SQLite cannot see that it applies.
                            text("near.status not in ('closed','rejected','merged','withdrawn')"),
                            near.status.in_(routed), near.category_id.is_not(None),
                            near.submitted_at >= clock.now() - timedelta(minutes=30),
                        )
                        .group_by(new.id, near.category_id)
                    ).all()  # fmt: skip
                decisions, parts = [], []
                for report in reports:
                    now = clock.now()
                    to_triage = _one_in(report.id, 0, shares.triage)
                    status, kind = (
                        (Status.TRIAGE, EventKind.SENT_TO_TRIAGE) if to_triage else (Status.ASSIGNED, EventKind.ROUTED)
                    )
                    report.status, report.reason, report.alarm_at = status, reason, now
                    if _one_in(report.id, 1, shares.known):
                        report.category_id = category_id
                    if _one_in(report.id, 2, shares.urgent):
                        report.urgency, report.dispatch_due_at = "urgent", now
                    if not to_triage:
                        report.unit_id, report.assigned_at, report.handling_due_at = unit_ids[0], now, now
                        report.look_due_at, report.limit_value, report.limit_unit = now, 2, "working_days"
                    session.add(
                        ReportEvent(
                            report_id=report.id,
                            at=now,
                            kind=kind,
                            actor="system",
                            from_status=Status.SUBMITTED,
                            to_status=status,
                            unit_id=unit_ids[0],
                            note="",
                            is_public=not to_triage,
                            data={"rule": "R1"},
                        )
                    )
                    if report.resident_id is not None and not to_triage:
                        session.add(
                            Notification(report_id=report.id, resident_id=report.resident_id, kind="assigned",
                                         params={"unit": "x" * 8, "due": "x" * 16}, created_at=now,
                                         delivery=Delivery.QUEUED, next_try_at=now, tries=0, last_error="")
                        )  # fmt: skip
                    if _one_in(report.id, 3, shares.parts):
                        parts.append({"report_id": report.id, "unit_id": unit_ids[1], "role": "supervise"})
                    decisions.append(
                        {"report_id": report.id, "at": now, "rules_version": 1, "rule_code": "R1",
                         "unit_id": unit_ids[0], "to_triage": to_triage, "reason": reason, "inputs": inputs,
                         "trace": trace, "took_us": 1}
                    )  # fmt: skip
                session.flush()
                if decisions:
                    session.execute(insert(RoutingDecision), decisions)
                if parts:
                    session.execute(insert(ReportUnit), parts)
            house.session.remove()
            done += len(reports)
            if len(reports) < batch:
                break
        return {"reports": done, "seconds": time.perf_counter() - began, "processor_s": time.process_time() - used}


def _one_in(report_id: int, which: int, share: float) -> bool:
    """Whether this report is one of so many, spread evenly and for each question differently."""
    return (report_id * 617 + which * 251) % 1000 < share * 1000


if __name__ == "__main__":
    if sys.argv[1] == "tables":
        make_tables()
    else:
        print(json.dumps(route_in_a_plain_loop(int(sys.argv[2]), Shares(**json.loads(sys.argv[3])))))
