"""The panel's part in one thing of many reports: candidates, one tap, apart again, incidents and word to all."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from district import clock, settings
from district.extensions import db
from district.notifications.models import Notification
from district.reports.models import Incident, Report
from district.reports.states import Status
from district.routing import service as routing
from district.work import unit_of_work
from tests.admin.conftest import LogIn, shown, words_of
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_report, make_resident

METRE = 1 / 111_320


@pytest.fixture
def incident(district: SmallDistrict) -> Incident:
    """Four reports of one thing."""
    with unit_of_work():
        settings.put("incident", {"reports": 3})
        settings.changed("settings")
    forget_reference()
    for number in range(4):
        with unit_of_work():
            resident = make_resident()
        make_report(district, resident=resident, description=f"水管爆了{number}")
    with unit_of_work():
        routing.route_waiting()
    return db.session.scalars(select(Incident)).one()


def test_the_dispatcher_sees_what_may_be_the_same_and_merges_with_one_tap(
    district: SmallDistrict, log_in: LogIn
) -> None:
    into = make_report(district, Status.IN_PROGRESS, latitude=MIDDLE[0] + 20 * METRE)
    far = make_report(district, latitude=MIDDLE[0] + 500 * METRE)
    report = make_report(district)
    person = log_in("dispatcher")
    page = person.get(f"/admin/reports/{report.number}")
    assert f'value="{into.number}"' in page.text
    assert f'value="{far.number}"' not in page.text
    assert "相距 20 米" in words_of(page)
    answer = person.post(f"/admin/reports/{report.number}/merge", into=into.number, **shown(report))
    assert answer.status_code == 302
    db.session.expire_all()
    assert (report.status, report.parent_id) == (Status.MERGED, into.id)
    page = words_of(person.get(f"/admin/reports/{into.number}"))
    assert "合并到这里的上报（1 件）" in page
    assert person.post(f"/admin/reports/{report.number}/unmerge").status_code == 302
    db.session.expire_all()
    assert (report.status, report.parent_id) == (Status.SUBMITTED, None)


@pytest.mark.parametrize("who", ["handler", "acceptor", "verifier", "leader"])
def test_nobody_else_merges_or_is_offered_to(district: SmallDistrict, log_in: LogIn, who: str) -> None:
    into, report = make_report(district, Status.ASSIGNED), make_report(district, Status.ASSIGNED)
    person = log_in(who)
    assert "/merge" not in person.get(f"/admin/reports/{report.number}").text
    answer = person.post(f"/admin/reports/{report.number}/merge", into=into.number, **shown(report))
    assert answer.status_code == 403
    db.session.expire_all()
    assert report.status == Status.ASSIGNED


def test_what_stands_in_the_way_is_said(district: SmallDistrict, log_in: LogIn) -> None:
    over, report = make_report(district, Status.CLOSED), make_report(district)
    person, path = log_in("dispatcher"), f"/admin/reports/{report.number}/merge"
    for into, status in (("BH20200101-0001A", 422), ("", 422), (report.number, 422), (over.number, 409)):
        answer = person.post(path, into=into, **shown(report))
        assert answer.status_code == status, into
        assert 'role="alert"' in answer.text
    stale = person.post(path, into=make_report(district).number, version="0", seen="0")
    assert stale.status_code == 409
    assert person.post(f"/admin/reports/{report.number}/unmerge").status_code == 409


def test_the_incidents_page_shows_what_is_going_on_and_all_who_reported_it(
    district: SmallDistrict, incident: Incident, log_in: LogIn
) -> None:
    person = log_in("dispatcher")
    assert "正在发生 1 起突发事件" in words_of(person.get("/admin/"))
    assert "4 人次反映" in words_of(person.get("/admin/?tab=open"))
    assert f"/admin/incidents/{incident.id}" in person.get("/admin/incidents").text
    page = person.get(f"/admin/incidents/{incident.id}")
    assert all(f"水管爆了{number}" in page.text for number in range(4))
    pins = person.get(f"/admin/incidents/{incident.id}/places.json").get_json()["reports"]
    assert len(pins) == 4
    unit = log_in("handler").get(f"/admin/incidents/{incident.id}")
    assert unit.status_code == 200
    assert "/unmerge" not in unit.text
    assert log_in("street").get(f"/admin/incidents/{incident.id}").status_code == 404
    assert log_in("street").get("/admin/incidents").text.count("/admin/incidents/") == 0
    member = db.session.scalars(select(Report).where(Report.parent_id == incident.report_id)).first()
    assert member is not None
    assert log_in("handler").get(f"/admin/reports/{member.number}").status_code == 200
    assert log_in("street").get(f"/admin/reports/{member.number}").status_code == 404


def test_word_to_all_and_the_end_of_it(district: SmallDistrict, incident: Incident, log_in: LogIn) -> None:
    person, path = log_in("dispatcher"), f"/admin/incidents/{incident.id}"
    assert person.post(f"{path}/tell", text=" ").status_code == 422
    assert person.post(f"{path}/tell", text="预计18点恢复").status_code == 302
    told = select(func.count()).select_from(Notification).where(Notification.kind == "announced")
    assert db.session.scalar(told) == 4
    assert log_in("handler").post(f"{path}/end").status_code == 403
    for _ in range(2):
        assert person.post(f"{path}/end").status_code == 302
    db.session.expire_all()
    assert incident.ended_at is not None
    assert incident.ended_at <= clock.now()
    assert f"/admin/incidents/{incident.id}" in person.get("/admin/incidents?over=1").text
    assert f"/admin/incidents/{incident.id}" not in person.get("/admin/incidents").text
