"""Which workers are alive: read from RQ's own registry, without building RQ's worker objects.

(`rq.Worker.all` changes the time-outs of the connection it is given: not for a web process.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import redis

from district import clock

REGISTRY = "rq:workers"
# A worker says that it lives every BEAT_S; silent for DEAD_AFTER_S it counts as dead and its entry expires.
BEAT_S = 5.0
DEAD_AFTER_S = 20


@dataclass(frozen=True)
class WorkerPulse:
    """One living worker. state: RQ's word, `idle` or `busy`. silent_s: since its last sign of life."""

    name: str
    queues: tuple[str, ...]
    state: str
    silent_s: float


def living_workers(connection: redis.Redis) -> list[WorkerPulse]:
    """The workers that gave a sign of life lately, by name. Redis errors are the caller's."""
    keys = sorted(_text(key) for key in connection.smembers(REGISTRY))
    if not keys:
        return []
    pipeline = connection.pipeline(transaction=False)
    for key in keys:
        pipeline.hmget(key, "queues", "state", "last_heartbeat", "death")
    found = []
    for key, (queues, state, beat, death) in zip(keys, pipeline.execute(), strict=True):
        if beat is None or death is not None:
            continue
        silent_s = (clock.now() - _moment(_text(beat))).total_seconds()
        if silent_s <= DEAD_AFTER_S:
            names = tuple(_text(queues or b"").split(","))
            found.append(WorkerPulse(key.rpartition(":")[2], names, _text(state or b""), silent_s))
    return found


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw


def _moment(text: str) -> datetime:
    """RQ writes `2026-11-22T03:04:05.678901Z`."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
