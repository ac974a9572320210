"""A newcomer's first minutes: the project in an empty folder, `make run`, a look around, Ctrl-C, and once more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import ROOT, Bihuan, descendants, eventually, is_alive

pytestmark = [pytest.mark.journey, pytest.mark.install, pytest.mark.timeout(900)]
INSTALL_LIMIT_S = 600.0


def copy_of_the_project(folder: Path) -> Path:
    """The project's files as a download has them: no .git, no .venv, no data."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listed.returncode == 0:
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
    else:
        hidden = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, folder, ignore=hidden, dirs_exist_ok=True)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_make_run_in_an_empty_folder_works_and_a_second_time_keeps_the_data(tmp_path: Path) -> None:
    project = copy_of_the_project(tmp_path / "bihuan")
    (project / "var").mkdir()
    first = Bihuan(project / "var", ["make", "run"], WEB_WORKERS="2", RQ_WORKERS="2")
    # As the README says: nothing but PORT is given here, the data goes to `var`.
    del first.env["VAR_DIR"]
    first.env.pop("VIRTUAL_ENV", None)
    first.start(cwd=project)
    try:
        eventually(lambda: first.has_said("Installed in") or first.has_ended, "the packages", INSTALL_LIMIT_S)
        if first.has_said("packages could not be installed"):
            pytest.skip("the package index is not reachable")
        first.wait_ready()
        assert first.has_said("demo district loaded")
        for path in ("/", "/chat", "/admin/login", "/readyz"):
            assert first.get(path)[0] == 200, path
        processes = descendants(first.pid) | {first.pid}
    finally:
        first.interrupt_group()
        first.ended()
    assert any(line.startswith("✓ Stopped") for line in first.said)
    eventually(lambda: not any(map(is_alive, processes)), "every process has ended")

    megabytes = sum(path.lstat().st_size for path in (project / ".venv").rglob("*") if path.is_file()) / 1e6
    assert megabytes < 250

    second = Bihuan(project / "var", ["make", "run"])
    second.start(cwd=project)
    try:
        second.wait_ready()
        assert second.has_said("your data is there")
        assert not second.has_said("Installing")
        # make is killed: what it started must not go on unseen.
        processes = descendants(second.pid)
        os.kill(second.pid, signal.SIGKILL)
        eventually(lambda: not any(map(is_alive, processes)), "every process has ended")
    finally:
        second.interrupt_group()
        second.ended()
