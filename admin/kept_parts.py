"""Parts of the panel's pages that are the same for many: drawn once and kept by the process."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from flask import current_app, request
from jinja2.runtime import Macro
from markupsafe import Markup

from admin.guard import pages
from district.messages import language, own_wording

# What is on every page and the same on most: as many pages as the panel has, for a few sets of roles.
_MOST_KEPT = 2000


@dataclass
class KeptParts:
    """Parts of pages that were drawn before, in the words that the district had then."""

    wording: Mapping[tuple[str, str], str] | None = None
    parts: dict[Hashable, Markup] = field(default_factory=dict)


def drawn_once(part: Macro, *of: Hashable) -> Markup:
    """What this macro without arguments draws, drawn anew only when `of`, the language or the wording is another.

    of: all else that it depends on. It must hold nothing of one person or one visit.
    """
    known: KeptParts = current_app.extensions.setdefault("kept_parts", KeptParts())
    if known.wording is not own_wording() or len(known.parts) >= _MOST_KEPT:
        known.parts, known.wording = {}, own_wording()
    parts, key = known.parts, (part.name, language(), request.script_root, *of)
    drawn = parts.get(key)
    if drawn is None:
        drawn = parts[key] = cast(Markup, part())
    return drawn


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"drawn_once": drawn_once}
