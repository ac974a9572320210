"""One's own account: where one is logged in, the password, the codes of an app; and what an administrator ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_user

from admin.devices import device_words, is_phone
from admin.guard import me, pages
from admin.report_page import square_code
from admin.showing import local
from district import clock
from district.errors import BadInput
from district.extensions import db, limiter
from district.messages import t
from district.people import codes, logins
from district.people import service as people
from district.people.models import Staff
from district.reference import reference
from district.work import unit_of_work

# Whoever sits down at an open screen must not be able to try passwords there either.
TRIES = "8 per 15 minutes"


def _was_wrong(response: Response) -> bool:
    return response.status_code >= 400


def _whose() -> str:
    return f"account:{me().id}"


@pages.get("/account")
def account() -> ResponseReturnValue:
    return _page()


@pages.post("/account/password")
@limiter.limit(TRIES, key_func=_whose, deduct_when=_was_wrong)
def change_password() -> ResponseReturnValue:
    """Another password: the old one is asked for, and every other login of this person ends."""
    given = request.form
    try:
        if given.get("password", "") != given.get("again", ""):
            raise BadInput(fields={"again": "errors.password_differs"})
        with unit_of_work():
            staff = people.change_password(
                me().id, given.get("old", ""), given.get("password", ""), keep_login=me().login_id
            )
    except BadInput as error:
        return _page(errors=error.fields), 422
    staff.login_id = me().login_id
    login_user(staff)
    flash("accounts.password.changed")
    return redirect(url_for("admin.account"))


@pages.post("/account/logins/<int:login_id>/end")
def end_login(login_id: int) -> ResponseReturnValue:
    with unit_of_work():
        logins.end(login_id, by=_by())
    flash("accounts.logins.ended")
    return redirect(url_for("admin.account"))


@pages.post("/account/logins/end-others")
def end_other_logins() -> ResponseReturnValue:
    with unit_of_work():
        logins.end_others(_by(), keep=me().login_id)
    flash("accounts.logins.ended")
    return redirect(url_for("admin.account"))


@pages.post("/account/codes")
def begin_codes() -> ResponseReturnValue:
    """A new secret for the app."""
    with unit_of_work():
        codes.begin(_by())
    return redirect(url_for("admin.codes_page"))


@pages.get("/account/codes")
def codes_page() -> ResponseReturnValue:
    """The square code for the app, until its first code was given."""
    staff = me()
    if staff.totp_since is not None or not staff.totp_sealed:
        return redirect(url_for("admin.account"))
    return _set_up({})


@pages.post("/account/codes/confirm")
@limiter.limit(TRIES, key_func=_whose, deduct_when=_was_wrong)
def confirm_codes() -> ResponseReturnValue:
    """From now on a code is asked for. The recovery codes are in this answer and nowhere else."""
    try:
        with unit_of_work():
            made = codes.confirm(_by(), request.form.get("code", ""))
    except BadInput as error:
        return _set_up(error.fields), 422
    return render_template("admin/codes_done.html", made=made)


@pages.post("/account/codes/end")
@limiter.limit(TRIES, key_func=_whose, deduct_when=_was_wrong)
def end_codes() -> ResponseReturnValue:
    """Without codes again: the password is asked for, so that an open screen is not enough."""
    try:
        with unit_of_work():
            by = _by()
            people.require_password(by, request.form.get("old_for_codes", ""), field="old_for_codes")
            codes.reset(by.id, by=by)
    except BadInput as error:
        return _page(errors=error.fields), 422
    flash("accounts.codes.off")
    return redirect(url_for("admin.account"))


@pages.post("/staff/<int:staff_id>/end-logins")
def end_logins_of(staff_id: int) -> ResponseReturnValue:
    with unit_of_work():
        logins.end_all_of(staff_id, by=_by())
    flash("accounts.logins.ended_of")
    return redirect(url_for("admin.edit_staff", staff_id=staff_id))


@pages.post("/staff/<int:staff_id>/reset-codes")
def reset_codes(staff_id: int) -> ResponseReturnValue:
    with unit_of_work():
        codes.reset(staff_id, by=_by())
    flash("accounts.codes.reset")
    return redirect(url_for("admin.edit_staff", staff_id=staff_id))


def _by() -> Staff:
    return db.session.get_one(Staff, me().id)


def _page(errors: Mapping[str, str] | None = None) -> str:
    staff = me()
    return render_template(
        "admin/account.html",
        errors=errors or {},
        logins=logins.going_on(staff.id, since=clock.now() - current_app.permanent_session_lifetime),
        this_one=staff.login_id,
        device_words=device_words,
        is_phone=is_phone,
        codes_left=codes.codes_left(staff.id) if staff.totp_since else 0,
        shortest=people.SHORTEST_PASSWORD,
    )


def _set_up(errors: Mapping[str, str]) -> str:
    staff = me()
    name = local(reference().setting("district.short_name", "")) or t("common.brand.name")
    secret = codes.secret_of(staff)
    shown: dict[str, Any] = {
        "code": square_code(codes.address_of(staff, district=name)),
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        "errors": errors,
    }
    return render_template("admin/codes.html", **shown)
