"""What is near a report: other open reports and facilities, for its map and, in words, beneath it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import jsonify, url_for
from flask.typing import ResponseReturnValue

from admin.guard import can, me, pages
from admin.report_page import reachable
from admin.showing import category_name
from district.facilities import queries as facilities
from district.facilities.models import Facility
from district.messages import t
from district.people.models import Staff
from district.reports import queries, sight
from district.reports.models import Report
from district.reports.states import WAITING_FOR_DISPATCH, Status

# Metres: what is shown as pins and dots, and what is named beneath the map.
_REPORTS_M, _FACILITIES_M, _NAMED_M = 500, 250, 100
_MOST_PINS, _MOST_NAMED = 60, 5


@dataclass(frozen=True)
class Around:
    """The nearest things, each with its distance in metres."""

    reports: list[tuple[Report, float]]
    facilities: list[tuple[Facility, float]]


def around(found: Report, staff: Staff) -> Around:
    if found.latitude is None or found.longitude is None:
        return Around([], [])
    return Around(
        _others(found, staff, _NAMED_M, _MOST_NAMED),
        facilities.near(found.latitude, found.longitude, metres=_NAMED_M, limit=_MOST_NAMED),
    )


@pages.get("/reports/<number>/around/reports.json")
def around_reports(number: str) -> ResponseReturnValue:
    """The pins of other open reports on its map."""
    found = reachable(number)
    pins = [
        {
            "latitude": report.latitude,
            "longitude": report.longitude,
            "title": category_name(report.category),
            "detail": f"{report.number} · {t(f'status.staff.{report.status}')}",
            "status": _pin(Status(report.status)),
            "url": url_for("admin.report", number=report.number),
            "link": t("incidents.show"),
        }
        for report, _ in _others(found, me(), _REPORTS_M, _MOST_PINS)
    ]
    return jsonify(reports=pins)


@pages.get("/reports/<number>/around/facilities.json")
def around_facilities(number: str) -> ResponseReturnValue:
    """The dots of facilities on its map."""
    found = reachable(number)
    if found.latitude is None or found.longitude is None:
        return jsonify(facilities=[])
    near = facilities.near(found.latitude, found.longitude, metres=_FACILITIES_M, limit=200)
    dots = [
        {
            "latitude": facility.latitude,
            "longitude": facility.longitude,
            "name": facility.name,
            "code": facility.code17,
            "url": url_for("admin.facility", code=facility.code17) if can("facility") else "",
        }
        for facility, _ in near
    ]
    return jsonify(facilities=dots)


def _others(found: Report, staff: Staff, metres: float, limit: int) -> list[tuple[Report, float]]:
    if found.latitude is None or found.longitude is None:
        return []
    near = queries.near(found.latitude, found.longitude, metres=metres, limit=limit + 1)
    return [pair for pair in near if pair[0].id != found.id and sight.may_see(staff, pair[0])][:limit]


def _pin(status: Status) -> str:
    return "open" if status in WAITING_FOR_DISPATCH else "solved" if status is Status.RESOLVED else "working"


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"around": lambda report: around(report, me())}
