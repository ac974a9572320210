"""How much of what the district looks after is in order, and what is repaired again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import floor
from typing import Any

from flask import render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from admin.guard import me, pages
from admin.numbers import asked_period, period_words, seen_by, span_words
from admin.showing import area_name, category_name, unit_name
from district import audit
from district.care import due, rates, repeated, workbook
from district.care.rates import Dimension, Line, Tally
from district.extensions import db
from district.facilities.models import Facility
from district.messages import t
from district.numbers.periods import Kind, Period
from district.people.models import Staff
from district.reference import reference
from district.reports.sight import Sight
from district.work import unit_of_work

_PAGE = 50
# More rows than this no workbook is read for.
_MOST_ROWS = 5000
# The columns of the table, after the names.
_COLUMNS = ("facilities", "faulty", "faults", "intact", "lights", "lit")


@dataclass(frozen=True)
class _Asked:
    period: Period
    dimension: Dimension
    seen: Sight
    times: int

    def address(self, **changes: Any) -> dict[str, Any]:
        """The query of a page like this one, with changes."""
        values = {
            "kind": self.period.kind, "on": self.period.first.isoformat(), "by": self.dimension,
            "times": self.times if self.times != repeated.OFTEN else None,
        }  # fmt: skip
        return {name: value for name, value in (values | changes).items() if value is not None}


def _asked() -> _Asked:
    by = request.args.get("by", "")
    times = request.args.get("times", default=repeated.OFTEN, type=int)
    return _Asked(
        asked_period(), Dimension(by) if by in set(Dimension) else Dimension.STREET, seen_by(me()),
        min(repeated.MOST, max(repeated.FEWEST, times)),
    )  # fmt: skip


# ---------------------------------------------------------------- in order, and lit


@pages.get("/care/rates")
def care_rates() -> ResponseReturnValue:
    """完好率 and 亮灯率 of a period by street, unit or type."""
    asked = _asked()
    whole, lines = _table(asked)
    return render_template(
        "admin/care_rates.html",
        asked=asked,
        whole=whole,
        lines=lines,
        dimensions=list(Dimension),
        least=rates.least(),
        **_period_parts(asked),
    )


@pages.get("/care/rates/behind")
def care_faults() -> ResponseReturnValue:
    """The facilities behind a share: those that were not in order, the longest first."""
    asked = _asked()
    key, only_lights = request.args.get("key"), request.args.get("lights") == "1"
    skip = max(0, request.args.get("skip", default=0, type=int))
    found = rates.faulty(
        asked.period, asked.seen, dimension=asked.dimension if key is not None else None, key=key or "",
        only_lights=only_lights,
    )  # fmt: skip
    shown = found[skip : skip + _PAGE]
    ids = [one.facility_id for one in shown]
    facilities = {row.id: row for row in db.session.scalars(select(Facility).where(Facility.id.in_(ids)))}
    return render_template(
        "admin/care_faults.html",
        asked=asked,
        name=t("numbers.page.whole") if key is None else _name(asked.dimension, key),
        rows=[(facilities[one.facility_id], one) for one in shown],
        count=len(found),
        following=url_for(
            "admin.care_faults", **asked.address(key=key, lights="1" if only_lights else None, skip=skip + _PAGE)
        )
        if len(found) > skip + _PAGE
        else "",
        only_lights=only_lights,
        span_words=span_words,
        period_words=period_words,
    )


@pages.get("/care/rates/workbook")
def care_workbook() -> ResponseReturnValue:
    """The table as a workbook, with what the figures mean."""
    asked = _asked()
    whole, lines = _table(asked)
    heads = [t(f"care.by.{asked.dimension}"), *(t(f"care.rates.{name}") for name in _COLUMNS)]
    rows = [[name, *_cells(line)] for name, line in [(t("numbers.page.whole"), whole), *lines]]
    meanings = [(t(f"care.rates.{name}"), t(f"care.means.{name}", least=rates.least())) for name in _COLUMNS]
    title = t("care.rates.title", period=period_words(asked.period))
    return _file(asked, f"care:{asked.dimension}", t("care.rates.file"), workbook.make(title, heads, rows, meanings))


def share_words(tally: Tally) -> str:
    """A share in percent, "" where there is too little to say. Never rounded up: only what had no fault has 100 %."""
    return "" if tally.share is None else f"{floor(tally.share * 10_000 + 1e-6) / 100:.2f}%"


def _cells(line: Line) -> list[int | float | None]:
    whole, lights = line.whole, line.lights
    return [whole.facilities, whole.faulty, whole.faults, whole.share, lights.facilities, lights.share]


def _table(asked: _Asked) -> tuple[Line, list[tuple[str, Line]]]:
    """The whole, and each part by its name, the worst first; too small ones last."""
    whole, found = rates.table(asked.period, asked.dimension, asked.seen)
    lines = [(_name(asked.dimension, key), line) for key, line in found.items()]

    def order(pair: tuple[str, Line]) -> tuple[bool, float, str]:
        share = pair[1].whole.share
        return share is None, share if share is not None else 0, pair[0]

    return whole, sorted(lines, key=order)


def _name(dimension: Dimension, key: str) -> str:
    if not key:
        return t("care.rates.none")
    if dimension is Dimension.STREET:
        return area_name(key) or key
    number = int(key) if key.isascii() and key.isdecimal() and len(key) < 19 else -1
    if dimension is Dimension.UNIT:
        return unit_name(number) or key
    return category_name(reference().facility_types_by_id.get(number)) or key


# ---------------------------------------------------------------- again and again


@pages.get("/care/repeated")
def often_repaired() -> ResponseReturnValue:
    """Facilities to which something happens again and again."""
    asked = _asked()
    skip = max(0, request.args.get("skip", default=0, type=int))
    found = _often(asked, skip, _PAGE + 1)
    return render_template(
        "admin/care_repeated.html",
        asked=asked,
        rows=found[:_PAGE],
        following=url_for("admin.often_repaired", **asked.address(skip=skip + _PAGE)) if len(found) > _PAGE else "",
        fewest=repeated.FEWEST,
        most=repeated.MOST,
        **_period_parts(asked),
    )


@pages.get("/care/repeated/workbook")
def often_workbook() -> ResponseReturnValue:
    """The same as a workbook."""
    asked = _asked()
    names = ("facility", "code", "type", "street", "unit", "reports", "reopened", "repairs", "total")
    rows: list[Sequence[Any]] = [
        (
            one.facility.name, one.facility.code17, category_name(one.facility.type),
            area_name(one.facility.area_code), one.facility.maintainer.name if one.facility.maintainer else "",
            one.reports, one.reopened, one.repairs, one.total,
        )
        for one in _often(asked, 0, _MOST_ROWS)
    ]  # fmt: skip
    title = t("care.repeated.title", period=period_words(asked.period), times=asked.times)
    meanings = [(t(f"care.repeated.{name}"), t(f"care.means.{name}")) for name in ("reports", "reopened", "repairs")]
    made = workbook.make(title, [t(f"care.repeated.{name}") for name in names], rows, meanings)
    return _file(asked, "care:repeated", t("care.repeated.file"), made)


def _often(asked: _Asked, skip: int, limit: int) -> list[repeated.Often]:
    since, until = rates.span_of(asked.period)
    return repeated.often_repaired(since, until, asked.seen, times=asked.times, skip=skip, limit=limit)


# ---------------------------------------------------------------- what both have


def _period_parts(asked: _Asked) -> dict[str, Any]:
    return {"kinds": list(Kind), "today": due.today(), "period_words": period_words, "share_words": share_words}


def _file(asked: _Asked, subject: str, called: str, made: BytesIO) -> ResponseReturnValue:
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        audit.record(by, "figures.export", subject, period=f"{asked.period.first}/{asked.period.last}")
    name = f"{called}-{asked.period.first:%Y%m%d}-{asked.period.last:%Y%m%d}.xlsx"
    return send_file(made, mimetype=workbook.MIME, as_attachment=True, download_name=name)
