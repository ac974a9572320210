"""Makes `.venv` and installs what one purpose needs: `python3 tools/make_venv.py run|test|check`.

Needs nothing but Python's own library. Does nothing when all is there; several may run at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from district.messages import t  # noqa: E402
from district.terminal import Terminal  # noqa: E402

VENV = ROOT / ".venv"
# Each purpose holds the ones before it.
FILES = {"run": "requirements.txt", "test": "requirements-dev.txt", "check": "requirements-check.txt"}


def main(purpose: str) -> int:
    terminal = Terminal()
    if _is_made(purpose):
        return 0
    with open(ROOT / ".venv.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            terminal.say(t("run.setup.waiting"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_made(purpose):
            return 0
        return _make(purpose, terminal)


def _make(purpose: str, terminal: Terminal) -> int:
    began = time.monotonic()
    if not _works():
        if importlib.util.find_spec("ensurepip") is None:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            terminal.fail(t("run.setup.no_venv", python=sys.executable, version=version))
            return 1
        terminal.say(t("run.setup.making", python=sys.version.split()[0]))
        shutil.rmtree(VENV, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
        if made.returncode:
            terminal.fail(t("run.setup.venv_failed"))
            terminal.say((made.stdout + made.stderr).strip())
            return 1
    if not _install(ROOT / FILES[purpose], terminal):
        return 1
    for done in FILES:
        _stamp(done).write_text(_fingerprint(done), encoding="utf-8")
        if done == purpose:
            break
    megabytes = sum(path.lstat().st_size for path in VENV.rglob("*") if path.is_file()) // 1_000_000
    terminal.done(t("run.setup.ready", seconds=round(time.monotonic() - began), megabytes=megabytes))
    return 0


def _install(requirements: Path, terminal: Terminal) -> bool:
    """Run pip, counting packages where somebody watches; its last words only when it fails."""
    total = sum(line[:1].isalpha() for line in _texts(requirements))
    terminal.say(t("run.setup.installing", count=total))
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "--no-color", "-r", str(requirements)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: list[str] = []
    found = 0
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line.rstrip())
        if line.startswith(("Collecting ", "Requirement already satisfied")):
            found += 1
            terminal.redraw(t("run.setup.collecting", done=min(found, total), count=total))
        elif line.startswith("Installing collected"):
            terminal.redraw(t("run.setup.unpacking"))
    terminal.redraw("")
    if process.wait() == 0:
        return True
    terminal.fail(t("run.setup.install_failed"))
    for line in said[-12:]:
        terminal.say("  " + line, "dim")
    return False


def _texts(requirements: Path) -> list[str]:
    """The file's lines, with those of the files it includes."""
    lines: list[str] = []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            lines += _texts(requirements.parent / line.removeprefix("-r ").strip())
        else:
            lines.append(line.strip())
    return lines


def _stamp(purpose: str) -> Path:
    return VENV / f".made-for-{purpose}"


def _fingerprint(purpose: str) -> str:
    """Changes with the pinned versions and when the folder was moved: scripts hold its path."""
    return hashlib.sha256("\n".join([str(VENV), *_texts(ROOT / FILES[purpose])]).encode()).hexdigest()


def _is_made(purpose: str) -> bool:
    try:
        return _stamp(purpose).read_text(encoding="utf-8") == _fingerprint(purpose) and _python().exists()
    except OSError:
        return False


def _python() -> Path:
    return VENV / "bin" / "python"


def _works() -> bool:
    """Whether the present `.venv` can be added to: it runs, has pip, and was made in this place."""
    if not _python().exists():
        return False
    test = "import pip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))"
    if subprocess.run([str(_python()), "-c", test], capture_output=True).returncode:
        return False
    script = VENV / "bin" / "pip"
    return script.exists() and str(VENV) in script.read_text("utf-8", "replace").partition("\n")[0]


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in FILES:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} {'|'.join(FILES)}")
    sys.exit(main(sys.argv[1]))
