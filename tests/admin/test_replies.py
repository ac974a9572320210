"""Replying to residents: in WeChat's words, with prepared ones, and never with a hole in a sentence."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from district.extensions import db
from district.notifications import service as notifications
from district.notifications.models import Notification
from district.people.models import AuditEntry
from district.replies.models import ReplyTemplate
from district.reports.models import EventKind, ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, words_of
from tests.factories import SmallDistrict, give_window, make_report


def make_template(**given: object) -> ReplyTemplate:
    values = {
        "code": "R1", "title": "已派人", "words": "{单位}最晚 {期限} 办好。", "category_codes": [], "statuses": [],
    }  # fmt: skip
    with unit_of_work():
        row = ReplyTemplate(**(values | given))
        db.session.add(row)
    return row


class TestReplying:
    def test_the_resident_gets_exactly_what_the_preview_showed(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        person = log_in("dispatcher")
        shown = person.post(f"/admin/reports/{report.number}/reply-preview", text="{单位}明天来修 {number}")
        assert shown.status_code == 200
        assert person.act(report, "reply", text="{单位}明天来修 {number}").status_code == 302
        with unit_of_work():
            district.resident = db.session.merge(district.resident)
            give_window(district.resident)
        with unit_of_work():
            (sent,) = [one for one in notifications.claim_due() if "明天来修" in one.text]
        assert f"路灯班组明天来修 {report.number}" in sent.text
        address = sent.text.split('href="')[1].split('"')[0]
        assert address not in shown.text, "the private link must not be readable by staff"
        plain = sent.text.replace(f'<a href="{address}">', "").replace("</a>", "")
        assert plain.split() == words_of(shown).replace("闭", "", 1).split()[: len(plain.split())]
        event = db.session.scalars(select(ReportEvent).where(ReportEvent.kind == EventKind.REPLIED)).one()
        assert (event.note, event.is_public) == (f"路灯班组明天来修 {report.number}", True)
        assert db.session.scalar(select(AuditEntry.id).where(AuditEntry.action == "report.reply")) is not None

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{市长}明天来", "不认识 {市长}"), ("{单位}明天来", "还没有 {单位}"), ("快{了", "不认识 {"),
            (" ", "请写下要说的话"), ("长" * 501, "控制在 500 字以内"),
        ],
    )  # fmt: skip
    def test_what_cannot_go_out_is_refused_by_preview_and_form_alike(
        self, district: SmallDistrict, log_in: LogIn, text: str, said: str
    ) -> None:
        report = make_report(district, Status.TRIAGE)
        person = log_in("dispatcher")
        if text.strip():
            assert said in words_of(person.post(f"/admin/reports/{report.number}/reply-preview", text=text))
        answer = person.act(report, "reply", text=text)
        assert answer.status_code == 422
        assert said in words_of(answer)
        assert text.strip() in answer.text
        assert db.session.scalar(select(Notification.id).where(Notification.kind == "replied")) is None

    def test_prepared_words_are_offered_where_they_fit_with_their_blanks_filled(
        self, district: SmallDistrict, log_in: LogIn
    ) -> None:
        make_template(statuses=["assigned"], category_codes=["01037"])
        make_template(code="R2", title="只给结案的", words="办好了", statuses=["closed"])
        make_template(code="R3", title="别的类别的", words="井盖", category_codes=["01001"])
        report = make_report(district, Status.ASSIGNED)
        page = log_in("dispatcher").get(f"/admin/reports/{report.number}/do/reply").text
        assert "已派人" in page
        assert 'data-words="路灯班组最晚 ' in page
        assert "只给结案的" not in page
        assert "别的类别的" not in page

    def test_somebody_who_writes_english_is_answered_in_english(self, district: SmallDistrict, log_in: LogIn) -> None:
        make_template(words_en="{unit} comes by {due}.")
        with unit_of_work():
            db.session.merge(district.resident).language = "en"
        report = make_report(district, Status.ASSIGNED)
        page = log_in("dispatcher").get(f"/admin/reports/{report.number}/do/reply").text
        assert 'data-words="路灯班组 comes by ' in page

    def test_markup_in_a_reply_stays_text_in_the_preview(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        shown = log_in("dispatcher").post(
            f"/admin/reports/{report.number}/reply-preview", text='<script>x</script><a href="javascript:x">看</a>'
        )
        assert "<script>" not in shown.text
        assert "javascript:" not in shown.text

    def test_another_units_report_has_no_preview(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        assert log_in("street").post(f"/admin/reports/{report.number}/reply-preview", text="x").status_code == 404


class TestTemplates:
    def test_one_is_written_changed_and_put_away(self, district: SmallDistrict, log_in: LogIn) -> None:
        lead = log_in("shift_lead")
        fields = {"title": "已派人", "words": "{单位}来了", "statuses": ["assigned"], "categories": ["01037"]}
        assert lead.post("/admin/reply-templates/save", **fields).status_code == 302
        row = db.session.scalars(select(ReplyTemplate)).one()
        assert (row.words, row.statuses, row.category_codes) == ("{单位}来了", ["assigned"], ["01037"])
        assert lead.post("/admin/reply-templates/save", **(fields | {"id": row.id, "words": "改了"})).status_code == 302
        db.session.refresh(row)
        assert row.words == "改了"
        entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
        assert (entry.detail["before"]["words"], entry.detail["after"]["words"]) == ("{单位}来了", "改了")
        assert "改了" in lead.get("/admin/reply-templates").text
        assert lead.post(f"/admin/reply-templates/{row.id}/end").status_code == 302
        assert "改了" not in lead.get("/admin/reply-templates").text
        assert lead.get(f"/admin/reply-templates/{row.id}").status_code == 404

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("words", "{市长}来了", "不认识 {市长}"), ("words_en", "{mayor} comes", "不认识 {mayor}"),
            ("title", " ", "请起个名字"), ("categories", "99999", "没有这个类别"), ("statuses", "lost", "没有这个状态"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_named_and_nothing_typed_is_lost(
        self, district: SmallDistrict, log_in: LogIn, field: str, value: str, said: str
    ) -> None:
        fields = {"title": "已派人", "words": "写了很久的话"} | {field: value}
        answer = log_in("administrator").post("/admin/reply-templates/save", **fields)
        assert answer.status_code == 422
        assert said in words_of(answer)
        assert fields["words"] in answer.text
        assert db.session.scalar(select(ReplyTemplate.id)) is None
