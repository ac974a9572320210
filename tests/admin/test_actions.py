"""What staff do to a report through the panel's forms: the table of transitions holds, nothing typed is lost."""

from __future__ import annotations

import io
import itertools
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from admin import actions
from admin.actions import VERBS
from admin.report_page import ONE_TAP
from district import clock
from district.extensions import db
from district.people.models import AuditEntry
from district.people.roles import Role
from district.reports import guards, sight
from district.reports import service as reports
from district.reports.models import EventKind, Photo, Report, ReportEvent
from district.reports.states import BY_ACTION, Action, Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, shown, words_of
from tests.factories import MIDDLE, SmallDistrict, make_category, make_report, make_staff
from tests.support.pictures import jpeg

# What takes two reports has its own addresses: test_merging.py.
OF_TWO = (Action.MERGE, Action.UNMERGE)
BY_STAFF = [action for action in Action if BY_ACTION[action].roles and action not in OF_TWO]
REACHED = [
    Status.SUBMITTED, Status.TRIAGE, Status.ASSIGNED, Status.IN_PROGRESS, Status.RESOLVED, Status.CLOSED,
    Status.REJECTED, Status.WITHDRAWN,
]  # fmt: skip


def picture(colour: str = "green") -> tuple[io.BytesIO, str]:
    """A file as a form sends it."""
    return io.BytesIO(jpeg(colour=colour)), "photo.jpg"


def fields_for(district: SmallDistrict, action: Action) -> dict[str, str]:
    """A form of this action, well filled in."""
    return {
        Action.ASSIGN: {"unit": str(district.street.id)},
        Action.UPHOLD_HAND_BACK: {"unit": str(district.street.id)},
        Action.REFUSE_HAND_BACK: {"ruling": "属于你单位"},
        Action.HAND_BACK: {"reason_code": "not_our_duty"},
        Action.FINISH_PART: {"note": "我们的部分好了"},
        Action.RESOLVE: {"note": "换了灯泡"},
        Action.REFUSE_VERIFICATION: {"note": "还是不亮"},
        Action.REJECT: {"reason_code": "not_ours"},
        Action.COMMENT: {"text": "看过了"},
        Action.CORRECT: {"address": "人民路 1 号"},
        Action.ASK_EXTENSION: {"reason": "等配件", "more": "2", "more_unit": "working_days"},
        Action.REFUSE_EXTENSION: {"ruling": "抓紧办"},
        Action.REPLY: {"text": "明天来修"},
        Action.ADD_CO: {"unit": str(district.street.id)},
        Action.REMOVE_CO: {"unit": str(district.street.id), "reason": "不用了"},
        Action.CALL_BACK: {"said": "solved", "stars": "5"},
        Action.SPLIT: {"description": "还有一个井盖坏了"},
        Action.SUSPEND: {"reason": "等开春", "until": f"{clock.now() + timedelta(days=30):%Y-%m-%d}"},
    }.get(action, {})


def hand_back(district: SmallDistrict, report: Report) -> None:
    with unit_of_work():
        reports.hand_back(reports.lock(report.id), by=district.staff["handler"], reason="不归我们")


def events_of(report: Report) -> list[str]:
    return list(
        db.session.scalars(select(ReportEvent.kind).where(ReportEvent.report_id == report.id).order_by(ReportEvent.id))
    )


def standing(report_id: int) -> tuple[str, int]:
    """A report's status and version as they are in the database now."""
    row = db.session.execute(select(Report.status, Report.version).where(Report.id == report_id)).one()
    return row.status, row.version


def test_every_action_of_staff_has_its_verb_and_its_form() -> None:
    assert set(VERBS) == set(BY_STAFF)


