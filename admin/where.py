"""“Where would this go?”: the understanding and the rules, tried on words that are not filed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from admin.actions import degrees
from admin.guard import pages
from admin.inbox import choices
from admin.showing import zone
from district.errors import BadInput, NotFound
from district.reference import reference
from district.routing import story
from district.routing.service import Considered, consider

_LONGEST = 2000


@pages.get("/where")
def try_route() -> ResponseReturnValue:
    return _page({}, {})


@pages.post("/where")
def tried_route() -> ResponseReturnValue:
    """The answer beside the form. A POST, so that nobody's words stand in an address; nothing is written."""
    given = request.form
    typed = {name: given.get(name, "").strip() for name in ("text", "category", "facility", "address", "at")}
    typed |= {name: given.get(name, "") for name in ("latitude", "longitude", "place_source")}
    try:
        if not typed["text"] and not typed["category"] and not typed["facility"]:
            raise BadInput(fields={"text": "errors.description_missing"})
        considered = consider(
            # The place's words are part of what a resident says, unless a point was chosen.
            " ".join(part for part in (typed["text"], "" if typed["latitude"] else typed["address"]) if part)[
                :_LONGEST
            ],
            degrees(typed["latitude"]),
            degrees(typed["longitude"]),
            typed["facility"] or None,
            typed["category"] or None,
            _moment(typed["at"]),
        )
    except BadInput as error:
        return _page(typed, error.fields), 422
    except NotFound as error:
        field = "facility" if error.key == "errors.facility_unknown" else "category"
        return _page(typed, {field: error.key}), 422
    return _page(typed, {}, considered)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone())
    except ValueError:
        raise BadInput(fields={"at": "errors.bad_input"}) from None


def _page(typed: Mapping[str, str], errors: Mapping[str, str], considered: Considered | None = None) -> str:
    shown: dict[str, Any] = {}
    if considered is not None:
        decision = considered.decision
        ref = reference()
        shown = {
            "considered": considered,
            "decision": decision,
            "unit": ref.units_by_code.get(decision.unit or ""),
            "story": story.short(decision.trace, considered.inputs),
            "steps": story.tell(decision.trace),
            "category": ref.categories_by_code.get(considered.inputs.get("category") or ""),
        }
    return render_template("admin/where.html", typed=typed, errors=errors, majors=choices()["majors"], **shown)
