"""The official account's settings: what is set, what to enter in WeChat's console, a test, the menu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from admin.guard import me, pages
from district import audit, links, wechat
from district.config import TEMPLATE_NAMES, Config
from district.extensions import db, limiter
from district.messages import CHINESE, speaking, t
from district.people.models import Staff
from district.wechat import checking
from district.wechat.checking import Finding, State
from district.wechat.errors import WeChatError
from district.work import unit_of_work

# Each test costs a few of the account's calls of the day.
TESTS = "6 per minute; 60 per hour"
_TAIL = 3
# Of a short secret even its end says too much.
_SHORTEST_WITH_TAIL = 12


@dataclass(frozen=True)
class Row:
    """One setting. copied: what a button copies, empty for no button. is_missing: it must be set."""

    name: str
    value: str
    copied: str = ""
    is_missing: bool = False


@pages.get("/settings/wechat")
def wechat_settings() -> ResponseReturnValue:
    return _page()


@pages.post("/settings/wechat/test")
@limiter.limit(TESTS, key_func=lambda: f"wechat-test:{me().id}")
def test_wechat() -> ResponseReturnValue:
    """Ask WeChat and our own public address now, and say what came of it."""
    with unit_of_work():
        audit.record(db.session.get_one(Staff, me().id), "wechat_account.test", "wechat")
    # No transaction stays open while somebody else's servers are asked.
    db.session.rollback()
    return _page(found=checking.examine(_app()))


@pages.post("/settings/wechat/menu")
@limiter.limit(TESTS, key_func=lambda: f"wechat-menu:{me().id}")
def publish_menu() -> ResponseReturnValue:
    """Put our menu in the place of the account's."""
    buttons = _menu()
    db.session.rollback()
    client = wechat.client_for(_app())
    try:
        before = client.present_menu()
        client.create_menu(buttons)
    except WeChatError as error:
        return _page(trouble=t("wechat.page.not_published", why=checking.explained(error))), 502
    with unit_of_work():
        audit.record(
            db.session.get_one(Staff, me().id), "wechat_account.publish_menu", "wechat",
            before=(before or {}).get("button", []), after=buttons,
        )  # fmt: skip
    flash("wechat.page.published")
    return redirect(url_for("admin.wechat_settings"))


def _page(found: list[Finding] | None = None, trouble: str = "") -> str:
    config: Config = current_app.config["BIHUAN"]
    return render_template(
        "admin/wechat_settings.html",
        ours=_ours(config),
        console=_console(config),
        menu=_menu(),
        found=found,
        wrong=sum(one.state is State.BAD for one in found or ()),
        trouble=trouble,
    )


def _ours(config: Config) -> list[Row]:
    mode = t("wechat.page.mode_safe" if config.wechat_mode == "safe" else "wechat.page.mode_plain")
    app_id = config.wechat_app_id
    rows = [
        Row(t("wechat.row.app_id"), app_id or t("wechat.page.missing"), is_missing=not app_id),
        _secret(config, "secret", config.wechat_app_secret),
        _secret(config, "token", config.wechat_token),
        _secret(config, "aes_key", config.wechat_encoding_aes_key),
        Row(t("wechat.row.mode"), mode),
        Row(t("wechat.row.public"), config.public_base_url),
        Row(t("wechat.row.api"), t("wechat.page.stand_in") if config.uses_stand_in else config.wechat_api_base_url),
        Row(t("wechat.row.oauth"), config.wechat_oauth_base_url or t("wechat.row.oauth_off")),
    ]
    for kind, given, none in (
        ("template", current_app.config["WECHAT_TEMPLATES"], "wechat.page.no_template"),
        ("subscription", current_app.config["WECHAT_SUBSCRIPTIONS"], "wechat.page.no_subscription"),
    ):
        for step in (name.lower() for name in TEMPLATE_NAMES):
            set_to = given.get(step, "")
            if set_to or step == "progress":
                name = t(f"wechat.step.{kind}", step=t(f"wechat.step.{step}"))
                rows.append(Row(name, set_to or t(none)))
    return rows


def _console(config: Config) -> list[Row]:
    host = urlsplit(config.public_base_url).netloc
    rows = [Row(t("wechat.row.url"), links.callback(), links.callback())]
    for name, variable, secret in (
        ("token", "WECHAT_TOKEN", config.wechat_token),
        ("aes_key", "WECHAT_ENCODING_AES_KEY", config.wechat_encoding_aes_key),
    ):
        shown = t("wechat.page.from_environment", name=variable, shown=_masked(secret))
        rows.append(Row(t(f"wechat.row.{name}"), shown))
    rows.append(Row(t("wechat.row.mode"), t("wechat.page.mode_safe")))
    rows += [Row(t(f"wechat.row.domain_{name}"), host, host) for name in ("js", "login", "business")]
    rows.append(Row(t("wechat.row.white_list"), t("wechat.row.white_list_how")))
    return rows


def _secret(config: Config, name: str, value: str) -> Row:
    shown = _masked(value)
    if value and config.uses_stand_in:
        shown = t("wechat.page.made_up")
    return Row(t(f"wechat.row.{name}"), shown, is_missing=not value)


def _masked(value: str) -> str:
    """That a secret is set, with enough of it to tell two apart and never more."""
    if not value:
        return t("wechat.page.missing")
    if len(value) < _SHORTEST_WITH_TAIL:
        return t("wechat.page.set_short")
    return t("wechat.page.set", tail=value[-_TAIL:])


def _menu() -> list[dict[str, Any]]:
    # Residents read it, whatever language the panel is read in.
    with speaking(CHINESE):
        return checking.our_menu(_app())


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]
