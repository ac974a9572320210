"""What the database itself refuses, whoever writes: half a transition, and values that nobody knows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, delete, select, update
from sqlalchemy.exc import IntegrityError

from district import clock
from district.api_keys.models import ApiKey
from district.care.models import InspectionPlan, MaintenancePhoto, MaintenanceReport
from district.categories.models import CaseStandard, Category
from district.changes.models import Change
from district.deadlines.models import CalendarDay
from district.devices.models import Device, DeviceAlarm, DeviceAlarmKind
from district.duty.models import DutyShift, UnitAbsence
from district.errands.models import Errand
from district.extensions import db
from district.facilities.models import CodeGuessDay, Facility, FacilityScanDay, FacilityToken, MaintenanceEntry
from district.geo.models import Area
from district.labels.models import LabelPrint, LabelRun
from district.learning.models import ModelVersion, UnitHabit
from district.notifications.models import Notification, SubscriptionGrant
from district.numbers.models import NumberCell, NumberFact, NumberState
from district.overview.models import WallLink
from district.people.models import ResidentBlock, Staff, StaffRole
from district.register.models import FacilityEdit
from district.replies.models import ReplyTemplate
from district.reports.models import (
    HandBack,
    Incident,
    Photo,
    Report,
    ReportEvent,
    ReportExtension,
    ReportQuestion,
    ReportSuspension,
    ReportUnit,
)
from district.reports.states import Status
from district.routing.models import RoutingRule
from district.rules.models import RulesVersion
from district.staff_wechat.models import StaffMessage
from district.tags.models import Tag
from district.work import unit_of_work
from tests import factories
from tests.support import services
from tests.support.stands import Stands

NOW = clock.now()
UNIT, SOMEBODY, VERIFIER, PARENT = "unit", "somebody", "verifier", "parent"

# (constraint, the stand of a report, what is written). Each breaks that one rule; a rule may have several.
REPORT_CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("status_known", "submitted", {"status": "lost"}),
    ("source_known", "submitted", {"source": "pigeon"}),
    ("urgency_known", "submitted", {"urgency": "later"}),
    ("unit_set_when_assigned", "submitted", {"unit_id": UNIT}),
    ("unit_set_when_assigned", "triage", {"unit_id": UNIT}),
    ("unit_set_when_assigned", "withdrawn", {"unit_id": UNIT}),
    ("unit_set_when_assigned", "assigned", {"unit_id": None}),
    ("unit_set_when_assigned", "closed", {"unit_id": None}),
    ("assigned_at_when_assigned", "assigned", {"assigned_at": None}),
    ("assigned_at_when_assigned", "triage", {"assigned_at": NOW}),
    ("clock_set_when_assigned", "in_progress", {"handling_due_at": None}),
    ("clock_set_when_assigned", "submitted", {"handling_due_at": NOW}),
    ("accepted_only_with_unit", "triage", {"accepted_at": NOW}),
    ("accepted_before_work", "in_progress", {"accepted_at": None}),
    ("accepted_before_work", "closed", {"accepted_at": None}),
    ("hand_back_while_with_unit", "resolved", {"hand_back_pending": True}),
    ("hand_back_while_with_unit", "submitted", {"hand_back_pending": True}),
    ("waiting_while_a_clock_runs", "resolved", {"waiting_for_resident": True}),
    ("resolved_at_when_resolved", "resolved", {"resolved_at": None}),
    ("resolved_at_when_resolved", "in_progress", {"resolved_at": NOW}),
    ("resolver_set_when_resolved", "resolved", {"resolved_by_id": None}),
    ("resolver_set_when_resolved", "in_progress", {"resolved_by_id": SOMEBODY}),
    ("closed_at_when_closed", "closed", {"closed_at": None}),
    ("closed_at_when_closed", "resolved", {"closed_at": NOW}),
    ("verifier_set_when_closed", "closed", {"verified_by_id": None}),
    ("verifier_set_when_closed", "resolved", {"verified_by_id": VERIFIER}),
    ("verifier_set_when_closed", "resolved", {"verification_waived": True}),
    ("verified_or_waived", "closed", {"verification_waived": True}),
    ("verified_by_somebody_else", "closed", {"verified_by_id": SOMEBODY}),
    ("reason_set_when_rejected", "rejected", {"reject_reason": None}),
    ("reason_set_when_rejected", "triage", {"reject_reason": "不归本区"}),
    ("parent_set_when_merged", "merged", {"parent_id": None}),
    ("parent_set_when_merged", "submitted", {"parent_id": PARENT}),
    ("rated_when_closed", "resolved", {"rated_at": NOW, "solved": True}),
    ("rating_whole", "closed", {"rated_at": NOW}),
    ("rating_whole", "closed", {"solved": True}),
    ("stars_when_rated", "closed", {"stars": 5}),
    ("stars_when_rated", "closed", {"stars": 6, "rated_at": NOW, "solved": True}),
    ("stars_when_rated", "closed", {"stars": 0, "rated_at": NOW, "solved": True}),
    ("extension_while_with_unit", "resolved", {"extension_pending": True}),
    ("extension_while_with_unit", "suspended", {"extension_pending": True}),
    ("limit_whole", "assigned", {"limit_unit": None}),
    ("limit_whole", "submitted", {"limit_value": 2}),
    ("limit_unit_known", "assigned", {"limit_unit": "weeks"}),
    ("place_whole", "submitted", {"latitude": None}),
    ("place_on_earth", "submitted", {"latitude": 91.0}),
    ("place_on_earth", "submitted", {"longitude": -181.0}),
]
OTHER_CASES: list[tuple[type[Any], str, dict[str, Any]]] = [
    (ReportQuestion, "outcome_known", {"outcome": "lost", "ended_at": NOW}),
    (ReportQuestion, "outcome_whole", {"ended_at": NOW}),
    (ReportQuestion, "answer_when_answered", {"answer": "门口那盏"}),
    (ReportExtension, "outcome_known", {"outcome": "perhaps", "ended_at": NOW}),
    (ReportExtension, "outcome_whole", {"ended_at": NOW}),
    (ReportExtension, "more_unit_known", {"more_unit": "weeks"}),
    (ReportExtension, "more_whole", {"more_unit": None}),
    (ReportExtension, "one_way", {"until": NOW}),
    (ReportExtension, "more_positive", {"more_value": 0}),
    (ReportSuspension, "ends_after_it_began", {"until": NOW - timedelta(days=1)}),
    (ReportSuspension, "ended_by_when_ended", {"ended_by_id": SOMEBODY}),
    (DeviceAlarmKind, "critical_never_waits", {"is_critical": True}),
    (DeviceAlarmKind, "critical_never_waits", {"wait_s": -1}),
    (DeviceAlarmKind, "flood_of_several", {"flood_threshold": 1}),
    (DeviceAlarmKind, "flood_time_positive", {"flood_s": 0}),
    (Device, "code_given", {"code": ""}),
    (DeviceAlarm, "how_known", {"how": "guessed"}),
    (DeviceAlarm, "how_when_reported", {"report_id": 1, "due_at": None}),
    (DeviceAlarm, "due_while_open", {"cleared_at": NOW}),
    (DeviceAlarm, "due_until_reported", {"report_id": 1, "how": "filed"}),
    (DeviceAlarm, "counts_not_negative", {"again": -1}),
    (Incident, "members_counted", {"members": 0}),
    (Incident, "radius_positive", {"radius_m": 0}),
    (Incident, "ending_whole", {"ended_by_id": SOMEBODY}),
    (Incident, "place_on_earth", {"latitude": 91.0}),
    (ResidentBlock, "lifting_whole", {"lifted_at": NOW}),
    (ResidentBlock, "ends_after_it_began", {"until": NOW}),
    (WallLink, "ends_after_it_began", {"expires_at": NOW - timedelta(days=900)}),
    (WallLink, "ended_by_somebody", {"ended_at": NOW}),
    (Area, "level_known", {"level": "village"}),
    (CalendarDay, "kind_known", {"kind": "birthday"}),
    (Category, "kind_known", {"kind": "thing"}),
    (Category, "urgency_known", {"urgency": "later"}),
    (Category, "limit_unit_known", {"limit_unit": "weeks"}),
    (Category, "limit_positive", {"limit_value": 0}),
    (CaseStandard, "limit_unit_known", {"limit_unit": "weeks"}),
    (CaseStandard, "limit_positive", {"limit_value": -1}),
    (RoutingRule, "mode_known", {"mode": "dice"}),
    (RoutingRule, "role_known", {"role": "friend"}),
    (Facility, "state_known", {"state": "fine"}),
    (Facility, "code_scheme_known", {"code_scheme": "18"}),
    (Facility, "contract_in_order", {"contract_from": date(2026, 2, 1), "contract_to": date(2026, 1, 1)}),
    (FacilityEdit, "kind_known", {"kind": "painted"}),
    (MaintenanceEntry, "kind_known", {"kind": "party"}),
    (MaintenanceEntry, "result_known", {"kind": "inspection", "result": "great"}),
    (MaintenanceEntry, "result_of_inspection", {"result": "fine"}),
    (MaintenanceEntry, "plan_with_result", {"plan_id": 1}),
    (MaintenanceEntry, "far_by_metres", {"is_far": True}),
    (MaintenancePhoto, "moment_known", {"moment": "during"}),
    (MaintenanceReport, "how_known", {"how": "somehow"}),
    (InspectionPlan, "crew_known", {"crew": "nobody"}),
    (InspectionPlan, "unit_when_one_goes", {"crew": "own"}),
    (InspectionPlan, "every_unit_known", {"every_unit": "moons"}),
    (InspectionPlan, "every_positive", {"every": 0}),
    (StaffRole, "role_known", {"role": "king"}),
    (HandBack, "ruling_whole", {"ruled_at": NOW}),
    (HandBack, "ruling_whole", {"upheld": True}),
    (SubscriptionGrant, "left_over_whole", {"left_over": -1}),
    (Notification, "delivery_known", {"delivery": "on its way"}),
    (Notification, "sent_at_when_sent", {"delivery": "sent"}),
    (Notification, "sent_at_when_sent", {"sent_at": NOW}),
    (Photo, "digest_when_kept", {"state": "kept"}),
    (Photo, "digest_when_kept", {"digest": "0" * 64}),
    (Photo, "state_known", {"state": "blurred"}),
    (Photo, "purpose_known", {"purpose": "fun"}),
    (Change, "about_something", {"after": None}),
    (Change, "undone_by_another", {"undone_by_id": 1}),
    (Tag, "colour_known", {"colour": "plaid"}),
    (Tag, "name_written", {"name": ""}),
    (ReportEvent, "staff_named", {"staff_id": SOMEBODY}),
    (ReportEvent, "actor_known", {"actor": "ghost"}),
    (ReportEvent, "kind_known", {"kind": "vanished"}),
    (ReportUnit, "role_known", {"role": "friend"}),
    (ReportUnit, "done_whole", {"done_at": NOW}),
    (DutyShift, "ends_after_it_began", {"ends_at": NOW - timedelta(days=1)}),
    (UnitAbsence, "ends_after_it_began", {"ends_at": NOW - timedelta(days=1)}),
    (UnitAbsence, "somebody_else", {"stand_in_id": UNIT}),
    (RulesVersion, "origin_known", {"origin": "heaven"}),
    (RulesVersion, "restored_whole", {"restored_from": 1}),
    (ModelVersion, "origin_known", {"origin": "heaven"}),
    (ModelVersion, "state_known", {"state": "asleep"}),
    (ModelVersion, "usable_when_in_use", {"state": "in_use"}),
    (UnitHabit, "counts_fit", {"times": 9}),
    (StaffMessage, "delivery_known", {"delivery": "on its way"}),
    (StaffMessage, "sent_at_when_sent", {"delivery": "sent"}),
    (StaffMessage, "sent_at_when_sent", {"sent_at": NOW}),
    (Staff, "codes_have_a_secret", {"totp_since": NOW}),
    (ReplyTemplate, "words_written", {"words": ""}),
    (ReplyTemplate, "title_written", {"title": ""}),
    (NumberFact, "seconds_not_negative", {"seconds": -1}),
    (NumberCell, "grain_known", {"grain": "c"}),
    (NumberCell, "dimension_known", {"dimension": "moon"}),
    (NumberCell, "amount_not_negative", {"amount": -1}),
    (NumberState, "one_row", {"id": 2}),
    (Errand, "state", {"state": "asleep"}),
    (Errand, "ended", {"state": "done"}),
    (Errand, "progress", {"done": -1}),
    (ApiKey, "revoking_whole", {"revoked_at": NOW}),
    (ApiKey, "per_minute_positive", {"per_minute": 0}),
    (FacilityToken, "state_known", {"state": "lost"}),
    (FacilityToken, "printed_at_when_printed", {"state": "printed"}),
    (FacilityToken, "printed_at_when_printed", {"printed_at": NOW}),
    (FacilityToken, "placed_at_when_placed", {"state": "placed", "printed_at": NOW}),
    (FacilityToken, "placed_at_when_placed", {"placed_at": NOW}),
    (FacilityToken, "revoked_at_when_revoked", {"state": "revoked"}),
    (FacilityToken, "revoked_at_when_revoked", {"revoked_at": NOW}),
    (FacilityToken, "replaced_at_when_replaced", {"replaced_at": NOW}),
    (FacilityToken, "replaced_by_when_replaced", {"state": "replaced", "replaced_at": NOW}),
    (FacilityScanDay, "scans_positive", {"scans": 0}),
    (CodeGuessDay, "wrong_positive", {"wrong": 0}),
    (LabelRun, "counts_not_negative", {"labels": -1}),
    (LabelRun, "something_when_finished", {"labels": 0, "finished_at": NOW}),
    (LabelPrint, "position_from_one", {"position": 0}),
]
# A status that changes alone, without its companions: only between those that have the same ones.
ALONE = {
    ("submitted", "triage"), ("submitted", "withdrawn"), ("triage", "submitted"), ("triage", "withdrawn"),
    ("withdrawn", "submitted"), ("withdrawn", "triage"), ("assigned", "suspended"), ("suspended", "assigned"),
    ("in_progress", "assigned"), ("in_progress", "suspended"),
}  # fmt: skip


class Stage:
    def __init__(self) -> None:
        self.stands = Stands()
        district = self.stands.district
        with unit_of_work() as session:
            session.add(CalendarDay(day=NOW.date(), kind="holiday", name="元旦"))
            standard = CaseStandard(
                code="01037-1", category_id=district.category.id, condition="灯不亮", limit_value=2,
                limit_unit="working_days", close_condition="灯亮",
            )  # fmt: skip
            facility = factories.make_facility(district.lamps)
            staff_id = district.staff["handler"].id
            run = LabelRun(asked_at=NOW, layout="sheet21", chosen={}, labels=1)
            session.add(run)
            kind = DeviceAlarmKind(
                code="outage", name="不亮", name_en="dark", is_critical=False, wait_s=60, flood_threshold=5, flood_s=60
            )
            device = Device(unit_id=district.lamps.id, code="L-1", facility_id=facility.id, created_at=NOW)
            session.add_all([kind, device])
            session.flush()
            session.add(DeviceAlarm(device_id=device.id, kind_id=kind.id, raised_at=NOW, last_at=NOW, due_at=NOW))
            token = session.scalars(select(FacilityToken.token).where(FacilityToken.facility_id == facility.id)).one()
            session.add(LabelPrint(run_id=run.id, position=1, token=token))
            session.add_all(
                [
                    standard,
                    DutyShift(
                        unit_id=district.lamps.id,
                        name="某人",
                        phone="1",
                        starts_at=NOW,
                        ends_at=NOW + timedelta(days=1),
                    ),
                    UnitAbsence(unit_id=district.lamps.id, stand_in_id=district.street.id, starts_at=NOW),
                    StaffMessage(
                        staff_id=staff_id,
                        report_id=self.stands.reports["assigned"],
                        kind="assigned",
                        params={},
                        about_at=NOW,
                        created_at=NOW,
                        next_try_at=NOW,
                    ),
                    ReplyTemplate(code="R01", title="已安排", words="已安排", category_codes=[], statuses=[]),
                    RulesVersion(number=1, at=NOW, origin="panel", rules=[], changes=[]),
                    ModelVersion(
                        made_at=NOW, origin="learnt", state="refused", digest="d", trained_on={}, figures={}, why={}
                    ),
                    UnitHabit(
                        category_code="01037",
                        area_code="",
                        facility_type="",
                        owner_code="",
                        unit_id=district.lamps.id,
                        times=7,
                        last=8,
                        moved=7,
                        is_hint=True,
                        newest_at=NOW,
                    ),
                    NumberFact(report_id=self.stands.reports["assigned"], measure="received", day=NOW.date()),
                    NumberCell(
                        grain="d", dimension="district", day=NOW.date(), key="", measure="received", bucket=0, amount=1
                    ),
                    NumberState(id=1),
                    Errand(
                        kind="export_reports",
                        staff_id=staff_id,
                        language="en",
                        parameters={},
                        asked_at=NOW,
                        outcome={},
                        problem={},
                    ),
                    Change(id=1, at=NOW, staff_id=staff_id, kind="unit", subject="SZ-LD", after={"name": "路灯"}),
                    Tag(code="T1", name="创城", colour="blue", roles=[]),
                    ApiKey(
                        name="平台",
                        unit_id=district.lamps.id,
                        scopes=["reports.write"],
                        prefix="p",
                        key_hash="0" * 64,
                        per_minute=1,
                        created_at=NOW,
                        created_by_id=staff_id,
                    ),
                    MaintenanceEntry(facility_id=facility.id, staff_id=staff_id, kind="repair", note="好", at=NOW),
                    FacilityScanDay(facility_id=facility.id, day=NOW.date(), scans=1),
                    CodeGuessDay(day=NOW.date(), door="page", wrong=1),
                    FacilityEdit(facility_id=facility.id, at=NOW, kind="changed", changes={}),
                    Incident(
                        report_id=self.stands.reports["assigned"],
                        category_id=district.category.id,
                        latitude=50.4,
                        longitude=124.1,
                        radius_m=150,
                        members=3,
                        since=NOW,
                        opened_at=NOW,
                        last_at=NOW,
                    ),
                    Photo(token="t", state="waiting", purpose="before", created_at=NOW, next_try_at=NOW),
                    SubscriptionGrant(resident_id=district.resident.id, template_id="T", left_over=1, changed_at=NOW),
                    WallLink(
                        name="大厅",
                        token_hash="x",
                        made_by_id=staff_id,
                        made_at=NOW,
                        expires_at=NOW + timedelta(days=1),
                    ),
                    ResidentBlock(
                        resident_id=district.resident.id,
                        report_id=1,
                        reason="骚扰",
                        blocked_by_id=staff_id,
                        blocked_at=NOW,
                        until=NOW + timedelta(days=1),
                    ),
                ]
            )
            session.flush()
            entry_id = session.scalars(select(MaintenanceEntry.id)).one()
            photo_id = session.scalars(select(Photo.id).where(Photo.token == "t")).one()
            session.add_all(
                [
                    InspectionPlan(code="P1", name="路灯月检", type_codes=["01037"], area_codes=[], crew="maintainer",
                                   every=1, every_unit="months", months=[], starts_on=date(2026, 1, 1), created_at=NOW),
                    MaintenancePhoto(photo_id=photo_id, entry_id=entry_id, moment="after"),
                    MaintenanceReport(entry_id=entry_id, report_id=self.stands.reports["closed"], how="resolved"),
                ]
            )  # fmt: skip
        self.meant = {
            UNIT: district.lamps.id, SOMEBODY: district.staff["handler"].id, VERIFIER: district.staff["verifier"].id,
            PARENT: self.stands.reports["closed"],
        }  # fmt: skip
        db.session.remove()

    def values(self, given: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self.meant.get(value, value) if isinstance(value, str) else value for name, value in given.items()
        }


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("constraints")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "bihuan.db")
        url = f"sqlite:///{folder / 'bihuan.db'}"
    else:
        url = request.getfixturevalue("migrated_postgres")
        services.empty_postgres(url)
    with services.application(url, folder):
        yield Stage()


@pytest.mark.parametrize("constraint, stand, given", REPORT_CASES)
def test_a_report_is_never_half_changed(stage: Stage, constraint: str, stand: str, given: dict[str, Any]) -> None:
    report_id = stage.stands.reports[stand]
    with pytest.raises(IntegrityError) as refused, unit_of_work() as session:
        session.execute(update(Report).where(Report.id == report_id).values(**stage.values(given)))
    assert f"ck_report_{constraint}" in str(refused.value.orig)


@pytest.mark.parametrize("model, constraint, given", OTHER_CASES)
def test_a_value_that_makes_no_sense_is_refused(
    stage: Stage, model: type[Any], constraint: str, given: dict[str, Any]
) -> None:
    keys = list(model.__table__.primary_key.columns)
    query = select(*keys).limit(1)
    if model is ReportEvent:
        query = query.where(ReportEvent.actor == "resident")
    if model is StaffRole:
        query = query.order_by(StaffRole.staff_id)
    with unit_of_work() as session:
        found = session.execute(query).one()
    here = [column == value for column, value in zip(keys, found, strict=True)]
    with pytest.raises(IntegrityError) as refused, unit_of_work() as session:
        session.execute(update(model).where(*here).values(**stage.values(given)))
    assert f"ck_{model.__tablename__}_{constraint}" in str(refused.value.orig)


@pytest.mark.parametrize("start", [status.value for status in Status])
def test_a_status_alone_leads_nowhere(stage: Stage, start: str) -> None:
    report_id = stage.stands.reports[start]
    passed = set()
    for target in Status:
        try:
            with unit_of_work() as session:
                session.execute(update(Report).where(Report.id == report_id).values(status=target))
                raise ZeroDivisionError
        except IntegrityError:
            continue
        except ZeroDivisionError:
            passed.add((start, target.value))
    assert passed == {pair for pair in ALONE if pair[0] == start} | {(start, start)}


def test_one_hand_back_at_a_time_awaits_its_ruling(stage: Stage) -> None:
    report_id = stage.stands.reports["assigned+"]
    with pytest.raises(IntegrityError), unit_of_work() as session:
        session.add(
            HandBack(report_id=report_id, unit_id=stage.meant[UNIT], reason="再退", asked_at=NOW,
                     asked_by_id=stage.meant[SOMEBODY])
        )  # fmt: skip


def test_a_report_with_merged_ones_is_not_deleted(stage: Stage) -> None:
    merged = stage.stands.reports["merged"]
    with pytest.raises(IntegrityError), unit_of_work() as session:
        parent = session.scalars(select(Report.parent_id).where(Report.id == merged)).one()
        session.execute(delete(Report).where(Report.id == parent))


def test_every_check_of_the_database_has_its_case() -> None:
    tried = {f"ck_report_{name}" for name, _, _ in REPORT_CASES}
    tried |= {f"ck_{model.__tablename__}_{name}" for model, name, _ in OTHER_CASES}
    there = {
        str(constraint.name)
        for table in db.metadata.sorted_tables
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert there - tried == set(), "write a case that breaks each of these"
    assert tried - there == set(), "these constraints are gone"
