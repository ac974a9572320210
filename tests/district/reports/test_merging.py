"""Reports of one thing become one, and apart again: who hears what, no chains, nothing lost, also at once."""

from __future__ import annotations

from collections import Counter

import pytest
from flask import Flask
from sqlalchemy import select

from district.errors import BadInput, NotAllowed, StaleVersion, WrongState
from district.extensions import db
from district.notifications.models import Notification
from district.people.models import Resident, Staff
from district.reports import merging, queries, questions
from district.reports import service as reports
from district.reports.models import EventKind, HandBack, Report, ReportEvent, ReportUnit
from district.reports.states import Status
from district.routing import service as routing
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report, make_resident
from tests.support.threads import in_threads

pytestmark = both_databases


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def merge(report: Report, into: Report, district: SmallDistrict, version: int | None = None) -> None:
    with unit_of_work():
        by = db.session.get_one(Staff, district.staff["dispatcher"].id)
        merging.merge(report.id, into.id, by=by, version=version)


def unmerge(report: Report, district: SmallDistrict) -> None:
    with unit_of_work():
        merging.unmerge(report.id, by=db.session.get_one(Staff, district.staff["dispatcher"].id))


def another_resident() -> Resident:
    with unit_of_work():
        return make_resident()


def told(kind: str) -> Counter[int]:
    return Counter(db.session.scalars(select(Notification.resident_id).where(Notification.kind == kind)))


def events(report: Report) -> list[str]:
    return list(
        db.session.scalars(select(ReportEvent.kind).where(ReportEvent.report_id == report.id).order_by(ReportEvent.id))
    )


def test_a_report_joins_another_gives_up_its_unit_and_its_resident_hears_of_it_once(district: SmallDistrict) -> None:
    second = another_resident()
    into, report = make_report(district, Status.IN_PROGRESS), make_report(district, Status.ASSIGNED, resident=second)
    with unit_of_work() as session:
        session.add(ReportUnit(report_id=report.id, unit_id=district.street.id, role="co"))
    for _ in range(2):
        merge(report, into, district)
    assert (report.status, report.parent_id, report.unit_id) == (Status.MERGED, into.id, None)
    assert db.session.get(ReportUnit, (report.id, district.street.id, "co")) is None
    assert events(report)[-1] == EventKind.MERGED
    assert events(report).count(EventKind.MERGED) == 1
    assert events(into)[-1] == EventKind.SUPPORTED
    assert told("merged") == {second.id: 1}
    assert told("closed_too") == {}


def test_who_urges_a_report_that_joined_urges_what_it_joined(district: SmallDistrict) -> None:
    second = another_resident()
    into, report = make_report(district, Status.IN_PROGRESS), make_report(district, Status.ASSIGNED, resident=second)
    merge(report, into, district)
    for text, urges in (("怎么还没人来", True), ("灯杆也歪了", False)):
        with unit_of_work():
            by = db.session.get_one(Resident, second.id)
            reports.comment(reports.lock(report.id), by=by, text=text, urges=urges)
    assert events(into)[-2:] == [EventKind.COMMENTED, EventKind.COMMENTED]
    assert queries.urged_counts([into.id, report.id]) == {into.id: 1, report.id: 1}


def test_everybody_is_told_of_every_step_of_what_they_joined_once(district: SmallDistrict) -> None:
    first, twice, follower = district.resident, another_resident(), another_resident()
    into = make_report(district, Status.ASSIGNED)
    ones = [make_report(district, resident=resident) for resident in (twice, twice, first)]
    with unit_of_work():
        reports.support(reports.lock(ones[0].id), by=db.session.get_one(Resident, follower.id))
    for one in ones:
        merge(one, into, district)
    with unit_of_work():
        reports.accept(reports.lock(into.id), by=district.staff["handler"])
    assert told("accepted") == {first.id: 1, twice.id: 1, follower.id: 1}
    known_as = select(Notification.report_id).where(
        Notification.kind == "accepted", Notification.resident_id == twice.id
    )
    assert db.session.scalars(known_as).one() == ones[1].id, "under a number of their own, which their key opens"
    with unit_of_work():
        reports.resolve(reports.lock(into.id), by=district.staff["handler"], note="换了灯泡")
    with unit_of_work():
        reports.verify(reports.lock(into.id), by=district.staff["verifier"])
    assert told("closed") == {first.id: 1}, "only whose report is closed can rate it"
    assert told("closed_too") == {twice.id: 1, follower.id: 1}


def test_there_are_no_chains_and_no_circles(district: SmallDistrict) -> None:
    one, two, three = (make_report(district) for _ in range(3))
    merge(one, two, district)
    with pytest.raises(WrongState):
        merge(two, one, district)
    with pytest.raises(WrongState):
        merge(three, one, district)
    merge(two, three, district)
    assert [report.parent_id for report in (one, two, three)] == [three.id, three.id, None]
    with pytest.raises(BadInput):
        merge(three, three, district)
    unmerge(two, district)
    assert [report.parent_id for report in (one, two, three)] == [three.id, None, None]


