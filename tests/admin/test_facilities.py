"""The register at the panel: list and map, records by hand, files in and out."""

from __future__ import annotations

import io
import re
from html import unescape
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from district import jobs
from district.errands.models import Errand, ErrandState
from district.extensions import db
from district.facilities.models import Facility
from district.people.models import AuditEntry
from district.register import service as register
from district.reports.models import Photo
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.district.register.conftest import HEADINGS, code, row, with_kinds
from tests.factories import MIDDLE, SmallDistrict, make_facility
from tests.support.pictures import jpeg

NEW = {
    "code": code(1), "type": "01037", "name": "东门路灯", "address": "东门外", "longitude": str(MIDDLE[1]),
    "latitude": str(MIDDLE[0]), "owner": "SZ-LD", "maintainer": "SZ-LD", "state": "intact",
}  # fmt: skip
BOX = f"{MIDDLE[0] - 0.01},{MIDDLE[1] - 0.01},{MIDDLE[0] + 0.01},{MIDDLE[1] + 0.01}"


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return with_kinds(SmallDistrict())


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(Facility)) or 0


def sheet(*rows: list[str]) -> bytes:
    return "\n".join(",".join(cells) for cells in (HEADINGS, *rows)).encode()


class TestList:
    @both_databases
    def test_it_is_narrowed_by_unit_state_and_street_and_leafed_through(
        self,
        district: SmallDistrict,
        log_in: LogIn,
    ) -> None:
        with unit_of_work():
            for number in range(33):
                make_facility(district.lamps, name=f"灯{number:02d}", state="intact" if number else "damaged")
            make_facility(district.street, name="别家的", area_code="other")
        person = log_in("leader")

        def names(**query: str) -> list[str]:
            return re.findall(r"<b>(灯\d\d|别家的)</b>", person.get("/admin/facilities", query_string=query).text)

        assert len(names()) == 30
        following = re.search(r'btn-more" href="([^"]+)"', person.get("/admin/facilities?unit=SZ-LD").text)
        assert following is not None
        assert re.findall(r"<b>(灯\d\d)</b>", person.get(unescape(following[1])).text) == ["灯30", "灯31", "灯32"]
        assert names(unit="J001") == names(area="other") == names(q="别家") == ["别家的"]
        assert names(state="damaged") == ["灯00"]
        assert names(unit="SZ-LD", q="灯32") == ["灯32"]
        assert len(names(state="odd", unit="odd")) == 30

    def test_what_is_near_comes_nearest_first(self, district: SmallDistrict, log_in: LogIn) -> None:
        with unit_of_work():
            make_facility(district.lamps, name="远的", latitude=MIDDLE[0] + 0.002)
            make_facility(district.lamps, name="近的", latitude=MIDDLE[0] + 0.0001)
            make_facility(district.lamps, name="太远", latitude=MIDDLE[0] + 0.02)
        page = log_in("handler").get(f"/admin/facilities?near={MIDDLE[0]},{MIDDLE[1]}").text
        assert re.findall(r"<b>(远的|近的|太远)</b>", page) == ["近的", "远的"]
        assert "约 11 米" in page or "11 米" in page
        assert log_in("handler").get("/admin/facilities?near=x,y").status_code == 200

    @both_databases
    def test_the_map_has_dots_or_heaps(
        self,
        district: SmallDistrict,
        log_in: LogIn,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with unit_of_work():
            for number in range(6):
                make_facility(district.lamps, name=f"灯{number}", longitude=MIDDLE[1] + (0.008 if number > 3 else 0))
            make_facility(district.lamps, name="外面", latitude=MIDDLE[0] + 1)
        person = log_in("handler")
        assert "data-register" in person.get("/admin/facilities?view=map").text
        found = person.get(f"/admin/facilities/map.json?box={BOX}").json
        assert {one["name"] for one in found["facilities"]} == {f"灯{number}" for number in range(6)}
        assert found["heaps"] == []
        only = person.get("/admin/facilities/map.json", query_string={"box": BOX, "q": "灯3"}).json
        assert [one["name"] for one in only["facilities"]] == ["灯3"]
        monkeypatch.setattr("district.facilities.queries.MOST_DOTS", 5)
        heaps = person.get(f"/admin/facilities/map.json?box={BOX}").json["heaps"]
        assert sorted(heap["count"] for heap in heaps) == [2, 4]
        assert all(abs(heap["latitude"] - MIDDLE[0]) < 1e-6 for heap in heaps)
        for odd in ("", "1,2,3", "a,b,c,d", "2,1,1,2", "nan,1,2,3"):
            assert person.get(f"/admin/facilities/map.json?box={odd}").status_code == 422


class TestRecord:
    def test_added_changed_taken_out_and_brought_back(
        self,
        district: SmallDistrict,
        log_in: LogIn,
    ) -> None:
        admin = log_in("administrator")
        assert "添加设施" in admin.get("/admin/facilities/new").text
        assert admin.post("/admin/facilities/new", **NEW).location == f"/admin/facilities/{code(1)}"
        form = admin.get(f"/admin/facilities/{code(1)}/edit").text
        assert 'value="东门外"' in form
        changed = NEW | {"version": "1", "name": "东门一号灯", "contract_to": "2030-01-01"}
        assert admin.post(f"/admin/facilities/{code(1)}/edit", **changed).status_code == 302
        said = words_of(admin.get(f"/admin/facilities/{code(1)}"))
        for words in ("名称 东门路灯 → 东门一号灯", "建档", "员工admin", "… – 2030-01-01"):
            assert words in said, words
        assert admin.post(f"/admin/facilities/{code(1)}/edit", **changed).status_code == 409
        admin.post(f"/admin/facilities/{code(1)}/retire", reason="已拆除")
        page = words_of(admin.get(f"/admin/facilities/{code(1)}"))
        assert "已移出档案" in page
        assert "已拆除" in page
        assert admin.get(f"/admin/facilities/{code(1)}/edit").status_code == 302
        assert "东门一号灯" not in admin.get("/admin/facilities").text
        assert "东门一号灯" in admin.get("/admin/facilities?gone=1").text
        admin.post(f"/admin/facilities/{code(1)}/restore")
        assert "东门一号灯" in admin.get("/admin/facilities").text
        acts = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
        assert [act for act in acts if act.startswith("facility.")] == [
            "facility.added", "facility.changed", "facility.retired", "facility.restored",
        ]  # fmt: skip

    def test_a_mistake_is_said_beside_its_field_and_nothing_typed_is_lost(
        self,
        district: SmallDistrict,
        log_in: LogIn,
    ) -> None:
        answer = log_in("administrator").post("/admin/facilities/new", **(NEW | {"code": "123", "address": "北门"}))
        assert answer.status_code == 422
        assert "“123”不是 16 位或 17 位数字" in answer.text
        assert 'value="北门"' in answer.text
        assert count() == 0

    def test_a_manager_changes_their_own_and_not_whose_it_is(
        self,
        district: SmallDistrict,
        log_in: LogIn,
    ) -> None:
        log_in("administrator").post("/admin/facilities/new", **NEW)
        manager = log_in("unit_manager")
        form = manager.get(f"/admin/facilities/{code(1)}/edit").text
        assert re.search(r'name="maintainer"[^>]* disabled', form)
        sent = {"version": "1", "name": "班组改的", "maintainer": "J001"}
        assert manager.post(f"/admin/facilities/{code(1)}/edit", **sent).status_code == 302
        found = register.find(code(1))
        assert (found.name, found.maintainer_unit_id) == ("班组改的", district.lamps.id)
        with unit_of_work():
            other = make_facility(district.street).code17
        assert manager.post(f"/admin/facilities/{other}/edit", version="1", name="不行").status_code == 403
        assert manager.get(f"/admin/facilities/{other}/edit").status_code == 302
        assert f"/admin/facilities/{other}/edit" not in manager.get(f"/admin/facilities/{other}").text

    def test_pictures_come_and_go_and_are_not_tidied_away(
        self,
        district: SmallDistrict,
        log_in: LogIn,
    ) -> None:
        admin = log_in("administrator")
        admin.post("/admin/facilities/new", **NEW)
        address = f"/admin/facilities/{code(1)}/photos"
        admin.post(address, photos=[(io.BytesIO(jpeg()), "a.jpg")])
        token = db.session.scalars(select(Photo.token)).one()
        assert token in admin.get(f"/admin/facilities/{code(1)}").text
        with unit_of_work():
            photo = db.session.scalars(select(Photo)).one()
            photo.created_at = photo.created_at.replace(year=2020)
        jobs.tidy()
        assert count_photos() == 1
        assert "请先选照片" in words_of(follow(admin, admin.post(address).location))
        admin.post(f"{address}/remove", token=token)
        assert token not in admin.get(f"/admin/facilities/{code(1)}").text
        jobs.tidy()
        assert count_photos() == 0


def count_photos() -> int:
    return db.session.scalar(select(func.count()).select_from(Photo)) or 0


def follow(person: Person, address: str | None) -> TestResponse:
    return person.get(address or "")


class TestFiles:
    def upload(self, person: Person, content: bytes, name: str = "lamps.csv") -> str:
        answer = person.post("/admin/facilities/import", file=(io.BytesIO(content), name))
        assert answer.status_code == 302
        return str(answer.location)

    def test_a_file_is_checked_first_then_taken_over_and_its_bad_rows_come_back(
        self,
        district: SmallDistrict,
        log_in: LogIn,
    ) -> None:
        admin = log_in("administrator")
        page = self.upload(admin, sheet(row(1), row(2, state="还行"), row(3)))
        waiting = admin.get(page).text
        assert "hx-get" in waiting
        assert re.search(r'id="column-code".*?value="部件编码" selected', waiting, re.DOTALL)
        assert jobs.run_errands_now() == 1
        said = words_of(admin.get(page))
        assert "还没有写入" in said
        assert "没有“还行”这种状态" in said
        assert count() == 0
        chosen = {
            f"column-{name}": "".join(re.findall(r'value="([^"]+)" selected', block))
            for name, block in re.findall(r'id="column-([a-z_]+)"(.*?)</select>', waiting, re.DOTALL)
        }
        taken = admin.post(page, do="import", datum="wgs84", **chosen).location
        assert jobs.run_errands_now() == 1
        said = words_of(admin.get(taken))
        assert "导入完成" in said
        assert count() == 2
        errand_id = int(str(taken).rpartition("/")[2])
        refused = admin.get(f"/admin/tasks/{errand_id}/file")
        assert quote("lamps-没导入.csv") in refused.headers["Content-Disposition"]
        text = refused.data.decode("utf-8-sig")
        assert code(2) in text
        assert "没有“还行”这种状态" in text
        mended = self.upload(admin, text.replace("还行", "完好").encode(), "mended.csv")
        again = admin.post(mended, do="import", datum="wgs84", **chosen).location
        jobs.run_errands_now()
        assert "没能导入 0" in words_of(admin.get(again))
        assert count() == 3
        acts = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "facility.import")).all()
        assert [act.detail["created"] for act in acts] == [2, 1]

    def test_a_worker_that_died_half_way_is_begun_again_and_nothing_is_there_twice(
        self,
        district: SmallDistrict,
        log_in: LogIn,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from district.errands.running import Running
        from district.register import loading

        monkeypatch.setattr(loading, "BATCH", 2)
        admin = log_in("administrator")
        page = self.upload(admin, sheet(*(row(number) for number in range(1, 8))))
        jobs.run_errands_now()
        plan = {"column-code": "部件编码", "column-longitude": "经度", "column-latitude": "纬度", "datum": "wgs84"}
        taken = str(admin.post(page, do="import", **plan).location)

        def killed(self: Running, done: int, total: int | None = None) -> None:
            if done >= 4:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Running, "say", killed)
            jobs.run_errands_now()
        assert count() == 4
        with unit_of_work():
            errand = db.session.get_one(Errand, int(taken.rpartition("/")[2]))
            assert errand.state == ErrandState.RUNNING
            errand.beat_at = errand.asked_at.replace(year=2020)
        assert jobs.run_errands_now() == 1
        assert count() == 7
        assert "没有变化 4" in words_of(admin.get("/admin/tasks"))
        assert "路灯 1" in admin.get("/admin/facilities").text, "without a name it is called by its kind and number"

    def test_columns_that_cannot_work_and_files_that_are_none(
        self,
        district: SmallDistrict,
        log_in: LogIn,
    ) -> None:
        admin = log_in("administrator")
        page = self.upload(admin, "甲,乙\n1,2\n".encode())
        jobs.run_errands_now()
        assert "请选哪一列是编码" in words_of(admin.get(page))
        answer = admin.post(page, do="import", datum="wgs84", **{"column-name": "甲", "column-address": "甲"})
        assert answer.status_code == 422
        assert "这一列已经用在别处了" in answer.text
        odd = self.upload(admin, b"PK\x03\x04 nothing", "odd.xlsx")
        jobs.run_errands_now()
        assert "这个文件打不开" in words_of(admin.get(odd))
        assert admin.post("/admin/facilities/import").status_code == 422
        assert count() == 0

    def test_a_file_that_is_too_large_says_so(self, app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
        admin = log_in("administrator")
        app.config["MAX_CONTENT_LENGTH"] = 1000
        answer = admin.post("/admin/facilities/import", file=(io.BytesIO(b"x" * 2000), "big.csv"))
        assert answer.status_code == 413
        assert "文件太大了" in answer.text

    def test_a_check_is_nobody_elses_business(self, district: SmallDistrict, log_in: LogIn) -> None:
        page = self.upload(log_in("administrator"), sheet(row(1)))
        with unit_of_work():
            from district.people.roles import Role
            from tests.factories import make_staff

            second = make_staff("second", district.command, Role.ADMINISTRATOR, password="bihuan-demo")
        other = log_in("administrator")
        other.sit_down(second)
        assert other.get(page).status_code == 404
        assert other.get(f"{page}/state").status_code == 404
        assert other.post(page, do="import").status_code == 404

    @pytest.mark.parametrize("kind", ["csv", "xlsx", "geojson"])
    def test_what_the_list_shows_is_fetched_as_a_file_and_comes_back_unchanged(
        self,
        district: SmallDistrict,
        log_in: LogIn,
        kind: str,
    ) -> None:
        handler, admin = log_in("handler"), log_in("administrator")
        admin.post("/admin/facilities/new", **NEW)
        with unit_of_work():
            make_facility(district.street, name="不在里面")
        task = str(admin.post("/admin/facilities/export?unit=SZ-LD", kind=kind).location)
        jobs.run_errands_now()
        assert "共 1 个设施" in words_of(admin.get(task))
        content = admin.get(f"{task}/file").data
        page = self.upload(admin, content, f"out.{kind}")
        jobs.run_errands_now()
        assert "没有变化 1" in re.sub(r"没有变化\s+", "没有变化 ", words_of(admin.get(page)))
        assert admin.post("/admin/facilities/export", kind="exe").status_code == 422
        assert handler.post("/admin/facilities/export", kind="csv").status_code == 403
