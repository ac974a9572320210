"""One report's page and what its resident can do there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from district import clock
from district.extensions import db
from district.messages import speaking, t
from district.people.models import Staff
from district.reports import merging, queries, questions
from district.reports import service as reports
from district.reports.guards import KEY_HOLDER
from district.reports.models import Report
from district.reports.states import PLAIN, Status
from district.work import unit_of_work
from tests.citizen.test_api import picture
from tests.citizen.test_pages import text_of
from tests.factories import SmallDistrict, make_report


def now_of(report: Report) -> Report:
    number = report.number
    db.session.rollback()
    db.session.expire_all()
    return reports.find(number)


@pytest.mark.parametrize(
    "status",
    [Status.SUBMITTED, Status.TRIAGE, Status.ASSIGNED, Status.IN_PROGRESS, Status.RESOLVED, Status.CLOSED,
     Status.REJECTED, Status.WITHDRAWN],
)  # fmt: skip
def test_each_status_reads_in_the_residents_words(district: SmallDistrict, client: FlaskClient, status: Status) -> None:
    report = make_report(district, status)
    page = text_of(client.get(f"/r/{report.number}?key={report.access_key}"))
    assert t(f"status.plain.{PLAIN[status]}", unit="路灯班组") in page
    assert "citizen." not in page
    with speaking("en"):
        english = text_of(client.get(f"/r/{report.number}?key={report.access_key}&lang=en"))
        assert t(f"status.plain.{PLAIN[status]}", unit="路灯班组") in english


def test_the_number_is_read_in_any_case(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district)
    assert client.get(f"/r/{report.number.lower()}").status_code == 200


def test_an_unknown_number_gets_a_page_with_a_search(district: SmallDistrict, client: FlaskClient) -> None:
    answer = client.get("/r/BH20200101-0001A")
    assert answer.status_code == 404
    assert 'name="number"' in answer.get_data(as_text=True)


def test_a_wrong_key_opens_the_public_part_and_says_so(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district, description="我家楼下路灯不亮")
    page = text_of(client.get(f"/r/{report.number}?key=wrong"))
    assert "我家楼下" not in page
    assert t("errors.key_wrong") in page


def test_staff_are_never_named_to_residents(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district, Status.CLOSED)
    page = text_of(client.get(f"/r/{report.number}?key={report.access_key}"))
    assert "员工" not in page
    assert "换了灯泡" in page


def test_internal_notes_stay_internal(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district, Status.ASSIGNED)
    with unit_of_work():
        reports.comment(reports.lock(report.id), by=district.staff["handler"], text="此人常来电话", is_public=False)
    assert "此人常来电话" not in text_of(client.get(f"/r/{report.number}?key={report.access_key}"))


def test_a_resident_rates_and_the_stars_are_kept(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district, Status.CLOSED)
    key = report.access_key
    answer = client.post(
        f"/r/{report.number}/rating",
        data={"key": key, "solved": "yes", "stars": "5", "reasons": ["slow", "made-up"], "text": "很快"},
    )
    assert answer.status_code == 303
    rated = now_of(report)
    assert (rated.solved, rated.stars, rated.rating_text) == (True, 5, "很快")
    assert rated.events[-1].data["reasons"] == ["slow"]
    assert t("citizen.done.rated") in text_of(client.get(answer.location))
    assert client.post(f"/r/{report.number}/rating", data={"key": key, "solved": "yes"}).status_code == 409


def test_not_solved_goes_back_to_the_unit(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district, Status.CLOSED)
    client.post(f"/r/{report.number}/rating", data={"key": report.access_key, "solved": "no", "text": "还是不亮"})
    reopened = now_of(report)
    assert (reopened.status, reopened.reopen_count, reopened.unit_id) == (Status.ASSIGNED, 1, district.lamps.id)


def test_a_rating_without_an_answer_is_asked_for_again(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district, Status.CLOSED)
    answer = client.post(f"/r/{report.number}/rating", data={"key": report.access_key, "stars": "4"})
    assert answer.status_code == 422
    assert t("citizen.errors.solved") in text_of(answer)
    assert now_of(report).rated_at is None


@pytest.mark.parametrize("what", ["rating", "reopen", "more", "withdraw"])
def test_nothing_is_done_without_the_key(district: SmallDistrict, client: FlaskClient, what: str) -> None:
    report = make_report(district, Status.CLOSED if what in ("rating", "reopen") else Status.SUBMITTED)
    before = report.version
    for key in ("", "wrong"):
        answer = client.post(f"/r/{report.number}/{what}", data={"key": key, "solved": "yes", "text": "x"})
        assert answer.status_code == 403
    assert now_of(report).version == before


def test_the_browsers_memory_alone_does_not_act(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district)
    client.get(f"/r/{report.number}?key={report.access_key}")
    assert client.post(f"/r/{report.number}/withdraw").status_code == 403
    assert now_of(report).status == Status.SUBMITTED


def test_a_resident_adds_words_and_a_picture(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district, Status.ASSIGNED)
    answer = client.post(
        f"/r/{report.number}/more",
        data={"key": report.access_key, "text": "在第三根杆子", "photos": (picture(), "a.jpg")},
    )
    page = client.get(answer.location)
    assert "在第三根杆子" in text_of(page)
    assert "/thumb.jpg" in page.get_data(as_text=True)
    stranger = client.application.test_client().get(f"/r/{report.number}")
    assert "在第三根杆子" not in text_of(stranger)


def test_a_picture_that_cannot_be_read_is_said_to_be_so(district: SmallDistrict, client: FlaskClient) -> None:
    from io import BytesIO

    report = make_report(district, Status.ASSIGNED)
    answer = client.post(
        f"/r/{report.number}/more", data={"key": report.access_key, "photos": (BytesIO(b"no picture"), "a.jpg")}
    )
    assert answer.status_code == 422
    assert t("errors.photo_unreadable") in text_of(answer)


def test_a_resident_takes_a_report_back_while_nobody_has_set_out(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district)
    client.post(f"/r/{report.number}/withdraw", data={"key": report.access_key})
    assert now_of(report).status == Status.WITHDRAWN
    late = make_report(district, Status.RESOLVED)
    assert client.post(f"/r/{late.number}/withdraw", data={"key": late.access_key}).status_code == 409


def test_a_browser_supports_a_report_once(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district, Status.ASSIGNED)
    client.post(f"/r/{report.number}/support")
    client.post(f"/r/{report.number}/support")
    assert [event.kind for event in now_of(report).events].count("supported") == 1
    assert "disabled" in client.get(f"/r/{report.number}").get_data(as_text=True)


def test_guessing_keys_is_slowed_down_but_reading_is_not(app: Flask, district: SmallDistrict) -> None:
    client = app.test_client()
    report = make_report(district)
    hidden = make_report(district, Status.REJECTED)
    for _ in range(70):
        assert client.get(f"/r/{report.number}").status_code == 200
    answers = {client.get(f"/r/{hidden.number}?key=guess").status_code for _ in range(70)}
    assert answers == {404, 429}


class TestQuestion:
    """Staff have asked something: the holder of the key reads it and answers on the page."""

    @pytest.fixture
    def report(self, district: SmallDistrict) -> Report:
        report = make_report(district, Status.ASSIGNED)
        with unit_of_work():
            questions.ask(reports.lock(report.id), by=district.staff["handler"], text="具体是哪一盏灯？")
        return now_of(report)

    def test_it_is_read_and_answered_with_a_picture(self, client: FlaskClient, report: Report) -> None:
        address, key = f"/r/{report.number}", report.access_key
        page = text_of(client.get(f"{address}?key={key}"))
        assert "具体是哪一盏灯？" in page
        assert t("citizen.question.title", unit="路灯班组") in page
        answer = client.post(f"{address}/answer", data={"key": key, "text": "门口那盏", "photos": (picture(), "a.jpg")})
        assert answer.status_code == 303
        page = text_of(client.get(answer.headers["Location"]))
        assert t("citizen.done.answered") in page
        assert t("citizen.question.send") not in page
        answered = now_of(report)
        assert not answered.waiting_for_resident
        assert [photo.report_id for photo in answered.photos] == [report.id]

    def test_whoever_lacks_the_key_reads_neither_question_nor_answer(self, client: FlaskClient, report: Report) -> None:
        assert "具体是哪一盏灯？" not in text_of(client.get(f"/r/{report.number}"))
        assert client.post(f"/r/{report.number}/answer", data={"text": "门口那盏"}).status_code == 403
        with unit_of_work():
            questions.answer(reports.lock(report.id), by=KEY_HOLDER, text="门口那盏")
        assert "门口那盏" not in text_of(client.get(f"/r/{report.number}"))

    def test_an_empty_answer_is_asked_for_again(self, client: FlaskClient, report: Report) -> None:
        answer = client.post(f"/r/{report.number}/answer", data={"key": report.access_key, "text": " "})
        assert answer.status_code == 422
        assert t("errors.answer_missing") in text_of(answer)

    def test_an_answer_that_comes_too_late_is_told_so(self, district: SmallDistrict, client: FlaskClient) -> None:
        report = make_report(district, Status.ASSIGNED)
        answer = client.post(f"/r/{report.number}/answer", data={"key": report.access_key, "text": "门口那盏"})
        assert answer.status_code == 409


class TestUrging:
    def url(self, report: Report, what: str = "") -> str:
        return f"/r/{report.number}{what}?key={report.access_key}"

    def test_one_tap_says_it_and_one_a_day_is_enough(self, district: SmallDistrict, client: FlaskClient) -> None:
        report = make_report(district, Status.IN_PROGRESS)
        assert t("citizen.urge.send") in text_of(client.get(self.url(report)))
        answer = client.post(f"/r/{report.number}/urge", data={"key": report.access_key})
        assert answer.status_code == 303
        page = text_of(client.get(answer.location))
        for words in ("citizen.done.urged", "citizen.urge.done", "citizen.event.urged"):
            assert t(words) in page
        assert t("citizen.urge.send") not in page
        again = client.post(f"/r/{report.number}/urge", data={"key": report.access_key})
        assert (again.status_code, t("errors.urged_already") in text_of(again)) == (409, True)
        assert queries.urged_counts([report.id]) == {report.id: 1}
        with clock.frozen_at(clock.now() + timedelta(hours=25)):
            assert client.post(f"/r/{report.number}/urge", data={"key": report.access_key}).status_code == 303
        assert queries.urged_counts([report.id]) == {report.id: 2}

    @pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED, Status.REJECTED, Status.WITHDRAWN])
    def test_what_is_done_is_not_hurried(self, district: SmallDistrict, client: FlaskClient, status: Status) -> None:
        report = make_report(district, status)
        assert t("citizen.urge.send") not in text_of(client.get(self.url(report)))
        assert client.post(f"/r/{report.number}/urge", data={"key": report.access_key}).status_code in (403, 409)
        assert queries.urged_counts([report.id]) == {}

    def test_only_who_reported_it_urges(self, district: SmallDistrict, client: FlaskClient) -> None:
        report = make_report(district, Status.IN_PROGRESS)
        assert t("citizen.urge.send") not in text_of(client.get(f"/r/{report.number}"))
        assert client.post(f"/r/{report.number}/urge", data={"key": "wrong"}).status_code in (403, 404)
        assert queries.urged_counts([report.id]) == {}

    def test_what_joined_another_is_hurried_there(self, district: SmallDistrict, client: FlaskClient) -> None:
        into, report = make_report(district, Status.IN_PROGRESS), make_report(district, Status.ASSIGNED)
        with unit_of_work():
            merging.merge(report.id, into.id, by=db.session.get_one(Staff, district.staff["dispatcher"].id))
        assert client.post(f"/r/{report.number}/urge", data={"key": report.access_key}).status_code == 303
        assert queries.urged_counts([into.id]) == {into.id: 1}
