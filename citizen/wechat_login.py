"""Logging in without a tap inside WeChat's browser (OAuth2, snsapi_base), so that one's own reports open by themselves.

Whatever fails leads on without a login, and is not tried again for a while.
"""

from __future__ import annotations

import logging

from flask import Blueprint, Flask, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from citizen import identity, own
from district.extensions import limiter
from district.frame import oauth
from district.frame.oauth import TRIED_LIVES_S, Detour, is_possible
from district.people import leaving
from district.people import service as people
from district.people.models import Resident
from district.wechat.errors import WeChatError
from district.work import unit_of_work

log = logging.getLogger(__name__)

pages = Blueprint("wechat_login", __name__, template_folder="templates", url_prefix="/wechat-login")

STATE_COOKIE, TRIED_COOKIE = "wechat_state", "wechat_tried"
FORGOTTEN_LIVES_S = 86400
LONGEST_PATH = 300
# In the address of a page that is shown without a login, so that a browser without cookies is not sent round and round.
WITHOUT = "login"


def register(app: Flask) -> None:
    """Add the login's two pages, and the detour over them where one's own reports are shown."""
    app.register_blueprint(pages)
    app.before_request(_detour)


def detour() -> Detour:
    """The way over WeChat's page and back to residents' own pages."""
    return Detour(STATE_COOKIE, "wechat_login.done", _path)


def leave_alone(response: Response, *, for_s: int = TRIED_LIVES_S) -> None:
    """Do not log this browser in by itself for a while."""
    oauth.leave_alone(response, TRIED_COOKIE, for_s=for_s)


def _detour() -> Response | None:
    """Whoever asks for their own reports in WeChat's browser, and is not known yet, logs in first."""
    if request.method != "GET" or request.endpoint not in ("citizen.mine", "report_page.show"):
        return None
    if WITHOUT in request.args or TRIED_COOKIE in request.cookies or not is_possible():
        return None
    if request.endpoint == "report_page.show":
        number = str((request.view_args or {}).get("number", ""))
        if request.args.get("key") or number.upper() in own.known_keys():
            return None
    if identity.resident_id() is not None:
        return None
    return redirect(url_for("wechat_login.start", to=request.path))


@pages.get("")
@limiter.limit("30 per minute")
def start() -> Response:
    """Go to WeChat and come back to `done`. `to`: a path of ours to go on to."""
    to = _path(request.args.get("to"))
    return detour().away(to) if is_possible() else redirect(_without_login(to))


@pages.get("/done")
@limiter.limit("30 per minute")
def done() -> Response:
    """Back from WeChat with a code for one use."""
    way = detour()
    try:
        back = way.back()
    except WeChatError as error:
        return _unknown(_path(way.wanted()), str(error.code))
    if back.visitor is None:
        if back.is_used and identity.resident_id() is not None:
            # WeChat's browser loads pages twice: the first time went well.
            return way.over(redirect(back.to))
        return _unknown(back.to, back.why)
    if back.visitor.is_snapshot:
        return way.over(make_response(render_template("citizen/wechat_snapshot.html", to=_without_login(back.to)), 403))
    with unit_of_work():
        known = _resident(back.visitor.openid)
        if known is None:
            response = _unknown(back.to, "left")
        else:
            response = way.over(redirect(back.to))
            identity.log_in(response, known)
    return response


def _resident(openid: str) -> Resident | None:
    """Whose openid this is; somebody new is made. Who left the account comes back by following it, not by this."""
    return None if leaving.has_left(openid) else people.know_resident(openid)


def _unknown(to: str, why: str) -> Response:
    log.info("no login", extra={"reason": why})
    response = redirect(_without_login(to))
    leave_alone(response)
    return detour().over(response)


def _without_login(to: str) -> str:
    return f"{to}?{WITHOUT}=no"


def _path(given: str | None) -> str:
    """A path of ours, nothing else: no host, no query, no backslash that a browser would read as a slash."""
    known = given is not None and len(given) <= LONGEST_PATH and given.isascii() and given.isprintable()
    if not known or given is None or not given.startswith(("/mine", "/r/")) or set(given) & set("\\?#%:@"):
        return url_for("citizen.mine")
    return given

