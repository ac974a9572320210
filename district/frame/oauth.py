"""Going over WeChat's own page to learn whose browser this is (OAuth2, snsapi_base), for each door that logs people in.

The state is random, for one use and bound to the browser by a signed cookie, which also holds where to go on; neither
is ever in the address that WeChat sees.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from flask import current_app, redirect, request, url_for
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from district import links, wechat
from district.config import Config
from district.wechat.client import Visitor
from district.wechat.errors import BadCode

# WeChat's code lasts five minutes; whoever stays longer on its page begins anew.
STATE_LIVES_S = 600
TRIED_LIVES_S = 600
# The panel's own sign that a browser need not be sent there again.
PANEL_TRIED_COOKIE = "panel_wechat_tried"


def is_possible() -> bool:
    """Whether this request comes from WeChat's browser and the account may log people in."""
    config: Config = current_app.config["BIHUAN"]
    agent = request.user_agent.string
    in_wechat = "MicroMessenger" in agent and "wxwork" not in agent
    return in_wechat and bool(config.wechat_app_id and config.wechat_oauth_base_url)


def leave_alone(response: Response, cookie: str, *, for_s: int = TRIED_LIVES_S) -> None:
    """Do not log this browser in by itself for a while."""
    response.set_cookie(cookie, "1", max_age=for_s, httponly=True, samesite="Lax", secure=request.is_secure)


@dataclass(frozen=True)
class Back:
    """What came back from WeChat. to: where to go on. visitor: who it is; None with `why` not.

    is_used: the code was used already, as happens when WeChat's browser loads a page twice.
    """

    to: str
    visitor: Visitor | None
    why: str = ""
    is_used: bool = False


@dataclass(frozen=True)
class Detour:
    """One door's way there and back. cookie: holds the state. endpoint: where WeChat sends people back to.

    path: makes whatever was asked for a path of this door's own.
    """

    cookie: str
    endpoint: str
    path: Callable[[str | None], str]

    def away(self, to: str | None) -> Response:
        """To WeChat; afterwards to `to`."""
        config: Config = current_app.config["BIHUAN"]
        state = secrets.token_hex(16)
        # In this order, and with the fragment: WeChat's own check wants it so.
        query = urlencode(
            {
                "appid": config.wechat_app_id, "redirect_uri": f"{links.base_url()}{url_for(self.endpoint)}",
                "response_type": "code", "scope": "snsapi_base", "state": state,
            },
            quote_via=quote,
        )  # fmt: skip
        response = redirect(f"{config.wechat_oauth_base_url}/connect/oauth2/authorize?{query}#wechat_redirect")
        value = str(self._states().dumps([state, self.path(to)]))
        response.set_cookie(
            self.cookie, value, max_age=STATE_LIVES_S, httponly=True, samesite="Lax", secure=request.is_secure
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    def back(self) -> Back:
        """Who came back. Raises WeChatError when WeChat does not answer."""
        state, to = self._expected()
        given, code = request.args.get("state", ""), request.args.get("code", "")
        if not state or not hmac.compare_digest(state.encode(), given.encode()) or not code:
            return Back(to, None, "state" if code else "refused")
        try:
            visitor = wechat.client_for(current_app._get_current_object()).visitor(code)  # type: ignore[attr-defined]
        except BadCode as error:
            return Back(to, None, str(error.code), is_used=True)
        return Back(to, visitor)

    def wanted(self) -> str:
        """Where this browser wanted to go."""
        return self._expected()[1]

    def over(self, response: Response) -> Response:
        """The state was for one use."""
        response.delete_cookie(self.cookie)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _expected(self) -> tuple[str, str]:
        """(the state this browser was sent away with, the path to go on to); "" for no state."""
        try:
            state, to = self._states().loads(request.cookies.get(self.cookie, ""), max_age=STATE_LIVES_S)
        except (BadSignature, ValueError, TypeError):
            return "", self.path(None)
        return str(state), self.path(str(to))

    def _states(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(str(current_app.config["SECRET_KEY"]), salt=self.cookie)
