"""Logging in without a tap inside WeChat's browser (OAuth2, snsapi_base), so that one's own reports open by themselves.

The state is random, for one use and bound to the browser by a signed cookie, which also holds where to go on; neither
is ever in the address that WeChat sees. Whatever fails leads on without a login, and is not tried again for a while.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from urllib.parse import quote, urlencode

from flask import Blueprint, Flask, current_app, make_response, redirect, render_template, request, url_for
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from citizen import identity, own
from district import links, wechat
from district.config import Config
from district.extensions import limiter
from district.people import leaving
from district.people import service as people
from district.people.models import Resident
from district.wechat.errors import BadCode, WeChatError
from district.work import unit_of_work

log = logging.getLogger(__name__)

pages = Blueprint("wechat_login", __name__, template_folder="templates", url_prefix="/wechat-login")

STATE_COOKIE, TRIED_COOKIE = "wechat_state", "wechat_tried"
# WeChat's code lasts five minutes; whoever stays longer on its page begins anew.
STATE_LIVES_S = 600
TRIED_LIVES_S = 600
FORGOTTEN_LIVES_S = 86400
LONGEST_PATH = 300
# In the address of a page that is shown without a login, so that a browser without cookies is not sent round and round.
WITHOUT = "login"


def register(app: Flask) -> None:
    """Add the login's two pages, and the detour over them where one's own reports are shown."""
    app.register_blueprint(pages)
    app.before_request(_detour)


def is_possible() -> bool:
    """Whether this request comes from WeChat's browser and the account may log people in."""
    config: Config = current_app.config["BIHUAN"]
    agent = request.user_agent.string
    in_wechat = "MicroMessenger" in agent and "wxwork" not in agent
    return in_wechat and bool(config.wechat_app_id and config.wechat_oauth_base_url)


def leave_alone(response: Response, *, for_s: int = TRIED_LIVES_S) -> None:
    """Do not log this browser in by itself for a while."""
    response.set_cookie(TRIED_COOKIE, "1", max_age=for_s, httponly=True, samesite="Lax", secure=request.is_secure)


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
    if not is_possible():
        return redirect(_without_login(to))
    config: Config = current_app.config["BIHUAN"]
    state = secrets.token_hex(16)
    back = f"{links.base_url()}{url_for('wechat_login.done')}"
    # In this order, and with the fragment: WeChat's own check wants it so.
    query = urlencode(
        {
            "appid": config.wechat_app_id, "redirect_uri": back, "response_type": "code", "scope": "snsapi_base",
            "state": state,
        },
        quote_via=quote,
    )  # fmt: skip
    response = redirect(f"{config.wechat_oauth_base_url}/connect/oauth2/authorize?{query}#wechat_redirect")
    value = str(_states().dumps([state, to]))
    response.set_cookie(
        STATE_COOKIE, value, max_age=STATE_LIVES_S, httponly=True, samesite="Lax", secure=request.is_secure
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.get("/done")
@limiter.limit("30 per minute")
def done() -> Response:
    """Back from WeChat with a code for one use."""
    state, to = _expected()
    given = request.args.get("state", "")
    code = request.args.get("code", "")
    if not state or not hmac.compare_digest(state.encode(), given.encode()) or not code:
        return _unknown(to, "state" if code else "refused")
    try:
        visitor = wechat.client_for(current_app._get_current_object()).visitor(code)  # type: ignore[attr-defined]
    except BadCode as error:
        if identity.resident_id() is not None:
            # WeChat's browser loads pages twice: the first time went well.
            return _over(redirect(to))
        return _unknown(to, str(error.code))
    except WeChatError as error:
        return _unknown(to, str(error.code))
    if visitor.is_snapshot:
        return _over(make_response(render_template("citizen/wechat_snapshot.html", to=_without_login(to)), 403))
    with unit_of_work():
        known = _resident(visitor.openid)
        if known is None:
            response = _unknown(to, "left")
        else:
            response = _over(redirect(to))
            identity.log_in(response, known)
    return response


def _resident(openid: str) -> Resident | None:
    """Whose openid this is; somebody new is made. Who left the account comes back by following it, not by this."""
    return None if leaving.has_left(openid) else people.know_resident(openid)


def _expected() -> tuple[str, str]:
    """(the state this browser was sent away with, the path to go on to); "" for no state."""
    try:
        state, to = _states().loads(request.cookies.get(STATE_COOKIE, ""), max_age=STATE_LIVES_S)
    except (BadSignature, ValueError, TypeError):
        return "", _path(None)
    return str(state), _path(str(to))


def _unknown(to: str, why: str) -> Response:
    log.info("no login", extra={"reason": why})
    response = redirect(_without_login(to))
    leave_alone(response)
    return _over(response)


def _over(response: Response) -> Response:
    """The state was for one use."""
    response.delete_cookie(STATE_COOKIE)
    response.headers["Cache-Control"] = "no-store"
    return response


def _without_login(to: str) -> str:
    return f"{to}?{WITHOUT}=no"


def _path(given: str | None) -> str:
    """A path of ours, nothing else: no host, no query, no backslash that a browser would read as a slash."""
    known = given is not None and len(given) <= LONGEST_PATH and given.isascii() and given.isprintable()
    if not known or given is None or not given.startswith(("/mine", "/r/")) or set(given) & set("\\?#%:@"):
        return url_for("citizen.mine")
    return given


def _states() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.config["SECRET_KEY"]), salt="wechat-state")
