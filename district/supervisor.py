"""Keeps the processes of one machine alive: starts them, reads what they say, starts again whatever dies, stops all.

Processes of our own are forked on Linux: the supervisor has read the code once, a part begins in milliseconds and
shares its memory with the others. Elsewhere, and for other people's programmes, a command is run.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import io
import json
import multiprocessing
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

from district.messages import t
from district.terminal import Terminal

ROOT = Path(__file__).resolve().parent.parent
FORKS = sys.platform == "linux"
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 15.0
# A part that has lived this long has started well: its next death begins the backoff anew.
SETTLED_S = 20.0
START_LIMIT_S = 120.0
LOG_LIMIT_BYTES = 5_000_000
ERRORS_SHOWN, ERRORS_WINDOW_S = 5, 30.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotStart(Exception):
    """Why there is no use in going on, in the person's words; `part`: whose last words tell more."""

    def __init__(self, text: str, part: Part | None = None) -> None:
        super().__init__(text)
        self.part = part


class Stopped(Exception):
    """The person asked to stop while things were still starting."""


class PartLog:
    """One part's output in `VAR_DIR/logs`, at most two files of LOG_LIMIT_BYTES; remembers its last words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last_words: deque[str] = deque(maxlen=12)
        self._file: IO[bytes] = path.open("ab")
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Keep `data`; give back the lines it completes."""
        if self._file.tell() + len(data) > LOG_LIMIT_BYTES:
            self._file.close()
            os.replace(self.path, self.path.with_suffix(".log.1"))
            self._file = self.path.open("ab")
        # A full disk must not stop the system, only its log.
        with contextlib.suppress(OSError):
            self._file.write(data)
            self._file.flush()
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = [line.decode("utf-8", "replace").rstrip() for line in whole]
        self.last_words.extend(line for line in lines if line)
        # A part that never ends its line must not fill the memory.
        self._rest = self._rest[-100_000:]
        return lines

    def close(self) -> None:
        self._file.close()


class Forked:
    """A child that goes on from here with a function instead of starting a programme; used like a Popen."""

    def __init__(self, call: Callable[[], int], *, apart: bool, keep: Sequence[int]) -> None:
        """apart: its errors go to a pipe of their own. keep: descriptors that it may use."""
        ours, theirs = os.pipe()
        self.stdout: IO[bytes] | None = os.fdopen(ours, "rb", 0)
        self.stderr: IO[bytes] | None = None
        errors = theirs
        if apart:
            ours, errors = os.pipe()
            self.stderr = os.fdopen(ours, "rb", 0)
        sys.stdout.flush()
        sys.stderr.flush()
        # daemon: should the supervisor fail, it ends its children instead of waiting for them.
        self._process = multiprocessing.get_context("fork").Process(
            target=_go_on_as, args=(call, theirs, errors, tuple(keep), os.getpid()), daemon=True
        )
        self._process.start()
        for one in {theirs, errors}:
            os.close(one)
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        self.returncode = self._process.exitcode
        return self.returncode

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self) -> int | None:
        self._process.join()
        return self.poll()


