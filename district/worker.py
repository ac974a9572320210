"""The worker process: answers the queues' doorbells, whatever happens to the queue server.

The application is imported once and no process is forked for a job: forking costs a hundred times the work of
routing a report. What a killed worker leaves in Redis does not matter: jobs are doorbells, the tables are the
truth, and the sweep rings again.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

import redis
from flask import Flask
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.worker import SimpleWorker
from rq.worker.base import WorkerStatus

from district.config import Config
from district.extensions import db
from district.pulse import BEAT_S, DEAD_AFTER_S
from district.work import BELLS, ring

log = logging.getLogger(__name__)

# RQ waits at the queue for `worker_ttl` less 15 s: long enough to be idle, short enough to notice an outage.
WORKER_TTL_S = 20
LONGEST_WAIT_S = 2.0
MAINTENANCE_S = 60


class DoorbellWorker(SimpleWorker):
    """RQ's worker without forks, deaf to remote commands, quick to come back after an outage."""

    max_connection_wait_time = LONGEST_WAIT_S
    exponential_backoff_factor = 1.5
    log_result_lifespan = False
    # A sign of life holds this long; the heart below renews it, also during a long job.
    pulse_ttl_s = DEAD_AFTER_S

    def __init__(self, queues: Sequence[Queue], *, app: Flask, **options: Any) -> None:
        super().__init__(
            queues,
            worker_ttl=WORKER_TTL_S,
            maintenance_interval=MAINTENANCE_S,
            default_result_ttl=0,
            log_job_description=False,
            **options,
        )
        self.app = app
        self.was_asked_to_stop = False

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Every job gets a fresh application context, and leaves no database session behind."""
        with self.app.app_context():
            try:
                return super().perform_job(job, queue, execution)
            finally:
                db.session.remove()

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """A killed worker must be missed within seconds, so no sign of life outlives the next few."""
        super().heartbeat(self.pulse_ttl_s, pipeline=pipeline)

    def subscribe(self) -> None:
        """No commands over the network: one connection and one thread less that an outage can upset."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.was_asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def _shutdown(self) -> None:
        """Finish the present job first. RQ would tell Redis about it here, inside a signal handler."""
        if self.get_state() == WorkerStatus.BUSY:
            self._stop_requested = True
        else:
            raise StopRequested


class Heart(threading.Thread):
    """Renews the worker's entry in RQ's registry, idle or busy, on a connection of its own."""

    def __init__(self, worker: DoorbellWorker, connection: redis.Redis) -> None:
        super().__init__(name="heart", daemon=True)
        self.worker, self.connection = worker, connection
        self._stop = threading.Event()

    def run(self) -> None:
        while not self._stop.wait(BEAT_S):
            try:
                self.beat()
            except (redis.ConnectionError, redis.TimeoutError):
                continue  # the worker's own loop says so and comes back

    def beat(self) -> None:
        with self.connection.pipeline() as pipeline:
            self.worker.heartbeat(pipeline=pipeline)
            pipeline.hget(self.worker.key, "queues")
            queues = pipeline.execute()[-1]
            if queues is None:
                # The entry was lost with the queue server's memory: write it anew.
                pipeline.hset(self.worker.key, mapping=self.worker.serialize())
                pipeline.hset(self.worker.key, "state", self.worker.get_state())
                pipeline.sadd(self.worker.redis_workers_keys, self.worker.key)
                pipeline.expire(self.worker.key, self.worker.pulse_ttl_s)
                pipeline.execute()

    def stop(self) -> None:
        self._stop.set()


def run_worker(app: Flask, queues: Sequence[str]) -> None:
    """Answer `queues` (the first named first) until SIGTERM or SIGINT; a second signal stops at once.

    Waits for a queue server that is away, and returns to it within LONGEST_WAIT_S of its return.
    Raises ValueError for a queue that no bell uses.
    """
    if unknown := sorted(set(queues) - set(BELLS.values())):
        raise ValueError(f"no such queue: {', '.join(unknown)}")
    config: Config = app.config["BIHUAN"]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        connection = _connect(config.redis_url, WORKER_TTL_S)
        if not _wait_for(connection, stop):
            break
        if _work_until_trouble(app, config, connection, queues):
            break
        # RQ has put its own handlers in place; between two lives of the worker ours must be heard.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        stop.wait(0.5)


def _work_until_trouble(app: Flask, config: Config, connection: redis.Redis, queues: Sequence[str]) -> bool:
    """One life of an RQ worker. True when it ended because it was asked to."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    worker = heart = None
    try:
        worker = DoorbellWorker([Queue(queue, connection=connection) for queue in queues], app=app, name=name,
                                connection=connection)  # fmt: skip
        heart = Heart(worker, _connect(config.redis_url, 2))
        heart.start()
        with app.app_context():
            _ring_for(queues)
        log.info("worker started", extra={"queues": ",".join(queues)})
        worker.work(logging_level="WARNING")
    except StopRequested:
        return True
    except (redis.ConnectionError, redis.TimeoutError) as error:
        log.warning("queue server went away", extra={"reason": type(error).__name__})
    finally:
        if heart is not None:
            heart.stop()
        connection.close()
    return worker is not None and worker.was_asked_to_stop


def _ring_for(queues: Sequence[str]) -> None:
    """Whatever came while no worker was here: look into the tables once."""
    for bell, queue in BELLS.items():
        if queue in queues:
            ring(bell, again=True)


def _connect(url: str, timeout_s: float) -> redis.Redis:
    """A connection that reports an outage at once instead of repairing it silently."""
    return redis.Redis.from_url(url, socket_connect_timeout=1.0, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0))


def _wait_for(connection: redis.Redis, stop: threading.Event) -> bool:
    """Wait until the queue server answers; False when asked to stop first."""
    said = False
    while not stop.is_set():
        try:
            connection.ping()
            return True
        except redis.RedisError as error:
            if not said:
                log.warning("waiting for the queue server", extra={"reason": type(error).__name__})
                said = True
            stop.wait(min(0.5 + time.monotonic() % 0.5, LONGEST_WAIT_S))
    return False
