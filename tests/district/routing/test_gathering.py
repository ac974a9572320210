"""Many reports of one thing become one report with one alarm; what is not the same thing stays by itself."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from district import clock, jobs, settings
from district.categories.models import Urgency
from district.errors import NotAllowed, WrongState
from district.extensions import db
from district.notifications.models import Notification
from district.people.models import Resident, Staff
from district.reports import incidents, merging
from district.reports import service as reports
from district.reports.models import EventKind, Incident, PlaceSource, Report, ReportEvent, Source
from district.reports.states import Status
from district.routing import service as routing
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_category, make_facility, make_report
from tests.support.threads import in_threads

METRE = 1 / 111_320


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    district = SmallDistrict()
    say(incident={"reports": 3, "metres": 150, "minutes": 30, "quiet_hours": 6})
    return district


def say(**tables: object) -> None:
    """What the district says."""
    with unit_of_work():
        for name, table in tables.items():
            settings.put(name, table)
        settings.changed("settings")
    forget_reference()


def filed(district: SmallDistrict, count: int, *, metres: float = 0.0, **given: object) -> list[Report]:
    """Reports by as many residents, `metres` north of the middle."""
    found = []
    for _ in range(count):
        with unit_of_work():
            resident = factories.make_resident()
        found.append(make_report(district, resident=resident, latitude=MIDDLE[0] + metres * METRE, **given))
    return found


def route(limit: int = 50) -> None:
    with unit_of_work():
        routing.route_waiting(limit)


def statuses(ones: Sequence[Report]) -> list[str]:
    return [one.status for one in ones]


def incidents_there() -> list[Incident]:
    return list(db.session.scalars(select(Incident).order_by(Incident.id)))


def told(kind: str) -> int:
    return db.session.scalar(select(func.count()).select_from(Notification).where(Notification.kind == kind)) or 0


@both_databases
def test_twenty_reports_of_one_burst_are_one_incident_with_one_alarm(district: SmallDistrict) -> None:
    ones = filed(district, 20, metres=20)
    route()
    first, others = ones[0], ones[1:]
    assert (first.status, first.unit_id) == (Status.ASSIGNED, district.lamps.id)
    assert {(one.status, one.parent_id) for one in others} == {(Status.MERGED, first.id)}
    (incident,) = incidents_there()
    assert (incident.report_id, incident.members, incident.ended_at) == (first.id, 20, None)
    assert (told("assigned"), told("joined_with_unit"), told("joined")) == (1, 19, 0)
    counts = db.session.scalars(
        select(Notification).where(Notification.kind == "joined_with_unit").order_by(Notification.id)
    )
    assert [row.params for row in counts] == [{"others": n, "unit": "路灯班组"} for n in range(1, 20)]
    with unit_of_work():
        reports.accept(reports.lock(first.id), by=district.staff["handler"])
    assert told("accepted") == 20


@both_databases
def test_it_is_noticed_when_they_come_one_after_the_other(district: SmallDistrict) -> None:
    ones = []
    for _ in range(5):
        ones += filed(district, 1)
        route()
    assert statuses(ones) == [Status.ASSIGNED] + [Status.MERGED] * 4
    (incident,) = incidents_there()
    assert (incident.report_id, incident.members) == (ones[0].id, 5)
    # The second had its unit for a while: that unit hears no more of it than the others do.
    assert ones[1].unit_id is None


def test_what_somebody_is_working_on_is_left_to_them(district: SmallDistrict) -> None:
    ones = filed(district, 2)
    route()
    with unit_of_work():
        reports.accept(reports.lock(ones[1].id), by=district.staff["handler"])
    ones += filed(district, 1)
    route()
    assert statuses(ones) == [Status.ASSIGNED, Status.IN_PROGRESS, Status.MERGED]


def test_two_are_no_incident_nor_are_others_far_away_or_long_ago(district: SmallDistrict) -> None:
    filed(district, 2)
    filed(district, 1, metres=200)
    route()
    with clock.frozen_at(clock.now() + timedelta(minutes=40)):
        filed(district, 1)
        route()
    assert incidents_there() == []
    assert {one.status for one in db.session.scalars(select(Report))} == {Status.ASSIGNED}


def test_another_category_is_another_thing(district: SmallDistrict) -> None:
    with unit_of_work():
        make_category("01042", name="垃圾箱")
    forget_reference()
    ones = filed(district, 2) + filed(district, 2, category_code="01042")
    route()
    assert Status.MERGED not in statuses(ones)


def test_of_some_categories_each_is_a_thing_of_its_own(district: SmallDistrict) -> None:
    say(incident={"reports": 3, "own_categories": ["01037"]})
    ones = filed(district, 4)
    route()
    assert Status.MERGED not in statuses(ones)


def test_praise_and_questions_join_nothing(district: SmallDistrict) -> None:
    ones = filed(district, 4, intent="praise")
    route()
    assert Status.MERGED not in statuses(ones)


def test_what_comes_later_joins_until_it_is_over(district: SmallDistrict) -> None:
    filed(district, 3)
    route()
    late = filed(district, 1, metres=180)
    route()
    assert statuses(late) == [Status.MERGED]
    (incident,) = incidents_there()
    assert incident.members == 4
    with unit_of_work():
        incidents.end(incident.id, by=db.session.get_one(Staff, district.staff["dispatcher"].id))
    alone = filed(district, 1)
    route()
    assert statuses(alone) == [Status.ASSIGNED]
    assert incidents_there()[0].ended_at is not None


def test_what_lies_around_the_first_joins_although_the_middle_has_moved_on(district: SmallDistrict) -> None:
    (first,) = filed(district, 1)
    filed(district, 8, metres=140)
    route()
    (incident,) = incidents_there()
    assert incident.latitude > MIDDLE[0] + 120 * METRE
    ones = filed(district, 3, metres=-130)
    route()
    assert {one.parent_id for one in ones} == {first.id}
    assert (len(incidents_there()), incidents_there()[0].members) == (1, 12)


def test_an_old_one_that_nobody_has_ended_makes_room(district: SmallDistrict) -> None:
    first, *_ = filed(district, 3)
    route()
    with clock.frozen_at(clock.now() + timedelta(hours=7)):
        (second,) = filed(district, 1)
        route()
        assert second.status == Status.ASSIGNED
    old, moment = incidents_there()[0], clock.now() - timedelta(hours=7)
    with unit_of_work():
        db.session.get_one(Incident, old.id).last_at = moment
    ones = filed(district, 2)
    route()
    assert {one.parent_id for one in ones} == {first.id}
    assert [one.ended_at is None for one in incidents_there()] == [False, True]


@pytest.mark.parametrize("how", ["quiet", "closed"])
def test_it_is_over_by_itself(district: SmallDistrict, how: str) -> None:
    first, *_ = filed(district, 3)
    route()
    moment = clock.now() + timedelta(hours=7 if how == "quiet" else 1)
    with clock.frozen_at(moment):
        if how == "closed":
            for act in (
                lambda report: reports.resolve(report, by=district.staff["handler"], note="修好了"),
                lambda report: reports.verify(report, by=district.staff["verifier"]),
            ):
                with unit_of_work():
                    act(reports.lock(first.id))
        ones = filed(district, 1)
        route()
        assert statuses(ones) == [Status.ASSIGNED]
        jobs.end_incidents()
    (incident,) = incidents_there()
    assert (incident.ended_at, incident.ended_by_id) == (moment, None)


def test_what_was_taken_out_does_not_join_again(district: SmallDistrict) -> None:
    ones = filed(district, 4)
    route()
    with unit_of_work():
        merging.unmerge(ones[2].id, by=db.session.get_one(Staff, district.staff["dispatcher"].id))
    route()
    assert statuses(ones) == [Status.ASSIGNED, Status.MERGED, Status.ASSIGNED, Status.MERGED]
    (incident,) = incidents_there()
    assert incident.members == 3


def test_danger_joins_but_stays_visible(district: SmallDistrict) -> None:
    first, *_ = filed(district, 3)
    route()
    (one,) = filed(district, 1, urgency=Urgency.CRITICAL)
    route()
    assert (one.status, one.urgency, first.urgency) == (Status.MERGED, Urgency.CRITICAL, Urgency.CRITICAL)


@both_databases
def test_the_same_trouble_of_a_facility_joins_within_some_hours(district: SmallDistrict) -> None:
    say(incident={"reports": 0}, similar={"sure_hours": 24})
    with unit_of_work():
        one, other = make_facility(district.lamps).id, make_facility(district.lamps).id
        make_category("01042", name="垃圾箱")
    forget_reference()
    first = filed(district, 2, facility_id=one)
    route()
    second = filed(district, 1, facility_id=one)
    elsewhere = filed(district, 1, facility_id=other) + filed(district, 1, facility_id=one, category_code="01042")
    route()
    assert statuses([*first, *second]) == [Status.ASSIGNED, Status.MERGED, Status.MERGED]
    assert Status.MERGED not in statuses(elsewhere)
    assert incidents_there() == []
    counts = db.session.scalars(
        select(Notification.params).where(Notification.kind == "joined_with_unit").order_by(Notification.id)
    )
    assert [params["others"] for params in counts] == [1, 2]
    with clock.frozen_at(clock.now() + timedelta(hours=25)):
        later = filed(district, 1, facility_id=one)
        route()
    assert statuses(later) == [Status.ASSIGNED]


@both_databases
def test_what_is_another_trouble_of_the_facility_stays_apart(district: SmallDistrict) -> None:
    """Who was shown what is reported there and says that it is something else is believed, but not about a storm."""
    say(incident={"reports": 0}, similar={"sure_hours": 24})
    with unit_of_work():
        lamp = make_facility(district.lamps).id
    first = filed(district, 1, facility_id=lamp)
    route()
    ones = filed(district, 1, facility_id=lamp, is_another=True) + filed(district, 1, facility_id=lamp)
    route()
    assert statuses([*first, *ones]) == [Status.ASSIGNED, Status.ASSIGNED, Status.MERGED]
    say(incident={"reports": 3}, similar={"sure_hours": 24})
    storm = filed(district, 3, is_another=True)
    route()
    assert Status.MERGED in statuses(storm)


@both_databases
def test_word_goes_to_everybody_once_and_from_the_command_centre_only(district: SmallDistrict) -> None:
    ones = filed(district, 4)
    route()
    (incident,) = incidents_there()
    with unit_of_work():
        number = incidents.announce(
            incident.id, by=db.session.get_one(Staff, district.staff["dispatcher"].id), text="预计18点恢复供水"
        )
    assert number == told("announced") == 4
    assert {one.id for one in db.session.scalars(select(Resident).join(Notification).where(
        Notification.kind == "announced"))} == {one.resident_id for one in ones}  # fmt: skip
    with pytest.raises(NotAllowed), unit_of_work():
        incidents.announce(incident.id, by=db.session.get_one(Staff, district.staff["handler"].id), text="x")
    with unit_of_work():
        reports.withdraw(reports.lock(ones[0].id), by=db.session.get_one(Resident, ones[0].resident_id))
    (incident,) = incidents_there()
    assert (incident.report_id, incident.members) == (ones[1].id, 3), "it goes on with the eldest that is left"


def test_two_incidents_that_are_one_after_all(district: SmallDistrict) -> None:
    here, there = filed(district, 3), filed(district, 3, metres=700)
    route()
    with unit_of_work():
        merging.merge(there[0].id, here[0].id, by=db.session.get_one(Staff, district.staff["dispatcher"].id))
    first, second = incidents_there()
    assert (first.members, first.ended_at) == (6, None)
    assert second.ended_at is not None
    assert {one.parent_id for one in (*here[1:], *there)} == {here[0].id}
    with unit_of_work(), pytest.raises(WrongState):
        incidents.announce(second.id, by=db.session.get_one(Staff, district.staff["dispatcher"].id), text="x")


def test_joining_costs_no_more_for_a_large_incident(district: SmallDistrict) -> None:
    filed(district, 30)
    route()
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    counts = []
    for _ in range(2):
        filed(district, 20)
        statements.clear()
        route()
        counts.append(len(statements))
    assert counts[0] == counts[1] < 20


# The storm, small

INCIDENT, ELSEWHERE = 120, 80


@pytest.fixture
def storm(district: SmallDistrict) -> SmallDistrict:
    """120 reports of one thing among 80 others, in no order."""
    chance = random.Random(5)
    kinds = [True] * INCIDENT + [False] * ELSEWHERE
    chance.shuffle(kinds)
    with unit_of_work():
        other_codes = [make_category(f"0201{n}", name=f"别的{n}").code for n in range(8)]
    forget_reference()
    with unit_of_work():
        for number, is_incident in enumerate(kinds):
            spread = 60 * METRE if is_incident else 0.015
            reports.submit(
                reports.NewReport(
                    source=Source.BOT,
                    description=f"水管爆了 {number}",
                    category_code="01037" if is_incident else other_codes[number % 8],
                    latitude=MIDDLE[0] + chance.uniform(-spread, spread),
                    longitude=MIDDLE[1] + chance.uniform(-spread, spread),
                    place_source=PlaceSource.SHARED,
                ),
                by=factories.make_resident(),
            )
    db.session.remove()
    return district


@both_databases
def test_in_a_storm_nothing_is_lost_nothing_is_routed_twice_and_there_is_one_incident(
    storm: SmallDistrict, app: Flask
) -> None:
    def work() -> None:
        with app.app_context():
            ends = time.monotonic() + 100
            while _waiting():
                assert time.monotonic() < ends, "it does not end"
                with unit_of_work():
                    routing.route_waiting(20)
                db.session.remove()

    def _waiting() -> int:
        count = db.session.scalar(select(func.count()).select_from(Report).where(Report.status == Status.SUBMITTED))
        db.session.remove()
        return count or 0

    in_threads([work] * 2)
    (incident,) = incidents_there()
    joined = select(func.count()).select_from(Report).where(Report.parent_id == incident.report_id)
    assert db.session.scalar(joined) == INCIDENT - 1
    assert incident.members == INCIDENT
    by_status = Counter(db.session.scalars(select(Report.status)))
    assert by_status[Status.MERGED] == INCIDENT - 1
    assert by_status.total() == INCIDENT + ELSEWHERE
    assert by_status[Status.SUBMITTED] == 0
    once = (EventKind.ROUTED, EventKind.SENT_TO_TRIAGE, EventKind.MERGED)
    moves = Counter(db.session.scalars(select(ReportEvent.report_id).where(ReportEvent.kind.in_(once))))
    again = {report_id for report_id, times in moves.items() if times > 1}
    # Those that had a unit before anybody knew better joined later, once.
    assert len(again) < 6
    assert told("joined") + told("joined_with_unit") == INCIDENT - 1
