"""The columns a list of reports may have: one row each, the same for the page and for a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from district.extensions import db
from district.messages import has, t
from district.reference import reference
from district.reports import incidents, queries
from district.reports.clocks import deadline_state
from district.reports.models import Report, ReportUnit
from district.reports.naming import area_name, category_name, place_words, unit_name

# A cell: words, a whole number, a moment (aware), or nothing.
Value = str | int | datetime | None


@dataclass(frozen=True)
class Beside:
    """What columns need besides the reports themselves, read for many at once.

    co_units: the ids of the units that have a part, by the report's id. joined: how many others joined each.
    urged: how often residents have urged each.
    """

    now: datetime
    co_units: dict[int, list[int]] = field(default_factory=dict)
    joined: dict[int, int] = field(default_factory=dict)
    urged: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """One column. value: its cell. width: in a workbook, in letters. is_picture: only a page can show it."""

    name: str
    value: Callable[[Report, Beside], Value]
    width: int = 14
    is_picture: bool = False

    @property
    def head(self) -> str:
        return t(f"lists.column.{self.name}")


def beside(reports: Sequence[Report], wanted: Collection[str], *, now: datetime) -> Beside:
    """What these columns need of these reports: at most one query for each need, however many reports there are."""
    found = Beside(now)
    if "co_units" in wanted and reports:
        parts: dict[int, list[int]] = defaultdict(list)
        rows = select(ReportUnit.report_id, ReportUnit.unit_id).where(
            ReportUnit.report_id.in_([report.id for report in reports]), ReportUnit.role == "co"
        )
        for report_id, unit_id in db.session.execute(rows.order_by(ReportUnit.report_id, ReportUnit.unit_id)):
            parts[report_id].append(unit_id)
        found.co_units.update(parts)
    if "joined" in wanted:
        found.joined.update(incidents.joined_counts([report.id for report in reports if report.has_followers]))
    if "urged" in wanted:
        found.urged.update(queries.urged_counts([report.id for report in reports]))
    return found


def _moment(name: str) -> Column:
    return Column(name, lambda report, _: getattr(report, f"{name}_at"), width=17)


def _count(name: str, attribute: str) -> Column:
    return Column(name, lambda report, _: getattr(report, attribute) or None, width=8)


def _major(report: Report, _: Beside) -> str:
    category = reference().categories_by_id.get(report.category_id or 0)
    return category.major if category else ""


def _co_units(report: Report, seen: Beside) -> str:
    return t("admin.between").join(unit_name(unit_id) for unit_id in seen.co_units.get(report.id, ()))


def _due(report: Report, _: Beside) -> datetime:
    return report.handling_due_at or report.dispatch_due_at


def _time_left(report: Report, seen: Beside) -> str:
    state = deadline_state(report, seen.now)
    return state.words if state else ""


def _solved(report: Report, _: Beside) -> str:
    return "" if report.solved is None else t(f"lists.rating.{'solved' if report.solved else 'not_solved'}")


def _facility_type(report: Report, _: Beside) -> str:
    return category_name(report.facility.type) if report.facility else ""


def _place_source(report: Report, _: Beside) -> str:
    key = f"lists.place_source.{report.place_source}"
    return t(key) if has(key) else ""


def _point(report: Report, _: Beside) -> str:
    if report.latitude is None or report.longitude is None:
        return ""
    return f"{report.latitude:.6f}, {report.longitude:.6f}"


def _joined(report: Report, seen: Beside) -> Value:
    return seen.joined.get(report.id) or None


def _urged(report: Report, seen: Beside) -> Value:
    return seen.urged.get(report.id) or None


def _street(report: Report, _: Beside) -> str:
    return area_name(report.area_code)


def _facility(report: Report, _: Beside) -> str:
    return report.facility.code17 if report.facility else ""


def _words(table: str, attribute: str) -> Callable[[Report, Beside], Any]:
    return lambda report, _: t(f"{table}.{getattr(report, attribute)}")


# In the order in which they are offered.
COLUMNS: tuple[Column, ...] = (
    Column("photo", lambda report, _: "", is_picture=True),
    Column("number", lambda report, _: report.number, width=20),
    Column("category", lambda report, _: category_name(report.category), width=22),
    Column("major", _major),
    Column("urgency", _words("status.urgency", "urgency"), width=8),
    Column("description", lambda report, _: report.description, width=50),
    Column("place", lambda report, _: place_words(report), width=34),
    Column("street", _street, width=18),
    Column("community", lambda report, _: area_name(report.community_code), width=18),
    Column("point", _point, width=24),
    Column("place_source", _place_source),
    Column("facility", _facility, width=20),
    Column("facility_type", _facility_type, width=18),
    Column("unit", lambda report, _: unit_name(report.unit_id), width=26),
    Column("co_units", _co_units, width=30),
    Column("status", _words("status.staff", "status"), width=10),
    Column("clock", _time_left, width=16),
    Column("due", _due, width=17),
    _moment("submitted"),
    _moment("assigned"),
    _moment("accepted"),
    _moment("resolved"),
    _moment("closed"),
    Column("source", _words("status.source", "source"), width=10),
    _count("stars", "stars"),
    Column("solved", _solved, width=10),
    _count("reopened", "reopen_count"),
    _count("reworked", "rework_count"),
    Column("joined", _joined, width=10),
    Column("urged", _urged, width=10),
    Column("resolution", lambda report, _: report.resolution, width=50),
)
BY_NAME = {column.name: column for column in COLUMNS}
# What everybody starts with; beside them stands what it is about, with its number.
USUAL = ("photo", "place", "unit", "status", "clock")
# What that one cell of a page says, as columns of a file.
HEAD = ("number", "category", "urgency", "description", "submitted", "source")
# Words that people have written: a file holds them without what points to a person.
WRITTEN = frozenset({"description", "place", "resolution"})


def read(names: Sequence[str]) -> tuple[str, ...]:
    """Those of these names that are columns, each once, in the order given."""
    return tuple(dict.fromkeys(name for name in names if name in BY_NAME))
