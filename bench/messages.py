"""Messages a second through `/wechat`, and their processor time, beside the floor's."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import client, mix
from bench.system import ROOT, System, database, processor_s, system
from district.config import Config

CONNECTIONS = 16
WARM_UP = 200
ROUNDS = 6


def measure(folder: Path, kind: str, conversations: int) -> dict[str, Any]:
    """Ours and the floor on a database of `kind` with the same messages, in turns: what disturbs the machine for
    a while disturbs both."""
    with system(folder / f"messages-{kind}", kind) as ours, database(folder, kind) as url:
        config = ours.config
        floor = _floor(folder, kind, url, config)
        try:
            sides = {
                "ours": _Side(ours, ours.start_web().pid, config),
                "floor": _Side(floor, floor.start_web("bench.floors:create_app()").pid, config),
            }
            for side in sides.values():
                side.warm_up()
            for turn in range(ROUNDS):
                for side in sides.values():
                    side.drive(conversations // ROUNDS, seed=2 + turn)
        finally:
            floor.stop()
        sides["ours"].check_replies()
        figures = {name: side.figures() for name, side in sides.items()}
        figures["ours"]["reports_filed"] = _reports(config)
    ratios = sorted(
        mine / bare for mine, bare in zip(sides["ours"].processor_ms, sides["floor"].processor_ms, strict=True)
    )
    return figures | {
        "processor_ratio": round(figures["ours"]["processor_ms"] / figures["floor"]["processor_ms"], 2),
        "processor_ratio_of_turns": [round(ratio, 2) for ratio in ratios],
    }


def _floor(folder: Path, kind: str, url: str, config: Config) -> System:
    """The floor with its one table made."""
    floor = System(folder / f"floor-{kind}", url)
    if kind == "sqlite":
        floor.database_url = f"sqlite:///{floor.folder}/floor.db"
    floor.env |= {
        "BENCH_FLOOR_DATABASE": floor.database_url.replace("postgresql://", "postgresql+psycopg://"),
        "BENCH_TOKEN": config.wechat_token, "BENCH_AES_KEY": config.wechat_encoding_aes_key,
        "BENCH_APP_ID": config.wechat_app_id,
    }  # fmt: skip
    subprocess.run([sys.executable, "-m", "bench.floors", "tables"], cwd=ROOT, env=floor.env, check=True)
    return floor


@dataclass
class _Side:
    """One of the two servers and what was measured of it, turn by turn."""

    instance: System
    pid: int
    config: Config
    outcomes: list[client.Outcome] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    @property
    def secrets(self) -> mix.Secrets:
        return mix.Secrets(self.config.wechat_token, self.config.wechat_app_id, self.config.wechat_encoding_aes_key)

    def warm_up(self) -> None:
        client.run(self.instance.port, self._sealed(WARM_UP, seed=1), CONNECTIONS)

    def drive(self, count: int, seed: int) -> None:
        requests = self._sealed(count, seed)
        before = processor_s(self.pid)
        outcome = client.run(self.instance.port, requests, CONNECTIONS)
        used = processor_s(self.pid) - before
        if outcome.refused:
            raise RuntimeError(f"{outcome.refused} messages were not acknowledged; see {self.instance.folder}/web.log")
        self.outcomes.append(outcome)
        self.processor_ms.append(used * 1000 / len(outcome.latencies_ms))

    def check_replies(self) -> None:
        """Most messages must have been answered with words, or the measurement is of nothing."""
        sample = self.outcomes[0].sample
        replies = sum(body != b"success" and "<Content>" in mix.opened(body, self.secrets) for body in sample)
        if replies < len(sample) // 2:
            raise RuntimeError(f"only {replies} of {len(sample)} messages got a reply with words")

    def figures(self) -> dict[str, Any]:
        whole = client.Outcome(seconds=sum(one.seconds for one in self.outcomes))
        for one in self.outcomes:
            whole.latencies_ms += one.latencies_ms
        messages = len(whole.latencies_ms)
        used = sum(each * len(one.latencies_ms) for each, one in zip(self.processor_ms, self.outcomes, strict=True))
        return {
            "messages": messages,
            "connections": CONNECTIONS,
            "per_second": round(whole.rate, 1),
            "processor_ms": round(used / messages, 3),
            "p50_ms": round(whole.percentile(0.5), 1),
            "p99_ms": round(whole.percentile(0.99), 1),
            "longest_ms": round(whole.percentile(1.0), 1),
        }

    def _sealed(self, count: int, seed: int) -> list[list[bytes]]:
        return [list(mix.sealed_requests(one, self.secrets)) for one in mix.conversations(count, seed)]


def _reports(config: Config) -> int:
    from sqlalchemy import create_engine, text

    engine = create_engine(config.database_url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("select count(*) from report")).scalar_one())
    finally:
        engine.dispose()
