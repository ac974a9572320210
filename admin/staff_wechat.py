"""One's own WeChat: bound once by a code; from then on it brings new work, and its links open the panel logged in."""

from __future__ import annotations

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from admin.guard import me, pages, safe_next
from admin.login import go_on
from admin.seeing import seen_within
from district.extensions import db, limiter
from district.frame import oauth
from district.people.models import Staff
from district.reports import queries
from district.staff_wechat import outbox, service
from district.staff_wechat.models import StaffMessage
from district.wechat.errors import WeChatError
from district.work import unit_of_work

STATE_COOKIE = "panel_wechat_state"


@pages.get("/wechat")
def my_wechat() -> ResponseReturnValue:
    """Whether my WeChat is bound, and what went there."""
    return _page()


@pages.post("/wechat/code")
@limiter.limit("10 per minute")
def wechat_code() -> ResponseReturnValue:
    """A code to send to the account. Shown once: only its digest is kept."""
    with unit_of_work():
        code = service.new_code(_myself())
    return _page(code=f"{code[:4]}-{code[4:]}")


@pages.post("/wechat/unbind")
def unbind_wechat() -> ResponseReturnValue:
    """Nothing more is sent to my WeChat."""
    with unit_of_work():
        myself = _myself()
        service.unbind(myself.id, by=myself)
    flash("staff_wechat.unbound")
    return redirect(url_for("admin.my_wechat"))


def _page(code: str = "") -> str:
    rows: list[StaffMessage] = outbox.listed(me().id, shown=seen_within(StaffMessage.report_id, of=StaffMessage))
    return render_template(
        "admin/my_wechat.html",
        code=code,
        minutes=int(service.CODE_LIVES.total_seconds() // 60),
        since=service.bound_since(me().id),
        rows=rows,
        numbers=queries.numbers_of({row.report_id for row in rows}),
    )


def _myself() -> Staff:
    return db.session.scalars(select(Staff).where(Staff.id == me().id)).one()


# Coming in by WeChat


@pages.get("/wechat-login")
@limiter.limit("30 per minute")
def wechat_start() -> ResponseReturnValue:
    """Over WeChat's page and back, to `next`."""
    target = request.args.get("next")
    if not oauth.is_possible():
        return redirect(url_for("admin.log_in", next=target))
    return _detour().away(target)


@pages.get("/wechat-login/done")
@limiter.limit("30 per minute")
def wechat_done() -> ResponseReturnValue:
    """Back from WeChat: whoever has bound this WeChat is logged in; anybody else finds the usual login."""
    way = _detour()
    try:
        back = way.back()
    except WeChatError:
        return _usual(way, way.wanted())
    if back.visitor is None or back.visitor.is_snapshot:
        return _usual(way, back.to)
    with unit_of_work():
        staff = service.log_in(back.visitor.openid)
    if staff is None:
        return _usual(way, back.to)
    return way.over(make_response(go_on(staff, back.to)))


def _usual(way: oauth.Detour, to: str) -> Response:
    """The usual login; this browser is not sent over WeChat again for a while."""
    response = redirect(url_for("admin.log_in", next=to))
    oauth.leave_alone(response, oauth.PANEL_TRIED_COOKIE)
    return way.over(response)


def _detour() -> oauth.Detour:
    return oauth.Detour(STATE_COOKIE, "admin.wechat_done", safe_next)
