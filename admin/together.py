"""Two people on one report see each other, and what either has changed."""

from __future__ import annotations

import re
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from admin.guard import me, pages
from admin.showing import line_of
from district.errors import NotFound
from district.reports import presence, queries, sight
from district.reports import service as reports

_CALL = re.compile(r"@[^\s@，。；、：！？,.;:!?]{1,40}")


@pages.post("/reports/<number>/here")
def here(number: str) -> ResponseReturnValue:
    """What an open page says now and then; who else has it open, and what others did since it was loaded."""
    found = reports.find(number)
    if not sight.may_see(me(), found):
        raise NotFound("errors.report_unknown")
    given = request.form
    if given.get("left"):
        presence.leave(found.id, me().id)
        return "", 204
    seen = given.get("seen", "")
    since = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 19 else 0
    newer = queries.events_since(found.id, since) if since else []
    return render_template(
        "admin/_here.html",
        report=found,
        others=presence.beat(found.id, me().id, given.get("doing", "")),
        newer=[line_of(event) for event in newer if event.staff_id != me().id][-3:],
        is_writing=bool(given.get("doing")),
    )


def calls_marked(note: str) -> Markup:
    """An internal note with the names it calls in bold."""
    made, at = Markup(""), 0
    for found in _CALL.finditer(note):
        made += escape(note[at : found.start()]) + Markup("<b>{}</b>").format(found[0])
        at = found.end()
    return made + escape(note[at:])


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"calls_marked": calls_marked}
