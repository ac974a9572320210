"""What the machine could do at best: the least that must happen for a message, and for a routed report.

Message: a bare Flask page that checks the signature, decrypts, parses, commits one ORM insert and encrypts a reply,
under the very gunicorn settings of `make run`.
Report: a loop that knows every answer beforehand and writes the same rows with the same tables in the same batches.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, event, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
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


def route_in_a_plain_loop(batch: int, triage_share: float) -> dict[str, float]:
    """Give every waiting report a unit known beforehand, writing what a routed report needs; how long it took.

    The same tables, the same rows, `batch` reports a commit; no rules, no words understood, no verbs, no queue.
    triage_share: how many of the reports only change their status, as the rules leave them to people.
    """
    from district import clock
    from district.extensions import db as house
    from district.notifications.models import Delivery, Notification
    from district.reports.models import EventKind, Report, ReportEvent
    from district.reports.states import Status
    from district.routing.models import RoutingDecision
    from district.units.models import Unit
    from district.work import unit_of_work
    from wsgi import create_app as create_whole

    # As long as the true ones are on the average.
    reason = {
        "key": "routing.reason.category_area",
        "params": {"category": "x" * 12, "area": "x" * 12, "unit": "x" * 24},
    }
    inputs = {
        "area": "232761005", "category": "06042", "category.facility_type": "03005", "category.major": "x" * 24,
        "category.urgency": "normal", "intent": "report", "urgency": "normal", "category_source": "understood",
        "has_place": True, "candidates": [["06042", 0.959], ["03005", 0.012], ["06010", 0.005]], "danger": None,
    }  # fmt: skip
    lost = {"key": "routing.trace.condition", "params": {"part": "facility.owner_unit is not null"}}
    trace = [{"rule": f"R00{number}", "outcome": "lost", "why": lost} for number in range(4)]
    trace += [{"rule": f"R06{number}", "outcome": "outranked", "unit": "HW-C1"} for number in range(3)]
    app = create_whole()
    done = 0
    with app.app_context():
        unit_id = house.session.scalar(select(Unit.id).order_by(Unit.id.desc()).limit(1))
        house.session.remove()
        began, used = time.perf_counter(), time.process_time()
        while True:
            with unit_of_work() as session, session.no_autoflush:
                reports = session.scalars(
                    select(Report).where(Report.status == Status.SUBMITTED, Report.route_after <= clock.now())
                    .order_by(Report.route_after, Report.id).limit(batch).with_for_update(skip_locked=True)
                ).all()  # fmt: skip
                decisions = []
                for report in reports:
                    now = clock.now()
                    to_triage = report.id % 1000 < triage_share * 1000
                    status, kind = (
                        (Status.TRIAGE, EventKind.SENT_TO_TRIAGE) if to_triage else (Status.ASSIGNED, EventKind.ROUTED)
                    )
                    report.status, report.reason = status, reason
                    if not to_triage:
                        report.unit_id, report.assigned_at, report.handling_due_at = unit_id, now, now
                    session.add(
                        ReportEvent(
                            report_id=report.id,
                            at=now,
                            kind=kind,
                            actor="system",
                            from_status=Status.SUBMITTED,
                            to_status=status,
                            unit_id=unit_id,
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
                    decisions.append(
                        {"report_id": report.id, "at": now, "rules_version": 1, "rule_code": "R1", "unit_id": unit_id,
                         "to_triage": to_triage, "reason": reason, "inputs": inputs, "trace": trace, "took_us": 1}
                    )  # fmt: skip
                session.flush()
                if decisions:
                    session.execute(insert(RoutingDecision), decisions)
            house.session.remove()
            done += len(reports)
            if len(reports) < batch:
                break
        return {"reports": done, "seconds": time.perf_counter() - began, "processor_s": time.process_time() - used}


if __name__ == "__main__":
    if sys.argv[1] == "tables":
        make_tables()
    else:
        print(json.dumps(route_in_a_plain_loop(int(sys.argv[2]), float(sys.argv[3]))))
