"""How soon an accepted report has its unit when 50 a second come in through `/wechat`, and what memory that takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench import client, mix
from bench.routing import waiting
from bench.system import System, children, system, wait_for
from district.extensions import db
from district.reports.models import Report
from district.routing.models import RoutingDecision

PER_SECOND = 50
CONNECTIONS = 16
WARM_UP = 100
AIM_P95_MS = 2000


def measure(folder: Path, kind: str, seconds: int) -> dict[str, Any]:
    """Conversations at a steady pace for `seconds`; the time from each report's filing to its routing decision, and
    the memory of all processes after a third of the time and at the end."""
    from wsgi import create_app

    with system(folder / f"pace-{kind}", kind) as instance:
        config = instance.config
        secrets = mix.Secrets(config.wechat_token, config.wechat_app_id, config.wechat_encoding_aes_key)
        processes = [instance.start_web(), instance.start_worker("routing"), instance.start_scheduler()]
        pids = [process.pid for process in processes]

        def drive(count: int, seed: int, per_second: float | None = PER_SECOND) -> client.Outcome:
            requests = [list(mix.sealed_requests(one, secrets)) for one in mix.conversations(count, seed)]
            return client.run(instance.port, requests, CONNECTIONS, per_second=per_second)

        with create_app(config).app_context():
            drive(WARM_UP, seed=1, per_second=None)
            _all_routed(instance)
            newest = db.session.scalar(select(Report.id).order_by(Report.id.desc()).limit(1)) or 0
            third = PER_SECOND * seconds // 3
            outcomes = [drive(third, seed=2)]
            early_mb = _memory_mb(pids)
            outcomes.append(drive(2 * third, seed=3))
            _all_routed(instance)
            late_mb = _memory_mb(pids)
            took = sorted(
                (decided - submitted).total_seconds() * 1000
                for decided, submitted in db.session.execute(
                    select(RoutingDecision.at, Report.submitted_at)
                    .join(Report, Report.id == RoutingDecision.report_id)
                    .where(Report.id > newest)
                )
            )
            db.session.remove()
            db.engine.dispose()
    messages = sum(len(one.latencies_ms) for one in outcomes)
    busy_s = sum(one.seconds for one in outcomes)
    return {
        "reports": len(took),
        "reports_per_second": round(len(took) / busy_s, 1),
        "messages_per_second": round(messages / busy_s, 1),
        "answer_p99_ms": round(max(one.percentile(0.99) for one in outcomes), 1),
        "p50_ms": round(took[len(took) // 2]),
        "p95_ms": round(took[int(len(took) * 0.95)]),
        "longest_ms": round(took[-1]),
        "memory_early_mb": early_mb,
        "memory_late_mb": late_mb,
    }


def _all_routed(instance: System) -> None:
    wait_for(lambda: waiting() == 0, "every report is routed", every_s=0.2)


def _memory_mb(pids: list[int]) -> int:
    """Resident memory of these processes and their children, in megabytes; what they share counts for each."""
    total = 0
    for process in {each for pid in pids for each in (pid, *children(pid))}:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
        total += int(found[1]) if found else 0
    return round(total / 1024)
