"""Every table of the domain, imported in one place so that the metadata is whole whoever asks first."""

from __future__ import annotations

from typing import Any

import district.api_keys.models
import district.bulk.models
import district.care.models
import district.categories.models
import district.changes.models
import district.chats.models
import district.deadlines.models
import district.devices.models
import district.duty.models
import district.errands.models
import district.facilities.models
import district.geo.models
import district.labels.models
import district.learning.models
import district.notices.models
import district.notifications.models
import district.numbers.models
import district.overview.models
import district.people.models
import district.register.models
import district.replies.models
import district.reports.models
import district.routing.models
import district.rules.models
import district.saved.models
import district.search.models
import district.settings
import district.staff_wechat.models
import district.tags.models
import district.units.models  # noqa: F401

# Full-text indexes: tables of their own on SQLite, which adds to them by itself, and indexes on PostgreSQL.
_ONLY_SQLITE = ("report_words", "facility_words")
_ONLY_POSTGRESQL = ("ix_report_search_words", "ix_facility_words")


def is_compared(_thing: Any, name: str | None, kind: str, _is_reflected: bool, _other: Any) -> bool:
    """Whether Alembic compares this with the models: not what only one of the two databases has."""
    if kind == "table":
        return not (name or "").startswith(_ONLY_SQLITE)
    return not (kind == "index" and name in _ONLY_POSTGRESQL)
