"""Pages opened inside WeChat: its script (JS-SDK), and residents who are asked whether they want notices."""

from __future__ import annotations

from flask import Blueprint, Flask, current_app, g, render_template, request

from citizen import identity
from district.config import Config, NoticeTemplate
from district.frame.http import INLINE_STYLE_ENDPOINTS, WECHAT_SCRIPTS
from district.notifications.steps import TEMPLATES

pages = Blueprint("notices_page", __name__, template_folder="templates", url_prefix="/notices")

# Open tags such as the consent button need this version or a later one.
SDK = f"{WECHAT_SCRIPTS}/open/js/jweixin-1.6.0.js"


def register(app: Flask) -> None:
    app.register_blueprint(pages)
    # WeChat draws the consent button into the page, with a style of its own.
    INLINE_STYLE_ENDPOINTS.add("notices_page.show")
    app.add_template_global(sdk, "wechat_sdk")


def sdk() -> str:
    """The address of WeChat's script for this page, "" outside WeChat's browser and for an account without an id.

    Asking for it lets this one answer load it: the only script of ours that is not our own.
    """
    config: Config = current_app.config["BIHUAN"]
    agent = request.user_agent.string
    if not config.wechat_app_id or "MicroMessenger" not in agent or "wxwork" in agent:
        return ""
    g.wechat_scripts = True
    return SDK


@pages.get("")
def show() -> str:
    """Why notices are useful, and in WeChat the button that asks for consent. WeChat tells us what was chosen."""
    return render_template(
        "citizen/notices.html", template_ids=template_ids(), is_known=identity.resident_id() is not None
    )


def template_ids() -> list[str]:
    """The subscription notices of the account, each once, in the order of their use."""
    configured = current_app.config["WECHAT_SUBSCRIPTIONS"]
    ids = [NoticeTemplate.read(configured[name]).id for name in TEMPLATES if name in configured]
    return list(dict.fromkeys(ids))
