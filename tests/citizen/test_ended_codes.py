"""A label that was revoked or replaced opens nothing, at whichever door; the crew marks labels by scanning them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from district import clock
from district.extensions import db
from district.facilities import codes
from district.facilities import service as facilities
from district.facilities.models import Facility, FacilityToken
from district.messages import t
from district.reports.models import Report
from district.work import unit_of_work
from tests.citizen.conftest import log_in
from tests.citizen.test_pages import text_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_facility

ENDS = ("revoked", "replaced")


def ended(district: SmallDistrict, how: str) -> str:
    """A code that has ended in one of the two ways."""
    with unit_of_work():
        facility = make_facility(district.lamps, name="东门路灯")
        old = str(facilities.token_of(facility.id))
    if how == "revoked":
        with unit_of_work():
            codes.revoke(old, by=district.staff["administrator"])
        return old
    with clock.frozen_at(clock.now() + timedelta(minutes=1)), unit_of_work():
        new = codes.issue(db.session.get_one(Facility, facility.id), by=district.staff["administrator"]).token
    with unit_of_work():
        codes.mark_printed([new])
    with unit_of_work():
        codes.place(new, by=district.staff["handler"])
    return old


DOORS: dict[str, Callable[[FlaskClient, str], TestResponse]] = {
    "page": lambda client, token: client.get(f"/f/{token}"),
    "page in capitals": lambda client, token: client.get(f"/F/{token}"),
    "one tap": lambda client, token: client.post(f"/f/{token}", data={"problem": "不亮"}),
    "log": lambda client, token: client.post(f"/f/{token}/log", data={"note": "修好了"}),
    "placed": lambda client, token: client.post(f"/f/{token}/placed"),
    "new label": lambda client, token: client.post(f"/f/{token}/new-label"),
    "api": lambda client, token: client.get(f"/api/v1/facilities/{token}"),
    "form": lambda client, token: client.post("/report", data={"facility": token, "description": "灯罩掉了"}),
    "api report": lambda client, token: client.post(
        "/api/v1/reports", json={"facility": token, "description": "灯罩掉了"}
    ),
}


@both_databases
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("door", list(DOORS))
def test_it_is_refused_at_every_door(client: FlaskClient, district: SmallDistrict, how: str, door: str) -> None:
    log_in(client, district.staff["handler"])
    answer = DOORS[door](client, ended(district, how))
    assert answer.status_code == (422 if "report" in door or door == "form" else 410), door
    assert db.session.scalar(db.select(Report.id)) is None


@pytest.mark.parametrize("how", ENDS)
def test_its_page_says_what_it_was_and_what_to_do(client: FlaskClient, district: SmallDistrict, how: str) -> None:
    page = text_of(client.get(f"/f/{ended(district, how)}"))
    assert t("citizen.facility.revoked") in page
    assert "东门路灯" in page
    assert "12345" in page
    assert t("citizen.facility.report_anyway") in page


def test_a_report_with_it_says_why_it_is_refused(client: FlaskClient, district: SmallDistrict) -> None:
    token = ended(district, "revoked")
    answer = client.post("/api/v1/reports", json={"facility": token, "description": "灯罩掉了"})
    assert answer.json["error"]["fields"] == {"facility": t("errors.code_ended")}


@both_databases
def test_the_crew_scans_what_it_has_put_up(client: FlaskClient, district: SmallDistrict) -> None:
    with unit_of_work():
        facility = make_facility(district.lamps)
        old = str(facilities.token_of(facility.id))
    with clock.frozen_at(clock.now() + timedelta(minutes=1)), unit_of_work():
        new = codes.issue(db.session.get_one(Facility, facility.id), by=district.staff["administrator"]).token
    assert t("citizen.facility.label_place") not in client.get(f"/f/{new}").get_data(as_text=True)
    log_in(client, district.staff["handler"])
    assert t("citizen.facility.label_place") not in text_of(client.get(f"/f/{new}")), "it was never printed"
    assert client.post(f"/f/{new}/placed").status_code == 409
    with unit_of_work():
        codes.mark_printed([new])
    assert t("citizen.facility.label_place") in text_of(client.get(f"/f/{new}"))
    answer = client.post(f"/f/{new}/placed")
    assert answer.status_code == 303
    assert t("citizen.facility.label_placed") in text_of(client.get(answer.location))
    db.session.expire_all()
    states = {row.token: row.state for row in db.session.scalars(db.select(FacilityToken))}
    assert states == {old: "replaced", new: "placed"}


def test_a_worn_label_is_asked_for_anew_by_its_unit_alone(client: FlaskClient, district: SmallDistrict) -> None:
    with unit_of_work():
        token = str(facilities.token_of(make_facility(district.lamps).id))
    for action in ("new-label", "placed"):
        answer = client.post(f"/f/{token}/{action}")
        assert (answer.status_code, answer.location.startswith("/admin/login")) == (303, True)
    log_in(client, district.staff["street"])
    assert t("citizen.facility.label_ask") not in text_of(client.get(f"/f/{token}"))
    assert client.post(f"/f/{token}/new-label").status_code == 403
    log_in(client, district.staff["handler"])
    answer = client.post(f"/f/{token}/new-label", data={"reason": "褪色"})
    assert t("citizen.facility.label_asked") in text_of(client.get(answer.location))
    made = db.session.scalars(db.select(FacilityToken).where(FacilityToken.token != token)).one()
    assert (made.state, made.reason, made.issued_by_id) == ("issued", "褪色", district.staff["handler"].id)


def test_guesses_at_all_its_doors_count_together(client: FlaskClient, district: SmallDistrict) -> None:
    log_in(client, district.staff["handler"])
    answers = [
        client.get("/f/GUESS00001") if number % 2 else client.post("/f/GUESS00001/placed") for number in range(30)
    ]
    codes_seen = [answer.status_code for answer in answers]
    assert codes_seen[:20] == [404] * 20
    assert set(codes_seen[20:]) == {429}
