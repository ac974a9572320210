"""What commands say on a terminal: the person's language, colour only where it shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

from district.messages import CHINESE, ENGLISH, set_language


def tongue(env: Mapping[str, str] | None = None) -> str:
    """The catalogue's language for this terminal: Chinese where the locale is Chinese, else English."""
    given = os.environ if env is None else env
    locale = given.get("LC_ALL") or given.get("LC_MESSAGES") or given.get("LANG") or ""
    return CHINESE if locale.lower().startswith("zh") else ENGLISH


class Terminal:
    """Writes lines to one stream and survives its closing: a lost terminal must not stop a clean shutdown."""

    _CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        reconfigure = getattr(self.stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
        set_language(tongue())

    @property
    def is_lively(self) -> bool:
        """Whether a person watches: a terminal that can redraw a line."""
        try:
            return self.stream.isatty() and os.environ.get("TERM") != "dumb"
        except (OSError, ValueError):
            return False

    def paint(self, text: str, *styles: str) -> str:
        if not styles or not self.is_lively or "NO_COLOR" in os.environ:
            return text
        return f"\033[{';'.join(self._CODES[style] for style in styles)}m{text}\033[0m"

    def say(self, text: str = "", *styles: str) -> None:
        self._write(self.paint(text, *styles) + "\n")

    def done(self, text: str) -> None:
        """A step that has worked."""
        self._write(self.paint("✓", "green") + f" {text}\n")

    def warn(self, text: str) -> None:
        self._write(self.paint("!", "yellow", "bold") + f" {text}\n")

    def fail(self, text: str) -> None:
        self._write(self.paint("✗", "red", "bold") + f" {text}\n")

    def redraw(self, text: str) -> None:
        """Replace the present line; nothing where nobody watches."""
        if self.is_lively:
            self._write(f"\r\033[K{text}")

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            pass
