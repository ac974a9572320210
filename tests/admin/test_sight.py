"""Somebody limited to a street or to units: no page, list, count, map, search or file of the panel shows them more.

The pages are found by themselves, so that a new one is walked as well. What a person without limits finds on them shows
that the walk would see a leak.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from admin.guard import OPEN, RIGHTS
from district import clock
from district.extensions import db
from district.notices import service as notices
from district.notifications.models import Delivery, Notification
from district.overview import figures
from district.people import blocks
from district.people.models import Staff
from district.people.roles import Role
from district.reports import service as reports
from district.reports.models import Incident, Report
from district.reports.sight import OF_A_UNIT
from district.reports.states import Status
from district.staff_wechat.models import StaffMessage
from district.work import unit_of_work
from tests.admin.conftest import Person, words_of
from tests.admin.test_guard import name_of, rules_of_the_panel
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_area, make_report, make_staff

HERE, THERE = "990000001", "990000002"
FAR = {"latitude": 50.60, "longitude": 124.40}
WORDS, PLACE = "暗号甲乙丙", "远方路九十九号"
# Each page as it opens, and with all at once that any page understands, so that lists behind a choice are walked too.
EVERYTHING = (
    f"over=1&read=1&what=report&days=365&since=1&latitude={FAR['latitude']}&longitude={FAR['longitude']}&interactive=1"
)
QUERIES = ("", f"?tab=all&{EVERYTHING}", f"?tab=overdue&view=wall&q={WORDS}&{EVERYTHING}")
# The lists of reports, whose choices exclude each other.
OF_LISTS = (*QUERIES, "?tab=all", f"?tab=all&q={WORDS}", "?tab=overdue", "?tab=all&view=map")
LISTS = {"inbox", "live", "list_map", "field", "next_report"}
# Leaves files of another format, or the panel itself.
NOT_WALKED = {"numbers_workbook", "care_workbook", "often_workbook", "wechat_start", "wechat_done"}


@dataclass
class Scene:
    """What there is in the two streets, and everybody who may be told of it."""

    here: Report
    there: list[Report]
    people: dict[str, Staff]

    def secrets(self) -> list[str]:
        return [WORDS, PLACE, *(report.number for report in self.there)]


def stage(district: SmallDistrict, **limits: list[Any]) -> Scene:
    """A report in this street, and one of each sort in the other; a person of each role limited to `limits`."""
    with unit_of_work():
        make_area(THERE, middle=(FAR["latitude"], FAR["longitude"]), name="远方街道")
    forget_reference()
    here = make_report(district, Status.ASSIGNED, description="近处的灯")
    far: dict[str, Any] = {"description": WORDS, "address": PLACE, "contact": "13800138000", **FAR}
    wanted = (Status.ASSIGNED, Status.IN_PROGRESS, Status.RESOLVED, Status.CLOSED, Status.TRIAGE, Status.ASSIGNED)
    there = [make_report(district, status, **far) for status in wanted]
    handler, dispatcher, lead = (district.staff[name] for name in ("handler", "dispatcher", "shift_lead"))
    now = clock.now()
    with unit_of_work():
        people = {}
        for role in Role:
            unit = district.lamps if role in (Role.HANDLER, Role.UNIT_MANAGER) else district.command
            person = people[str(role)] = make_staff(f"limited-{role}", unit, role)
            for name, value in limits.items():
                setattr(person, name, value)
        everybody = [person.id for person in people.values()] + [one.id for one in district.staff.values()]
        reports.hand_back(reports.lock(there[1].id), by=handler, reason="不归我们管", suggested_unit_id=None)
        reports.comment(reports.lock(there[0].id), by=dispatcher, text="看一下")
        reports.lock(there[5].id).urgency = "critical"
        reports.lock(there[0].id).handling_due_at = now - timedelta(hours=3)
        notices.tell("overdue", everybody, report_id=there[0].id, number=there[0].number)
        db.session.add(
            Notification(
                resident_id=district.resident.id,
                report_id=there[0].id,
                kind="assigned",
                params={},
                created_at=now,
                delivery=Delivery.FAILED,
                tries=5,
                last_error="48002",
            )
        )
        for ended_at in (None, now):
            db.session.add(
                Incident(
                    report_id=there[0].id,
                    category_id=district.category.id,
                    latitude=FAR["latitude"],
                    longitude=FAR["longitude"],
                    radius_m=150,
                    members=3,
                    since=now,
                    opened_at=now,
                    last_at=now,
                    ended_at=ended_at,
                    ended_by_id=dispatcher.id if ended_at else None,
                )
            )
        blocks.block(district.resident.id, by=lead, report_id=there[0].id, days=7, reason=f"{WORDS}骚扰")
        for person_id in everybody:
            db.session.add(
                StaffMessage(
                    staff_id=person_id,
                    report_id=there[0].id,
                    kind="assigned",
                    params={},
                    about_at=now,
                    created_at=now,
                    delivery="not_possible",
                    tries=0,
                    last_error="",
                )
            )
    figures.forget()
    return Scene(here, there, people)


def queries_of(name: str, role: Role, turn: int) -> list[str]:
    """What this role asks a page with: together with the roles that see alike all queries, at each turn.

    What a page shows is narrowed by what it is asked and by how far somebody sees, as one of a unit or as one of the
    district. turn: each role begins elsewhere at the next. Where there are more roles than queries, the others ask
    something at every second turn.
    """
    queries = OF_LISTS if name in LISTS else QUERIES
    alike = [one for one in Role if one in RIGHTS[name] and (one in OF_A_UNIT) == (role in OF_A_UNIT)]
    index = alike.index(role)
    place = (index + turn) % len(alike)
    if place >= len(queries) and (index + turn) % 2 == 0:
        place %= len(queries)
    return list(queries[place :: len(alike)])


def pages_of(app: Flask, role: Role, scene: Scene, turn: int) -> Iterator[tuple[str, str]]:
    """Every address that this role may ask for, with its name; those of one report with the one of this street."""
    for rule in rules_of_the_panel(app):
        name = name_of(rule)
        if "GET" not in (rule.methods or ()) or name in OPEN | NOT_WALKED or role not in RIGHTS[name]:
            continue
        if not rule.arguments:
            for query in queries_of(name, role, turn):
                yield name, rule.rule + query
        elif rule.arguments == {"number"} and "<number>" in rule.rule:
            yield name, rule.rule.replace("<number>", scene.here.number)


def leaks(
    app: Flask, person: Person, role: Role, scene: Scene, turn: int, only: frozenset[str] | None = None
) -> set[str]:
    """The names of pages on which something of the other street is. only: no other pages are looked at."""
    found = set()
    for name, address in pages_of(app, role, scene, turn):
        if only is not None and name not in only:
            continue
        answer = person.get(address)
        text = answer.text if answer.mimetype != "application/json" else json.dumps(answer.json, ensure_ascii=False)
        # What was asked for stands in the search field.
        text = text.replace(f'value="{WORDS}"', "").replace(f"“{WORDS}”", "")
        text = re.sub(rf'(?:href|data-next|hx-get|name|value|content)="[^"]*(?:{WORDS}|%E6)[^"]*"', "", text)
        if any(secret in text for secret in scene.secrets()):
            found.add(name)
    return found


LIMITS = ["area_scope", "unit_scope"]


@pytest.mark.parametrize("limit", LIMITS)
def test_no_page_shows_more_than_the_limit(app: Flask, district: SmallDistrict, limit: str) -> None:
    scene = stage(district, **{limit: [HERE] if limit == "area_scope" else [district.street.id]})
    turn = LIMITS.index(limit)
    found = {role: leaks(app, Person(app).sit_down(scene.people[role]), role, scene, turn) for role in Role}
    assert {role: names for role, names in found.items() if names} == {}


@pytest.mark.parametrize("limit", LIMITS)
def test_no_report_beyond_the_limit_opens(app: Flask, district: SmallDistrict, limit: str) -> None:
    scene = stage(district, **{limit: [HERE] if limit == "area_scope" else [district.street.id]})
    for role in Role:
        person = Person(app).sit_down(scene.people[role]).briefly()
        for report in scene.there:
            for address in ("", "/print", "/chat", "/do/comment", "/around/reports.json"):
                answer = person.get(f"/admin/reports/{report.number}{address}")
                assert answer.status_code in (403, 404), (role, report.status, address)
        if role in RIGHTS["export_audit"]:
            text = person.post("/admin/audit/export").text
            assert not any(secret in text for secret in scene.secrets())
            # It is the report that is left out, not the log.
            assert "导出操作记录" in text


def test_the_walk_would_see_a_leak(app: Flask, district: SmallDistrict) -> None:
    scene = stage(district)
    lists = {"inbox", "notices", "incidents", "overview", "overview_data", "my_wechat", "alarm"}
    of_district = lists | {"messages", "blocks", "hand_backs", "wall", "audit"}
    of_a_unit = {"inbox", "notices", "overview", "my_wechat", "field", "incidents"}
    for turn in range(len(LIMITS)):
        seen: dict[bool, set[str]] = {True: set(), False: set()}
        for role in Role:
            person = Person(app).sit_down(scene.people[role])
            in_unit = role in OF_A_UNIT
            seen[in_unit] |= leaks(app, person, role, scene, turn, frozenset(of_a_unit if in_unit else of_district))
        assert seen == {True: of_a_unit, False: of_district}


def test_the_walk_asks_every_page_everything(app: Flask) -> None:
    names = {name_of(rule) for rule in rules_of_the_panel(app) if not rule.arguments and "GET" in rule.methods}
    for turn in range(len(LIMITS)):
        for name in names - OPEN:
            for in_unit in {role in OF_A_UNIT for role in RIGHTS[name]}:
                alike = [role for role in RIGHTS[name] if (role in OF_A_UNIT) == in_unit]
                asked = {query for role in alike for query in queries_of(name, role, turn)}
                assert asked == set(OF_LISTS if name in LISTS else QUERIES)
    for name in names - OPEN:
        for role in RIGHTS[name]:
            assert any(queries_of(name, role, turn) for turn in range(len(LIMITS))), (name, role)


@both_databases
def test_counts_are_those_of_the_street(app: Flask, district: SmallDistrict) -> None:
    scene = stage(district, area_scope=[HERE])
    lead = Person(app).sit_down(scene.people["shift_lead"])
    messages = words_of(lead.get("/admin/messages"))
    whole = Person(app).sit_down(district.staff["shift_lead"])
    assert messages != words_of(whole.get("/admin/messages"))

    def of_lamps(person: Person) -> str:
        row = next(row for row in person.get("/admin/units").text.split("<tr>") if "SZ-LD" in row)
        return re.findall(r'class="right number[^"]*">(?:<a[^>]*>)?(\d+)', row)[0]

    assert (of_lamps(lead), of_lamps(whole)) == ("1", "5")
    bell = 'class="door-count number"'
    assert bell in whole.get("/admin/units").text
    assert bell not in lead.get("/admin/units").text


@both_databases
def test_nothing_of_another_street_is_changed_by_its_id(app: Flask, district: SmallDistrict) -> None:
    scene = stage(district, area_scope=[HERE])
    lead = Person(app).sit_down(scene.people["shift_lead"])
    message = db.session.query(Notification).filter_by(delivery=Delivery.FAILED).one()
    assert lead.post(f"/admin/messages/{message.id}/retry").status_code == 404
    assert lead.post("/admin/messages/999/retry").status_code == 404
    block = blocks.held(district.resident.id)
    assert block is not None
    assert lead.post(f"/admin/blocks/{block.id}/end").status_code == 404
    db.session.expire_all()
    assert message.delivery == Delivery.FAILED
    assert blocks.held(district.resident.id) is not None
    whole = Person(app).sit_down(district.staff["shift_lead"])
    assert whole.post(f"/admin/messages/{message.id}/retry").status_code == 302
    assert whole.post(f"/admin/blocks/{block.id}/end").status_code == 302


def test_a_part_of_what_one_sees_counts_as_seen(app: Flask, district: SmallDistrict) -> None:
    """A report merged into one of this street: its message is looked after here."""
    from district.reports import merging

    scene = stage(district, area_scope=[HERE])
    child = make_report(district, Status.SUBMITTED, **FAR)
    with unit_of_work():
        merging.merge(child.id, scene.here.id, by=district.staff["dispatcher"])
        db.session.add(
            Notification(
                resident_id=district.resident.id,
                report_id=child.id,
                kind="assigned",
                params={},
                created_at=clock.now(),
                delivery=Delivery.FAILED,
                tries=5,
                last_error="48002",
            )
        )
    page = Person(app).sit_down(scene.people["shift_lead"]).get("/admin/messages").text
    assert child.number in page
    assert scene.there[0].number not in page
