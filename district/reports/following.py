"""What followers add to somebody else's report: words for staff, pictures. None of these commits.

Neither is shown to the resident whose report it is: they are for whoever handles it.
"""

from __future__ import annotations

from collections.abc import Sequence

from district.errors import BadInput, NotAllowed, WrongState
from district.extensions import db
from district.people.models import Resident
from district.reports import service as reports
from district.reports.history import attach, record
from district.reports.models import EventKind, Report, ReportFollower
from district.reports.photos import expect_media
from district.reports.states import BY_ACTION, Action, Status
from district.words import clean
from district.work import hurry


def add(report: Report, *, by: Resident, text: str = "", photo_ids: Sequence[int] = ()) -> None:
    """A follower's words and pictures join the report. report: locked.

    Raises NotAllowed for whoever does not follow it, WrongState once nothing can be added, BadInput.
    """
    require(report, by)
    text = clean(text)
    if not text and not photo_ids:
        raise BadInput(fields={"text": "errors.note_missing"})
    if len(text) > reports.LONGEST_NOTE:
        raise BadInput(fields={"text": "errors.note_long"})
    attach(report, photo_ids, by)
    kind = EventKind.COMMENTED if text else EventKind.PHOTO_ADDED
    record(report, kind, by, note=text, is_public=False, data={"follower": True})


def add_media(report_id: int, media_id: str, *, by: Resident) -> None:
    """A follower's later picture, still held by WeChat; fetching it is hurried. Raises as `add`."""
    report = reports.lock(report_id)
    require(report, by)
    expect_media(media_id, by.id, report_id)
    record(report, EventKind.PHOTO_ADDED, by, is_public=False, data={"follower": True})
    hurry("fetch_photos")


def require(report: Report, by: Resident) -> None:
    """Raise NotAllowed for whoever does not follow the report, WrongState once nothing can be added to it."""
    if db.session.get(ReportFollower, (report.id, by.id)) is None:
        raise NotAllowed()
    if Status(report.status) not in BY_ACTION[Action.COMMENT].sources:
        raise WrongState()
