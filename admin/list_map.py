"""The map beside the reports list: where its reports lie, as JSON."""

from __future__ import annotations

from typing import Any

from flask import jsonify, request, url_for
from flask.typing import ResponseReturnValue

from admin import inbox
from admin.filters import read_box
from admin.guard import me, pages
from admin.showing import category_name
from district.lists import map as listed
from district.messages import t
from district.reference import reference


@pages.get("/list-map.json")
def list_map() -> ResponseReturnValue:
    """The list of the address in cells, as far as `shown` (west,south,east,north) reaches."""
    asked = inbox.read(request.args, me())
    found = listed.spots(asked.filters, read_box(request.args.get("shown", "")))
    extent = found.extent
    return jsonify(
        spots=[_spot(spot) for spot in found.spots],
        extent=[extent.west, extent.south, extent.east, extent.north] if extent else None,
        note=t("lists.map.part", n=listed.MOST_REPORTS) if found.is_part else "",
    )


def _spot(spot: listed.Spot) -> dict[str, Any]:
    kind = "critical" if spot.critical else "urgent" if spot.urgent else "normal"
    shown: dict[str, Any] = {
        # Five digits are about a metre.
        "latitude": round(spot.latitude, 5),
        "longitude": round(spot.longitude, 5),
        "count": spot.count,
        "kind": kind,
    }
    if not spot.number:
        return shown | {"words": t("lists.map.many", n=spot.count)}
    category = reference().categories_by_id.get(spot.category_id or 0)
    return shown | {
        "number": spot.number,
        "words": category_name(category),
        "url": url_for("admin.report", number=spot.number),
    }
