"""Which sentences may be worded anew, and what a wording must keep to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from district.messages import placeholders

# A chat's answer is made of several sentences, and all of it must fit into WeChat's 2048 bytes.
LONGEST_BYTES = 600
# What a template's value holds (WeChat: `thing`); the words put into the placeholders come on top and are cut.
LONGEST_SHORT = 20

CHAT, NOTICE, SHORT = "chat", "notice", "short"

# In the order of the page. Sentences that only a part of residents ever meets, and the words that residents
# themselves use, are not here: `wording.csv` reaches all of them.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "hello": (
        "bot.welcome.hello", "bot.welcome.how", "bot.chat.hello", "bot.chat.thanks", "bot.report.how", "bot.help.all",
        "bot.help.person",
    ),
    "ask": ("bot.ask.what", "bot.ask.more", "bot.ask.place", "bot.ask.place_again"),
    "received": (
        "bot.filed.done", "bot.filed.soon", "bot.filed.urgent", "bot.filed.question", "bot.filed.photos_welcome",
        "bot.filed.no_place", "bot.added.photo", "bot.added.words",
    ),
    "progress": (
        "notifications.assigned", "notifications.accepted", "notifications.extended", "notifications.suspended",
        "notifications.question", "notifications.joined", "notifications.joined_with_unit", "notifications.merged",
        "notifications.reopened", "notifications.rejected",
    ),
    "solved": ("notifications.resolved", "notifications.closed", "notifications.closed_too"),
    "rating": ("bot.rate.ask", "bot.rate.thanks", "bot.rate.low", "bot.rate.told"),
    "limits": ("gate.slow", "gate.photos", "gate.reports", "gate.same", "gate.blocked"),
    "short": (
        "notifications.short.assigned", "notifications.short.accepted", "notifications.short.extended",
        "notifications.short.resolved", "notifications.short.closed", "notifications.short.rejected",
        "notifications.short.reopened", "notifications.short.question", "notifications.short.suspended",
    ),
}  # fmt: skip
KEYS = frozenset(key for keys in GROUPS.values() for key in keys)

_LINK = re.compile(r'<a href="\{[a-z_]+\}">[^<>]+</a>')


@dataclass(frozen=True)
class Fault:
    """What is wrong with a wording: a sentence of the catalogue and what fills it."""

    key: str
    params: Mapping[str, object]


def where(key: str) -> str:
    """Where a sentence is read: in the chat, in a message with its link, or as a template's short value."""
    if key.startswith("notifications.short."):
        return SHORT
    return NOTICE if key.startswith("notifications.") else CHAT


def fault_of(key: str, text: str, original: str) -> Fault | None:
    """Why this cannot be the sentence, None when it can. original: the catalogue's, in the same language.

    It must have the original's placeholders and no others, written as there; of markup WeChat shows links alone.
    """
    if not text:
        return Fault("phrasing.problem.empty", {})
    try:
        given = placeholders(text)
    except ValueError:
        return Fault("phrasing.problem.braces", {})
    wanted = placeholders(original)
    for name in sorted(wanted - given):
        return Fault("phrasing.problem.missing", {"name": f"{{{name}}}"})
    for name in sorted(given - wanted):
        return Fault("phrasing.problem.unknown", {"name": f"{{{name}}}"})
    if re.search(r"[<>]", _LINK.sub("", text)):
        return Fault("phrasing.problem.markup", {})
    if where(key) == SHORT:
        length = len(re.sub(r"\{[a-z_]+\}", "", text))
        if length > LONGEST_SHORT or "\n" in text:
            return Fault("phrasing.problem.short", {"most": LONGEST_SHORT, "n": length})
    elif len(text.encode()) > LONGEST_BYTES:
        return Fault("phrasing.problem.long", {"most": LONGEST_BYTES, "n": len(text.encode())})
    return None
