"""The figures: by unit, street or category, for a period; the reports behind each; a workbook to take along."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from flask import current_app, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from admin.guard import me, pages
from admin.showing import area_name, category_name, unit_name
from district import audit, clock
from district.errors import NotAllowed, NotFound
from district.extensions import db
from district.messages import t
from district.numbers import figures, periods, scale, service, workbook
from district.numbers.figures import BY_CODE, FIGURES, Dimension, Row, Shape, Value
from district.numbers.periods import Kind, Period
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reference import held_reference, reference
from district.reports import sight
from district.reports.sight import Sight
from district.work import unit_of_work

_SEES_ALL = frozenset({Role.ADMINISTRATOR, Role.LEADER, Role.INSPECTOR, Role.SHIFT_LEAD})
# How many periods the course shows.
_COURSE = {Kind.DAY: 14, Kind.WEEK: 12, Kind.DEKAD: 12, Kind.MONTH: 12, Kind.YEAR: 5}
_DRAWN = ("received", "closed", "overdue")
_HEADLINE = (
    "received", "closed", "on_time_share", "overdue", "response_share", "solved_share", "satisfied_share", "median",
)  # fmt: skip
_PAGE = 50


@dataclass(frozen=True)
class _Asked:
    """What somebody wants to see. seen: of which units and streets. sort: a figure's code."""

    period: Period
    today: date
    dimension: Dimension
    seen: Sight
    sort: str
    is_upwards: bool

    def address(self, **changes: str | None) -> dict[str, str]:
        """The query of a page like this one, with changes."""
        values: dict[str, str | None] = {
            "kind": self.period.kind, "on": self.period.first.isoformat(), "by": self.dimension, "sort": self.sort,
            "up": "1" if self.is_upwards else None,
        }  # fmt: skip
        return {name: value for name, value in (values | changes).items() if value}


@dataclass(frozen=True)
class _Line:
    """A row of the table, with the same figures in the period before."""

    key: str
    name: str
    values: tuple[tuple[Value, Value], ...]


@pages.get("/numbers")
def numbers() -> ResponseReturnValue:
    """One period, one way to divide it, every figure beside the period before."""
    asked = _asked()
    with held_reference():
        whole, lines, of_district = _table(asked)
    headline = {now.figure.code: (now, before) for now, before in whole.values}
    row = periods.row_of(asked.period, _COURSE[asked.period.kind])
    course = list(zip(row, figures.course(row, asked.seen, [BY_CODE[code] for code in _DRAWN]), strict=True))
    return render_template(
        "admin/numbers.html",
        asked=asked,
        kinds=list(Kind),
        dimensions=list(Dimension) if asked.seen.units is None else [Dimension.UNIT],
        headline=[headline[code] for code in _HEADLINE],
        whole=whole,
        lines=lines,
        of_district=None if asked.seen.is_whole else of_district,
        figures=FIGURES,
        course=[(one, {code: found.value(BY_CODE[code]) for code in _DRAWN}) for one, found in course],
        chart={
            "labels": [_short(one) for one, _ in course],
            "lines": [
                {
                    "name": t(f"numbers.figure.{code}.name"),
                    "of": code,
                    "values": [found.value(BY_CODE[code]).value for _, found in course],
                }
                for code in _DRAWN
            ],
        },
        drawn=_DRAWN,
        terms=service.terms(),
        counted_at=service.counted_at(),
        error=scale.ERROR,
        words=words,
        cells=_Cells(asked),
        period_words=period_words,
    )


@pages.get("/numbers/behind/<figure>")
def numbers_behind(figure: str) -> ResponseReturnValue:
    """The reports that a number is made of."""
    asked, found = _asked(), BY_CODE.get(figure)
    if found is None:
        raise NotFound()
    key = request.args.get("key")
    page = figures.behind(
        found, asked.period, asked.seen, dimension=None if key is None else asked.dimension, key=key or "",
        after=request.args.get("after", ""), limit=_PAGE,
    )  # fmt: skip
    units = sight.visible_units(me())
    following = ""
    if page.next_after:
        more = asked.address(sort=None, up=None, key=key, after=page.next_after)
        following = f"{url_for('admin.numbers_behind', figure=figure)}?{urlencode(more)}"
    shown: dict[str, Any] = {
        "figure": found,
        "entries": [(one, units is None or one.unit_id in units) for one in page.entries],
        "following": following,
        "span_words": span_words,
    }
    if request.headers.get("HX-Target") == "more":
        return render_template("admin/_numbers_rows.html", **shown)
    return render_template(
        "admin/numbers_behind.html",
        asked=asked,
        name=t("numbers.page.whole") if key is None else _name(asked.dimension, key),
        period_words=period_words,
        **shown,
    )


