"""What staff do to a report: each POST reads its form, runs one verb in one unit of work, and answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.datastructures import FileStorage, MultiDict

from admin.guard import me, pages
from admin.report_page import CALL_ANSWERS, REJECT_REASONS, Opened, asked_action, reachable, show, visible
from admin.showing import zone
from district import clock
from district.categories.models import LimitUnit
from district.errors import BadInput, DistrictError, NotAllowed, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.messages import speaking, t
from district.people.models import Staff
from district.replies import service as replies
from district.reports import (
    calling,
    extensions,
    guards,
    mentions,
    parts,
    photos,
    questions,
    sight,
    splitting,
    standards,
)
from district.reports import service as reports
from district.reports.models import EventKind, Photo, Report, ReportEvent
from district.reports.states import Action
from district.work import unit_of_work

# A second tap or a repeated send within this time is the same act, not a quarrel with oneself.
_SAME_ACT = timedelta(minutes=2)
# Degrees, about a metre: nearer than this the pin was not moved.
_A_STEP = 0.00001
_LEAVES: dict[Action, EventKind] = {
    Action.ACCEPT: EventKind.ACCEPTED,
    Action.HAND_BACK: EventKind.HANDED_BACK,
    Action.REFUSE_HAND_BACK: EventKind.HAND_BACK_REFUSED,
    Action.RESOLVE: EventKind.RESOLVED,
    Action.VERIFY: EventKind.VERIFIED,
    Action.REFUSE_VERIFICATION: EventKind.VERIFICATION_REFUSED,
    Action.REJECT: EventKind.REJECTED,
    Action.REOPEN: EventKind.REOPENED,
    Action.ASK: EventKind.ASKED,
    Action.WITHDRAW_QUESTION: EventKind.QUESTION_WITHDRAWN,
    Action.FINISH_PART: EventKind.PART_DONE,
    Action.CHOOSE_STANDARD: EventKind.STANDARD_CHOSEN,
    Action.ASK_EXTENSION: EventKind.EXTENSION_ASKED,
    Action.GRANT_EXTENSION: EventKind.EXTENSION_GRANTED,
    Action.REFUSE_EXTENSION: EventKind.EXTENSION_REFUSED,
    Action.SUSPEND: EventKind.SUSPENDED,
    Action.RESUME: EventKind.RESUMED,
    Action.REPLY: EventKind.REPLIED,
    Action.ADD_CO: EventKind.CO_ADDED,
    Action.REMOVE_CO: EventKind.CO_REMOVED,
    Action.SPLIT: EventKind.SPLIT,
}


@dataclass(frozen=True)
class Sent:
    """What a form brought. photo_ids: rows that are already the sender's own."""

    fields: MultiDict[str, str]
    photo_ids: Sequence[int] = field(default_factory=tuple)

    def text(self, name: str) -> str:
        return self.fields.get(name, "").strip()

    def number(self, name: str) -> int | None:
        value = self.text(name)
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None

    def day(self, name: str) -> date | None:
        """A day such as `2026-11-30`; None for anything else."""
        try:
            return date.fromisoformat(self.text(name))
        except ValueError:
            return None

    def degrees(self, name: str) -> float | None:
        return degrees(self.text(name))


def degrees(text: str) -> float | None:
    """A coordinate as a form gives it; None where it gives none. Raises BadInput for what is no number."""
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise BadInput(fields={"latitude": "errors.place_not_on_earth"})
    return value


def _unit(sent: Sent) -> int:
    chosen = sent.number("unit")
    if chosen is None:
        raise BadInput(fields={"unit": "admin.form.choose_unit"})
    return chosen


def _assign(report: Report, by: Staff, sent: Sent) -> None:
    if report.unit_id is not None and "note" in sent.fields and not sent.text("note"):
        # Whoever has it wants to know why it goes; a proposal that is taken with one tap says so itself.
        raise BadInput(fields={"note": "reportpage.problem.why_moved"})
    standard = sent.text("standard") if "standard" in sent.fields else None
    reports.assign(report, _unit(sent), by=by, note=sent.text("note"), standard_code=standard)


def _uphold(report: Report, by: Staff, sent: Sent) -> None:
    reports.uphold_hand_back(report, by=by, unit_id=_unit(sent), ruling=sent.text("ruling"))


def _reject(report: Report, by: Staff, sent: Sent) -> None:
    """The reason is read by the resident: a listed one is said in the resident's language."""
    chosen = sent.text("reason_code")
    said = []
    if chosen in REJECT_REASONS:
        with speaking(report.language):
            said.append(t(f"admin.reject.{chosen}"))
    elif not sent.text("reason"):
        raise BadInput(fields={"reason": "admin.form.choose_reason"})
    if sent.text("reason"):
        said.append(sent.text("reason"))
    reports.reject(report, by=by, reason="\n".join(said))