class TestTheTable:
    """Every role, status and action: the button is there exactly when the table says so, and pressing it agrees.

    The table itself is tested cell by cell in tests/district/reports; here each role presses each button in every fifth
    status, another fifth for each.
    """

    @pytest.mark.parametrize("status", [*REACHED, "handed back"])
    def test_buttons_and_answers_follow_the_table(
        self, app: Flask, district: SmallDistrict, monkeypatch: pytest.MonkeyPatch, status: Any
    ) -> None:
        # The page that comes with a refusal is other tests' matter, and drawing it a thousand times takes a minute.
        monkeypatch.setattr(actions, "show", lambda found, *, status, **_: ("", status))
        pending = status == "handed back"
        report = make_report(district, Status.ASSIGNED if pending else status)
        if pending:
            hand_back(district, report)
        with unit_of_work():
            people = {
                role: make_staff(f"of-the-unit-{role}", district.lamps, role)
                for role in (Role.VERIFIER, Role.HANDLER, Role.LEADER)
            }
        everybody = [*district.staff.values(), *people.values()]
        report_id, address = report.id, f"/admin/reports/{report.number}"
        assert standing(report_id)[0] == (Status.ASSIGNED if pending else status)
        tried = pressed = seen = 0
        stand = [*REACHED, "handed back"].index(status)
        for place, staff in enumerate(everybody):
            person = Person(app).sit_down(staff)
            expected = {action for action in guards.possible(staff, report) if action in BY_STAFF}
            page = person.get(address)
            if not sight.may_see(staff, report):
                assert page.status_code == 404, staff.username
                assert staff.roles <= sight.OF_A_UNIT
                assert person.act(report, "comment", text="x").status_code == 404
                continue
            seen += 1
            buttons = {action for action in BY_STAFF if f"{address}/do/{action}" in page.text}
            assert buttons == expected, staff.username
            # Who may never do it is refused; who may do it at another time is told that things have moved on.
            refusals = {action: 409 if guards.may(staff, action, report) else 403 for action in BY_STAFF}
            opened, untouched = shown(report), standing(report_id)
            for turn, action in enumerate(BY_STAFF, stand + place):
                tried += 1
                if action in expected or turn % 5:
                    continue
                pressed += 1
                answer = person.post(f"{address}/do/{action}", **(opened | fields_for(district, action)))
                assert answer.status_code == refusals[action], (staff.username, action)
                assert standing(report_id) == untouched
        assert tried == len(BY_STAFF) * seen
        assert seen >= 7
        assert pressed > tried / 10

    @pytest.mark.parametrize(
        ("status", "who", "action", "after"),
        [
            (Status.SUBMITTED, "dispatcher", Action.ASSIGN, Status.ASSIGNED),
            (Status.TRIAGE, "shift_lead", Action.ASSIGN, Status.ASSIGNED),
            (Status.TRIAGE, "acceptor", Action.REJECT, Status.REJECTED),
            (Status.ASSIGNED, "handler", Action.ACCEPT, Status.IN_PROGRESS),
            (Status.ASSIGNED, "unit_manager", Action.RESOLVE, Status.RESOLVED),
            (Status.IN_PROGRESS, "handler", Action.RESOLVE, Status.RESOLVED),
            (Status.RESOLVED, "verifier", Action.VERIFY, Status.CLOSED),
            (Status.RESOLVED, "inspector", Action.REFUSE_VERIFICATION, Status.IN_PROGRESS),
            (Status.CLOSED, "acceptor", Action.REOPEN, Status.ASSIGNED),
            (Status.TRIAGE, "acceptor", Action.CORRECT, Status.TRIAGE),
            (Status.IN_PROGRESS, "handler", Action.HAND_BACK, Status.IN_PROGRESS),
            (Status.RESOLVED, "inspector", Action.COMMENT, Status.RESOLVED),
        ],
    )
    def test_what_is_possible_is_done_and_recorded(
        self, district: SmallDistrict, log_in: LogIn, status: Status, who: str, action: Action, after: Status
    ) -> None:
        report = make_report(district, status)
        before = len(events_of(report))
        answer = log_in(who).act(report, action, **fields_for(district, action))
        assert (answer.status_code, answer.location) == (302, f"/admin/reports/{report.number}")
        db.session.refresh(report)
        assert report.status == after
        assert len(events_of(report)) == before + 1
        last = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert last is not None
        assert (last.staff_id, last.subject) == (district.staff[who].id, f"report:{report.id}")

    @pytest.mark.parametrize("action", BY_STAFF)
    def test_every_form_can_be_opened_alone_and_on_the_page(
        self, district: SmallDistrict, log_in: LogIn, action: Action
    ) -> None:
        report = make_report(district, Status.TRIAGE)
        person = log_in("shift_lead")
        address = f"/admin/reports/{report.number}/do/{action}"
        alone = person.get(address, headers={"HX-Request": "true"})
        whole = person.get(address)
        assert (alone.status_code, whole.status_code) == (200, 200)
        assert alone.text.count("<form") == 1
        assert "<html" not in alone.text
        possible = action in guards.possible(district.staff["shift_lead"], report)
        assert ("data-open" in whole.text) == possible
        assert action in ONE_TAP or 'type="submit"' in alone.text


