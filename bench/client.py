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


def run(port: int, conversations: list[list[bytes]], connections: int) -> Outcome:
    """Send every conversation, each in order, on `connections` at once."""
    return asyncio.run(_run(port, conversations, connections))


async def _run(port: int, conversations: list[list[bytes]], connections: int) -> Outcome:
    outcome = Outcome()
    waiting = list(reversed(conversations))
    began = time.perf_counter()
    await asyncio.gather(*(_connection(port, waiting, outcome) for _ in range(connections)))
    outcome.seconds = time.perf_counter() - began
    return outcome


async def _connection(port: int, waiting: list[list[bytes]], outcome: Outcome) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while waiting:
            for request in waiting.pop():
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
