"""What all kinds of things that are set by hand have in common.

A thing is written in cells, as in the folder's file of its kind, and checked by the very readers of the folder. Its
record is what the reader makes of the cells, references as codes, and whether it is in use: that is what changes keep
as before and after.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, func, select

from district.errors import BadInput
from district.extensions import db
from district.loading.files import Row
from district.loading.problems import Report
from district.routing.models import RoutingRule

Cells = Mapping[str, str]
Record = dict[str, Any]


class RecordRefused(BadInput):
    """What was written cannot be taken. problems: column → what to do about it, in the language of the moment."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__()
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class Use:
    """Where a thing is used, how often, and whether that stands in the way of retiring it."""

    name: str
    count: int
    blocks: bool


class Kind(ABC):
    """One kind of thing.

    columns: what people write, named as in the folder's file. code_column: which of them names the thing for ever.
    typed_in: the column that is wrong when the code is taken, where that is not code_column.
    fixed: those that stay as they were made. versions: the reference data that must be read again after a change.
    ended: the table's column that says since when it is out of use.
    """

    name: ClassVar[str]
    model: ClassVar[type[Any]]
    columns: ClassVar[tuple[str, ...]]
    code_column: ClassVar[str] = "code"
    typed_in: ClassVar[str] = ""
    fixed: ClassVar[tuple[str, ...]] = ()
    versions: ClassVar[tuple[str, ...]]
    ended: ClassVar[str] = "retired_at"

    def key(self) -> ColumnElement[str]:
        """What names a row, in a query."""
        code: ColumnElement[str] = self.model.code
        return code

    def key_of(self, row: Any) -> str:
        """The same of a row at hand."""
        code: str = row.code
        return code

    def new(self, code: str) -> Any:
        """A row of this code that says nothing yet."""
        return self.model(code=code)

    @abstractmethod
    def read(self, cells: Cells) -> tuple[str, Record]:
        """The code and the record that somebody wrote. Raises RecordRefused."""

    @abstractmethod
    def told(self, row: Any) -> Record:
        """The record of a row, as `read` makes it."""

    @abstractmethod
    def put(self, row: Any, record: Record) -> None:
        """Write the record into the row."""

    @abstractmethod
    def written(self, code: str, record: Record) -> dict[str, str]:
        """The record as a person writes it, column by column."""

    @abstractmethod
    def uses(self, row: Any) -> list[Use]:
        """Where it is used now."""

    def doubts(self, code: str, record: Record) -> list[str]:
        """What may be a mistake and may be meant, as sentences in the language of the moment."""
        return []

    def settle(self) -> None:  # noqa: B027  most kinds have nothing to do
        """What else must follow a change, in its unit of work."""


def read_row(columns: Iterable[str], cells: Cells) -> tuple[Row, Report]:
    """What was written as a row of the folder's file, and where its mistakes are noted."""
    report = Report()
    return Row("", 0, {name: cells.get(name, "") for name in columns}, report), report


def refuse(report: Report) -> None:
    """Raises RecordRefused with the first mistake of each column, when there is any."""
    problems: dict[str, str] = {}
    for problem in report.problems:
        problems.setdefault((problem.column or "").removeprefix("properties."), problem.message)
    if problems:
        raise RecordRefused(problems)


def in_use(model: type[Any], ended: str = "retired_at") -> frozenset[str]:
    """The codes of everything of this table that is in use."""
    return frozenset(db.session.scalars(select(model.code).where(getattr(model, ended).is_(None))))


def count(model: type[Any], *where: Any) -> int:
    """How many rows there are."""
    return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def rules_naming(column: str, code: str) -> list[RoutingRule]:
    """The rules in force that name the code in one of their lists."""
    rules = db.session.scalars(select(RoutingRule).where(RoutingRule.retired_at.is_(None)))
    return [rule for rule in rules if code in getattr(rule, column)]


def rows_listing(rows: Iterable[Any], attribute: str, code: str) -> int:
    """How many of the rows name the code in a list of theirs."""
    return sum(code in getattr(row, attribute) for row in rows)


def joined(values: Collection[str]) -> str:
    """A list as the folder's files write it."""
    return ";".join(values)


def yes_no(value: bool) -> str:
    return "1" if value else ""
