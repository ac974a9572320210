"""Reports (案卷), their photos and their append-only history."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, Integer, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.categories.models import Category, LimitUnit, Urgency
from district.columns import BigId, JsonDict, Key, Moment, Words, few, one_of
from district.extensions import Model
from district.facilities.models import Facility
from district.people.models import Resident, Staff
from district.reports.states import HAS_UNIT, Status
from district.units.models import Unit


class Source(StrEnum):
    BOT = "bot"
    H5 = "h5"
    QR = "qr"
    API = "api"
    OPEN311 = "open311"
    STAFF = "staff"
    INSPECTOR = "inspector"
    DEVICE = "device"


class PlaceSource(StrEnum):
    """Where a report's place comes from, surest first."""

    FACILITY = "facility"
    SHARED = "shared"  # a location message
    PICKED = "picked"  # a tap on our map
    DEVICE = "device"  # the phone's own position
    GAZETTEER = "gazetteer"  # words that name one place
    WORDS = "words"  # words only, no point


_HAS_UNIT = one_of("status", tuple(sorted(HAS_UNIT)))


class Report(Model):
    """One thing a resident wants fixed.

    number: e.g. `BH20261122-0042K` (day in the district's zone, count, check letter).
    access_key: opens the private part of the report's page; never in logs or lists.
    client_id: the key of the machine that filed it (`api_key`), null for people; no foreign key, rows there stay.
    nameless_since: when its time was over and what could lead to a person was taken out (district.retention).
    contact_sealed: telephone or name, encrypted, or empty. version: counts up with each change.
    hand_back_pending, waiting_for_resident: flags with a paused clock, not statuses. extension_pending: a flag, too.
    first_seen_at: when somebody of the responsible unit first looked; look_due_at: when that should have been, null
    once it has been or nobody is left to be told; look_level: how many have been told that nobody looked.
    ruled_at: a hand-back was ruled on, and the ruling is final. is_unclear: no rule says whose it is.
    proposed_unit_id: whose the corrected facts make it, while a unit is already at work.
    route_again_at: since when the router should look at it again because its facts were corrected.
    standard_code: the chosen condition of the category, or empty. limit_value, limit_unit: the handling limit that
    the present clock was started with. clock_from: when that clock began, where not at `assigned_at`.
    clock_paused_at: since when the present clock stands still. alarm_at: when the next reminder of the present clock
    is due, null when none is; alarm_step: the last one that is done (`district.deadlines.running.Step`), 0 for none.
    """

    __tablename__ = "report"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint(one_of("status", tuple(Status)), name="status_known"),
        CheckConstraint(one_of("source", tuple(Source)), name="source_known"),
        CheckConstraint(one_of("urgency", tuple(Urgency)), name="urgency_known"),
        # A status and its companions change together: each companion has its own rule, so that none is forgotten.
        CheckConstraint(f"(unit_id is not null) = ({_HAS_UNIT})", name="unit_set_when_assigned"),
        CheckConstraint(f"(assigned_at is not null) = ({_HAS_UNIT})", name="assigned_at_when_assigned"),
        CheckConstraint(f"(handling_due_at is not null) = ({_HAS_UNIT})", name="clock_set_when_assigned"),
        CheckConstraint(f"accepted_at is null or {_HAS_UNIT}", name="accepted_only_with_unit"),
        CheckConstraint(
            "accepted_at is not null or status not in ('in_progress', 'resolved', 'closed')",
            name="accepted_before_work",
        ),
        CheckConstraint(
            "not hand_back_pending or status in ('assigned', 'in_progress')", name="hand_back_while_with_unit"
        ),
        CheckConstraint(
            "not waiting_for_resident or status in ('submitted', 'triage', 'assigned', 'in_progress')",
            name="waiting_while_a_clock_runs",
        ),
        CheckConstraint(
            "(resolved_at is not null) = (status in ('resolved', 'closed'))", name="resolved_at_when_resolved"
        ),
        CheckConstraint(
            "(resolved_by_id is not null) = (status in ('resolved', 'closed'))", name="resolver_set_when_resolved"
        ),
        CheckConstraint("(closed_at is not null) = (status = 'closed')", name="closed_at_when_closed"),
        CheckConstraint(
            "(verified_by_id is not null or verification_waived) = (status = 'closed')", name="verifier_set_when_closed"
        ),
        CheckConstraint("verified_by_id is null or not verification_waived", name="verified_or_waived"),
        CheckConstraint("verified_by_id is null or verified_by_id <> resolved_by_id", name="verified_by_somebody_else"),
        CheckConstraint("(reject_reason is not null) = (status = 'rejected')", name="reason_set_when_rejected"),
        CheckConstraint("(parent_id is not null) = (status = 'merged')", name="parent_set_when_merged"),
        CheckConstraint("rated_at is null or status = 'closed'", name="rated_when_closed"),
        CheckConstraint("(rated_at is not null) = (solved is not null)", name="rating_whole"),
        CheckConstraint("stars is null or (stars between 1 and 5 and rated_at is not null)", name="stars_when_rated"),
        CheckConstraint(
            "not extension_pending or status in ('assigned', 'in_progress')", name="extension_while_with_unit"
        ),
        CheckConstraint("(limit_value is null) = (limit_unit is null)", name="limit_whole"),
        CheckConstraint(one_of("limit_unit", tuple(LimitUnit)), name="limit_unit_known"),
        CheckConstraint("(latitude is null) = (longitude is null)", name="place_whole"),
        CheckConstraint("latitude between -90 and 90 and longitude between -180 and 180", name="place_on_earth"),
        # Open work stays small however many reports are stored: the lists of the panel read only these.
        few("ix_report_submitted", "route_after", "id", where="status = 'submitted'"),
        few(
            "ix_report_open", "status", "handling_due_at",
            where="status in ('submitted','triage','assigned','in_progress','resolved','suspended')",
        ),
        few(
            "ix_report_open_place", "latitude", "longitude",
            # Told by what is over: told as above, SQLite would go through all open work by its status instead.
            where="status not in ('closed','rejected','merged','withdrawn')",
        ),
        few("ix_report_alarm", "alarm_at", where="alarm_at is not null"),
        # Few of very many, and asked for in lists: without these a list would go through all that is stored.
        few("ix_report_reopened", "id", where="reopen_count > 0"),
        few("ix_report_low", "id", where="stars <= 2"),
        few("ix_report_closed", "closed_at", where="closed_at is not null"),
        # Few of very many: those of machines, and those with a telephone number that is deleted one day.
        few("ix_report_client", "client_id", "id", where="client_id is not null"),
        few("ix_report_contact", "submitted_at", where="contact_sealed <> ''"),
        few("ix_report_unplaced", "id", where="latitude is null"),
        few("ix_report_refused", "status", "id", where="status in ('rejected','merged','withdrawn')"),
        # What a report that comes in has none of yet, or most have none of, costs its filing nothing.
        few("ix_report_unit_status", "unit_id", "status", "id", where="unit_id is not null"),
        Index("ix_report_resident", "resident_id", "id"),
        few("ix_report_facility", "facility_id", "id", where="facility_id is not null"),
        few("ix_report_parent", "parent_id", where="parent_id is not null"),
        # Nearly empty, both: what nobody has looked at yet, and what was just corrected.
        few("ix_report_look", "look_due_at", where="look_due_at is not null"),
        few("ix_report_again", "route_again_at", "id", where="route_again_at is not null"),
    )  # fmt: skip

    id: Mapped[Key]
    number: Mapped[str] = mapped_column(String(24))
    access_key: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(10), default="zh-Hans")
    client_id: Mapped[int | None] = mapped_column(BigId)
    resident_id: Mapped[int | None] = mapped_column(ForeignKey("resident.id"))
    contact_sealed: Mapped[str] = mapped_column(String(400), default="")

    description: Mapped[Words] = mapped_column(default="")
    category_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"), index=True)
    intent: Mapped[str] = mapped_column(String(20), default="report")
    urgency: Mapped[str] = mapped_column(String(20), default=Urgency.NORMAL)
    facility_id: Mapped[int | None] = mapped_column(ForeignKey("facility.id"))
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    address: Mapped[Words] = mapped_column(default="")
    place_source: Mapped[str] = mapped_column(String(20), default="")
    area_code: Mapped[str] = mapped_column(String(40), default="")
    community_code: Mapped[str] = mapped_column(String(40), default="")
    grid_code: Mapped[str] = mapped_column(String(40), default="")
    compound_id: Mapped[int | None] = mapped_column(ForeignKey("compound.id"))

    status: Mapped[str] = mapped_column(String(20), default=Status.SUBMITTED)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    reason: Mapped[JsonDict]
    hand_back_pending: Mapped[bool] = mapped_column(default=False)
    waiting_for_resident: Mapped[bool] = mapped_column(default=False)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("report.id"))
    reject_reason: Mapped[str | None] = mapped_column(String(500))

    submitted_at: Mapped[Moment] = mapped_column(index=True)
    dispatch_due_at: Mapped[Moment]
    assigned_at: Mapped[Moment | None]
    handling_due_at: Mapped[Moment | None]
    accepted_at: Mapped[Moment | None]
    resolved_at: Mapped[Moment | None]
    resolved_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    resolution: Mapped[Words] = mapped_column(default="")
    closed_at: Mapped[Moment | None]
    verified_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    verification_waived: Mapped[bool] = mapped_column(default=False)
    overdue_noted_at: Mapped[Moment | None]
    standard_code: Mapped[str] = mapped_column(String(40), default="", server_default="")
    limit_value: Mapped[int | None] = mapped_column(Integer)
    limit_unit: Mapped[str | None] = mapped_column(String(20))
    clock_from: Mapped[Moment | None]
    clock_paused_at: Mapped[Moment | None]
    extension_pending: Mapped[bool] = mapped_column(default=False, server_default=false())
    alarm_at: Mapped[Moment | None]
    alarm_step: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    has_followers: Mapped[bool] = mapped_column(default=False)
    rework_count: Mapped[int] = mapped_column(Integer, default=0)
    reopen_count: Mapped[int] = mapped_column(Integer, default=0)

    solved: Mapped[bool | None]
    stars: Mapped[int | None] = mapped_column(Integer)
    rating_text: Mapped[Words] = mapped_column(default="")
    rated_at: Mapped[Moment | None]

    first_seen_at: Mapped[Moment | None]
    look_due_at: Mapped[Moment | None]
    look_level: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    ruled_at: Mapped[Moment | None]
    is_unclear: Mapped[bool] = mapped_column(default=False, server_default=false())
    proposed_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    route_again_at: Mapped[Moment | None]

    nameless_since: Mapped[Moment | None]
    route_after: Mapped[Moment]
    route_tries: Mapped[int] = mapped_column(Integer, default=0)
    version: Mapped[int] = mapped_column(Integer, default=1)

    __mapper_args__ = {"version_id_col": version}

    resident: Mapped[Resident | None] = relationship()
    category: Mapped[Category | None] = relationship()
    facility: Mapped[Facility | None] = relationship()
    unit: Mapped[Unit | None] = relationship(foreign_keys=[unit_id])
    proposed_unit: Mapped[Unit | None] = relationship(foreign_keys=[proposed_unit_id])
    resolved_by: Mapped[Staff | None] = relationship(foreign_keys=[resolved_by_id])
    verified_by: Mapped[Staff | None] = relationship(foreign_keys=[verified_by_id])
    parent: Mapped[Report | None] = relationship(remote_side="Report.id")
    photos: Mapped[list[Photo]] = relationship(order_by="Photo.id", back_populates="report")
    events: Mapped[list[ReportEvent]] = relationship(order_by="ReportEvent.id", back_populates="report")
    other_units: Mapped[list[ReportUnit]] = relationship(cascade="all, delete-orphan")