@pytest.mark.parametrize("status", [Status.CLOSED, Status.REJECTED, Status.WITHDRAWN])
def test_what_is_over_is_joined_by_nothing(district: SmallDistrict, status: Status) -> None:
    over, report = make_report(district, status), make_report(district)
    with pytest.raises(WrongState):
        merge(report, over, district)
    assert report.status == Status.SUBMITTED


def test_what_was_asked_or_handed_back_is_dropped_with_the_work(district: SmallDistrict) -> None:
    into = make_report(district)
    asked, returned = make_report(district, Status.ASSIGNED), make_report(district, Status.ASSIGNED)
    with unit_of_work():
        questions.ask(reports.lock(asked.id), by=district.staff["dispatcher"], text="哪一盏？")
        reports.hand_back(reports.lock(returned.id), by=district.staff["handler"], reason="不归我们")
    for report in (asked, returned):
        merge(report, into, district)
    assert (asked.waiting_for_resident, returned.hand_back_pending) == (False, False)
    assert db.session.scalars(select(HandBack)).all() == []


def test_it_leaves_again_is_routed_anew_and_keeps_its_history(district: SmallDistrict) -> None:
    second = another_resident()
    into, report = make_report(district, Status.ASSIGNED), make_report(district, resident=second)
    due = report.dispatch_due_at
    merge(report, into, district)
    unmerge(report, district)
    assert (report.status, report.parent_id) == (Status.SUBMITTED, None)
    assert report.dispatch_due_at > due
    assert told("unmerged") == {second.id: 1}
    with unit_of_work():
        assert routing.route_waiting() == 1
    assert (report.status, report.unit_id) == (Status.ASSIGNED, district.lamps.id)
    assert events(report) == ["submitted", "merged", "unmerged", "routed"]
    with pytest.raises(WrongState):
        unmerge(report, district)
    with unit_of_work():
        reports.accept(reports.lock(into.id), by=district.staff["handler"])
    assert second.id not in told("accepted")


def test_only_the_command_centre_merges_and_only_what_it_has_seen(district: SmallDistrict) -> None:
    into, report = make_report(district), make_report(district)
    with pytest.raises(NotAllowed), unit_of_work():
        merging.merge(report.id, into.id, by=district.staff["handler"])
    seen = report.version
    with unit_of_work():
        reports.correct(reports.lock(report.id), by=district.staff["dispatcher"], address="人民路2号")
    with pytest.raises(StaleVersion):
        merge(report, into, district, version=seen)
    merge(report, into, district, version=report.version)
    with pytest.raises(NotAllowed), unit_of_work():
        merging.unmerge(report.id, by=district.staff["handler"])


def test_danger_that_one_saw_is_danger_for_all(district: SmallDistrict) -> None:
    from district.categories.models import Urgency

    into = make_report(district, Status.ASSIGNED)
    due = into.handling_due_at
    report = make_report(district, urgency=Urgency.CRITICAL)
    merge(report, into, district)
    assert (into.urgency, report.urgency) == (Urgency.CRITICAL, Urgency.CRITICAL)
    assert into.handling_due_at is not None
    assert due is not None
    assert into.handling_due_at <= due


def test_when_the_first_is_withdrawn_the_eldest_of_the_others_takes_its_place(district: SmallDistrict) -> None:
    second, third = another_resident(), another_resident()
    first = make_report(district, Status.ASSIGNED)
    ones = [make_report(district, resident=resident) for resident in (second, third)]
    for one in reversed(ones):
        merge(one, first, district)
    with unit_of_work():
        reports.withdraw(reports.lock(first.id), by=district.resident)
    assert (first.status, first.unit_id) == (Status.WITHDRAWN, None)
    assert (ones[0].status, ones[0].unit_id, ones[0].parent_id) == (Status.ASSIGNED, district.lamps.id, None)
    assert ones[1].parent_id == ones[0].id
    with unit_of_work():
        reports.accept(reports.lock(ones[0].id), by=district.staff["handler"])
    assert told("accepted") == {second.id: 1, third.id: 1}


def test_the_same_two_merged_both_ways_at_once_end_as_one(district: SmallDistrict, app: Flask) -> None:
    one, two = make_report(district), make_report(district)
    pairs = [(one.id, two.id), (two.id, one.id)] * 2
    by_id = district.staff["dispatcher"].id
    db.session.remove()
    refused: list[str] = []

    def act(report_id: int, into_id: int) -> None:
        with app.app_context():
            try:
                with unit_of_work():
                    merging.merge(report_id, into_id, by=db.session.get_one(Staff, by_id))
            except (WrongState, StaleVersion) as error:
                refused.append(error.code)
            finally:
                db.session.remove()

    in_threads([lambda pair=pair: act(*pair) for pair in pairs])  # type: ignore[misc]
    rows = db.session.scalars(select(Report).where(Report.id.in_([pairs[0][0], pairs[0][1]]))).all()
    assert sorted(row.status for row in rows) == [Status.MERGED, Status.SUBMITTED]
    kinds = Counter(db.session.scalars(select(ReportEvent.kind)))
    assert (kinds[EventKind.MERGED], len(refused)) == (1, 2)
