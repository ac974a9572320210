"""Processes that are forked from the supervisor are like ones that were started anew, only sooner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from district.messages import CHINESE, language, speaking
from district.supervisor import FORKS, Forked, reason_of
from tests.support.running import ROOT, eventually

pytestmark = pytest.mark.skipif(not FORKS, reason="forks on Linux only")


def said_by(call: Callable[[], int], **how: tuple[int, ...]) -> tuple[int | None, str]:
    """The exit status of a forked process, and all that it said."""
    process = Forked(call, apart=False, keep=how.get("keep", ()))
    assert process.stdout is not None
    with process.stdout:
        words = process.stdout.read().decode()
    return process.wait(), words


def tell() -> int:
    print(json.dumps({
        "environment": dict(os.environ), "folder": os.getcwd(), "language": language(), "leader": os.getsid(0),
        "pid": os.getpid(), "wakeup": signal.set_wakeup_fd(-1), "stops": int(signal.getsignal(signal.SIGTERM)),
        "open": [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if int(name) > 2
                 and os.path.exists(f"/proc/self/fd/{name}")],
    }))  # fmt: skip
    return 3


def test_a_forked_process_begins_like_one_that_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "lock").open("w") as lock, (tmp_path / "port").open("w") as port, speaking("en"):
        code, words = said_by(tell, keep=(port.fileno(),))
        assert lock.fileno() > 2
    told = json.loads(words)
    assert code == 3
    assert told["environment"]["VAR_DIR"] == str(tmp_path)
    assert "MAKELEVEL" not in told["environment"]
    assert told["folder"] == str(ROOT)
    # Residents are not spoken to in the language of the operator's terminal.
    assert told["language"] == CHINESE
    # Neither Ctrl-C nor the supervisor's own handlers reach it.
    assert told["leader"] == told["pid"]
    assert (told["wakeup"], told["stops"]) == (-1, signal.SIG_DFL)
    # Whoever held the folder's lock would keep it after the supervisor's end.
    assert [path for path in told["open"] if path.startswith(str(tmp_path))] == [str(tmp_path / "port")]


def test_what_goes_wrong_in_a_forked_process_is_said_and_ends_it() -> None:
    def fail() -> int:
        raise ValueError("no such thing")

    code, words = said_by(fail)
    assert code == 1
    assert "ValueError: no such thing" in words


def test_an_answer_is_kept_apart_from_what_is_logged() -> None:
    def answer() -> int:
        print("the answer")
        print("a remark", file=sys.stderr)
        return 0

    process = Forked(answer, apart=True, keep=())
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        assert (process.stdout.read(), process.stderr.read()) == (b"the answer\n", b"a remark\n")
    assert process.wait() == 0


def test_a_killed_one_is_known_by_its_signal() -> None:
    def sleep() -> int:
        signal.pause()
        return 0

    process = Forked(sleep, apart=False, keep=())
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: process.poll() is not None, "the process has ended")
    with speaking("en"):
        assert reason_of(process.returncode or 0) == "killed by SIGKILL"
    assert process.stdout is not None
    process.stdout.close()


def test_reading_the_code_begins_no_thread_and_opens_nothing() -> None:
    """A thread would be missing in every forked process, and an open connection be shared by all."""
    look = (
        "import os; from district import parts; before = os.listdir('/proc/self/fd'); parts.read_code();"
        "print(len(os.listdir('/proc/self/task')), sorted(before) == sorted(os.listdir('/proc/self/fd')))"
    )
    found = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "True"]


def test_a_part_by_hand_says_which_there_are() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "district.parts", "kitchen"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 2
    assert asked.stderr.strip() == "python -m district.parts web|worker|scheduler|prepare"
