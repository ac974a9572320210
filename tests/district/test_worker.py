"""The worker process: finds the queue server, comes back to it, and is known to live or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from flask import Flask
from rq import Queue

from district import clock, run
from district.pulse import DEAD_AFTER_S, REGISTRY, living_workers
from district.worker import run_worker
from tests.support.running import ROOT, eventually


class QueueServer:
    """An embedded queue server that a test may stop and start."""

    def __init__(self, folder: Path) -> None:
        self.valkey = run.Valkey(folder)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.valkey.socket_path}"

    @property
    def connection(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def start(self) -> None:
        self.process = subprocess.Popen(self.valkey.command(), stdout=subprocess.DEVNULL)
        eventually(self.valkey.answers, "the queue server answers")

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None


@pytest.fixture
def queue_server(tmp_path: Path) -> Iterator[QueueServer]:
    server = QueueServer(tmp_path / "q")
    yield server
    server.stop()


@contextmanager
def worker_process(env: dict[str, str], queues: str = "routing") -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "district", "worker", "--queues", queues]
    with (Path(env["VAR_DIR"]) / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def living(server: QueueServer) -> list[tuple[str, ...]]:
    return [one.queues for one in living_workers(server.connection)]


def test_a_worker_waits_for_the_queue_server_and_returns_to_it(env: dict[str, str], queue_server: QueueServer) -> None:
    env["REDIS_URL"] = queue_server.url
    with worker_process(env) as process:
        log = Path(env["VAR_DIR"]) / "worker.log"
        eventually(lambda: "waiting for the queue server" in log.read_text(), "it waits")
        queue_server.start()
        eventually(lambda: living(queue_server) == [("routing",)], "it has come")

        # The power fails: what the server held in memory is gone too.
        queue_server.stop(signal.SIGKILL)
        queue_server.start()
        queue_server.connection.flushall()
        eventually(lambda: living(queue_server) == [("routing",)], "it is back")
        job = Queue("routing", connection=queue_server.connection).enqueue("district.jobs.route_reports", result_ttl=0)
        eventually(lambda: not queue_server.connection.exists(job.key), "it works again")
        assert process.poll() is None

        process.terminate()
        assert process.wait(60) == 0
        assert living(queue_server) == []


def test_a_worker_serves_every_queue_it_is_given(env: dict[str, str], queue_server: QueueServer) -> None:
    queue_server.start()
    env["REDIS_URL"] = queue_server.url
    with worker_process(env, "outside,routing"):
        eventually(lambda: living(queue_server) == [("outside", "routing")], "it has come")
        names = ("district.jobs.route_reports", "district.jobs.deliver_notifications", "district.jobs.fetch_photos")
        jobs = [
            Queue(queue, connection=queue_server.connection).enqueue(name, result_ttl=0)
            for queue, name in zip(("routing", "outside", "outside"), names, strict=True)
        ]
        eventually(lambda: not any(queue_server.connection.exists(job.key) for job in jobs), "all are answered")
        assert all(Queue(name, connection=queue_server.connection).failed_job_registry.count == 0
                   for name in ("routing", "outside"))  # fmt: skip


def test_a_queue_that_no_bell_uses_is_refused(app: Flask) -> None:
    with pytest.raises(ValueError, match="misspelt"):
        run_worker(app, ["routing", "misspelt"])


def test_a_silent_worker_counts_as_dead(queue_server: QueueServer) -> None:
    queue_server.start()
    now = clock.now()
    beats = {"lively": 1.0, "tired": DEAD_AFTER_S - 5.0, "silent": DEAD_AFTER_S + 1.0}
    for name, ago in beats.items():
        beat = (now - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        queue_server.connection.sadd(REGISTRY, f"rq:worker:{name}")
        queue_server.connection.hset(
            f"rq:worker:{name}", mapping={"queues": "a,b", "state": "busy", "last_heartbeat": beat}
        )
    queue_server.connection.sadd(REGISTRY, "rq:worker:forgotten")
    queue_server.connection.hset("rq:worker:tired", "death", "2026-11-22T00:00:00.000000Z")
    found = living_workers(queue_server.connection)
    assert [(one.name, one.queues, one.state) for one in found] == [("lively", ("a", "b"), "busy")]
    assert 0.5 < found[0].silent_s < DEAD_AFTER_S
