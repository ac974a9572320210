"""Labels on a report: the form on its page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import can, me, pages
from admin.report_page import reachable
from district.extensions import db
from district.people.models import Staff
from district.tags import service as tags
from district.tags.service import TagRef
from district.work import unit_of_work


@dataclass(frozen=True)
class Labels:
    """What the page of a report shows: the tags it has, and those this person may put on or take off."""

    on: Collection[TagRef]
    choices: Collection[TagRef]


@pages.post("/reports/<number>/tags")
def set_tags(number: str) -> ResponseReturnValue:
    """Put on what was ticked, take off what was not; what others did since the page was opened stays."""
    found = reachable(number)
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        tags.put(found.id, request.form.getlist("tag"), had=request.form.getlist("had"), by=by)
    flash("upkeep.tags.saved")
    return redirect(url_for("admin.report", number=found.number))


def labels_of(report_id: int) -> Labels:
    """For the page of a report."""
    on = tags.of_reports([report_id]).get(report_id, [])
    if not can("set_tags"):
        return Labels(on, [])
    offered = tags.offered()
    retired = [tag for tag in on if tag.is_retired]
    return Labels(on, [tag for tag in [*offered, *retired] if tags.may_set(me(), tag)])


@pages.context_processor
def _for_templates() -> dict[str, object]:
    return {"labels_of": labels_of}