class ReportUnit(Model):
    """A unit that has a part in a report beside the responsible one. role: co 协办, supervise 督办, broadcast.

    done_at, done_by_id: when and by whom a co-unit's own part was finished; note: what was done.
    """

    __tablename__ = "report_unit"
    __table_args__ = (
        CheckConstraint("role in ('co', 'supervise', 'broadcast')", name="role_known"),
        CheckConstraint("(done_at is null) = (done_by_id is null)", name="done_whole"),
    )

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(20), primary_key=True)
    done_at: Mapped[Moment | None]
    done_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    note: Mapped[Words] = mapped_column(default="", server_default="")

    unit: Mapped[Unit] = relationship()
    done_by: Mapped[Staff | None] = relationship()


class ReportFollower(Model):
    """A resident who asked to be told about somebody else's report."""

    __tablename__ = "report_follower"

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"), primary_key=True)
    resident_id: Mapped[int] = mapped_column(ForeignKey("resident.id"), primary_key=True, index=True)
    since: Mapped[Moment]


# In the data of a comment by which a resident asks that the report be hurried.
URGES = "urges"


class EventKind(StrEnum):
    """What happened. Each has a sentence in the catalogue under `status.event.*`."""

    SUBMITTED = "submitted"
    ROUTED = "routed"
    SENT_TO_TRIAGE = "sent_to_triage"
    ASSIGNED = "assigned"
    REASSIGNED = "reassigned"
    ACCEPTED = "accepted"
    HANDED_BACK = "handed_back"
    HAND_BACK_UPHELD = "hand_back_upheld"
    HAND_BACK_REFUSED = "hand_back_refused"
    RESOLVED = "resolved"
    VERIFIED = "verified"
    VERIFICATION_REFUSED = "verification_refused"
    REJECTED = "rejected"
    REOPENED = "reopened"
    RATED = "rated"
    WITHDRAWN = "withdrawn"
    CORRECTED = "corrected"
    COMMENTED = "commented"
    PHOTO_ADDED = "photo_added"
    SUPPORTED = "supported"
    REMINDED = "reminded"
    ASKED = "asked"
    ANSWERED = "answered"
    QUESTION_WITHDRAWN = "question_withdrawn"
    QUESTION_EXPIRED = "question_expired"
    UNSEEN = "unseen"
    PART_DONE = "part_done"
    REROUTED = "rerouted"
    REROUTE_PROPOSED = "reroute_proposed"
    STANDARD_CHOSEN = "standard_chosen"
    EXTENSION_ASKED = "extension_asked"
    EXTENSION_GRANTED = "extension_granted"
    EXTENSION_REFUSED = "extension_refused"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    DEADLINE_MOVED = "deadline_moved"
    MERGED = "merged"
    UNMERGED = "unmerged"
    INCIDENT_OPENED = "incident_opened"
    INCIDENT_ENDED = "incident_ended"
    ANNOUNCED = "announced"
    REPLIED = "replied"
    CO_ADDED = "co_added"
    CO_REMOVED = "co_removed"
    SPLIT = "split"
    DEVICE_ALARM = "device_alarm"
    DEVICE_CLEARED = "device_cleared"


