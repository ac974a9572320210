"""Whether somebody who checks a report stands where it is. The distance is kept, never where they stand."""

from __future__ import annotations

from typing import Any, cast

from district.geo.measure import metres_between
from district.reference import reference
from district.reports.models import Report

# Where the district says nothing (setting `limits.verify_metres`): a phone between houses is off by tens of metres.
DEFAULT_VERIFY_METRES = 200


def limit_m() -> int:
    """From how many metres on a check counts as made from afar."""
    return int(reference().setting("limits.verify_metres", DEFAULT_VERIFY_METRES))


def distance(stands: tuple[float | None, float | None], at: tuple[float | None, float | None]) -> int | None:
    """Metres from where somebody stands to a place, both latitude and longitude in WGS-84; None if one is unknown."""
    if None in stands or None in at:
        return None
    return round(metres_between(*cast("tuple[float, float]", stands), *cast("tuple[float, float]", at)))


def measured(report: Report, latitude: float | None, longitude: float | None) -> dict[str, Any]:
    """What the history keeps of a place given in WGS-84 degrees: `metres`, and `far` beyond the limit; {} for none."""
    metres = distance((latitude, longitude), (report.latitude, report.longitude))
    if metres is None:
        return {}
    return {"metres": metres} | ({"far": True} if metres > limit_m() else {})
