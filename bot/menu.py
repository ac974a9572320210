"""The official account's menu, as WeChat's API takes it and as the development chat shows it."""

from __future__ import annotations

from typing import Any

from bot.dialogue import KEY_MINE, KEY_REPORT, KEY_SCAN
from district import links
from district.messages import t


def buttons() -> list[dict[str, Any]]:
    """Three buttons: report, scan, mine. WeChat: names of at most 16 bytes, of sub-buttons 60."""
    return [
        {
            "name": t("bot.menu.report"),
            "sub_button": [
                {"name": t("bot.menu.report_chat"), "type": "click", "key": KEY_REPORT},
                {"name": t("bot.menu.report_page"), "type": "view", "url": f"{links.base_url()}/report"},
            ],
        },
        {"name": t("bot.menu.scan"), "type": "scancode_waitmsg", "key": KEY_SCAN},
        {"name": t("bot.menu.mine"), "type": "click", "key": KEY_MINE},
    ]