class ReportEvent(Model):
    """One line of a report's history, written in the transaction of the change and never altered.

    actor: `resident`, `staff` or `system`. is_public: the resident and the public page may show it.
    note: words of the actor, as written. data: what else a sentence needs.
    """

    __tablename__ = "report_event"
    __table_args__ = (
        CheckConstraint(one_of("kind", tuple(EventKind)), name="kind_known"),
        CheckConstraint("actor in ('resident', 'staff', 'system')", name="actor_known"),
        CheckConstraint("(staff_id is not null) = (actor = 'staff')", name="staff_named"),
        Index("ix_report_event_report", "report_id", "id"),
        # Whose work is in which reports.
        few("ix_report_event_staff", "staff_id", "report_id", where="staff_id is not null"),
        # What the wall display counts over weeks, without reading the whole history.
        few("ix_report_event_closed", "at", where="to_status = 'closed'"),
        few("ix_report_event_rated", "at", where="kind = 'rated'"),
    )  # fmt: skip

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"))
    at: Mapped[Moment] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(30))
    actor: Mapped[str] = mapped_column(String(20))
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    from_status: Mapped[str | None] = mapped_column(String(20))
    to_status: Mapped[str | None] = mapped_column(String(20))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    note: Mapped[Words] = mapped_column(default="")
    is_public: Mapped[bool] = mapped_column(default=True)
    data: Mapped[JsonDict]

    report: Mapped[Report] = relationship(back_populates="events")
    staff: Mapped[Staff | None] = relationship()
    unit: Mapped[Unit | None] = relationship()

    @property
    def urges(self) -> bool:
        """Whether the resident asks by this that the report be hurried."""
        return bool(self.data and self.data.get(URGES))

    @property
    def told_as(self) -> str:
        """By which sentence it is told: `status.event.*` for staff, `citizen.event.*` for residents."""
        return "urged" if self.urges else self.kind


