"""The supervisor behind `make run`: small parts by hand, the whole as a process that is killed and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from district import parts, run, supervisor
from district.config import Config
from district.messages import speaking
from tests.support.running import ROOT, Bihuan, descendants, eventually, is_alive, running

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


# Small parts ------------------------------------------------------------------------------------------------


def test_a_log_keeps_two_files_of_limited_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOG_LIMIT_BYTES", 100)
    log = supervisor.PartLog(tmp_path / "web.log")
    for number in range(50):
        log.feed(f"line {number}\n".encode())
    log.close()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"web.log", "web.log.1"}
    assert all(size <= 100 for size in sizes.values())
    assert (tmp_path / "web.log").read_text().endswith("line 49\n")


def test_a_log_gives_back_whole_lines_only(tmp_path: Path) -> None:
    log = supervisor.PartLog(tmp_path / "web.log")
    assert log.feed("半".encode()[:2]) == []
    assert log.feed("半".encode()[2:] + b" line\nnext") == ["半 line"]
    assert log.feed(b"\n") == ["next"]
    assert list(log.last_words) == ["半 line", "next"]
    log.close()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"levelname": "ERROR", "message": "it broke"}', "it broke"),
        ('{"levelname": "CRITICAL", "message": "a\\nTraceback\\nValueError: b"}', "a (ValueError: b)"),
        ('{"levelname": "ERROR", "message": "a", "exc_info": "Traceback\\nKeyError: 1"}', "a (KeyError: 1)"),
        ('{"levelname": "ERROR", "message": null}', ""),
        ('{"levelname": "WARNING", "message": "never mind"}', None),
        ('{"levelname": "ERROR", "message"', None),
        ("[1, 2]", None),
        ("Traceback (most recent call last):", None),
    ],
)
def test_the_terminal_shows_what_a_log_calls_an_error(line: str, said: str | None) -> None:
    assert supervisor.error_in(line) == said


def test_a_death_has_a_reason_in_words() -> None:
    with speaking("en"):
        assert supervisor.reason_of(-9) == "killed by SIGKILL"
        assert supervisor.reason_of(3) == "exit code 3"


@pytest.mark.parametrize(
    ("of", "queues"),
    [(1, ["routing,outside"]), (2, ["routing", "outside,routing"]), (3, ["routing", *["outside,routing"] * 2])],
)
def test_every_queue_has_a_worker_and_routing_one_of_its_own(of: int, queues: list[str]) -> None:
    assert [run.queues_of(number, of) for number in range(1, of + 1)] == queues


def test_the_shown_manager_and_handler_are_of_the_busiest_unit() -> None:
    password, logins = parts.demo_logins(ROOT / "demo")
    by_role = {login["role"]: login for login in logins}
    assert password
    assert by_role["unit_manager"]["unit"] == by_role["handler"]["unit"]
    assert len({login["username"] for login in logins}) == len(logins) >= 6


def test_the_queue_listens_on_a_socket_in_its_folder(tmp_path: Path) -> None:
    valkey = run.Valkey(tmp_path / "valkey")
    command = valkey.command()
    assert valkey.url == f"unix://{tmp_path}/valkey/valkey.sock"
    assert command[command.index("--port") + 1] == "0"
    assert Config.from_env({"VAR_DIR": str(tmp_path)}).redis_url == valkey.url


def test_a_path_too_long_for_a_socket_gives_a_port_with_a_password(tmp_path: Path) -> None:
    var_dir = tmp_path / ("long" * 25)
    valkey = run.Valkey(var_dir / "valkey")
    process = subprocess.Popen(valkey.command(), stdout=subprocess.DEVNULL)
    try:
        eventually(valkey.answers, "Valkey answers")
        url = Config.from_env({"VAR_DIR": str(var_dir)}).redis_url
        assert url == valkey.url
        assert redis.Redis.from_url(url).ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url("redis://" + url.rpartition("@")[2]).ping()
        assert valkey.shown_address.startswith("redis://:***@127.0.0.1:")
        assert (var_dir / "valkey" / "address").stat().st_mode & 0o077 == 0
    finally:
        process.terminate()
        process.wait(30)


def test_a_port_is_taken_once(capsys: pytest.CaptureFixture[str]) -> None:
    with run.take_port("127.0.0.1", _free()) as listener, speaking("en"):
        port = listener.getsockname()[1]
        with pytest.raises(supervisor.CannotStart, match=f"Port {port} on 127.0.0.1 is taken"):
            run.take_port("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 80000), ("192.0.2.1", 8000), ("no.such.host.invalid", 8000)])
def test_an_impossible_address_is_refused_in_words(host: str, port: int) -> None:
    with pytest.raises(supervisor.CannotStart):
        run.take_port(host, port)


# The whole --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bihuan(tmp_path_factory: pytest.TempPathFactory, demo_sqlite: Path) -> Iterator[Bihuan]:
    """One for all that ask for it: its queue's file was damaged before it started, and the last test kills it."""
    var_dir = tmp_path_factory.mktemp("var")
    files = var_dir / "valkey" / "appendonlydir"
    files.mkdir(parents=True)
    (files / "appendonly.aof.manifest").write_text("this is no manifest\n")
    with running(var_dir, demo_sqlite) as instance:
        yield instance


