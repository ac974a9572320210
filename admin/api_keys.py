"""Keys with which machines speak to the API: made here and shown once, changed, revoked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.actions import Sent
from admin.guard import me, pages
from admin.showing import zone
from district import clock
from district.api_keys import service as api_keys
from district.api_keys.models import ApiKey, Scope
from district.errors import BadInput
from district.extensions import db
from district.people.models import Staff
from district.reference import UnitRef, reference
from district.work import unit_of_work

_USUAL_DAYS = 365


@pages.get("/settings/api-keys")
def api_keys_page() -> ResponseReturnValue:
    return render_template("admin/api_keys.html", rows=api_keys.listed(), is_over=api_keys.is_over, last_day=_last_day)


@pages.get("/settings/api-keys/new")
def add_api_key() -> ResponseReturnValue:
    day = clock.now().astimezone(zone()).date() + timedelta(days=_USUAL_DAYS)
    typed = {"per_minute": str(api_keys.USUAL_PER_MINUTE), "expires_on": day.isoformat()}
    return _form(None, typed, [], {})


@pages.post("/settings/api-keys/new")
def create_api_key() -> ResponseReturnValue:
    """The key is in this answer and nowhere else."""
    sent = Sent(request.form)
    scopes = request.form.getlist("scopes")
    try:
        with unit_of_work():
            row, key = api_keys.create(
                by=_by(), name=sent.text("name"), unit_id=sent.number("unit"), scopes=scopes,
                per_minute=sent.number("per_minute"), expires_at=_ends(sent),
            )  # fmt: skip
    except BadInput as error:
        return _form(None, request.form.to_dict(), scopes, error.fields), 422
    answer: Response = make_response(
        render_template("admin/api_key_made.html", row=row, key=key, header=f"Authorization: Bearer {row.prefix}_…")
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.get("/settings/api-keys/<int:key_id>")
def api_key(key_id: int) -> ResponseReturnValue:
    row = api_keys.one(key_id)
    typed = {"name": row.name, "per_minute": str(row.per_minute), "expires_on": _last_day(row)}
    return _form(row, typed, row.scopes, {})


@pages.post("/settings/api-keys/<int:key_id>")
def save_api_key(key_id: int) -> ResponseReturnValue:
    sent = Sent(request.form)
    scopes = request.form.getlist("scopes")
    try:
        with unit_of_work():
            api_keys.change(
                key_id, by=_by(), name=sent.text("name"), scopes=scopes, per_minute=sent.number("per_minute"),
                expires_at=_ends(sent),
            )  # fmt: skip
    except BadInput as error:
        return _form(api_keys.one(key_id), request.form.to_dict(), scopes, error.fields), 422
    flash("apikeys.page.saved")
    return redirect(url_for("admin.api_keys_page"))


@pages.post("/settings/api-keys/<int:key_id>/revoke")
def revoke_api_key(key_id: int) -> ResponseReturnValue:
    with unit_of_work():
        api_keys.revoke(key_id, by=_by())
    flash("apikeys.page.revoked")
    return redirect(url_for("admin.api_keys_page"))


def _last_day(row: ApiKey) -> str:
    """On which it works, as a form gives it; empty for one without an end."""
    return (row.expires_at - timedelta(seconds=1)).astimezone(zone()).date().isoformat() if row.expires_at else ""


def _by() -> Staff:
    return db.session.get_one(Staff, me().id)


def _form(row: ApiKey | None, typed: Mapping[str, str], scopes: list[Any], errors: Mapping[str, str]) -> str:
    units = sorted((one for one in reference().units_by_id.values() if not one.is_closed), key=_by_code)
    return render_template(
        "admin/api_key.html", row=row, typed=typed, chosen=scopes, errors=errors, scopes=list(Scope), units=units,
        most=api_keys.MOST_PER_MINUTE, over=row is not None and row.revoked_at is not None,
    )  # fmt: skip


def _by_code(unit: UnitRef) -> str:
    return unit.code


def _ends(sent: Sent) -> datetime | None:
    """The end of the day that was chosen, on the district's clocks; None for no day. Raises BadInput."""
    text = sent.text("expires_on")
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), zone())
    except (ValueError, OverflowError):
        raise BadInput(fields={"expires_on": "apikeys.problem.day"}) from None


def machine_name(key_id: int) -> str:
    """What the machine with this key is called: for the page of a report that it filed."""
    return api_keys.names_of([key_id]).get(key_id, "")


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"machine_name": machine_name}