class HandBack(Model):
    """A unit says a report is not its own. At most one awaits its ruling for each report.

    reason_code: of the district's list; reason: the unit's own words. is_late: asked after the district's limit.
    is_repeated: a ruling on the same case had already said that it is this unit's.
    """

    __tablename__ = "hand_back"
    __table_args__ = (
        CheckConstraint("(ruled_at is null) = (upheld is null)", name="ruling_whole"),
        Index(
            "uq_hand_back_pending", "report_id", unique=True,
            sqlite_where=text("ruled_at is null"), postgresql_where=text("ruled_at is null"),
        ),
    )  # fmt: skip

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"), index=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    suggested_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    reason_code: Mapped[str] = mapped_column(String(40), default="other", server_default="other")
    reason: Mapped[str] = mapped_column(String(500))
    is_late: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_repeated: Mapped[bool] = mapped_column(default=False, server_default=false())
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[Moment]
    ruled_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    ruled_at: Mapped[Moment | None]
    upheld: Mapped[bool | None]
    ruling: Mapped[Words] = mapped_column(default="")

    unit: Mapped[Unit] = relationship(foreign_keys=[unit_id])
    suggested_unit: Mapped[Unit | None] = relationship(foreign_keys=[suggested_unit_id])


class Precedent(Model):
    """What a ruling said about a case: offered when the same case comes up again.

    The case: category, type of facility, area, and whether it lies inside a compound.
    from_unit_id: who handed it back; to_unit_id: who has it by the ruling (the same unit when it was refused).
    """

    __tablename__ = "precedent"
    __table_args__ = (
        UniqueConstraint("hand_back_id"),
        Index("ix_precedent_case", "category_id", "facility_type_id", "id"),
    )

    id: Mapped[Key]
    hand_back_id: Mapped[int] = mapped_column(ForeignKey("hand_back.id", ondelete="CASCADE"))
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"), index=True)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"))
    facility_type_id: Mapped[int | None] = mapped_column(ForeignKey("facility_type.id"))
    area_code: Mapped[str] = mapped_column(String(40), default="")
    in_compound: Mapped[bool]
    reason_code: Mapped[str] = mapped_column(String(40))
    from_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    to_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    why: Mapped[Words] = mapped_column(default="")
    ruled_at: Mapped[Moment]
    ruled_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))

    report: Mapped[Report] = relationship()
    from_unit: Mapped[Unit] = relationship(foreign_keys=[from_unit_id])
    to_unit: Mapped[Unit] = relationship(foreign_keys=[to_unit_id])