@pytest.mark.journey
def test_a_damaged_queue_file_is_kept_apart_and_the_start_goes_on(bihuan: Bihuan) -> None:
    assert bihuan.has_said("damaged")
    assert bihuan.get("/readyz")[0] == 200
    assert [path.name for path in (bihuan.var_dir / "valkey").glob("damaged-*/*")] == ["appendonly.aof.manifest"]


@pytest.mark.journey
def test_a_start_says_where_to_look_and_who_to_be(bihuan: Bihuan) -> None:
    for text in (f"http://127.0.0.1:{bihuan.port}/chat", f":{bihuan.port}/admin/", "bihuan-demo", "verifier", "Valkey"):
        assert bihuan.has_said(text), text
    assert bihuan.get("/healthz")[0] == 200
    status, body = bihuan.get("/readyz")
    assert status == 200
    assert json.loads(body)["workers"] == 1


@pytest.mark.journey
def test_a_taken_port_is_said_in_one_line_and_nothing_is_touched(bihuan: Bihuan, tmp_path: Path) -> None:
    second = Bihuan(tmp_path / "other")
    second.env["PORT"] = str(bihuan.port)
    second.start()
    assert second.ended() == 1
    assert second.said == [
        f"✗ Port {bihuan.port} on 127.0.0.1 is taken. Stop what runs there, or choose another: "
        f"make run PORT={bihuan.port + 1}"
    ]
    assert not (tmp_path / "other").exists()


@pytest.mark.journey
def test_a_second_one_on_the_same_folder_is_refused(bihuan: Bihuan) -> None:
    before = bihuan.parts()
    second = Bihuan(bihuan.var_dir).start()
    assert second.ended() == 1
    assert len(second.said) == 1
    assert f"process {bihuan.supervisor}" in second.said[0]
    assert bihuan.parts() == before


@pytest.mark.journey
@linux_only
@pytest.mark.parametrize("name", ["web", "worker-1", "scheduler", "queue"])
def test_a_killed_part_is_started_again_and_the_reason_said(bihuan: Bihuan, name: str) -> None:
    before = bihuan.parts()
    deaths = sum("killed by SIGKILL" in line for line in bihuan.said)
    os.kill(before[name], signal.SIGKILL)
    eventually(lambda: sum("killed by SIGKILL" in line for line in bihuan.said) > deaths, "the reason is said")
    eventually(lambda: bihuan.parts().get(name) not in (None, before[name]), "a new process")
    eventually(lambda: bihuan.get("/readyz")[0] == 200, "all is well again")
    others = {key: pid for key, pid in bihuan.parts().items() if key != name}
    assert others == {key: pid for key, pid in before.items() if key != name}, "nothing else was started anew"


@pytest.mark.journey
@linux_only
def test_stopping_leaves_no_process_and_starting_again_keeps_the_data(tmp_path: Path) -> None:
    first = Bihuan(tmp_path).start()
    processes: set[int] = set()
    try:
        first.wait_ready()
        assert first.has_said("demo district loaded")
        processes = descendants(first.supervisor)
        assert len(processes) >= 5
    finally:
        code = first.stop(signal.SIGINT)
    assert code == 0
    assert first.said[-1].startswith("✓ Stopped")
    assert not any(map(is_alive, processes))
    assert not (tmp_path / "run.json").exists()

    secrets = (tmp_path / "secrets.json").read_text()
    with running(tmp_path) as second:
        assert second.has_said("your data is there")
        assert not second.has_said("demo district loaded")
        assert (tmp_path / "secrets.json").read_text() == secrets
        # The terminal is closed.
        processes = descendants(second.supervisor)
        assert second.stop(signal.SIGHUP) == 0
    assert not any(map(is_alive, processes))


@pytest.mark.journey
def test_a_start_that_fails_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    instance = Bihuan(tmp_path, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none").start()
    assert instance.ended() == 1
    assert instance.has_said("database preparation did not start")
    assert instance.has_said("prepare.log")
    assert not (tmp_path / "run.json").exists()


@pytest.mark.journey
def test_production_names_each_missing_secret(tmp_path: Path) -> None:
    instance = Bihuan(tmp_path, APP_ENV="production").start()
    assert instance.ended() == 1
    for name in ("SECRET_KEY", "WECHAT_TOKEN", "WECHAT_ENCODING_AES_KEY"):
        assert instance.has_said(f"{name} is missing")


@pytest.mark.journey
@linux_only
def test_a_killed_supervisor_leaves_no_process(bihuan: Bihuan) -> None:
    # The last test that asks for this instance: nothing of it is left.
    processes = descendants(bihuan.supervisor)
    assert len(processes) >= 4
    bihuan.stop(signal.SIGKILL)
    eventually(lambda: not any(map(is_alive, processes)), "every process has ended")


def _free() -> int:
    from tests.support.running import free_port

    return free_port()
