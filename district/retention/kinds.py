"""What is deleted, or loses what leads to a person, after how many days. A part is one table's share of a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, aliased

from district import clock
from district.bulk.models import BulkRun
from district.care.models import MaintenancePhoto
from district.chats.models import Conversation, InboundMessage
from district.devices.models import DeviceAlarm
from district.extensions import db
from district.facilities.models import CodeGuessDay, FacilityScanDay
from district.notices.models import StaffNotice
from district.notifications.models import Notification
from district.people.models import AuditEntry, StaffLogin
from district.register.models import FacilityPhoto
from district.reports import photos
from district.reports.models import Photo, PhotoState, Report, ReportEvent, ReportFollower, ReportQuestion
from district.reports.states import ENDED
from district.staff_wechat.models import StaffMessage
from district.understanding.personal import without_personal


@dataclass(frozen=True)
class Part:
    """due: the keys of what is over, by the moment before which it must have ended. forget: take these out, flush.

    files: the pictures' files that go with them; they are deleted first, with no transaction open, so that a process
    that dies in between leaves rows to be looked at again rather than files that nobody knows of.
    """

    due: Callable[[datetime], Select[Any]]
    forget: Callable[[Sequence[Any]], None]
    files: Callable[[Sequence[Any]], list[str]] | None = None


@dataclass(frozen=True)
class Kind:
    """name: its words are under `retention.kind`. path: its days in district.toml, where the panel's own go too.

    usual: the days where nobody says anything. least, most: between which the panel may set them; the same for days
    that are not to be chosen.
    """

    name: str
    path: str
    usual: int
    least: int
    most: int
    parts: tuple[Part, ...]

    @property
    def is_fixed(self) -> bool:
        return self.least == self.most


def _rows(key: InstrumentedAttribute[Any], moment: InstrumentedAttribute[datetime]) -> Part:
    """Rows of one table that go as they are when `moment` is long ago."""
    model: Any = key.class_

    def forget(keys: Sequence[Any]) -> None:
        db.session.execute(delete(model).where(key.in_(keys)).execution_options(synchronize_session=False))

    return Part(lambda before: select(key).where(moment < before), forget)


def _days(day: InstrumentedAttribute[date]) -> Part:
    """The rows of whole days of one table, a key being a day."""

    def forget(keys: Sequence[Any]) -> None:
        db.session.execute(delete(day.class_).where(day.in_(keys)).execution_options(synchronize_session=False))

    return Part(lambda before: select(day).where(day < before.date()).distinct(), forget)


def ended_before(moment: datetime) -> ColumnElement[bool]:
    """The reports whose last change of status, an end, lies before `moment`; a merged one ends with its eldest."""
    later = exists().where(
        ReportEvent.report_id == Report.id, ReportEvent.to_status.is_not(None), ReportEvent.at >= moment
    )
    eldest = aliased(Report)
    goes_on = exists().where(
        eldest.id == Report.parent_id, or_(eldest.status.not_in(ENDED), eldest.closed_at >= moment)
    )
    return and_(Report.submitted_at < moment, Report.status.in_(ENDED), ~later, ~goes_on)


# Contacts: the telephone number goes, the report stays as it is.


def _forget_contacts(ids: Sequence[int]) -> None:
    db.session.execute(_of_reports(ids).values(contact_sealed=""))


# Reports: without whoever filed it and what their words tell of them.


def _make_nameless(ids: Sequence[int]) -> None:
    rows = db.session.execute(select(Report.id, Report.description, Report.rating_text).where(Report.id.in_(ids)))
    for row in rows.all():
        words = {"description": without_personal(row.description), "rating_text": without_personal(row.rating_text)}
        db.session.execute(_of_reports([row.id]).values(words))
    db.session.execute(_of_reports(ids).values(contact_sealed="", resident_id=None, nameless_since=clock.now()))
    said = select(ReportEvent.id, ReportEvent.note).where(
        ReportEvent.report_id.in_(ids), ReportEvent.actor == "resident", ReportEvent.note != ""
    )
    for event in db.session.execute(said).all():
        changed = update(ReportEvent).where(ReportEvent.id == event.id)
        db.session.execute(changed.values(note=without_personal(event.note)))
    asked = select(ReportQuestion.id, ReportQuestion.answer).where(ReportQuestion.report_id.in_(ids))
    for question in db.session.execute(asked).all():
        changed = update(ReportQuestion).where(ReportQuestion.id == question.id)
        db.session.execute(changed.values(answer=without_personal(question.answer), resident_id=None))
    db.session.execute(update(Photo).where(Photo.report_id.in_(ids)).values(resident_id=None))
    for model in (ReportFollower, Notification):
        db.session.execute(
            delete(model).where(model.report_id.in_(ids)).execution_options(synchronize_session=False)
        )  # fmt: skip


def _of_reports(ids: Sequence[int]) -> Any:
    return update(Report).where(Report.id.in_(ids)).execution_options(synchronize_session=False)


# Pictures: the large size of a report's; all of those that became part of none.


def _large_pictures(before: datetime) -> Select[Any]:
    # A picture is no younger than its report's end; those of the index that are so old are few.
    still_large = (Photo.created_at < before, Photo.state == "kept", Photo.reduced_at.is_(None))
    return select(Photo.id).join(Report, Report.id == Photo.report_id).where(*still_large, ended_before(before))


def _large_of_logs(before: datetime) -> Select[Any]:
    """Pictures of the maintenance log: theirs is the day they were taken."""
    still_large = (Photo.created_at < before, Photo.state == "kept", Photo.reduced_at.is_(None))
    return select(Photo.id).join(MaintenancePhoto, MaintenancePhoto.photo_id == Photo.id).where(*still_large)


def _large_files(ids: Sequence[int]) -> list[str]:
    return _files(ids, ("page",), Photo.reduced_at.is_(None))


def _reduce(ids: Sequence[int]) -> None:
    db.session.execute(update(Photo).where(Photo.id.in_(ids)).values(reduced_at=clock.now()))


def _loose_pictures(before: datetime) -> Select[Any]:
    """WeChat keeps a picture for three days: until then one that has not come may still do so."""
    return select(Photo.id).where(
        Photo.report_id.is_(None),
        ~exists().where(FacilityPhoto.photo_id == Photo.id),
        ~exists().where(MaintenancePhoto.photo_id == Photo.id),
        Photo.created_at < before,
        or_(Photo.state != PhotoState.WAITING, Photo.created_at < clock.now() - photos.MEDIA_LIVES),
    )


def _loose_files(ids: Sequence[int]) -> list[str]:
    return _files(ids, tuple(photos.SIZES))


def _files(ids: Sequence[int], sizes: tuple[str, ...], *also: ColumnElement[bool]) -> list[str]:
    """The files of these photos that no other photo shows. The same picture sent twice is one file."""
    digests = set(db.session.scalars(select(Photo.digest).where(Photo.id.in_(ids), Photo.digest.is_not(None))))
    shown = set(
        db.session.scalars(select(Photo.digest).where(Photo.digest.in_(digests), Photo.id.not_in(ids), *also))
    )  # fmt: skip
    return [photos.file_name(digest, size) for digest in digests - shown if digest for size in sizes]


def _delete_photos(ids: Sequence[int]) -> None:
    db.session.execute(delete(Photo).where(Photo.id.in_(ids)).execution_options(synchronize_session=False))


_DAYS = "privacy.retention_days"
KINDS: tuple[Kind, ...] = (
    Kind(
        "contact", f"{_DAYS}.contact", 180, 30, 3650,
        (Part(
            lambda before: select(Report.id).where(Report.contact_sealed != "", ended_before(before)), _forget_contacts
        ),),
    ),
    Kind(
        "conversation", f"{_DAYS}.conversation", 180, 7, 1825,
        (
            _rows(InboundMessage.key, InboundMessage.received_at),
            _rows(Conversation.resident_id, Conversation.updated_at),
        ),
    ),
    Kind(
        "photo_original", f"{_DAYS}.photo_original", 365, 30, 3650,
        (Part(_large_pictures, _reduce, _large_files), Part(_large_of_logs, _reduce, _large_files)),
    ),
    Kind(
        "report", f"{_DAYS}.report", 1825, 365, 7300,
        (Part(
            lambda before: select(Report.id).where(Report.nameless_since.is_(None), ended_before(before)),
            _make_nameless,
        ),),
    ),
    Kind(
        "log", f"{_DAYS}.log", 1095, 180, 3650,
        (_rows(AuditEntry.id, AuditEntry.at), _rows(StaffLogin.id, StaffLogin.seen_at)),
    ),
    Kind("notice", f"{_DAYS}.notice", 90, 7, 730, (_rows(StaffNotice.id, StaffNotice.at),)),
    Kind("staff_message", f"{_DAYS}.staff_message", 30, 7, 365, (_rows(StaffMessage.id, StaffMessage.created_at),)),
    # A phone may send what it kept without a network for as long as this; the row is how a second sending is known.
    Kind("bulk", f"{_DAYS}.bulk", 30, 14, 365, (_rows(BulkRun.token, BulkRun.started_at),)),
    Kind("device_alarm", f"{_DAYS}.device_alarm", 730, 30, 3650, (_rows(DeviceAlarm.id, DeviceAlarm.last_at),)),
    Kind("scan", f"{_DAYS}.scan", 400, 60, 3650, (_days(FacilityScanDay.day), _days(CodeGuessDay.day))),
    Kind("loose_photo", f"{_DAYS}.loose_photo", 1, 1, 1, (Part(_loose_pictures, _delete_photos, _loose_files),)),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}


def before(days: int) -> datetime:
    """The moment before which something must have ended to be over now."""
    return clock.now() - timedelta(days=days)