class Outcome(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"  # nobody answered in time


class ReportQuestion(Model):
    """What staff want to know from the resident. At most one waits for each report; its clock stands still.

    resident_id: whom the chat asks, null for somebody who reads it on the report's page only.
    answer: the resident's words; empty when a picture was the answer.
    """

    __tablename__ = "report_question"
    __table_args__ = (
        CheckConstraint(one_of("outcome", tuple(Outcome)), name="outcome_known"),
        CheckConstraint("(ended_at is null) = (outcome is null)", name="outcome_whole"),
        CheckConstraint("answer = '' or (outcome is not null and outcome = 'answered')", name="answer_when_answered"),
        Index("ix_report_question_report", "report_id", "id"),
        Index(
            "uq_report_question_pending", "report_id", unique=True,
            sqlite_where=text("ended_at is null"), postgresql_where=text("ended_at is null"),
        ),
        # What every message of the chat asks: nearly empty, and so costs nothing.
        few("ix_report_question_waiting", "resident_id", "id", where="ended_at is null"),
    )  # fmt: skip

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"))
    resident_id: Mapped[int | None] = mapped_column(ForeignKey("resident.id", ondelete="SET NULL"))
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[Moment]
    text: Mapped[str] = mapped_column(String(500))
    ended_at: Mapped[Moment | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    answer: Mapped[Words] = mapped_column(default="")

    report: Mapped[Report] = relationship()
    asked_by: Mapped[Staff] = relationship()


class Ruling(StrEnum):
    """How a request for more time ended."""

    GRANTED = "granted"
    REFUSED = "refused"
    DROPPED = "dropped"  # there was nothing left to rule on


class ReportExtension(Model):
    """A unit asks for more time. At most one awaits its ruling for each report; the clock runs meanwhile.

    reason: read by the resident when it is granted. more_value, more_unit: so much more; or until: a new date.
    """

    __tablename__ = "report_extension"
    __table_args__ = (
        CheckConstraint(one_of("outcome", tuple(Ruling)), name="outcome_known"),
        CheckConstraint("(ended_at is null) = (outcome is null)", name="outcome_whole"),
        CheckConstraint(one_of("more_unit", tuple(LimitUnit)), name="more_unit_known"),
        CheckConstraint("(more_value is null) = (more_unit is null)", name="more_whole"),
        CheckConstraint("(more_value is null) <> (until is null)", name="one_way"),
        CheckConstraint("more_value is null or more_value > 0", name="more_positive"),
        Index("ix_report_extension_report", "report_id", "id"),
        Index(
            "uq_report_extension_pending", "report_id", unique=True,
            sqlite_where=text("ended_at is null"), postgresql_where=text("ended_at is null"),
        ),
    )  # fmt: skip

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[Moment]
    reason: Mapped[str] = mapped_column(String(500))
    more_value: Mapped[int | None] = mapped_column(Integer)
    more_unit: Mapped[str | None] = mapped_column(String(20))
    until: Mapped[Moment | None]
    ended_at: Mapped[Moment | None]
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    outcome: Mapped[str | None] = mapped_column(String(20))
    ruling: Mapped[Words] = mapped_column(default="")

    unit: Mapped[Unit] = relationship()
    asked_by: Mapped[Staff] = relationship(foreign_keys=[asked_by_id])


class ReportSuspension(Model):
    """A time in which a report is put aside (挂账), with why and until when; its clock stands still.

    ended_by_id: null when its date came.
    """

    __tablename__ = "report_suspension"
    __table_args__ = (
        CheckConstraint("until > began_at", name="ends_after_it_began"),
        CheckConstraint("ended_by_id is null or ended_at is not null", name="ended_by_when_ended"),
        Index("ix_report_suspension_report", "report_id", "id"),
        Index(
            "uq_report_suspension_open", "report_id", unique=True,
            sqlite_where=text("ended_at is null"), postgresql_where=text("ended_at is null"),
        ),
        few("ix_report_suspension_until", "until", where="ended_at is null"),
    )  # fmt: skip

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"))
    reason: Mapped[str] = mapped_column(String(500))
    began_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    began_at: Mapped[Moment]
    until: Mapped[Moment]
    ended_at: Mapped[Moment | None]
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))

    began_by: Mapped[Staff] = relationship(foreign_keys=[began_by_id])