def _go_on_as(call: Callable[[], int], output: int, errors: int, keep: tuple[int, ...], parent: int) -> None:
    """The first steps of a forked child: it is a process like one that was started anew."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, *STOP_SIGNALS):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    if (tie := _die_with_parent(parent)) is not None:
        tie()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    # The other parts' pipes, and the lock on the folder: whoever held that would keep it after the supervisor's end.
    for one in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, *keep}:
        with contextlib.suppress(OSError):
            os.close(one)
    environment = _child_environment()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    # Not the supervisor's streams: they may be buffered, or lead elsewhere.
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(one, "wb", closefd=False), "utf-8", "backslashreplace", write_through=True)
        for one in (1, 2)
    )
    # Not in the terminal's language: each message and request has its own.
    sys.exit(contextvars.Context().run(call))


@dataclass
class Part:
    """One child process: how it is started, how long it may take to stop, how often it has died.

    `inside`: what `command` does, as a function, for where a process can be forked.
    """

    name: str
    title: str
    command: list[str]
    log: PartLog
    inside: Callable[[], int] | None = None
    grace_s: float = 10.0
    lives_on: bool = True
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | Forked | None = None
    born_at: float = 0.0
    next_start_at: float | None = None
    backoff_s: float = FIRST_BACKOFF_S
    early_deaths: int = 0
    output: bytes = b""

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def begin(self) -> subprocess.Popen[bytes] | Forked:
        """Its process, in a session of its own: a Ctrl-C reaches the supervisor alone, which stops the parts in order.

        What it says comes in one pipe; one that gives an answer has its errors in another.
        """
        if self.inside is not None and FORKS:
            return Forked(self.inside, apart=not self.lives_on, keep=self.pass_fds)
        return subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=_child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if self.lives_on else subprocess.PIPE,
            start_new_session=True,
            pass_fds=self.pass_fds,
            preexec_fn=_die_with_parent(os.getpid()),
        )


class Supervisor:
    """Starts parts, reads what they say, starts them again when they die, stops them all.

    One thread and one loop: `turn()` waits for output, deaths or signals and deals with what came.
    """

    def __init__(self, terminal: Terminal, var_dir: Path) -> None:
        self.terminal = terminal
        self.logs = var_dir / "logs"
        self.pids_file = var_dir / "run.json"
        self.parts: list[Part] = []
        self.stop_asked = False
        self.hurry_asked = False
        self.is_stopping = False
        self._asked_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._errors_at: deque[float] = deque()
        self._errors_hidden = 0

    # Signals -----------------------------------------------------------------------------------------------

    def listen_to_signals(self) -> None:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._wakeup = (reader, writer)
        self._selector.register(reader, selectors.EVENT_READ, None)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in STOP_SIGNALS:
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        # make passes on the Ctrl-C that the terminal has given us already: the same wish, not a second one.
        if self.stop_asked and time.monotonic() - self._asked_at > 1.0:
            self.hurry_asked = True
        elif not self.stop_asked:
            self.stop_asked = True
            self._asked_at = time.monotonic()

    # Parts -------------------------------------------------------------------------------------------------

    def add(self, name: str, title: str, command: Sequence[str], **how: Any) -> Part:
        part = Part(name, title, list(command), PartLog(self.logs / f"{name}.log"), **how)
        self.parts.append(part)
        return part

    def start(self, part: Part) -> None:
        part.output, part.next_start_at, part.born_at = b"", None, time.monotonic()
        part.process = part.begin()
        for stream in (part.process.stdout, part.process.stderr):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, selectors.EVENT_READ, part)
        self._write_pids()

    def turn(self, wait_s: float = 0.5) -> None:
        """Wait up to `wait_s` for something to happen and deal with it."""
        due = [part.next_start_at for part in self.parts if part.next_start_at is not None]
        if due and not self.is_stopping:
            wait_s = min(wait_s, max(min(due) - time.monotonic(), 0.0))
        for key, _ in self._selector.select(wait_s):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._wakeup[0].recv(4096)
            else:
                self._read(key.data, key.fileobj)  # type: ignore[arg-type]
        for part in self.parts:
            if part.is_alive and part.process is not None and part.process.poll() is not None:
                self._bury(part)
            elif self._is_due(part):
                self.start(part)

    def _is_due(self, part: Part) -> bool:
        if part.next_start_at is None or self.is_stopping:
            return False
        return time.monotonic() >= part.next_start_at

    def wait_until(self, condition: Callable[[], bool], limit_s: float = START_LIMIT_S) -> bool:
        """Turn until `condition()` or the limit; Stopped when the person asks to stop meanwhile."""
        end = time.monotonic() + limit_s
        while not condition():
            if self.stop_asked:
                raise Stopped
            if time.monotonic() >= end:
                return False
            self.turn(0.1)
        return True

    def watch(self) -> None:
        """Keep everything running until asked to stop."""
        while not self.stop_asked:
            self.turn()

    def stop_all(self) -> None:
        """Stop the parts group by group, in the order in which they were not started."""
        self.is_stopping = True
        groups: dict[str, list[Part]] = {}
        for part in reversed(self.parts):
            groups.setdefault(part.name.split("-")[0], []).append(part)
        for group in groups.values():
            self._stop(group)
        with contextlib.suppress(OSError):
            self.pids_file.unlink()

    def _stop(self, group: list[Part]) -> None:
        living = [part for part in group if part.is_alive]
        for part in living:
            assert part.process is not None
            with contextlib.suppress(ProcessLookupError):
                part.process.terminate()
        end = time.monotonic() + max((part.grace_s for part in living), default=0.0)
        while any(part.is_alive for part in living):
            if time.monotonic() > end or self.hurry_asked:
                break
            self.turn(0.1)
        for part in group:
            if part.process is None:
                continue
            if part.is_alive:
                self.terminal.warn(t("run.stop.forced", part=part.title))
            # Also what the part itself has started and left behind.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(part.process.pid, signal.SIGKILL)
            part.process.wait()

    def _read(self, part: Part, stream: IO[bytes]) -> None:
        data = os.read(stream.fileno(), 65536)
        if not data:
            self._selector.unregister(stream)
            stream.close()
            return
        if not part.lives_on and part.process is not None and stream is part.process.stdout:
            part.output += data  # its answer, not its log
            return
        for line in part.log.feed(data):
            if text := error_in(line):
                self._show_error(part, text)

    def _show_error(self, part: Part, text: str) -> None:
        """Say an error on the terminal, at most ERRORS_SHOWN of them in ERRORS_WINDOW_S."""
        moment = time.monotonic()
        while self._errors_at and moment - self._errors_at[0] > ERRORS_WINDOW_S:
            self._errors_at.popleft()
        if len(self._errors_at) >= ERRORS_SHOWN:
            self._errors_hidden += 1
            return
        if self._errors_hidden:
            self.terminal.warn(t("run.watch.more_errors", count=self._errors_hidden, folder=self.logs))
            self._errors_hidden = 0
        self._errors_at.append(moment)
        self.terminal.warn(t("run.watch.error", part=part.title, text=text))

    def _bury(self, part: Part) -> None:
        """Note a death; unless it was wanted, say why and plan the next life."""
        assert part.process is not None
        for stream in (part.process.stdout, part.process.stderr):
            # What it said last, without waiting: its own children may still hold the pipe.
            while stream is not None and not stream.closed:
                try:
                    self._read(part, stream)
                except BlockingIOError:
                    self._selector.unregister(stream)
                    stream.close()
        if self.is_stopping or not part.lives_on:
            return
        # gunicorn's own processes end by themselves when it dies, but not at once.
        lived_s = time.monotonic() - part.born_at
        if lived_s >= SETTLED_S:
            part.backoff_s, part.early_deaths = FIRST_BACKOFF_S, 0
        else:
            part.early_deaths += 1
        wait_s, part.backoff_s = part.backoff_s, min(part.backoff_s * 2, LONGEST_BACKOFF_S)
        part.next_start_at = time.monotonic() + wait_s
        reason = reason_of(part.process.returncode or 0)
        self.terminal.warn(t("run.watch.ended", part=part.title, reason=reason, seconds=wait_s))
        if part.early_deaths in (3, 10):
            self.terminal.fail(t("run.watch.still", part=part.title, log=part.log.path))
            self.last_words(part)

    def last_words(self, part: Part) -> None:
        for line in part.log.last_words:
            self.terminal.say("    " + line[:300], "dim")

    def _write_pids(self) -> None:
        """`run.json`: who runs here, for a person with a question and for tests."""
        living = [part for part in self.parts if part.is_alive]
        found = {part.name: part.process.pid for part in living if part.process is not None}
        draft = self.pids_file.with_suffix(".part")
        draft.write_text(json.dumps({"supervisor": os.getpid(), "parts": found}), encoding="utf-8")
        os.replace(draft, self.pids_file)


def error_in(line: str) -> str | None:
    """What a log line says when it is an error, shortened; else None."""
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or entry.get("levelname") not in ("ERROR", "CRITICAL"):
        return None
    first, *more = str(entry.get("message") or "").strip().splitlines() or [""]
    trace = str(entry.get("exc_info") or "").strip().splitlines() or more
    return f"{first} ({trace[-1]})"[:300] if trace else first[:300]


def reason_of(code: int) -> str:
    """How a process ended, for a person."""
    if code < 0:
        try:
            return t("run.watch.signal", signal=signal.Signals(-code).name)
        except ValueError:
            return t("run.watch.signal", signal=-code)
    return t("run.watch.code", code=code)


def _child_environment() -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return env | {"PYTHONUNBUFFERED": "1", "FLASK_APP": "wsgi"}


def _prctl() -> Callable[[int, int], int] | None:
    if sys.platform != "linux":
        return None
    try:
        prctl: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    return prctl


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """Linux: the kernel sends SIGTERM to the child when this process dies, however it dies."""
    prctl = _prctl()
    if prctl is None:
        return None
    set_death_signal = 1

    def before_exec() -> None:
        prctl(set_death_signal, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def die_with_make() -> None:
    """Started by make, and make is killed: end as well, instead of holding the port unseen."""
    prctl = _prctl()
    if prctl is not None and "MAKELEVEL" in os.environ:
        prctl(1, signal.SIGTERM)
