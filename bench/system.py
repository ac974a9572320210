"""Starts what is measured: queue server, web server, workers, databases; reads how much processor they used."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis
from psycopg import sql
from sqlalchemy import make_url

from district import parts, run
from district.config import Config
from district.pulse import living_workers

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
TICKS = os.sysconf("SC_CLK_TCK")
# Kept from the environment: nothing that could lead the measurement to somebody's real data.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = 120.0, every_s: float = 0.02) -> float:
    """Wait until `condition()`; the seconds it took. TimeoutError naming `what`."""
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > limit_s:
            raise TimeoutError(f"not within {limit_s:g} s: {what}")
        time.sleep(every_s)
    return time.perf_counter() - began


def processor_s(pid: int) -> float:
    """Seconds of processor that a process, its children and its ended children have used."""
    total = 0.0
    for one in [pid, *children(pid)]:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(fields[place]) for place in (11, 12)) / TICKS
    return total


def children(pid: int) -> list[int]:
    """The processes below this one."""
    try:
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    found = [int(word) for text in texts for word in text.split()]
    return found + [below for child in found for below in children(child)]


@dataclass
class System:
    """One instance with its own folder, database and queue server; `stop()` ends all of it."""

    folder: Path
    database_url: str
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    queue: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.valkey = run.Valkey(self.folder / "valkey")
        self.env = {key: os.environ[key] for key in _KEPT if key in os.environ} | {
            "VAR_DIR": str(self.folder),
            "PORT": str(self.port),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": f"unix://{self.folder}/valkey/valkey.sock",
            "LC_ALL": "C.UTF-8",
        }

    @property
    def config(self) -> Config:
        return Config.from_env(self.env)

    def start_queue(self) -> None:
        self.queue = self._start(self.valkey.command(), "queue")
        wait_for(self.valkey.answers, "the queue server answers")

    def stop_queue(self) -> None:
        if self.queue is not None:
            self._end(self.queue)
            self.queue = None

    def prepare(self) -> None:
        """Migrate and load the demo district."""
        subprocess.run(
            parts.command("prepare"),
            cwd=ROOT, env=self.env, check=True, stdout=subprocess.DEVNULL, stderr=self._log("prepare"),
        )  # fmt: skip

    def start_web(self, application: str = "wsgi:create_app()") -> subprocess.Popen[bytes]:
        """gunicorn exactly as `make run` starts it, on `application`."""
        listener = run.take_port("127.0.0.1", self.port)
        with listener:
            arguments = parts.web_arguments(self.config, listener.fileno(), application)
            process = self._start(parts.command("web", *arguments), "web", pass_fds=(listener.fileno(),))
        wait_for(lambda: run._is_served(self.config), "the web server answers", every_s=0.1)
        return process

    def start_worker(self, queues: str) -> subprocess.Popen[bytes]:
        """A worker that has found the queue server."""
        before = len(living_workers(self.connection()))
        process = self._start(parts.command("worker", queues), "worker")
        wait_for(lambda: len(living_workers(self.connection())) > before, "the worker listens", every_s=0.05)
        return process

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        return self._start(parts.command("scheduler"), "scheduler")

    def connection(self) -> redis.Redis:
        return redis.Redis.from_url(self.env["REDIS_URL"])

    def end(self, process: subprocess.Popen[bytes]) -> None:
        self._end(process)

    def stop(self) -> None:
        for process in reversed(self.processes):
            self._end(process)

    def _start(self, command: list[str], name: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=self._log(name), stderr=subprocess.STDOUT,
            pass_fds=pass_fds, start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self.processes:
            self.processes.remove(process)

    def _log(self, name: str) -> int:
        # Left open on purpose for the child; the folder is deleted with the measurement.
        return os.open(self.folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


@contextlib.contextmanager
def system(folder: Path, kind: str) -> Iterator[System]:
    """A prepared instance on a fresh database of `kind` (sqlite or postgresql), with its queue server running."""
    folder.mkdir(parents=True)
    with database(folder, kind) as url:
        instance = System(folder, url)
        try:
            instance.start_queue()
            instance.prepare()
            yield instance
        finally:
            instance.stop()


@contextlib.contextmanager
def database(folder: Path, kind: str) -> Iterator[str]:
    """The address of an empty database, gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bihuan.db'}"
        return
    name = f"bihuan_bench_{os.getpid()}_{folder.name}"
    with server() as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield make_url(postgres_url()).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def postgres_answers() -> bool:
    try:
        with server():
            return True
    except psycopg.OperationalError:
        return False


def postgres_url() -> str:
    """The database server that is measured on."""
    given = os.environ.get("BENCH_DATABASE_URL") or os.environ.get("TEST_DATABASE_URL")
    return given or DEFAULT_POSTGRES


def server() -> psycopg.Connection[tuple[object, ...]]:
    """A connection to it, for what concerns whole databases."""
    url = make_url(postgres_url()).set(drivername="postgresql", database="postgres")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True, connect_timeout=3)


def save(path: Path, figures: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