class PhotoState(StrEnum):
    WAITING = "waiting"  # WeChat has it, we do not yet
    KEPT = "kept"
    REFUSED = "refused"  # not a picture we can show
    LOST = "lost"  # WeChat no longer has it


class Photo(Model):
    """A picture of a report, re-encoded without EXIF.

    token: its public address. digest: SHA-256 of the stored picture, the name in the store.
    look: how it looks in 64 bits as hex (district.reports.looks), null for pictures from before that.
    reduced_at: when its large size was deleted (district.retention); the small one stays.
    purpose: `before` by residents, `after` by the unit, `check` by the verifier. media_id: WeChat's, kept three days.
    """

    __tablename__ = "photo"
    __table_args__ = (
        UniqueConstraint("token"),
        CheckConstraint(one_of("state", tuple(PhotoState)), name="state_known"),
        CheckConstraint("purpose in ('before', 'after', 'check')", name="purpose_known"),
        CheckConstraint("(digest is not null) = (state = 'kept')", name="digest_when_kept"),
        Index("ix_photo_report", "report_id", "id"),
        # Large sizes that are still there: of the old ones nearly none.
        few("ix_photo_large", "created_at", where="state = 'kept' and reduced_at is null"),
        few("ix_photo_waiting", "next_try_at", where="state = 'waiting'"),
    )  # fmt: skip

    id: Mapped[Key]
    token: Mapped[str] = mapped_column(String(32))
    report_id: Mapped[int | None] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"))
    resident_id: Mapped[int | None] = mapped_column(ForeignKey("resident.id"))
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    purpose: Mapped[str] = mapped_column(String(20), default="before")
    state: Mapped[str] = mapped_column(String(20))
    media_id: Mapped[str | None] = mapped_column(String(300))
    digest: Mapped[str | None] = mapped_column(String(64))
    look: Mapped[str | None] = mapped_column(String(16))
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    next_try_at: Mapped[Moment | None]
    last_error: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[Moment]
    reduced_at: Mapped[Moment | None]

    report: Mapped[Report | None] = relationship(back_populates="photos")