def _correct(report: Report, by: Staff, sent: Sent) -> None:
    latitude, longitude = sent.degrees("latitude"), sent.degrees("longitude")
    if latitude is not None and longitude is not None and report.latitude is not None and report.longitude is not None:
        moved = max(abs(latitude - report.latitude), abs(longitude - report.longitude))
        if moved < _A_STEP:
            # The map opened where the report is and nobody moved it: the place keeps its source.
            latitude = longitude = None
    reports.correct(
        report,
        by=by,
        category_code=sent.text("category") or None,
        latitude=latitude,
        longitude=longitude,
        address=sent.text("address") if "address" in sent.fields else None,
        facility_code=sent.text("facility") if "facility" in sent.fields else None,
    )


def _hand_back(report: Report, by: Staff, sent: Sent) -> None:
    reports.hand_back(
        report, by=by, reason=sent.text("reason"), reason_code=sent.text("reason_code"),
        suggested_unit_id=sent.number("unit"),
    )  # fmt: skip


def _comment(report: Report, by: Staff, sent: Sent) -> None:
    if sent.text("public") == "1":
        reports.comment(report, by=by, text=sent.text("text"), photo_ids=sent.photo_ids)
    else:
        mentions.note(report, by=by, text=sent.text("text"), photo_ids=sent.photo_ids)


def _ask_extension(report: Report, by: Staff, sent: Sent) -> None:
    more, until = sent.text("more"), sent.day("until")
    if more and sent.number("more") is None:
        raise BadInput(fields={"more": "deadlines.problem.extension_range"})
    unit = sent.text("more_unit")
    extensions.ask(
        report,
        by=by,
        reason=sent.text("reason"),
        more=sent.number("more"),
        unit=LimitUnit(unit) if unit in tuple(LimitUnit) else None,
        until=until,
    )


def _suspend(report: Report, by: Staff, sent: Sent) -> None:
    day = sent.day("until")
    if day is None:
        raise BadInput(fields={"until": "deadlines.problem.suspend_until"})
    reports.suspend(report, by=by, reason=sent.text("reason"), until=datetime.combine(day, time(), zone()))


def _standing_at(sent: Sent) -> tuple[float | None, float | None]:
    return sent.degrees("at_latitude"), sent.degrees("at_longitude")


def _split(report: Report, by: Staff, sent: Sent) -> None:
    chosen = [int(text) for text in sent.fields.getlist("move") if text.isascii() and text.isdecimal()][:9]
    splitting.split(
        report, by=by, description=sent.text("description"), category_code=sent.text("category"), photo_ids=chosen
    )


def _call_back(report: Report, by: Staff, sent: Sent) -> None:
    said = sent.text("said")
    if said not in CALL_ANSWERS:
        raise BadInput(fields={"said": "admin.call_back.choose"})
    calling.call_back(
        report, by=by, is_reached=said != "no_answer", solved=said == "solved", stars=sent.number("stars"),
        text=sent.text("text"),
    )  # fmt: skip


VERBS: dict[Action, Callable[[Report, Staff, Sent], object]] = {
    Action.ASSIGN: _assign,
    Action.ACCEPT: lambda report, by, _: reports.accept(report, by=by),
    Action.HAND_BACK: _hand_back,
    Action.UPHOLD_HAND_BACK: _uphold,
    Action.REFUSE_HAND_BACK: lambda report, by, sent: reports.refuse_hand_back(
        report, by=by, ruling=sent.text("ruling")
    ),
    Action.RESOLVE: lambda report, by, sent: reports.resolve(
        report, by=by, note=sent.text("note"), photo_ids=sent.photo_ids
    ),
    Action.VERIFY: lambda report, by, sent: reports.verify(
        report, by=by, note=sent.text("note"), photo_ids=sent.photo_ids, place=_standing_at(sent)
    ),
    Action.REFUSE_VERIFICATION: lambda report, by, sent: reports.refuse_verification(
        report, by=by, note=sent.text("note"), photo_ids=sent.photo_ids, place=_standing_at(sent)
    ),
    Action.REJECT: _reject,
    Action.REOPEN: lambda report, by, sent: reports.reopen(
        report, by=by, text=sent.text("text"), photo_ids=sent.photo_ids
    ),
    Action.CORRECT: _correct,
    Action.COMMENT: _comment,
    Action.ASK: lambda report, by, sent: questions.ask(report, by=by, text=sent.text("text")),
    Action.WITHDRAW_QUESTION: lambda report, by, _: questions.withdraw_question(report, by=by),
    Action.FINISH_PART: lambda report, by, sent: parts.finish_part(
        report, by=by, note=sent.text("note"), photo_ids=sent.photo_ids
    ),
    Action.CHOOSE_STANDARD: lambda report, by, sent: standards.choose(
        report, by=by, standard_code=sent.text("standard")
    ),
    Action.ASK_EXTENSION: _ask_extension,
    Action.GRANT_EXTENSION: lambda report, by, sent: extensions.grant(report, by=by, ruling=sent.text("ruling")),
    Action.REFUSE_EXTENSION: lambda report, by, sent: extensions.refuse(report, by=by, ruling=sent.text("ruling")),
    Action.SUSPEND: _suspend,
    Action.RESUME: lambda report, by, sent: reports.resume(report, by=by, note=sent.text("note")),
    Action.REPLY: lambda report, by, sent: replies.reply(report, by=by, text=sent.text("text")),
    Action.ADD_CO: lambda report, by, sent: parts.add(report, by=by, unit_id=_unit(sent), note=sent.text("note")),
    Action.REMOVE_CO: lambda report, by, sent: parts.remove(
        report, by=by, unit_id=_unit(sent), reason=sent.text("reason")
    ),
    Action.SPLIT: _split,
    Action.CALL_BACK: _call_back,
}


