"""Read reply_templates.csv: prepared words for residents."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from district.loading.files import Row
from district.loading.problems import listed
from district.replies.filling import unknown_in
from district.reports.states import Status

LONGEST = 500


def read_replies(rows: Iterable[Row], categories: Collection[str] | None, where: str) -> dict[str, dict[str, Any]]:
    """Every row by its code; mistakes are noted by the rows themselves. categories: known codes of `where`."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        code = row.text("code", longest=40)
        record: dict[str, Any] = {
            "code": code,
            "title": row.text("title", longest=60),
            "words": row.text("words_zh", longest=LONGEST),
            "words_en": row.text("words_en", longest=LONGEST, required=False),
            "category_codes": row.items("category_codes"),
            "statuses": row.items("statuses"),
        }
        for column, words in (("words_zh", record["words"]), ("words_en", record["words_en"])):
            for name in unknown_in(words):
                row.wrong(column, "unknown_placeholder", name=name)
        for one in record["category_codes"]:
            row.known("category_codes", one, categories, where)
        for one in record["statuses"]:
            if one not in set(Status):
                row.wrong("statuses", "unknown_value", value=one, allowed=listed(tuple(Status)))
        if code and code in found:
            row.wrong("code", "duplicate", value=code)
        elif code:
            found[code] = record
    return found
