"""Labels in the panel: ordered, made beside the web, fetched, listed for the crew, and marked as hanging."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pytest
from flask import Flask
from sqlalchemy import select

from district import jobs, links
from district.errands.models import Errand, ErrandState
from district.extensions import db
from district.facilities import service as facilities
from district.facilities.models import FacilityToken
from district.labels.models import LabelPrint, LabelRun
from district.people.models import AuditEntry
from district.people.roles import Role
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_facility, make_staff
from tests.support.labels import codes_in, text_of


@pytest.fixture
def three(district: SmallDistrict) -> list[str]:
    """Three lamps of one unit and one facility of another; the lamps' codes in the order of the crew's walk."""
    with unit_of_work():
        lamps = [
            make_facility(district.lamps, name=f"路灯{number}", address=f"人民路{number}号") for number in (10, 9, 100)
        ]
        make_facility(district.street, name="别家的箱子", address="建设路1号")
        return [one.code17 for one in sorted(lamps, key=lambda one: int(one.name.removeprefix("路灯")))]


@dataclass(frozen=True)
class Ended:
    """An errand that has been done, and the run it was for."""

    id: int
    run: int
    state: str
    labels: int
    pages: int


def order(person: Person, **given: str) -> Ended:
    answer = person.post("/admin/labels", **({"layout": "sheet21"} | given))
    assert answer.status_code == 302, answer.text
    jobs.run_errands_now()
    errand = db.session.scalars(select(Errand).order_by(Errand.id.desc()).limit(1)).one()
    made = errand.outcome
    return Ended(errand.id, errand.parameters["run"], errand.state, made.get("labels", 0), made.get("pages", 0))


@both_databases
def test_labels_are_ordered_made_and_fetched(three: list[str], log_in: LogIn) -> None:
    admin = log_in("administrator")
    errand = order(admin, only_new="1")
    assert (errand.state, errand.labels, errand.pages) == (ErrandState.DONE, 4, 1)
    pdf = admin.get(f"/admin/tasks/{errand.id}/file").data
    tokens = set(db.session.scalars(select(FacilityToken.token)))
    assert sorted(codes_in(pdf, "sheet21")) == sorted(links.printed_facility_code(token) for token in tokens)
    assert set(db.session.scalars(select(FacilityToken.state))) == {"printed"}
    run = db.session.scalars(select(LabelRun)).one()
    assert (run.labels, run.sheets, run.finished_at is not None) == (4, 1, True)
    done = set(db.session.scalars(select(AuditEntry.action)))
    assert {"facility.print_labels", "errand.ask", "errand.fetch"} <= done
    page = words_of(admin.get("/admin/labels"))
    assert f"第 {errand.run} 批" in page
    # Everything was printed: a second run of what is new has nothing to do, and says so.
    again = order(admin, only_new="1")
    assert again.state == ErrandState.FAILED
    assert "没有符合条件的设施" in words_of(admin.get(f"/admin/tasks/{again.id}"))


@both_databases
def test_the_crew_walks_along_the_house_numbers(three: list[str], log_in: LogIn) -> None:
    admin = log_in("administrator")
    run = order(admin, street="人民路").run
    page = admin.get(f"/admin/labels/{run}").text
    places = [page.index(code) for code in three]
    assert places == sorted(places), "9, 10, 100"
    answer = admin.post(f"/admin/labels/{run}/list")
    assert answer.status_code == 302
    jobs.run_errands_now()
    said = text_of(admin.get(f"{answer.location}/file").data)
    assert "标牌张贴清单" in said
    assert "第1张第3枚" in said
    for code in three:
        assert code in said


def test_a_manager_prints_what_the_unit_looks_after(
    app: Flask, district: SmallDistrict, three: list[str], log_in: LogIn
) -> None:
    with unit_of_work():
        someone = make_staff("manager", district.lamps, Role.UNIT_MANAGER)
    manager = Person(app).sit_down(someone)
    admin = log_in("administrator")
    own = order(manager)
    assert own.labels == 3
    # Runs of others are not shown.
    other = order(admin)
    assert other.labels == 4
    assert manager.get(f"/admin/labels/{other.run}").status_code == 404
    assert f"第 {other.run} 批" not in words_of(manager.get("/admin/labels"))
    assert admin.get(f"/admin/labels/{own.run}").status_code == 200


@both_databases
def test_what_hangs_is_marked_and_ends_the_older_label(three: list[str], log_in: LogIn) -> None:
    admin = log_in("administrator")
    first = order(admin, codes=three[0]).run
    old = str(facilities.token_of(facilities.by_code(three[0]).id))
    second = order(admin, codes=three[0], fresh="1").run
    new = str(facilities.token_of(facilities.by_code(three[0]).id))
    assert old != new
    answer = admin.post(f"/admin/labels/{second}/placed", token=new)
    assert answer.status_code == 302
    db.session.expire_all()
    states = {row.token: row.state for row in db.session.scalars(select(FacilityToken))}
    assert (states[old], states[new]) == ("replaced", "placed")
    assert "1 枚，共 1 枚" in words_of(admin.get(f"/admin/labels/{second}"))
    # A second press, and a label of another run, change nothing.
    admin.post(f"/admin/labels/{second}/placed", token=new)
    admin.post(f"/admin/labels/{first}/placed", token=new)
    assert db.session.scalar(select(FacilityToken.state).where(FacilityToken.token == new)) == "placed"


@pytest.mark.parametrize(
    "given, said",
    [
        ({"layout": "nonsense"}, "没有这种版式"),
        ({"type": "99999"}, "没有这种设施类型"),
        ({"codes": "123 456"}, "没有这些设施"),
    ],
)
def test_an_order_that_cannot_be_is_explained(
    three: list[str], log_in: LogIn, given: dict[str, str], said: str
) -> None:
    answer = log_in("administrator").post("/admin/labels", **({"layout": "sheet21"} | given))
    assert answer.status_code == 422
    assert said in answer.text
    assert db.session.scalar(select(LabelRun.id)) is None


@both_databases
def test_an_errand_begun_again_prints_everything_once(three: list[str], log_in: LogIn) -> None:
    """Its process was killed after a part was chosen, or after all was printed but before it said so."""
    admin = log_in("administrator")
    errand = order(admin)
    first = admin.get(f"/admin/tasks/{errand.id}/file").data
    with unit_of_work() as session:
        session.get_one(LabelRun, errand.run).finished_at = None
        row = session.get_one(Errand, errand.id)
        row.state, row.ended_at = ErrandState.WAITING, None
    jobs.run_errands_now()
    assert db.session.get_one(LabelRun, errand.run).labels == 4
    assert len(db.session.scalars(select(LabelPrint)).all()) == 4
    assert sorted(codes_in(admin.get(f"/admin/tasks/{errand.id}/file").data, "sheet21")) == sorted(
        codes_in(first, "sheet21")
    )


def test_a_new_code_is_asked_for_where_the_facility_is(
    district: SmallDistrict, three: list[str], log_in: LogIn
) -> None:
    handler, admin, street = log_in("handler"), log_in("administrator"), log_in("street")
    old = str(facilities.token_of(facilities.by_code(three[0]).id))
    assert handler.post(f"/admin/facilities/{three[0]}/codes", reason="褪色").status_code == 302
    new = str(facilities.token_of(facilities.by_code(three[0]).id))
    page = words_of(handler.get(f"/admin/facilities/{three[0]}"))
    assert "褪色" in page
    assert new in page
    # Not printed yet: it cannot hang.
    assert handler.post(f"/admin/facilities/{three[0]}/placed", token=new).status_code == 409
    order(admin, codes=three[0])
    assert handler.post(f"/admin/facilities/{three[0]}/placed", token=new).status_code == 302
    db.session.expire_all()
    assert db.session.get_one(FacilityToken, old).state == "replaced"
    assert street.post(f"/admin/facilities/{three[0]}/codes").status_code == 403
    assert handler.post(f"/admin/facilities/{three[1]}/placed", token=new).status_code == 404, "another facility's"


def test_the_page_of_a_facility_says_who_printed_its_code(
    district: SmallDistrict, three: list[str], log_in: LogIn
) -> None:
    admin, name = log_in("administrator"), district.staff["administrator"].name
    order(admin, codes=three[0])
    assert f"打印（{name}）" in words_of(admin.get(f"/admin/facilities/{three[0]}"))


def test_a_layout_of_the_district_itself_can_be_chosen(app: Flask, three: list[str], log_in: LogIn) -> None:
    own = """
[tiny]
names = { "zh-Hans" = "小标牌" }
kind = "roll"
label = [60, 40]
code = 22
words = "beside"
"""
    (Path(app.config["VAR_DIR"]) / "labels.toml").write_text(own, encoding="utf-8")
    admin = log_in("administrator")
    assert "小标牌" in admin.get("/admin/labels").text
    errand = order(admin, layout="tiny", codes=three[0])
    assert errand.pages == 1
    document = pypdfium2.PdfDocument(io.BytesIO(admin.get(f"/admin/tasks/{errand.id}/file").data))
    width, height = document[0].get_size()
    document.close()
    assert (round(width * 25.4 / 72), round(height * 25.4 / 72)) == (60, 40)


def test_a_character_nobody_can_print_is_said_where_the_file_is_fetched(district: SmallDistrict, log_in: LogIn) -> None:
    with unit_of_work():
        make_facility(district.lamps, name="\U0002a6d6字路灯")
    admin = log_in("administrator")
    errand = order(admin)
    assert "\U0002a6d6" in words_of(admin.get(f"/admin/tasks/{errand.id}"))
