"""How long a fault costs: the queue server away while reports come in; the worker killed in the middle."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bench import client, mix
from bench.routing import file_reports, waiting
from bench.system import system, wait_for
from district.extensions import db
from district.reports.models import EventKind, Report, ReportEvent
from district.work import ring


def measure(folder: Path, kind: str) -> dict[str, Any]:
    """Seconds from the end of each fault until every report is routed, and that none was routed twice."""
    from wsgi import create_app

    with system(folder / f"faults-{kind}", kind) as instance:
        config = instance.config
        instance.start_web()
        worker = instance.start_worker("routing")
        instance.start_scheduler()
        secrets = mix.Secrets(config.wechat_token, config.wechat_app_id, config.wechat_encoding_aes_key)
        app = create_app(config)
        with app.app_context():
            # 50 residents report while the queue server is away.
            requests = [list(mix.sealed_requests(one, secrets)) for one in mix.conversations(50, seed=7)]
            instance.stop_queue()
            outcome = client.run(instance.port, requests, 8)
            filed = waiting() + _routed()
            instance.start_queue()
            away_s = wait_for(lambda: waiting() == 0, "everything is routed after the outage")
            away = {
                "messages": len(outcome.latencies_ms),
                "not_acknowledged": outcome.refused,
                "slowest_answer_ms": round(outcome.percentile(1.0), 1),
                "reports": filed,
                "seconds_to_routed": round(away_s, 2),
                "routed_twice": _routed_twice(),
            }

            # The worker is killed while it drains; as the supervisor does, another is started half a second later.
            file_reports(400, seed=8)
            ring("route_reports", again=True)
            wait_for(lambda: waiting() < 400, "the worker has begun", every_s=0.005)
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            left = waiting()
            began = time.perf_counter()
            time.sleep(0.5)
            instance.start_worker("routing")
            wait_for(lambda: waiting() == 0, "everything is routed after the kill")
            killed = {
                "reports": 400,
                "left_when_killed": left,
                "seconds_to_routed": round(time.perf_counter() - began, 2),
                "routed_twice": _routed_twice(),
            }
            db.session.remove()
            db.engine.dispose()
    return {"queue_away": away, "worker_killed": killed}


def _routed() -> int:
    count = db.session.scalar(select(func.count()).select_from(Report).where(Report.status != "submitted"))
    db.session.rollback()
    return int(count or 0)


def _routed_twice() -> int:
    kinds = (EventKind.ROUTED, EventKind.SENT_TO_TRIAGE)
    query = select(ReportEvent.report_id).where(ReportEvent.kind.in_(kinds)).group_by(ReportEvent.report_id)
    twice = db.session.scalars(query.having(func.count() > 1)).all()
    db.session.rollback()
    return len(twice)