class Incident(Model):
    """Many residents report one thing: all of it is one report, the eldest, which the others have joined.

    report_id: the eldest. latitude, longitude: the middle of what was reported, WGS-84. radius_m: how far from it
    another report of the category is the same, in metres. members: how many reports it is, the eldest included.
    last_at: when one joined last. It is over when somebody says so, when its report is, or after a quiet time.
    """

    __tablename__ = "incident"
    __table_args__ = (
        CheckConstraint("members >= 1", name="members_counted"),
        CheckConstraint("radius_m > 0", name="radius_positive"),
        CheckConstraint("ended_by_id is null or ended_at is not null", name="ending_whole"),
        CheckConstraint("latitude between -90 and 90 and longitude between -180 and 180", name="place_on_earth"),
        Index(
            "uq_incident_going_on", "report_id", unique=True,
            sqlite_where=text("ended_at is null"), postgresql_where=text("ended_at is null"),
        ),
        Index("ix_incident_report", "report_id", "id"),
    )  # fmt: skip

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"))
    category_id: Mapped[int] = mapped_column(ForeignKey("category.id"))
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)
    radius_m: Mapped[float] = mapped_column(Float)
    members: Mapped[int] = mapped_column(Integer)
    since: Mapped[Moment]
    opened_at: Mapped[Moment]
    last_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))

    report: Mapped[Report] = relationship()
    category: Mapped[Category] = relationship()
    ended_by: Mapped[Staff | None] = relationship()


class DailyCount(Model):
    """How many report numbers a day has given out."""

    __tablename__ = "daily_count"

    day: Mapped[str] = mapped_column(String(8), primary_key=True)
    given: Mapped[int] = mapped_column(Integer)
