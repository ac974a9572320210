"""One screen for the district: the wall display, which nobody touches, and its twin, where every number leads on."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from flask import Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import me, pages
from admin.inbox import tab_names
from admin.showing import area_name, span, unit_name, zone
from district import clock
from district.messages import t
from district.overview import figures
from district.overview.figures import Day, Flow, Item, Load, Overview
from district.reference import reference
from district.reports.sight import Sight, sight_of

# The parts that are renewed one by one; the map has its own data.
PARTS = ("tiles", "units", "streets", "pressing", "oldest", "ratings", "trend", "ticker")
WALL = "wall"
# How many units, streets and reports fit, and how wide the drawing of days is.
_FIT_WALL, _FIT_TWIN = (6, 5, 5, 1000), (12, 12, 8, 560)
# A telephone number that somebody typed into an address must not hang on a wall.
_LONG_NUMBER = re.compile(r"\d[\d\s-]{5,}\d")


@pages.get("/wall")
def wall() -> ResponseReturnValue:
    """The display for a screen of 1920 x 1080; `?interactive=1` is the twin."""
    if request.args.get("interactive") == "1":
        return overview()
    return wall_page(url_for("admin.overview_data", view=WALL), sight_of(me()))


@pages.get("/district")
def overview() -> ResponseReturnValue:
    """The interactive twin: of the whole district, or of their own unit for those who work in one."""
    shown = _shown(sight_of(me()), links=True)
    return render_template("admin/overview.html", source=url_for("admin.overview_data"), **shown)


@pages.get("/district/data.json")
def overview_data() -> ResponseReturnValue:
    """What either screen asks for again and again."""
    return answer(sight_of(me()), wall=request.args.get("view") == WALL)


def wall_page(source: str, sight: Sight) -> str:
    """The wall display that renews itself from `source`. Names nobody, logged in or not."""
    return render_template("admin/wall.html", source=source, **_shown(sight, links=False))


def answer(sight: Sight, *, wall: bool) -> Response:
    """The parts of a screen as JSON, with an ETag: what has not changed is not sent again."""
    shown = _shown(sight, links=not wall)
    parts = {name: render_template("admin/_overview_part.html", part=name, **shown) for name in PARTS}
    body = json.dumps({"parts": parts, "cells": shown["cells"]}, ensure_ascii=False, separators=(",", ":"))
    response = Response(body, mimetype="application/json")
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:24])
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Accept-Language")
    response.vary.add("Cookie")
    response.make_conditional(request)
    return response


def _shown(sight: Sight, *, links: bool) -> dict[str, Any]:
    seen = figures.look(sight)
    # Somebody of a unit has no pile of everything: a number leads on only where its list is.
    tabs = frozenset(tab_names(me())) if links else frozenset[str]()

    def to(tab: str, **filters: str) -> str:
        return f"{url_for('admin.inbox')}?{urlencode({'tab': tab, **filters})}" if tab in tabs else ""

    most_units, most_streets, most_items, width = _FIT_TWIN if links else _FIT_WALL
    return {
        "address": _address,
        "cells": [asdict(cell) | {"url": _report(cell.oldest)} if links else _plain(cell) for cell in seen.cells],
        "compared": _compared,
        "days": _Bars(seen.days, width),
        "day_words": _day_words,
        "is_whole": sight.is_whole,
        "late": _late,
        "links": links,
        "loads_of": _loads(seen, sight.units, most_units, most_streets),
        "most_items": most_items,
        "report_address": _report if links else lambda number: "",
        "seen": seen,
        "since_words": lambda moment: span(clock.now() - moment),
        "to": to,
    }


def _plain(cell: figures.Cell) -> dict[str, Any]:
    return {name: value for name, value in asdict(cell).items() if name != "oldest"}


def _report(number: str) -> str:
    return url_for("admin.report", number=number)


def _address(item: Item | figures.Emergency) -> str:
    """Where it is, fit for a screen that everybody in the room reads."""
    street = area_name(item.area_code) if isinstance(item, Item) else ""
    return _LONG_NUMBER.sub("…", item.address).strip()[:60] or street or t("overview.no_place")


def _late(item: Item) -> str:
    """How long it is overdue, in words."""
    return t("admin.clock.late", span=span(clock.now() - item.due))


def _compared(flow: Flow) -> str:
    """Today against the same hours of the same day last week."""
    difference = flow.today - flow.last_week
    key = "more" if difference > 0 else "fewer" if difference < 0 else "same"
    return t(f"overview.compared.{key}", n=abs(difference))


def _day_words(day: Day) -> str:
    return f"{day.day.month}/{day.day.day}"


def _loads(
    seen: Overview, units: frozenset[int] | None, most_units: int, most_streets: int
) -> dict[str, list[tuple[Load, str, dict[str, str]]]]:
    """Units and streets with their names and the filter of their list."""
    ref = reference()
    of_units = [
        (load, unit_name(int(load.key)), {"unit": ref.units_by_id[int(load.key)].code})
        for load in seen.units
        if load.key is not None and int(load.key) in ref.units_by_id and (units is None or load.key in units)
    ]
    of_streets = [
        (load, area_name(str(load.key)), {"area": str(load.key)}) for load in seen.streets if area_name(str(load.key))
    ]
    return {"units": of_units[:most_units], "streets": of_streets[:most_streets]}


class _Bars:
    """The trend of the last days as a drawing, 130 high with its ground at 108: two bars a day."""

    def __init__(self, days: list[Day], width: int) -> None:
        self.days, self.width = days, width
        self.top = _round_up(max([1, *(max(day.received, day.closed) for day in days)]))
        self.step = width / max(1, len(days))
        self.bar = round(self.step * 0.36, 1)

    def x(self, index: int, part: float) -> float:
        """Where a part (0 to 1) of a day's width begins."""
        return round((index + part) * self.step, 1)

    def height(self, count: int) -> float:
        return round(count / self.top * 90, 1)

    @property
    def received(self) -> int:
        return sum(day.received for day in self.days)

    @property
    def closed(self) -> int:
        return sum(day.closed for day in self.days)


def _round_up(number: int) -> int:
    """The next round number: 1, 2, 5, 10, 20, 50, ..."""
    size = 1
    while True:
        for step in (1, 2, 5):
            if number <= step * size:
                return step * size
        size *= 10


def today_words() -> str:
    """The date of the district as people read it."""
    today = clock.now().astimezone(zone())
    weekday = t(f"overview.weekday.{today.isoweekday()}")
    return t("overview.today", year=today.year, month=today.month, day=today.day, weekday=weekday)


@pages.context_processor
def _for_overview() -> dict[str, Any]:
    return {"rated_days": figures.RATED_DAYS, "today_words": today_words, "trend_days": figures.TREND_DAYS}
