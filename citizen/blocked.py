"""Residents who may not report for a while may not do so on the pages either; whatever is dangerous comes through."""

from __future__ import annotations

from citizen import identity, showing
from district.categories.models import Urgency
from district.errors import NotAllowed
from district.people import blocks
from district.reference import reference
from district.understanding import understand


class Blocked(NotAllowed):
    """Until when, and where to turn instead."""

    title_key = "notices.blocked.title"


def refuse(text: str, category_code: str = "") -> None:
    """Raise Blocked for a resident we know who is blocked now, unless the words or the category are an emergency."""
    known = identity.resident_id()
    until = blocks.blocked_until(known) if known is not None else None
    if until is None or _presses(text, category_code):
        return
    raise Blocked(
        "notices.blocked.words",
        until=showing.moment_text(until),
        hotline=str(reference().setting("telephones.hotline", "12345")),
    )


def _presses(text: str, category_code: str) -> bool:
    category = reference().categories_by_code.get(category_code)
    if category is not None and Urgency(category.urgency) is Urgency.CRITICAL:
        return True
    return bool(text) and understand(text, reference()).urgency is Urgency.CRITICAL
