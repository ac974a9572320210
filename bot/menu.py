"""The official account's menu, as WeChat's API takes it and as the development chat shows it."""

from __future__ import annotations

from typing import Any

from bot.dialogue import KEY_HELP, KEY_MINE, KEY_REPORT, KEY_SCAN
from district import links
from district.messages import t


def buttons() -> list[dict[str, Any]]:
    """Report, scan, and mine with nearby and help. WeChat: at most three buttons, names of at most 16 bytes, of
    sub-buttons 60; a code scanned here comes to the chat rather than opening its page.
    """
    return [
        {
            "name": t("bot.menu.report"),
            "sub_button": [
                {"name": t("bot.menu.report_chat"), "type": "click", "key": KEY_REPORT},
                {"name": t("bot.menu.report_page"), "type": "view", "url": f"{links.base_url()}/report"},
            ],
        },
        {"name": t("bot.menu.scan"), "type": "scancode_waitmsg", "key": KEY_SCAN},
        {
            "name": t("bot.menu.mine"),
            "sub_button": [
                {"name": t("wechat.menu.mine"), "type": "click", "key": KEY_MINE},
                {"name": t("wechat.menu.nearby"), "type": "view", "url": f"{links.base_url()}/nearby"},
                {"name": t("wechat.menu.help"), "type": "click", "key": KEY_HELP},
            ],
        },
    ]


def tapped() -> dict[str, str]:
    """Every key of the menu that comes back as an event, with the event it comes as."""
    rows = [row for button in buttons() for row in button.get("sub_button", [button])]
    return {row["key"]: row["type"] for row in rows if "key" in row}
