"""Every table of the domain, imported in one place so that the metadata is whole whoever asks first."""

from __future__ import annotations

import district.api_keys.models
import district.bulk.models
import district.categories.models
import district.changes.models
import district.chats.models
import district.deadlines.models
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
