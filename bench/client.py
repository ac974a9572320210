"""A load generator that costs little: prepared requests over a bounded number of kept connections."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

ANSWER_LIMIT_S = 30.0


@dataclass
class Outcome:
    """What came back. seconds: from the first request to the last answer; latencies_ms: one a request."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    refused: int = 0
    sample: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies_ms) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def run(port: int, conversations: list[list[bytes]], connections: int, *, per_second: float | None = None) -> Outcome:
    """Send every conversation, each in order, on `connections` at once; begin `per_second` of them a second."""
    return asyncio.run(_run(port, conversations, connections, per_second))


async def _run(port: int, conversations: list[list[bytes]], connections: int, per_second: float | None) -> Outcome:
    outcome = Outcome()
    waiting = list(reversed(conversations))
    began = time.perf_counter()
    pace = _Pace(began, per_second)
    await asyncio.gather(*(_connection(port, waiting, outcome, pace) for _ in range(connections)))
    outcome.seconds = time.perf_counter() - began
    return outcome


class _Pace:
    """When the next conversation may begin: at once, or so that so many a second begin."""

    def __init__(self, began: float, per_second: float | None) -> None:
        self._next = began
        self._step = 1.0 / per_second if per_second else 0.0

    async def turn(self) -> None:
        if self._step:
            mine, self._next = self._next, self._next + self._step
            await asyncio.sleep(mine - time.perf_counter())


async def _connection(port: int, waiting: list[list[bytes]], outcome: Outcome, pace: _Pace) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while waiting:
            conversation = waiting.pop()
            await pace.turn()
            for request in conversation:
                began = time.perf_counter()
                writer.write(request)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_LIMIT_S)
                body = await reader.readexactly(_length(head))
                outcome.latencies_ms.append((time.perf_counter() - began) * 1000)
                if b" 200 " not in head.split(b"\r\n", 1)[0]:
                    outcome.refused += 1
                elif len(outcome.sample) < 200:
                    outcome.sample.append(body)
                if b"connection: close" in head.lower():
                    writer.close()
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    finally:
        writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise ValueError("an answer without a length")