class TestHandBacks:
    def test_agreeing_gives_it_to_the_unit_that_was_chosen(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        sent = {"reason_code": "not_our_area", "reason": "归街道管", "unit": str(district.street.id)}
        log_in("handler").act(report, "hand_back", **sent)
        lead = log_in("dispatcher")
        page = lead.get(f"/admin/reports/{report.number}").text
        assert "归街道管" in page
        form = lead.get(f"/admin/reports/{report.number}/do/uphold_hand_back", headers={"HX-Request": "true"}).text
        assert f'value="{district.street.id}" checked' in form
        answer = lead.act(report, "uphold_hand_back", unit=str(district.street.id), ruling="同意")
        assert answer.status_code == 302
        db.session.refresh(report)
        assert (report.unit_id, report.status, report.hand_back_pending) == (district.street.id, "assigned", False)

    def test_refusing_takes_a_reason_and_the_unit_keeps_it(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        hand_back(district, report)
        lead = log_in("dispatcher")
        assert lead.act(report, "refuse_hand_back", ruling=" ").status_code == 422
        assert lead.act(report, "refuse_hand_back", ruling="灯杆归你们养护").status_code == 302
        db.session.refresh(report)
        assert (report.unit_id, report.hand_back_pending) == (district.lamps.id, False)
        # The ruling is final.
        answer = log_in("handler").act(report, "hand_back", reason_code="other", reason="还是不归我们")
        assert answer.status_code == 409
        assert "已经退回过一次" in words_of(answer)
        assert "还是不归我们" in answer.text


class TestStale:
    def test_a_form_that_somebody_overtook_shows_what_changed_and_what_was_typed(
        self, district: SmallDistrict, log_in: LogIn
    ) -> None:
        report = make_report(district, Status.IN_PROGRESS)
        opened = shown(report)
        with unit_of_work():
            reports.resolve(reports.lock(report.id), by=district.staff["unit_manager"], note="别人先办完了")
        answer = log_in("handler").post(
            f"/admin/reports/{report.number}/do/resolve", **opened, note="我换了灯泡 <script>"
        )
        assert answer.status_code == 409
        said = words_of(answer)
        assert "您打开之后，情况有了变化" in said
        assert "员工lamps-m" in said
        assert "别人先办完了" in said
        assert "我换了灯泡 &lt;script&gt;" in answer.text
        db.session.refresh(report)
        assert report.resolution == "别人先办完了"

    def test_what_is_still_possible_can_be_sent_again_as_it_stands(
        self, district: SmallDistrict, log_in: LogIn
    ) -> None:
        report = make_report(district, Status.TRIAGE)
        opened = shown(report)
        with unit_of_work():
            reports.correct(reports.lock(report.id), by=district.staff["acceptor"], address="人民路 8 号")
        lead = log_in("dispatcher")
        address = f"/admin/reports/{report.number}/do/assign"
        answer = lead.post(address, **opened, unit=str(district.street.id), note="快一点")
        assert answer.status_code == 409
        assert "快一点" in answer.text
        assert f'value="{district.street.id}" checked' in answer.text
        fresh = shown(report)
        assert f'name="version" value="{fresh["version"]}"' in answer.text
        assert lead.post(address, **fresh, unit=str(district.street.id), note="快一点").status_code == 302

    def test_a_form_sent_twice_counts_once_and_says_so_kindly(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.IN_PROGRESS)
        opened = shown(report)
        person = log_in("handler")
        address = f"/admin/reports/{report.number}/do/resolve"
        first = person.post(address, **opened, note="换了灯泡")
        second = person.post(address, **opened, note="换了灯泡")
        assert (first.status_code, second.status_code) == (302, 302)
        assert events_of(report).count(EventKind.RESOLVED) == 1

    def test_the_same_act_much_later_is_no_repeat(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.IN_PROGRESS)
        opened = shown(report)
        person = log_in("handler")
        address = f"/admin/reports/{report.number}/do/resolve"
        person.post(address, **opened, note="换了灯泡")
        with clock.frozen_at(clock.now() + timedelta(minutes=10)):
            assert person.post(address, **opened, note="换了灯泡").status_code == 409


class TestNothingTypedIsLost:
    def test_a_form_with_a_mistake_comes_back_as_it_was(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.TRIAGE)
        answer = log_in("dispatcher").act(report, "assign", note="请今天处理")
        assert answer.status_code == 422
        assert "请选一个单位" in answer.text
        assert "请今天处理" in answer.text
        assert "data-open" in answer.text

    def test_pictures_survive_a_mistake(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.IN_PROGRESS)
        person = log_in("handler")
        answer = person.act(report, "resolve", note=" ", photos=[picture("green"), picture("red")])
        assert answer.status_code == 422
        kept = [str(photo_id) for photo_id in db.session.scalars(select(Photo.id).where(Photo.report_id.is_(None)))]
        assert len(kept) == 2
        for photo_id in kept:
            assert f'name="kept" value="{photo_id}"' in answer.text
        # One of them is taken back, a third is added.
        answer = person.act(report, "resolve", note="换了灯泡", kept=kept[:1], photos=[picture("blue")])
        assert answer.status_code == 302
        rows = db.session.scalars(select(Photo).where(Photo.report_id == report.id).order_by(Photo.id)).all()
        assert [row.purpose for row in rows] == ["after", "after"]
        assert str(rows[0].id) == kept[0]

    def test_nobody_can_attach_somebody_elses_picture(self, district: SmallDistrict, log_in: LogIn) -> None:
        mine, other = make_report(district, Status.IN_PROGRESS), make_report(district, Status.IN_PROGRESS)
        log_in("unit_manager").act(other, "resolve", note=" ", photos=[picture()])
        stolen = db.session.scalars(select(Photo.id)).one()
        assert log_in("handler").act(mine, "resolve", note="换了灯泡", kept=[str(stolen)]).status_code == 302
        assert db.session.scalars(select(Photo.report_id)).one() is None

    def test_what_is_no_picture_is_refused_and_the_words_stay(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.IN_PROGRESS)
        answer = log_in("handler").act(
            report, "resolve", note="换了灯泡", photos=[(io.BytesIO(b"<svg onload=alert(1)>"), "x.jpg")]
        )
        assert answer.status_code == 422
        assert "这张照片打不开" in answer.text
        assert "换了灯泡" in answer.text
        assert db.session.scalar(select(func.count()).select_from(Photo)) == 0


class TestWords:
    def test_a_listed_reason_is_said_in_the_residents_language(self, district: SmallDistrict, log_in: LogIn) -> None:
        chinese = make_report(district, Status.TRIAGE)
        english = make_report(district, Status.TRIAGE, language="en")
        for report in (chinese, english):
            log_in("dispatcher").act(report, "reject", reason_code="twice", reason="BH-1")
            db.session.refresh(report)
        assert chinese.reject_reason == "同一件事已经在办，不再重复立案。\nBH-1"
        assert english.reject_reason == "This is already being handled under another report.\nBH-1"

    def test_rejecting_takes_a_reason(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.TRIAGE)
        answer = log_in("dispatcher").act(report, "reject", reason_code="made-up")
        assert answer.status_code == 422
        assert "请选一条原因" in answer.text

    @pytest.mark.parametrize(("public", "expected"), [("0", False), ("1", True), ("", False)])
    def test_a_note_is_for_staff_unless_it_is_said_otherwise(
        self, district: SmallDistrict, log_in: LogIn, public: str, expected: bool
    ) -> None:
        report = make_report(district, Status.ASSIGNED)
        log_in("dispatcher").act(report, "comment", text="明天到场", public=public)
        event = db.session.scalars(select(ReportEvent).where(ReportEvent.kind == EventKind.COMMENTED)).one()
        assert event.is_public is expected


class TestCorrecting:
    def test_a_category_and_a_place_are_set_right(self, district: SmallDistrict, log_in: LogIn) -> None:
        with unit_of_work():
            make_category("06042", name="垃圾满溢")
        report = make_report(district, Status.TRIAGE)
        answer = log_in("acceptor").act(
            report, "correct", category="06042", address="人民路 8 号", latitude=str(MIDDLE[0] + 0.003),
            longitude=str(MIDDLE[1]),
        )  # fmt: skip
        assert answer.status_code == 302
        db.session.refresh(report)
        assert report.category is not None
        assert (report.category.code, report.address, report.place_source) == ("06042", "人民路 8 号", "picked")
        assert report.latitude == pytest.approx(MIDDLE[0] + 0.003)

    def test_a_pin_that_was_not_moved_keeps_its_source(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.TRIAGE, place_source="shared")
        log_in("acceptor").act(
            report, "correct", address="人民路 8 号", latitude=f"{MIDDLE[0]:.6f}", longitude=f"{MIDDLE[1]:.6f}"
        )
        db.session.refresh(report)
        assert report.place_source == "shared"
        event = db.session.scalars(select(ReportEvent).where(ReportEvent.kind == EventKind.CORRECTED)).one()
        assert event.data == {"address": True}

    @pytest.mark.parametrize("degrees", [("1", "2"), ("x", "y"), ("nan", "nan"), ("inf", "0")])
    def test_a_place_that_is_none_is_refused_or_left_out(
        self, district: SmallDistrict, log_in: LogIn, degrees: tuple[str, str]
    ) -> None:
        report = make_report(district, Status.TRIAGE)
        answer = log_in("acceptor").act(report, "correct", latitude=degrees[0], longitude=degrees[1])
        assert answer.status_code in (302, 422)
        db.session.refresh(report)
        assert (report.latitude, report.longitude) == MIDDLE


class TestStrangeForms:
    @pytest.mark.parametrize("action", ["rate", "withdraw", "send_to_triage", "delete", "__init__", "ASSIGN"])
    def test_what_no_person_does_is_not_found(self, district: SmallDistrict, log_in: LogIn, action: str) -> None:
        report = make_report(district, Status.ASSIGNED)
        assert log_in("dispatcher").act(report, action).status_code == 404
        assert log_in("dispatcher").get(f"/admin/reports/{report.number}/do/{action}").status_code == 404

    @pytest.mark.parametrize("unit", ["999999", "-1", "1e3", "9" * 40, "٣", "x"])
    def test_a_unit_that_is_none_is_refused(self, district: SmallDistrict, log_in: LogIn, unit: str) -> None:
        report = make_report(district, Status.TRIAGE)
        assert log_in("dispatcher").act(report, "assign", unit=unit).status_code == 422

    @pytest.mark.parametrize("version", ["", "x", "0", "9" * 30])
    def test_a_form_without_a_proper_version_changes_nothing_wrongly(
        self, district: SmallDistrict, log_in: LogIn, version: str
    ) -> None:
        report = make_report(district, Status.ASSIGNED)
        answer = log_in("handler").post(f"/admin/reports/{report.number}/do/accept", version=version)
        assert answer.status_code == 409
        db.session.refresh(report)
        assert report.status == Status.ASSIGNED

    def test_too_many_pictures_are_refused(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.IN_PROGRESS)
        answer = log_in("handler").act(report, "resolve", note="x", photos=[picture() for _ in range(10)])
        assert answer.status_code == 422
        assert "照片最多 9 张" in answer.text

    def test_any_spelling_of_a_number_opens_its_report(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        person = log_in("handler")
        for number in (report.number.lower(), report.number.replace("-", "")):
            assert person.get(f"/admin/reports/{number}").status_code == 200


def test_a_district_worth_of_clicks_ends_closed(district: SmallDistrict, log_in: LogIn) -> None:
    """Triage, hand-back, ruling, work, refused verification, work again, verification."""
    report = make_report(district, Status.TRIAGE)
    steps: list[tuple[str, str, dict[str, str]]] = [
        ("dispatcher", "assign", {"unit": str(district.lamps.id)}),
        ("handler", "hand_back", {"reason_code": "not_our_duty", "reason": "归街道管"}),
        ("shift_lead", "refuse_hand_back", {"ruling": "灯杆归你们"}),
        ("handler", "accept", {}),
        ("handler", "resolve", {"note": "换了灯泡"}),
        ("verifier", "refuse_verification", {"note": "还是不亮"}),
        ("unit_manager", "resolve", {"note": "换了镇流器"}),
        ("inspector", "verify", {}),
    ]
    for who, action, fields in steps:
        assert log_in(who).act(report, action, **fields).status_code == 302, (who, action)
    db.session.refresh(report)
    assert (report.status, report.rework_count, report.resolution) == ("closed", 1, "换了镇流器")
    times = db.session.scalars(select(ReportEvent.at).order_by(ReportEvent.id)).all()
    assert all(earlier <= later for earlier, later in itertools.pairwise(times))
