"""Making text fit into what WeChat accepts."""

from __future__ import annotations

MAX_TEXT_BYTES = 2048
ELLIPSIS = "…"


def cut(text: str, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """`text` in at most `max_bytes` bytes of UTF-8, cut between characters, not inside a link."""
    raw = text.encode("utf-8", errors="ignore")
    if len(raw) <= max_bytes:
        return raw.decode("utf-8")
    kept = raw[: max_bytes - len(ELLIPSIS.encode())].decode("utf-8", errors="ignore")
    # Half a link would be shown as markup.
    opened = kept.rfind("<a ")
    if opened > kept.rfind("</a>"):
        kept = kept[:opened]
    return kept.rstrip() + ELLIPSIS


def shorten(text: str, max_characters: int) -> str:
    """`text` on one line in at most `max_characters` characters, with an ellipsis when it was longer."""
    line = " ".join(text.split())
    return line if len(line) <= max_characters else line[: max_characters - 1] + ELLIPSIS
