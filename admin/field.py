"""Field mode: the work that waits outside, on a phone. Where somebody stands never leaves the phone for the list."""

from __future__ import annotations

import re
import secrets
from typing import Any

from flask import current_app, flash, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

from admin.actions import VERBS, Sent, uploads
from admin.guard import me, pages
from admin.report_page import reachable
from admin.showing import category_name
from district.bulk import service as sendings
from district.errors import BadInput, DistrictError, NotAllowed, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.frame.http import status_of
from district.geo.map_links import MapLink, walking
from district.messages import speaking, t
from district.people.models import Staff
from district.reports import errands, photos, queries, sight, spot
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Action
from district.work import unit_of_work

# What may be done here, and the sentences that are ready for it; the first is chosen already.
PHRASES: dict[Action, tuple[str, ...]] = {
    Action.RESOLVE: ("fixed", "replaced", "cleaned", "safe"),
    Action.VERIFY: ("good",),
    Action.REFUSE_VERIFICATION: ("untouched", "half", "again"),
}
# Made by the phone for one act, so that it is done once however often it is sent.
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{16,36}")


@pages.get("/field")
def field() -> ResponseReturnValue:
    """My errands as cards; the phone puts the nearest first when it may know where it is."""
    found = errands.errands_of(me())
    return render_template(
        "admin/field.html",
        errands=found,
        login_ends_at=int(session["since"] + current_app.permanent_session_lifetime.total_seconds()),
        map_links=map_links,
        new_id=lambda: secrets.token_urlsafe(18),
        phrases=PHRASES,
        refuse=Action.REFUSE_VERIFICATION,
        spot_limit=spot.limit_m(),
        thumbs=queries.thumbs([errand.report for errand in found]),
        verify=Action.VERIFY,
    )


@pages.get("/field/ready")
def field_ready() -> ResponseReturnValue:
    """Who is logged in, and the token of their forms: asked before something that has waited is sent."""
    return jsonify(staff=me().id, csrf=generate_csrf())


@pages.post("/field/<number>/<action>")
def field_act(number: str, action: str) -> ResponseReturnValue:
    """Fix or check with pictures, at once or when the network is back; a repeat changes nothing and is thanked for."""
    wanted = next((one for one in PHRASES if one == action), None)
    found = reachable(number)
    if request.form.get("staff") != str(me().id):
        # Another person's work, done on the same phone before this login: theirs to send.
        return _of_somebody_else()
    client_id = request.form.get("client_id", "")
    report_id, number = found.id, found.number
    try:
        if wanted is None or not _CLIENT_ID.fullmatch(client_id):
            raise BadInput()
        pictures = [photos.prepare(content) for content in uploads()]
        for picture in pictures:
            photos.keep(picture)
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            report = reports.lock(report_id)
            if not sight.may_see(by, report):
                raise NotFound("errors.report_unknown")
            # Under the report's lock: of two sendings at once the second finds what the first has noted.
            sending = sendings.begin(f"fld-{client_id}", wanted, by=by)
            if number not in sending.results:
                if errands.has_moved(report, Sent(request.form).number("seen") or 0):
                    raise StaleVersion()
                fields = request.form.copy()
                fields["note"] = _note(wanted, report)
                added = [photos.add_uploaded(picture, staff=by).id for picture in pictures]
                VERBS[wanted](report, by, Sent(fields, added))
                sendings.note(sending, number)
    except (BadInput, WrongState, NotAllowed) as error:
        return _refused(error)
    if _wants_json():
        return jsonify(done=True, number=number)
    flash(f"admin.done.{wanted}")
    return redirect(url_for("admin.field"))


def map_links(report: Report) -> list[MapLink]:
    """Ways to a report; [] without a point. The category's name goes along, never the resident's words."""
    if report.latitude is None or report.longitude is None:
        return []
    is_apple = re.search(r"iPhone|iPad", request.user_agent.string) is not None
    return walking(report.latitude, report.longitude, category_name(report.category), is_apple=is_apple)


def _note(wanted: Action, report: Report) -> str:
    """The chosen sentence and the words typed under it. The resident reads it: it is said in their language."""
    chosen, said = request.form.get("phrase", ""), []
    if chosen in PHRASES[wanted]:
        with speaking(report.language):
            said.append(t(f"field.{wanted}.{chosen}"))
    typed = request.form.get("note", "").strip()
    return "\n".join([*said, *([typed] if typed else [])])


def _refused(error: DistrictError) -> ResponseReturnValue:
    """Why it was not done: for the queue of the phone as JSON, for a form as a line above the cards."""
    fields: dict[str, Any] = dict(error.fields) if isinstance(error, BadInput) else {}
    key = next(iter(fields.values()), error.key)
    if isinstance(error, WrongState):
        key = "field.moved"
    if _wants_json():
        return jsonify(problem=t(key, **error.params)), status_of(error)
    flash(key)
    return redirect(url_for("admin.field"))


def _of_somebody_else() -> ResponseReturnValue:
    if _wants_json():
        return jsonify(problem=t("field.somebody_else")), 401
    flash("field.somebody_else")
    return redirect(url_for("admin.field"))


def _wants_json() -> bool:
    return request.headers.get("Accept", "") == "application/json"
