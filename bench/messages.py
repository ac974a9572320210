"""Messages a second through `/wechat`, and their processor time, beside the floor's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import client, mix
from bench.system import ROOT, System, database, processor_s, system
from district.config import Config

CONNECTIONS = 16
WARM_UP = 200


def measure(folder: Path, kind: str, conversations: int) -> dict[str, Any]:
    """Ours and the floor on a database of `kind`, one after the other, with the same messages."""
    with system(folder / f"messages-{kind}", kind) as ours:
        config = ours.config
        web = ours.start_web()
        figures = {"ours": _drive(ours, web.pid, config, conversations, check=True)}
        figures["ours"]["reports_filed"] = _reports(config)
        ours.end(web)
    with database(folder, kind) as url:
        floor = System(
            folder / f"floor-{kind}", url if kind != "sqlite" else f"sqlite:///{folder}/floor-{kind}/floor.db"
        )
        floor.env |= {
            "BENCH_FLOOR_DATABASE": floor.database_url.replace("postgresql://", "postgresql+psycopg://"),
            "BENCH_TOKEN": config.wechat_token, "BENCH_AES_KEY": config.wechat_encoding_aes_key,
            "BENCH_APP_ID": config.wechat_app_id,
        }  # fmt: skip
        if kind == "sqlite":
            floor.env["BENCH_FLOOR_DATABASE"] = f"sqlite:///{floor.folder}/floor.db"
        try:
            subprocess.run([sys.executable, "-m", "bench.floors", "tables"], cwd=ROOT, env=floor.env, check=True)
            web = floor.start_web("bench.floors:create_app()")
            figures["floor"] = _drive(floor, web.pid, config, conversations, check=False)
        finally:
            floor.stop()
    ours_cpu, floor_cpu = figures["ours"]["processor_ms"], figures["floor"]["processor_ms"]
    return figures | {"processor_ratio": round(ours_cpu / floor_cpu, 2)}


def _drive(instance: System, pid: int, config: Config, count: int, *, check: bool) -> dict[str, Any]:
    secrets = mix.Secrets(config.wechat_token, config.wechat_app_id, config.wechat_encoding_aes_key)

    def sealed(number: int, seed: int) -> list[list[bytes]]:
        return [list(mix.sealed_requests(one, secrets)) for one in mix.conversations(number, seed)]

    client.run(instance.port, sealed(WARM_UP, seed=1), CONNECTIONS)
    requests = sealed(count, seed=2)
    before = processor_s(pid)
    outcome = client.run(instance.port, requests, CONNECTIONS)
    used = processor_s(pid) - before
    if outcome.refused:
        raise RuntimeError(f"{outcome.refused} messages were not acknowledged; see {instance.folder}/web.log")
    replies = 0
    for body in outcome.sample:
        if body != b"success":
            replies += "<Content>" in mix.opened(body, secrets)
    if check and replies < len(outcome.sample) // 2:
        raise RuntimeError(f"only {replies} of {len(outcome.sample)} messages got a reply with words")
    messages = len(outcome.latencies_ms)
    return {
        "messages": messages,
        "connections": CONNECTIONS,
        "per_second": round(outcome.rate, 1),
        "processor_ms": round(used * 1000 / messages, 3),
        "p50_ms": round(outcome.percentile(0.5), 1),
        "p99_ms": round(outcome.percentile(0.99), 1),
        "longest_ms": round(outcome.percentile(1.0), 1),
    }


def _reports(config: Config) -> int:
    from sqlalchemy import create_engine, text

    engine = create_engine(config.database_url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("select count(*) from report")).scalar_one())
    finally:
        engine.dispose()
