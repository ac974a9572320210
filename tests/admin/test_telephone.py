"""A report taken by telephone: filed with what the caller said, a number to read out, neighbours shown."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from district import sealed
from district.extensions import db
from district.geo.models import NamedPlace
from district.people.models import AuditEntry
from district.reports.models import Report
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, words_of
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_facility, make_report

CALL = {
    "description": "楼下路灯不亮三天了", "contact": "138 4570 0001", "category": "01037", "address": "人民路 8 号",
    "latitude": f"{MIDDLE[0]}", "longitude": f"{MIDDLE[1]}",
}  # fmt: skip


def filed() -> Report:
    return db.session.scalars(select(Report)).one()


def test_a_call_becomes_a_report_with_a_number_to_read_out(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("acceptor")
    answer = person.post("/admin/reports/new", **CALL)
    report = filed()
    assert answer.location == f"/admin/reports/new?filed={report.number}"
    assert (report.source, report.status, report.address) == ("staff", Status.SUBMITTED, "人民路 8 号")
    assert report.category is not None
    assert (report.category.code, report.area_code, report.resident_id) == ("01037", "990000001", None)
    assert "138" not in report.contact_sealed
    assert sealed.open_sealed(report.contact_sealed) == "138 4570 0001"
    page = person.get(answer.location)
    assert re.search(rf'id="filed-number">{report.number}<', page.text)
    # The next call can come at once.
    assert re.search(r'<textarea[^>]*name="description"[^>]*></textarea>', page.text)
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "report.submit")).one()
    assert entry.staff_id == district.staff["acceptor"].id


@pytest.mark.parametrize(
    ("place_source", "expected"), [("gazetteer", "gazetteer"), ("", "picked"), ("facility", "picked")]
)
def test_the_place_keeps_where_it_came_from(
    district: SmallDistrict, log_in: LogIn, place_source: str, expected: str
) -> None:
    log_in("acceptor").post("/admin/reports/new", **CALL, place_source=place_source)
    assert filed().place_source == expected


def test_a_facility_gives_its_place(district: SmallDistrict, log_in: LogIn) -> None:
    with unit_of_work():
        code = make_facility(district.lamps).code17
    log_in("acceptor").post("/admin/reports/new", description="灯不亮", facility=code)
    report = filed()
    assert report.facility is not None
    assert (report.facility.code17, report.place_source, report.address) == (code, "facility", "人民路北侧")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"description": " "}, "请说说是什么问题"),
        ({"description": "长" * 2001}, "写得太长了"),
        ({"category": "nope"}, "没有这个类别"),
        ({"facility": "0000"}, "没有找到这个设施"),
        ({"latitude": "10", "longitude": "10"}, "不在本区范围内"),
        ({"latitude": "nan", "longitude": "nan"}, "经纬度不对"),
        ({"latitude": "x"}, "经纬度不对"),
        ({"longitude": ""}, "地点需要经度和纬度"),
        ({"contact": "1" * 201}, "联系方式太长了"),
    ],
)
def test_a_mistake_is_named_at_its_field_and_nothing_is_lost(
    district: SmallDistrict, log_in: LogIn, changes: dict[str, str], said: str
) -> None:
    answer = log_in("acceptor").post("/admin/reports/new", **(CALL | changes))
    assert answer.status_code == 422
    assert said in answer.text
    for name, value in (CALL | changes).items():
        if name not in changes and name not in ("category", "latitude", "longitude"):
            assert value in answer.text, name
    assert 'value="01037" checked' in answer.text or "category" in changes
    assert db.session.scalar(select(Report.id)) is None


def test_an_urgency_the_acceptor_hears_wins_over_the_categorys(district: SmallDistrict, log_in: LogIn) -> None:
    log_in("acceptor").post("/admin/reports/new", **CALL, urgency="critical")
    assert filed().urgency == "critical"


def test_words_alone_are_enough(district: SmallDistrict, log_in: LogIn) -> None:
    answer = log_in("shift_lead").post("/admin/reports/new", description="东边那条路上")
    assert answer.status_code == 302
    assert filed().latitude is None


def test_what_is_open_nearby_is_shown_the_same_kind_first(district: SmallDistrict, log_in: LogIn) -> None:
    far = make_report(district, Status.TRIAGE, latitude=MIDDLE[0] + 0.01, longitude=MIDDLE[1])
    other = make_report(district, Status.TRIAGE, category_code="", description="别的事")
    same = make_report(district, Status.ASSIGNED, latitude=MIDDLE[0] + 0.0005, longitude=MIDDLE[1])
    make_report(district, Status.CLOSED)
    person = log_in("acceptor")
    address = f"/admin/nearby?latitude={MIDDLE[0]}&longitude={MIDDLE[1]}"
    found = re.findall(r'href="/admin/reports/([^"]+)"', person.get(address).text)
    assert found == [other.number, same.number]
    narrowed = person.get(f"{address}&category=01037")
    assert re.findall(r'href="/admin/reports/([^"]+)"', narrowed.text) == [same.number, other.number]
    assert "相距 56 米" in words_of(narrowed)
    assert far.number not in narrowed.text


@pytest.mark.parametrize("query", ["", "latitude=&longitude=", "latitude=91&longitude=0", "latitude=1"])
def test_nowhere_has_no_neighbours(log_in: LogIn, query: str) -> None:
    answer = log_in("acceptor").get(f"/admin/nearby?{query}")
    assert (answer.status_code, answer.text.strip()) == (200, "")


class TestPlaces:
    @pytest.fixture(autouse=True)
    def _named(self, district: SmallDistrict) -> None:
        with unit_of_work():
            for name, kind, aliases in (("人民公园", "park", ["大公园"]), ("人民公园北门", "gate", []),
                                        ("火车站", "station", [])):  # fmt: skip
                db.session.add(
                    NamedPlace(name=name, kind=kind, aliases=aliases, latitude=MIDDLE[0], longitude=MIDDLE[1],
                               area_code="990000001", community_code="", address="站前街")
                )  # fmt: skip
            make_facility(district.lamps, name="公园路灯")
        forget_reference()

    def names(self, text: str) -> list[str]:
        return re.findall(r"<b>([^<]+)</b>", text)

    def test_a_part_of_a_name_finds_the_shortest_first(self, log_in: LogIn) -> None:
        assert self.names(log_in("acceptor").get("/admin/places?place=人民公园").text)[:2] == [
            "人民公园",
            "人民公园北门",
        ]

    def test_words_in_passing_find_the_place_they_name(self, log_in: LogIn) -> None:
        assert self.names(log_in("acceptor").get("/admin/places?place=就在大公园门口那儿").text) == ["人民公园"]

    def test_facilities_are_found_by_name_and_by_the_beginning_of_a_code(self, log_in: LogIn) -> None:
        assert "公园路灯" in self.names(log_in("acceptor").get("/admin/places?place=公园路灯").text)
        assert self.names(log_in("acceptor").get("/admin/places?place=232761").text) == ["公园路灯"]

    def test_a_single_letter_asks_nothing_of_the_database(self, log_in: LogIn) -> None:
        assert log_in("acceptor").get("/admin/places?place=人").text.strip() == ""

    def test_nothing_found_is_said(self, log_in: LogIn) -> None:
        assert "没有找到“月球背面”" in log_in("acceptor").get("/admin/places?place=月球背面").text

    def test_wildcards_are_letters(self, log_in: LogIn) -> None:
        assert "没有找到" in log_in("acceptor").get("/admin/places", query_string={"place": "%_"}).text
