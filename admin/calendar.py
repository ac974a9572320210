"""The working calendar: holidays and make-up days, and the warning when a year is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import can, me, pages
from district import clock
from district.deadlines import service as deadlines
from district.deadlines import table
from district.errors import BadInput
from district.extensions import db
from district.messages import t
from district.people.models import Staff
from district.people.roles import Role
from district.reference import forget, reference
from district.work import unit_of_work

_WARNED = frozenset({Role.DISPATCHER, Role.SHIFT_LEAD, Role.INSPECTOR, Role.LEADER})


@pages.get("/calendar")
def calendar() -> ResponseReturnValue:
    """One year's days; the present one unless another is asked for."""
    return _page({}, {})


@pages.post("/calendar/add")
def add_day() -> ResponseReturnValue:
    """A day, or several in a row."""
    given = request.form
    first = _day(given.get("day", ""))
    try:
        with unit_of_work():
            table.add(
                db.session.get_one(Staff, me().id),
                first=first,
                last=_day(given.get("until", "")),
                kind=given.get("kind", ""),
                name=given.get("name", ""),
            )
    except BadInput as error:
        return _page(given.to_dict(), {name: t(key) for name, key in error.fields.items()}), 422
    return _done("saved", first.year if first else None)


@pages.post("/calendar/remove")
def remove_day() -> ResponseReturnValue:
    day = _day(request.form.get("day", ""))
    if day is not None:
        with unit_of_work():
            table.remove(db.session.get_one(Staff, me().id), day)
    return _done("removed", day.year if day else None)


@pages.post("/calendar/import")
def import_days() -> ResponseReturnValue:
    """A file, or its lines pasted; the years in it are replaced as a whole."""
    file = request.files.get("file")
    try:
        text = file.read(table.LARGEST_FILE * 4).decode("utf-8-sig", "replace") if file else ""
        text = text or request.form.get("text", "")
        if not text.strip():
            raise BadInput(fields={"file": "deadlines.problem.file_missing"})
        days = table.read(text)
        with unit_of_work():
            years = table.bring(db.session.get_one(Staff, me().id), days)
    except table.FileRefused as error:
        return _page(request.form.to_dict(), {"file": t(error.problem.key, line=error.problem.line)}), 422
    except BadInput as error:
        return _page(request.form.to_dict(), {name: t(key) for name, key in error.fields.items()}), 422
    return _done("imported", years[-1])


def _done(what: str, year: int | None) -> ResponseReturnValue:
    forget()
    flash(f"deadlines.calendar.{what}")
    return redirect(url_for("admin.calendar", year=year))


def _page(typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    today = clock.local_day(clock.now(), current_app.config["DISTRICT_TIMEZONE"])
    asked = request.args.get("year", "") or typed.get("year", "")
    year = int(asked) if asked.isdecimal() and 1 < len(asked) < 5 and int(asked) > 1900 else today.year
    known = table.years()
    working = deadlines.working_calendar()
    return render_template(
        "admin/calendar.html",
        year=year,
        years=sorted({*known, today.year, today.year + 1, year}, reverse=True),
        days=table.of_year(year),
        kinds=table.KINDS,
        hours=t("admin.between").join(f"{_clock_face(start)}-{_clock_face(end)}" for start, end in working.spans),
        weekdays=t("admin.between").join(t(f"deadlines.calendar.weekday_{day}") for day in sorted(working.weekdays)),
        may_edit=can("add_day"),
        typed=typed,
        errors=errors,
    )


def _clock_face(since_midnight: Any) -> str:
    minutes = int(since_midnight.total_seconds()) // 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def missing_years() -> list[int]:
    """Years whose holidays should be known by now: the panel warns those who can do something about it."""
    if not (can("add_day") or me().roles & _WARNED):
        return []
    # Kept for as long as the reference data stays and the day lasts: every page asks.
    day = clock.local_day(clock.now(), current_app.config["DISTRICT_TIMEZONE"])
    return reference().once(f"deadlines.missing {day}", lambda _: deadlines.missing_years(clock.now()))


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"missing_years": missing_years}
