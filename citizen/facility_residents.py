"""What residents see on a facility's page: what is reported, what its last year was like, where the next one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app, request

from citizen import joining, own, showing
from district.facilities import queries as facility_lists
from district.facilities.models import Facility
from district.geo import map_links
from district.messages import t
from district.reference import reference
from district.reports import at_facility
from district.reports.models import Report

# What people walk to: further than this the next one is no help.
WALK_M = 3000
# Amap's and Tencent's addresses open in every browser, WeChat's included.
_APPS = ("amap", "tencent")


@dataclass(frozen=True)
class Here:
    """An open report as others see it. what: the usual problem it is about, or its category."""

    report: Report
    what: str
    problem: str
    state: showing.PlainState
    is_mine: bool
    is_joined: bool


@dataclass(frozen=True)
class Nearest:
    """Another facility of its kind: how far, which way, and ways there."""

    name: str
    address: str
    where: str
    links: Sequence[map_links.MapLink]


def shown(facility: Facility, open_reports: Sequence[Report]) -> dict[str, Any]:
    """What the residents' half of the page is drawn from."""
    return {
        "here": here(facility, open_reports),
        "last_year": at_facility.last_year(facility.id),
        "fix_words": lambda fix: _fix_words(facility, fix),
        "nearest": _nearest(facility),
    }


def here(facility: Facility, open_reports: Sequence[Report]) -> list[Here]:
    """The open reports that everybody may see, and one's own."""
    joined = joining.numbers()
    found = []
    for report in open_reports:
        is_mine = own.key_of(report) is not None
        if not is_mine and not showing.is_public(report):
            continue
        problem = _problem(facility, report.description)
        what = problem or showing.category_name(showing.category_of(report))
        is_joined = showing.joined(report).number in joined or report.number in joined
        found.append(Here(report, what, problem, showing.plain_state(report), is_mine, is_joined))
    return found


def alike(facility: Facility, open_reports: Sequence[Report], problem: str, category_code: str) -> list[Here]:
    """Those that may be what somebody is about to report: of the same category, the very same problem first."""
    category = reference().categories_by_code.get(category_code)
    wanted = category.id if category is not None else None
    found = [
        one
        for one in here(facility, open_reports)
        if one.problem == problem or one.report.category_id in (None, wanted)
    ]
    return sorted(found, key=lambda one: one.problem != problem)


def _problem(facility: Facility, description: str) -> str:
    kind = reference().facility_types_by_id.get(facility.type_id)
    things = (kind.name, kind.name_en.replace("_", " ").capitalize()) if kind is not None else ()
    return at_facility.usual_problem(description, facility.type.problems, things)


def _fix_words(facility: Facility, fix: at_facility.Fix) -> str:
    """One line of the history: when it was reported, what, and how soon it was good again."""
    zone = ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])
    days = (fix.fixed_at.astimezone(zone).date() - fix.reported_at.astimezone(zone).date()).days
    category = reference().categories_by_id.get(fix.category_id) if fix.category_id is not None else None
    what = _problem(facility, fix.description) or showing.category_name(category)
    key = "same_day" if days <= 0 else "next_day" if days == 1 else "days"
    day = showing.moment_text(fix.reported_at, "day")
    return t(f"citizen.facility.fixed_{key}", day=day, what=what, days=days)


def _nearest(facility: Facility) -> list[Nearest]:
    """The next ones of its kind, where the district says that people look for one (`facilities.alternatives`)."""
    if facility.type.code not in reference().setting("facilities.alternatives", []):
        return []
    place = (facility.latitude, facility.longitude)
    is_apple = any(name in request.user_agent.string for name in ("iPhone", "iPad"))
    found = []
    for other, metres in facility_lists.alternatives(facility, metres=WALK_M):
        way = map_links.direction(place, (other.latitude, other.longitude))
        links = map_links.walking(other.latitude, other.longitude, other.name, is_apple=is_apple)
        where = t("citizen.facility.where", direction=t(f"citizen.facility.to_{way}"), far=_far(metres))
        found.append(Nearest(other.name, other.address, where, [link for link in links if link.app in _APPS]))
    return found


def _far(metres: float) -> str:
    """A distance as people say it: tens of metres, then tenths of a kilometre."""
    if metres < 1000:
        return t("citizen.facility.metres", n=max(10, int(round(metres, -1))))
    return t("citizen.facility.kilometres", n=f"{metres / 1000:.1f}")
