"""What is wrong with a district's folder, each said with its file, line, column and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from district.errors import BadInput
from district.messages import t


@dataclass(frozen=True)
class Problem:
    """One mistake, and in the language of whoever asked what to do about it.

    line counts from 1 and is None where the file is missing. column is a CSV column's name, the path of
    a setting (`limits.reopen_days`), or the part of a GeoJSON feature (`properties.code`).
    """

    file: str
    line: int | None
    column: str | None
    message: str

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: {self.message}"


class FolderRefused(BadInput):
    """The folder has mistakes; nothing was loaded. `problems` holds all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("loading.refused", count=len(problems))
        self.problems = problems


class Report:
    """Collects the problems of one folder."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, file: str, line: int | None, column: str | None, key: str, /, **params: Any) -> None:
        self.problems.append(Problem(file, line, column, t(f"loading.problem.{key}", **params)))


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """A hint at the likely right value, with its space before it; or nothing."""
    near = difflib.get_close_matches(value, list(known), n=1, cutoff=0.7)
    return t("loading.hint.did_you_mean", value=near[0]) if near else ""


def listed(values: Iterable[str], *, most: int = 20) -> str:
    """Some allowed values, for a message."""
    names = list(values)
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")
