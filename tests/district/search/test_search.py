"""What is found, on both databases: after the job, after a change, after a rebuild."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import event, select

from district import jobs, settings
from district.extensions import db
from district.people.models import Staff
from district.reports import queries
from district.reports import service as reports
from district.reports.models import Report
from district.reports.queries import Filters
from district.reports.states import Status
from district.search import service as search
from district.search.models import ReportSearch
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


QUERIES = {
    "路灯": True, "灯": True, "灯不亮": True, "号楼": True, "7号": False, "17号楼": True, "人民路 路灯": True,
    "人民路 老鼠": False, "灯人": False, '"路灯不亮"': True, '"亮路灯"': False, "LED": True, "led 灯": True, "le": True,
    '"le"': False, "13845700001": False, "张先生": False, "已换灯泡": True, "%": False, "' or 1=1 --": False,
    'a" OR b': False, "灯:*": True,
}  # fmt: skip


def found(query: str) -> set[str]:
    numbers = set(db.session.scalars(select(Report.number).where(search.matching(query))))
    db.session.rollback()
    return numbers


@both_databases
class TestFinding:
    def test_words_are_found_wherever_they_stand(self, district: SmallDistrict) -> None:
        report = make_report(
            district, Status.ASSIGNED, description="路灯不亮，请联系张先生13845700001", address="人民路17号楼 LED 灯箱"
        )
        number, other = report.number, make_report(district, Status.TRIAGE, description="桥下有老鼠", address="").number
        with unit_of_work():
            reports.comment(reports.lock(report.id), by=district.staff["handler"], text="已换灯泡")
        jobs.index_reports()
        answers = {query: number in found(query) for query in QUERIES}
        assert answers == QUERIES
        assert found("老鼠") == {other}
        assert found(number) == {number}
        assert found(number[:10]) == {number, other}

    def test_a_change_is_found_and_what_it_replaced_is_not(self, district: SmallDistrict) -> None:
        report = make_report(district, Status.TRIAGE, address="人民路")
        staff_id = district.staff["dispatcher"].id
        report_id, number = report.id, report.number
        jobs.index_reports()
        assert not search.is_behind()
        with unit_of_work():
            by = db.session.get_one(Staff, staff_id)
            reports.correct(reports.lock(report_id), by=by, address="解放街")
        assert search.is_behind()
        assert "index_reports" in jobs.waiting_work()
        jobs.index_reports()
        assert "index_reports" not in jobs.waiting_work()
        assert found("解放街") == {number}

    def test_a_line_that_was_committed_late_is_not_passed_over(self, district: SmallDistrict) -> None:
        early, late = (make_report(district, Status.TRIAGE, description=f"坑洼{name}") for name in ("甲", "乙"))
        early_id, numbers = early.id, {early.number, late.number}
        jobs.index_reports()
        with unit_of_work() as session:
            # As if its line had been invisible when the later one was read.
            session.delete(session.get_one(ReportSearch, early_id))
        assert found("坑洼") < numbers
        jobs.index_reports()
        assert found("坑洼") == numbers

    def test_many_lines_are_read_in_steps(self, district: SmallDistrict, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search, "BATCH", 2)
        monkeypatch.setattr(search, "LATE_LINES", 1)
        made = {make_report(district, Status.ASSIGNED, description="一连串的坑").number for _ in range(4)}
        jobs.index_reports()
        assert found("一连串") == made

    def test_rebuilding_reads_everything_again(self, app: Flask, district: SmallDistrict) -> None:
        made = {make_report(district, Status.TRIAGE, description="井盖丢失").number for _ in range(3)}
        with unit_of_work():
            settings.put(search.DONE, 1_000_000)
        jobs.index_reports()
        assert found("井盖") == set()
        answer = app.test_cli_runner().invoke(args=["district", "search", "rebuild", "--json"])
        assert answer.exit_code == 0, answer.output
        assert answer.output.strip() == '{"reports": 3}'
        assert found("井盖") == made
        assert not search.is_behind()


@both_databases
def test_common_words_under_another_filter_are_found_without_reading_all_that_have_them(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "NEWEST", 3)
    monkeypatch.setattr(search, "NEWER", 4)
    monkeypatch.setattr(search, "COMMON", 1)
    monkeypatch.setattr(search, "VERY_COMMON", 2)
    old = [
        make_report(district, Status.REJECTED, description=words) for words in ("路灯不亮", "桥下有老鼠", "路灯歪了")
    ]
    numbers = [report.number for report in old]
    for _ in range(4):
        make_report(district, Status.TRIAGE)
    jobs.index_reports()
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    def rejected(words: str, before: int | None = None, limit: int = 5) -> queries.Page:
        statements.clear()
        page = queries.newest(Filters(words=words, statuses=(Status.REJECTED,)), before=before, limit=limit)
        db.session.rollback()
        return page

    def reads_the_index() -> bool:
        return any("MATERIALIZED" in statement for statement in statements)

    is_postgresql = db.engine.dialect.name == "postgresql"
    assert [one.number for one in rejected("路灯").reports] == [numbers[2], numbers[0]]
    assert not reads_the_index()
    first = rejected("路灯", limit=1)
    assert [one.number for one in first.reports] == [numbers[2]]
    assert [one.number for one in rejected("路灯", before=first.next_before).reports] == [numbers[0]]
    # A rare word is what the index is for; so are words that only some of the newest have.
    assert [one.number for one in rejected("老鼠").reports] == [numbers[1]]
    assert reads_the_index() == is_postgresql
    monkeypatch.setattr(search, "VERY_COMMON", 9)
    assert [one.number for one in rejected("路灯").reports] == [numbers[2], numbers[0]]
    assert reads_the_index() == is_postgresql


@both_databases
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"NEWEST": 3, "NEWER": 5, "COMMON": 1},
        {"NEWEST": 3, "NEWER": 4, "COMMON": 3, "RARE_AT_ONCE": 1},
        {"NEWEST": 1, "COMMON": 2, "RARE_AT_ONCE": 2, "MOST_RARE": 2},
    ],
    ids=["as they are", "looked through", "by the index", "too many for it"],
)
def test_every_way_to_look_finds_the_same(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch, sizes: dict[str, int]
) -> None:
    """Page by page, newest first: for all, for a unit, and under another filter."""
    for name, size in sizes.items():
        monkeypatch.setattr(search, name, size)
    made = []
    for turn in range(9):
        unit = district.lamps if turn % 3 else district.street
        words = "桥下有老鼠" if turn == 2 else "路灯不亮" if turn % 4 else "路面有坑"
        report, of_unit = make_report(district, description=words), unit.id
        made.append((report.number, words, of_unit))
        with unit_of_work():
            reports.assign(reports.lock(report.id), of_unit, by=reports.SYSTEM)
    units = district.lamps.id, district.street.id
    jobs.index_reports()
    for words in ("路灯", "路", "老鼠", "坑", "没有的"):
        for unit_id in [None, *units]:
            filters = [Filters(words=words, unit_id=unit_id)]
            if unit_id is not None:
                filters.append(Filters(words=words, units=[unit_id], verifier_unit_id=unit_id))
            wanted = [number for number, said, of in reversed(made) if words in said and unit_id in (None, of)]
            for one in filters:
                seen: list[str] = []
                before: int | None = None
                while True:
                    page = queries.newest(one, before=before, limit=2)
                    seen += [report.number for report in page.reports]
                    db.session.rollback()
                    if (before := page.next_before) is None:
                        break
                assert seen == wanted


def test_filing_writes_nothing_for_the_search(district: SmallDistrict) -> None:
    make_report(district, Status.SUBMITTED)
    assert search.count() == 0