@pages.post("/reports/<number>/do/<action>")
def act(number: str, action: str) -> ResponseReturnValue:
    """Do it, or show the form again as it was sent, with what stands in the way."""
    wanted = asked_action(action)
    found = reachable(number)
    report_id, number = found.id, found.number
    # Without a version nobody can know what its sender had seen: such a form is as good as stale.
    version = Sent(request.form).number("version") or 0
    kept: list[int] = []
    pictures: list[photos.Picture] = []
    problem: DistrictError
    try:
        pictures = [photos.prepare(content) for content in uploads()]
        for picture in pictures:
            photos.keep(picture)
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            kept = _own_loose_photos(by)
            sent = Sent(request.form, [*kept, *(photos.add_uploaded(picture, staff=by).id for picture in pictures)])
            report = reports.lock(report_id, version=version)
            if not sight.may_see(by, report):
                raise NotFound("errors.report_unknown")
            VERBS[wanted](report, by, sent)
    except (BadInput, WrongState, NotAllowed) as error:
        problem = error
    else:
        flash(f"admin.done.{wanted}")
        return redirect(url_for("admin.report", number=number))
    # The pictures were not part of what failed: they stay with their sender for the next try.
    if pictures or request.form.getlist("kept"):
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            kept = [*_own_loose_photos(by), *(photos.add_uploaded(picture, staff=by).id for picture in pictures)]
    return _again(number, wanted, problem, kept)


@pages.post("/reports/<number>/contact")
def show_contact(number: str) -> ResponseReturnValue:
    """The reporter's telephone number in clear, with a line in the audit log."""
    found = reachable(number)
    with unit_of_work():
        contact = sight.read_contact(reports.lock(found.id), by=db.session.get_one(Staff, me().id))
    if request.headers.get("HX-Request"):
        return render_template("admin/_contact.html", contact=contact)
    return show(visible(number), contact=contact)


def _again(number: str, wanted: Action, problem: DistrictError, kept: Sequence[int]) -> ResponseReturnValue:
    """The page as it is now, with the form as it was sent."""
    found = visible(number)
    seen = Sent(request.form).number("seen") or 0
    changes = [event for event in found.events if event.id > seen] if isinstance(problem, WrongState) else []
    if changes and _did_it_already(wanted, changes[-1]):
        flash(f"admin.done.{wanted}")
        return redirect(url_for("admin.report", number=number))
    status = 422 if isinstance(problem, BadInput) else 403 if isinstance(problem, NotAllowed) else 409
    errors = dict(problem.fields) if isinstance(problem, BadInput) else {}
    opened = Opened(
        wanted,
        typed=request.form.to_dict(),
        errors=errors,
        photos=db.session.scalars(select(Photo).where(Photo.id.in_(kept)).order_by(Photo.id)).all(),
        # A problem that names what it means is said besides its fields.
        problem=""
        if isinstance(problem, StaleVersion) or (errors and not problem.params)
        else t(problem.key, **problem.params),
        is_possible=wanted in guards.possible(me(), found),
    )
    return show(found, status=status, opened=opened, changes=changes)


def _did_it_already(wanted: Action, newest: ReportEvent) -> bool:
    """Whether the newest change is this very act of this very person: a form that was sent twice."""
    return _LEAVES.get(wanted) == newest.kind and newest.staff_id == me().id and clock.now() - newest.at <= _SAME_ACT


def uploads() -> list[bytes]:
    """The pictures that a form brought. Raises BadInput for too many."""
    files: list[FileStorage] = [file for file in request.files.getlist("photos") if file.filename]
    if len(files) > photos.MOST_PHOTOS:
        raise BadInput("errors.photos_many")
    return [file.read() for file in files]


def _own_loose_photos(by: Staff) -> list[int]:
    """Pictures of an earlier try of this form, as far as they are this person's and still in no report."""
    wanted = [int(text) for text in request.form.getlist("kept") if text.isascii() and text.isdecimal()][:9]
    if not wanted:
        return []
    own = select(Photo.id).where(Photo.id.in_(wanted), Photo.staff_id == by.id, Photo.report_id.is_(None))
    return list(db.session.scalars(own))
