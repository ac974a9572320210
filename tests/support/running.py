"""A whole running Bihuan (`python -m district.run`) for tests: started, watched, killed, stopped."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], bool], what: str, limit_s: float = PATIENCE_S) -> None:
    """Wait until `condition()`; AssertionError naming `what` after `limit_s`."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"not within {limit_s:g} s: {what}"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has fetched yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def descendants(pid: int) -> set[int]:
    """All processes below `pid` (Linux)."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.add(child)
            todo.append(child)
    return found


class Bihuan:
    """One running instance: what it says, its processes, its pages."""

    def __init__(self, var_dir: Path, command: list[str] | None = None, **env: str) -> None:
        self.var_dir = var_dir
        self.port = free_port()
        self.command = command or [sys.executable, "-m", "district.run"]
        hidden = ("REDIS_URL", "DATABASE_URL", "APP_ENV", "PUBLIC_BASE_URL", "SECRET_KEY", "MAKELEVEL", "MAKEFLAGS")
        clean = {k: v for k, v in os.environ.items() if k not in hidden and not k.startswith("WECHAT_")}
        self.env = clean | {
            "VAR_DIR": str(var_dir), "PORT": str(self.port), "WEB_WORKERS": "1", "RQ_WORKERS": "1", "LC_ALL": "C.UTF-8",
        } | env  # fmt: skip
        self.said: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, cwd: Path = ROOT) -> Bihuan:
        self.said = []
        self.process = subprocess.Popen(
            self.command, cwd=cwd, env=self.env, text=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            self.said.extend(line.rstrip() for line in process.stdout)

    def has_said(self, text: str) -> bool:
        return any(text in line for line in self.said)

    def wait_ready(self, limit_s: float = PATIENCE_S) -> Bihuan:
        def ready_or_gone() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, "\n".join(self.said)
            return self.has_said("is ready in") and self.has_said("Ctrl-C")

        eventually(ready_or_gone, "ready", limit_s)
        return self

    @property
    def pid(self) -> int:
        """The process that was started: the supervisor, or make above it."""
        assert self.process is not None
        return self.process.pid

    @property
    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def interrupt_group(self) -> None:
        """What Ctrl-C on a terminal does: the signal goes to make and to what it runs."""
        if not self.has_ended:
            os.killpg(self.pid, signal.SIGINT)

    def parts(self) -> dict[str, int]:
        """The process of each part, by name."""
        found: dict[str, int] = json.loads((self.var_dir / "run.json").read_text())["parts"]
        return found

    @property
    def supervisor(self) -> int:
        pid: int = json.loads((self.var_dir / "run.json").read_text())["supervisor"]
        return pid

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ended(self) -> int:
        """Wait until it ends by itself; its exit status."""
        assert self.process is not None
        code = self.process.wait(PATIENCE_S)
        self._reader.join(10)
        return code

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it as a person would; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended()


@contextmanager
def running(var_dir: Path, database: Path | None = None, **env: str) -> Iterator[Bihuan]:
    """A ready instance, stopped at the end. database: a SQLite file to start with, copied; else a first start."""
    if database is not None:
        shutil.copy(database, var_dir / "bihuan.db")
    bihuan = Bihuan(var_dir, None, **env).start()
    try:
        yield bihuan.wait_ready()
    finally:
        bihuan.stop()