@pages.get("/numbers/workbook")
def numbers_workbook() -> ResponseReturnValue:
    """The table as a workbook for a spreadsheet, with what each figure means."""
    asked = _asked()
    whole, lines, _ = _table(asked)
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        audit.record(
            by, "figures.export", f"numbers:{asked.dimension}", period=f"{asked.period.first}/{asked.period.last}"
        )
    made = workbook.make(
        t("numbers.workbook.title", period=period_words(asked.period)),
        t(f"numbers.by.{asked.dimension}"),
        [(line.name, [now for now, _ in line.values]) for line in (whole, *lines)],
        response_hours=service.terms().response_hours,
        satisfied_stars=service.terms().satisfied_stars,
    )
    name = f"{t('numbers.workbook.file')}-{asked.dimension}-{asked.period.first:%Y%m%d}-{asked.period.last:%Y%m%d}.xlsx"
    return send_file(made, mimetype=workbook.MIME, as_attachment=True, download_name=name)


def _asked() -> _Asked:
    seen = seen_by(me())
    given = request.args.get
    by = Dimension(given("by", "")) if seen.units is None and given("by") in set(Dimension) else Dimension.UNIT
    sort = given("sort", "") if given("sort") in BY_CODE else "received"
    return _Asked(asked_period(), _today(), by, seen, sort, given("up") == "1")


def _today() -> date:
    return clock.local_day(clock.now(), current_app.config["DISTRICT_TIMEZONE"])


def asked_period() -> Period:
    """The period that the address names (`kind`, and `on`: a day in it); this month where it names none."""
    given, today = request.args.get, _today()
    kind = Kind(given("kind", "")) if given("kind") in set(Kind) else Kind.MONTH
    try:
        on = min(date.fromisoformat(given("on", "")), today)
    except ValueError:
        on = today
    return periods.period(kind, max(on, date(2000, 1, 1)))


def seen_by(staff: Staff) -> Sight:
    """How far somebody's figures go: for who works in a unit theirs and those below it, within their limits."""
    seen = sight.sight_of(staff)
    if staff.roles & _SEES_ALL:
        return seen
    if not staff.roles & sight.OF_A_UNIT:
        raise NotAllowed()
    own = frozenset(unit_and_below(staff.unit_id))
    return replace(seen, units=own if seen.units is None else own & seen.units)


def _table(asked: _Asked) -> tuple[_Line, list[_Line], _Line]:
    """The whole of what somebody sees, a line for each part of it, and the whole district."""
    found = figures.table(asked.period, asked.dimension, asked.seen)
    lines = [
        _line(_name(asked.dimension, key), row, found.before.get(key, Row(key))) for key, row in found.rows.items()
    ]
    place = FIGURES.index(BY_CODE[asked.sort])

    def order(line: _Line) -> tuple[bool, float, str]:
        value = line.values[place][0].value
        return value is None, (value or 0) * (1 if asked.is_upwards else -1), line.name

    whole = _line(t("numbers.page.whole"), *found.whole)
    return whole, sorted(lines, key=order), _line(t("numbers.page.district"), *found.district)


def _line(name: str, now: Row, before: Row) -> _Line:
    return _Line(now.key, name, tuple(zip(now.values(), before.values(), strict=True)))


