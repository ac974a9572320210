"""Logging in and out, and the page behind a one-time password link."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address
from flask_login import current_user, login_user, logout_user

from admin.devices import device_of
from admin.guard import me, pages, safe_next
from district import clock
from district.errors import BadInput
from district.extensions import db, limiter
from district.frame import oauth
from district.people import logins
from district.people import service as people
from district.people.models import Staff
from district.work import unit_of_work

# Wrong tries only. A whole office may share one address; a user name is one person.
TRIES_BY_ADDRESS = "30 per 5 minutes; 200 per hour"
TRIES_BY_NAME = "8 per 15 minutes"
# How long after the password the code may be given.
HALF_WAY = timedelta(minutes=5)


def _was_wrong(response: Response) -> bool:
    return response.status_code >= 400


def _username() -> str:
    return "name:" + request.form.get("username", "").strip().lower()[:60]


@pages.route("/login", methods=["GET", "POST"])
@limiter.limit(TRIES_BY_ADDRESS, key_func=get_remote_address, methods=["POST"], deduct_when=_was_wrong)
@limiter.limit(TRIES_BY_NAME, key_func=_username, methods=["POST"], deduct_when=_was_wrong)
def log_in() -> ResponseReturnValue:
    """One page, one message for whatever is wrong."""
    target = request.values.get("next")
    if request.method == "GET":
        if current_user.is_authenticated:
            return redirect(safe_next(target))
        return render_template("admin/login.html", username="", target=target)
    username = request.form.get("username", "")
    with unit_of_work():
        staff = people.log_in(username, request.form.get("password", ""))
    if staff is None:
        return render_template("admin/login.html", username=username, target=target, failed=True), 401
    return go_on(staff, target)


@pages.route("/login/code", methods=["GET", "POST"])
@limiter.limit(TRIES_BY_ADDRESS, key_func=get_remote_address, methods=["POST"], deduct_when=_was_wrong)
def log_in_code() -> ResponseReturnValue:
    """The second step, for those whose account asks for a code: only with the right password just given."""
    half = _half_way()
    if half is None:
        return redirect(url_for("admin.log_in"))
    if request.method == "GET":
        return render_template("admin/login_code.html")
    with unit_of_work():
        staff = people.give_code(half["id"], request.form.get("code", "")[:40])
    if staff is None:
        return render_template("admin/login_code.html", failed=True), 401
    start_session(staff)
    return redirect(safe_next(half["next"]))


@pages.post("/logout")
def log_out() -> ResponseReturnValue:
    if current_user.is_authenticated:
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            logins.end(me().login_id, by=by)
    logout_user()
    session.clear()
    response = redirect(url_for("admin.log_in"))
    # Whoever leaves wants to stay out, also in WeChat's browser.
    oauth.leave_alone(response, oauth.PANEL_TRIED_COOKIE)
    return response


@pages.route("/password/<token>", methods=["GET", "POST"])
@limiter.limit(TRIES_BY_ADDRESS, key_func=get_remote_address, deduct_when=_was_wrong)
def set_password(token: str) -> ResponseReturnValue:
    """Whoever holds the link chooses a password, once, and is logged in."""
    staff = people.staff_of_password_link(token)
    if request.method == "GET":
        return render_template("admin/password.html", staff=staff, errors={})
    password = request.form.get("password", "")
    try:
        if password != request.form.get("again", ""):
            raise BadInput(fields={"again": "errors.password_differs"})
        with unit_of_work():
            staff = people.use_password_link(token, password)
    except BadInput as error:
        staff = people.staff_of_password_link(token)
        return render_template("admin/password.html", staff=staff, errors=error.fields), 422
    flash("admin.password.done")
    return go_on(staff, None)


def go_on(staff: Staff, target: str | None) -> ResponseReturnValue:
    """The password was right, or WeChat knows them: in, or to the second step where the account asks for a code."""
    if staff.totp_since is None:
        start_session(staff)
        return redirect(safe_next(target))
    told = session.get("_flashes")
    session.clear()
    if told:
        session["_flashes"] = told
    session["half"] = {"id": staff.id, "epoch": staff.session_epoch, "at": clock.now().timestamp(), "next": target}
    return redirect(url_for("admin.log_in_code"))


def _half_way() -> dict[str, Any] | None:
    """Who has given the right password and not yet the code; None after HALF_WAY, or when the password changed."""
    half: dict[str, Any] | None = session.get("half")
    if half is None or clock.now().timestamp() - half["at"] > HALF_WAY.total_seconds():
        return None
    staff = db.session.get(Staff, half["id"])
    return half if staff is not None and staff.session_epoch == half["epoch"] else None


def start_session(staff: Staff) -> None:
    """A fresh session: nothing that was in the browser before the login counts after it.

    Opens a unit of work of its own, for the row by which the login can be ended.
    """
    told = session.get("_flashes")
    session.clear()
    if told:
        session["_flashes"] = told
    with unit_of_work():
        staff.login_id = logins.begin(staff.id, device=device_of(request.user_agent.string)).id
    login_user(staff)
    session.permanent = True
    session["since"] = clock.now().timestamp()
