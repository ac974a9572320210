"""What the chat knows of a report that joined another."""

from __future__ import annotations

from bot.world import DistrictWorld
from district import clock
from district.extensions import db
from district.people.models import Staff
from district.reports import merging
from district.reports import service as reports
from district.reports.states import Status
from district.work import unit_of_work
from tests.factories import SmallDistrict, make_report, make_resident


def test_it_has_the_status_of_the_one_it_joined_until_that_is_over(district: SmallDistrict) -> None:
    into = make_report(district, Status.IN_PROGRESS)
    with unit_of_work():
        resident = make_resident()
    report = make_report(district, resident=resident)
    with unit_of_work():
        merging.merge(report.id, into.id, by=db.session.get_one(Staff, district.staff["dispatcher"].id))
    card = DistrictWorld(resident.id, clock.now()).report(report.number)
    assert card is not None
    assert (card.number, card.status, card.unit, card.is_ended) == (report.number, "处理中", "路灯班组", False)
    with unit_of_work():
        reports.resolve(reports.lock(into.id), by=district.staff["handler"], note="换了灯泡")
    with unit_of_work():
        reports.verify(reports.lock(into.id), by=district.staff["verifier"])
    (card,) = DistrictWorld(resident.id, clock.now()).my_reports()
    assert (card.status, card.note, card.is_ended, card.is_closed) == ("已解决", "换了灯泡", True, False)