class _Cells:
    """Writes a figure as it stands in the table, with what has changed since the period before.

    Not a template's: a table by category has three thousand of them. What is put into the text is escaped here: words
    of the catalogue, addresses, and numbers as this file writes them.
    """

    def __init__(self, asked: _Asked) -> None:
        rest = escape(urlencode(asked.address(sort=None, up=None)))
        addresses = {one.code: escape(url_for("admin.numbers_behind", figure=one.code)) for one in FIGURES}
        self._links = {code: f'<a class="number" href="{address}?' for code, address in addresses.items()}
        self._rest = f'{rest}">'
        self._too_few = f'<span class="faint too-few">{escape(t("numbers.page.too_few"))}</span>'
        self._of = f'<small class="of number">{escape(t("numbers.page.from_of", top="{top}", of="{of}"))}</small>'
        self._points = str(escape(t("numbers.page.points", n="{n}")))
        self._moved = {(up, better): _moved(up, better) for up in (True, False) for better in (None, True, False)}
        self._spans: dict[float, str] = {}

    def __call__(self, now: Value, before: Value) -> Markup:
        """A figure of the whole, where it stands alone."""
        return Markup(self._cell(now, before, "", True))  # noqa: S704 - each part is escaped

    def line(self, values: Iterable[tuple[Value, Value]], key: str | None = None, *, link: bool = True) -> Markup:
        """A line's cells. key: of the line, None for the whole. link: whether its numbers lead to their reports."""
        own = "" if key is None else f"key={quote(key)}&amp;"
        cells = [self._cell(now, before, own, link) for now, before in values]
        inner = '</td><td class="right">'.join(cells)
        return Markup(f'<td class="right">{inner}</td>')  # noqa: S704 - each part is escaped

    def _cell(self, now: Value, before: Value, own: str, link: bool) -> str:
        figure, value, top, of = now
        if value is None:
            shown = self._too_few
        else:
            said = self._words(figure.shape, value)
            if link and top:
                shown = f"{self._links[figure.code]}{own}{self._rest}{said}</a>"
            else:
                shown = f'<span class="number{"" if top else " faint"}">{said}</span>'
            if figure.shape is Shape.SHARE:
                shown += self._of.format(top=top, of=of)
        if value is None or before.value is None or value == before.value:
            return shown
        more = value - before.value
        moved = self._difference(figure.shape, abs(more))
        if not moved:
            return shown
        better = None if figure.good is None else (more > 0) == figure.good
        return f"{shown}{self._moved[more > 0, better]}{moved}</small>"

    def _words(self, shape: Shape, value: float) -> str:
        """A value as people read it."""
        if shape is Shape.COUNT:
            return f"{int(value):,}"
        return f"{value:.1%}" if shape is Shape.SHARE else self._span(value)

    def _difference(self, shape: Shape, by: float) -> str:
        """By how much a value has changed; "" where that is nothing to speak of."""
        if shape is Shape.COUNT:
            return f"{int(by):,}"
        if shape is Shape.SHARE:
            return self._points.format(n=f"{by * 100:.1f}") if round(by, 3) else ""
        return self._span(by) if by >= scale.FIRST_S else ""

    def _span(self, seconds: float) -> str:
        # Times are steps of a scale: the same ones come again and again.
        known = self._spans.get(seconds)
        if known is None:
            known = self._spans[seconds] = str(escape(span_words(seconds)))
        return known


def _moved(up: bool, better: bool | None) -> str:
    """How a change begins: its arrow, and for who hears it what the arrow and the colour say."""
    looks, says = "", t("numbers.page.up" if up else "numbers.page.down")
    if better is not None:
        looks = " is-better" if better else " is-worse"
        says += ", " + t("numbers.page.better" if better else "numbers.page.worse")
    return (
        f'<small class="delta{looks}"><span aria-hidden="true">{"▲" if up else "▼"}</span>'
        f'<span class="visually-hidden">{escape(says)} </span>'
    )


def _name(dimension: Dimension, key: str) -> str:
    if not key:
        return t(f"numbers.nothing.{dimension}")
    if dimension is Dimension.STREET:
        return area_name(key) or key
    number = int(key) if key.isascii() and key.isdecimal() and len(key) < 19 else -1
    if dimension is Dimension.UNIT:
        return unit_name(number) or key
    category = reference().categories_by_id.get(number)
    return category_name(category) if category else key


def _short(period: Period) -> str:
    """A period below a chart."""
    if period.kind is Kind.YEAR:
        return f"{period.first:%Y}"
    return f"{period.first:%Y-%m}" if period.kind is Kind.MONTH else f"{period.first:%m-%d}"


def words(value: Value) -> str:
    """A figure's value as people read it; "" when there is too little to say."""
    if value.value is None:
        return ""
    if value.figure.shape is Shape.COUNT:
        return f"{int(value.value):,}"
    return f"{value.value:.1%}" if value.figure.shape is Shape.SHARE else span_words(value.value)


def span_words(seconds: float) -> str:
    """A length of time: minutes under an hour, hours under two days, days."""
    if seconds < 3600:
        return t("numbers.span.minutes", n=max(1, round(seconds / 60)))
    if seconds < 2 * 86400:
        return t("numbers.span.hours", n=f"{seconds / 3600:.1f}")
    return t("numbers.span.days", n=f"{seconds / 86400:.1f}")


def period_words(period: Period) -> str:
    """A period in words: `2026-11`, `2026-11 first ten days`, `2026-11-23 to 29`."""
    first, last = period.first, period.last
    if period.kind is Kind.YEAR:
        return t("numbers.period.year", year=first.year)
    if period.kind is Kind.MONTH:
        return t("numbers.period.month", year=first.year, month=first.month)
    if period.kind is Kind.DEKAD:
        part = ("first", "middle", "last")[(first.day - 1) // 10]
        return t(f"numbers.period.dekad_{part}", year=first.year, month=first.month)
    if period.kind is Kind.WEEK:
        return t("numbers.period.week", first=first.isoformat(), last=f"{last:%m-%d}")
    return first.isoformat()
