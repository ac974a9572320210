"""The inbox: what is mine to do, what I may see, in which order, and how it keeps itself up to date."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from district import clock, jobs, settings
from district.extensions import db
from district.geo.models import Area
from district.lists.columns import BY_NAME
from district.messages import t
from district.people.roles import Role
from district.reports import queries, questions
from district.reports import service as reports
from district.reports.models import Report, Source
from district.reports.queries import Filters
from district.reports.states import Status
from district.search import service as search
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import (
    MIDDLE,
    SmallDistrict,
    forget_reference,
    make_category,
    make_facility,
    make_report,
    make_staff,
    make_unit,
)

_X, _Y = MIDDLE[1] + 0.5, MIDDLE[0] + 0.5
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[_X, _Y], [_X + 0.01, _Y], [_X + 0.01, _Y + 0.01], [_X, _Y + 0.01], [_X, _Y]]],
}


def listed(text: str) -> list[str]:
    """The numbers of the reports on a page, in order."""
    return re.findall(r'<a class="work-link" href="/admin/reports/([^"]+)"', text)


def counts_on(text: str) -> dict[str, int]:
    """The tabs and the counts beside them."""
    found = re.findall(r'<a class="tab tab-(\w+)"[^>]*>[^<]*(?:<span class="tab-count[^"]*">(\d+)</span>)?', text)
    return {name: int(number) for name, number in found if number}


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


class TestWhatIsMine:
    @pytest.fixture
    def work(self, district: SmallDistrict) -> dict[str, Report]:
        made = {
            status.value: make_report(district, status)
            for status in (Status.SUBMITTED, Status.TRIAGE, Status.ASSIGNED, Status.IN_PROGRESS, Status.RESOLVED,
                           Status.CLOSED)
        }  # fmt: skip
        made["handed_back"] = make_report(district, Status.ASSIGNED)
        with unit_of_work():
            reports.hand_back(reports.lock(made["handed_back"].id), by=district.staff["handler"], reason="不归我们")
        return made

    @pytest.mark.parametrize(
        ("who", "expected"),
        [
            ("dispatcher", {"submitted", "triage", "handed_back"}),
            ("shift_lead", {"submitted", "triage", "handed_back"}),
            ("handler", {"assigned", "in_progress"}),
            ("unit_manager", {"assigned", "in_progress"}),
            ("verifier", {"resolved"}),
            ("acceptor", {"resolved"}),
            ("inspector", set()),
            ("street", set()),
        ],
    )
    def test_the_first_page_is_what_this_role_is_to_do_now(
        self, work: dict[str, Report], log_in: LogIn, who: str, expected: set[str]
    ) -> None:
        page = log_in(who).get("/admin/").text
        assert set(listed(page)) == {work[name].number for name in expected}
        assert counts_on(page)["mine"] == len(expected)

    def test_a_leader_looks_at_everything_and_has_nothing_to_do(self, work: dict[str, Report], log_in: LogIn) -> None:
        page = log_in("leader").get("/admin/")
        assert "mine" not in counts_on(page.text)
        assert set(listed(log_in("leader").get("/admin/?tab=all").text)) == {row.number for row in work.values()}

    def test_a_verifier_of_the_unit_is_not_offered_its_own_work(
        self, app: Flask, district: SmallDistrict, work: dict[str, Report]
    ) -> None:
        with unit_of_work():
            own = make_staff("own", district.lamps, Role.VERIFIER)
        assert listed(Person(app).sit_down(own).get("/admin/").text) == []

    def test_counts_on_the_tabs_are_the_lengths_of_their_lists(self, work: dict[str, Report], log_in: LogIn) -> None:
        for who in ("shift_lead", "handler"):
            person = log_in(who)
            for name, number in counts_on(person.get("/admin/").text).items():
                assert len(listed(person.get(f"/admin/?tab={name}").text)) == number, (who, name)


class TestWhatIsSeen:
    def test_a_unit_sees_its_own_its_childrens_and_shared_work_only(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        with unit_of_work():
            crew = make_unit("SZ-LD-1", name="一组", parent_id=district.lamps.id)
            foreman = make_staff("foreman", crew, Role.HANDLER)
        own = make_report(district, Status.ASSIGNED)
        strange, shared, crews = (make_report(district, Status.SUBMITTED) for _ in range(3))
        with unit_of_work():
            lead = district.staff["dispatcher"]
            reports.assign(reports.lock(strange.id), district.street.id, by=lead)
            reports.assign(
                reports.lock(shared.id), district.street.id, by=lead, other_units=[(district.lamps.id, "co")]
            )
            reports.assign(reports.lock(crews.id), crew.id, by=lead)
        lamps = log_in("handler")
        assert set(listed(lamps.get("/admin/?tab=all").text)) == {own.number, shared.number, crews.number}
        assert set(listed(Person(app).sit_down(foreman).get("/admin/?tab=all").text)) == {crews.number}
        statuses = {
            report.number: lamps.get(f"/admin/reports/{report.number}").status_code
            for report in (own, strange, shared, crews)
        }
        assert statuses == {own.number: 200, strange.number: 404, shared.number: 200, crews.number: 200}

    @pytest.mark.parametrize("part", ["", "/print", "/do/comment"])
    def test_the_reports_of_another_unit_are_as_unknown_as_made_up_ones(
        self, district: SmallDistrict, log_in: LogIn, part: str
    ) -> None:
        report = make_report(district, Status.IN_PROGRESS, contact="13845700001")
        street = log_in("street")
        strange = street.get(f"/admin/reports/{report.number}{part}")
        made_up = street.get(f"/admin/reports/BH20200101-0001A{part}")
        assert (strange.status_code, made_up.status_code) == (404, 404)

        def plain(text: str, number: str) -> str:
            # The token of forms changes with the second.
            return re.sub(r'("X-CSRFToken": |name="csrf_token" value=)"[^"]+"', "", text.replace(number, "?"))

        assert plain(strange.text, report.number) == plain(made_up.text, "BH20200101-0001A")

    def test_a_filter_does_not_widen_what_is_seen(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        for query in ("unit=SZ-LD", f"q={report.number[:10]}", "status=assigned", "tab=dispatch", "tab=open&q=灯"):
            assert listed(log_in("street").get(f"/admin/?{query}").text) == []

    def test_neighbours_of_a_call_are_only_those_one_may_see(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        address = f"/admin/nearby?latitude={report.latitude}&longitude={report.longitude}"
        assert report.number in log_in("acceptor").get(address).text
        assert report.number not in log_in("street").get(address).text


@both_databases
class TestOrder:
    def test_pressing_is_critical_first_then_by_the_time_left(self, district: SmallDistrict, log_in: LogIn) -> None:
        calm, urgent, critical = (
            make_report(district, Status.TRIAGE, urgency=urgency) for urgency in ("normal", "urgent", "critical")
        )
        with clock.frozen_at(clock.now() - timedelta(hours=1)):
            older = make_report(district, Status.TRIAGE, urgency="normal")
        page = log_in("dispatcher").get("/admin/?tab=dispatch").text
        assert listed(page) == [row.number for row in (critical, urgent, older, calm)]

    @pytest.mark.parametrize("order", ["pressing", "newest"])
    def test_leafing_shows_every_report_once(
        self, district: SmallDistrict, log_in: LogIn, order: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Many with the same clock: only the id tells them apart.
        with clock.frozen_at(clock.now()):
            made = [
                make_report(district, Status.SUBMITTED, urgency=urgency).number
                for urgency in ("normal", "urgent", "normal", "critical", "normal", "urgent", "normal")
            ]
        monkeypatch.setattr("admin.inbox.queries.PAGE_SIZE", 2)
        for name in ("pressing", "newest"):
            monkeypatch.setitem(getattr(__import__("district.reports.queries", fromlist=[name]), name).__kwdefaults__,
                                "limit", 2)  # fmt: skip
        person = log_in("dispatcher")
        seen: list[str] = []
        address: str | None = f"/admin/?tab=open&order={order}"
        for _ in range(10):
            answer = person.get(address, headers={"HX-Request": "true", "HX-Target": "more"})
            assert "<html" not in answer.text
            seen += listed(answer.text)
            following = re.search(r'hx-get="([^"]+)"', answer.text)
            if following is None:
                break
            address = following[1].replace("&amp;", "&")
        assert len(seen) == len(made)
        assert set(seen) == set(made)
        if order == "newest":
            assert seen == made[::-1]

    def test_an_overdue_clock_that_stands_still_is_not_overdue(self, district: SmallDistrict, log_in: LogIn) -> None:
        late, stopped = (make_report(district, Status.ASSIGNED) for _ in range(2))
        with unit_of_work():
            reports.hand_back(reports.lock(stopped.id), by=district.staff["handler"], reason="不归我们")
        with clock.frozen_at(clock.now() + timedelta(days=30)):
            person = log_in("inspector")
            page = person.get("/admin/?tab=overdue").text
            assert listed(page) == [late.number]
            assert counts_on(page)["overdue"] == 1
            assert "已超时" in words_of(person.get("/admin/"))


@both_databases
class TestFilters:
    def test_each_filter_keeps_what_fits(self, district: SmallDistrict, log_in: LogIn) -> None:
        with unit_of_work():
            make_category("06042", name="垃圾满溢")
        made = {
            "first": make_report(district, Status.ASSIGNED, address="人民路 8 号"),
            "second": make_report(
                district, Status.TRIAGE, description="垃圾桶里有老鼠", category_code="06042", urgency="critical",
                source=Source.STAFF, address="光明街",
            ),
        }  # fmt: skip
        names = {report.number: name for name, report in made.items()}
        person = log_in("shift_lead")
        jobs.index_reports()
        expected = {
            "q=老鼠": {"second"}, "q=人民路": {"first"}, "q=灯 人民路": {"first"}, "q=100%25": set(),
            "category=06042": {"second"}, "area=990000001": set(made), "area=000": set(made),
            "urgency=critical": {"second"}, "source=staff": {"second"}, "status=triage": {"second"},
            "unit=SZ-LD": {"first"}, "unit=no-such": set(made), "overdue=1": set(),
            "category=%27%3B--": set(made), "order=evil": set(made),
        }  # fmt: skip
        pages = {query: person.get(f"/admin/?tab=all&{query}") for query in expected}
        assert {query for query, page in pages.items() if page.status_code != 200} == set()
        assert {query: {names[one] for one in listed(page.text)} for query, page in pages.items()} == expected

    def test_everything_that_is_stored_can_be_asked_for(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        with unit_of_work():
            crew = make_unit("SZ-LD-1", name="一组", parent_id=district.lamps.id)
            lamp = make_facility(district.lamps)
            db.session.add(Area(code="990000001001", level="community", name="站前社区", parent_code="990000001",
                                area_code="990000001", geometry=SQUARE))  # fmt: skip
            settings.changed("map")
        forget_reference()
        made = {
            "lamp": make_report(district, Status.ASSIGNED, facility_id=lamp.id),
            "crew": make_report(district, Status.SUBMITTED, latitude=None, longitude=None),
            "done": make_report(district, Status.CLOSED),
            "back": make_report(district, Status.IN_PROGRESS),
        }
        with unit_of_work():
            reports.assign(reports.lock(made["crew"].id), crew.id, by=district.staff["dispatcher"])
            # Set by hand: how each of them comes about has its own tests.
            crewed, done, back = (reports.lock(made[name].id) for name in ("crew", "done", "back"))
            crewed.community_code = "990000001001"
            crewed.handling_due_at = clock.now() + timedelta(hours=5)
            done.submitted_at = clock.now() - timedelta(days=40)
            done.closed_at = clock.now() - timedelta(days=30)
            done.solved, done.stars, done.rated_at = False, 1, clock.now()
            back.reopen_count = back.rework_count = 1
            back.has_followers = True
            questions.ask(back, by=district.staff["dispatcher"], text="哪盏灯？")
        names = {report.number: name for name, report in made.items()}
        today = clock.local_day(clock.now(), "Asia/Shanghai").isoformat()
        long_ago = clock.local_day(clock.now() - timedelta(days=30), "Asia/Shanghai").isoformat()
        person = log_in("shift_lead")
        expected = {
            "unit=SZ-LD": {"lamp", "done", "back"}, "unit=SZ-LD&below=1": set(made), "below=1": set(made),
            "type=01037": {"lamp"}, "major=市政公用设施类": set(made), "major=没有": set(made),
            "area=990000001001": {"crew"}, "pinned=no": {"crew"}, "pinned=yes": {"lamp", "done", "back"},
            "staff=dispatcher": {"crew", "back"}, "staff=verifier": {"done"}, "due=paused": {"back"},
            "due=day": {"crew"}, "due=overdue": set(), f"from={today}": {"lamp", "crew", "back"},
            f"to={long_ago}": {"done"}, f"closed_from={long_ago}&closed_to={long_ago}": {"done"},
            f"closed_from={today}": set(), "from=2026-13-01": set(made), "photo=yes": set(), "photo=no": set(made),
            "rating=not_solved": {"done"}, "rating=low": {"done"}, "rating=solved": set(), "rating=none": set(),
            "reopened=1": {"back"}, "reworked=1": {"back"}, "followed=1": {"back"}, "asked=1": {"back"},
            "extension=1": set(), "handed_back=1": set(),
        }  # fmt: skip
        found = {
            query: {names[number] for number in listed(person.get(f"/admin/?tab=all&{query}").text)}
            for query in expected
        }
        assert found == expected
        chips = words_of(person.get("/admin/?tab=all&rating=low&reopened=1"))
        assert "市民评价：两星以下" in chips

    def test_a_search_goes_through_pages_and_tabs(
        self, district: SmallDistrict, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = [make_report(district, Status.TRIAGE, description=words).number for words in
                ("老鼠一", "灯", "老鼠二", "灯", "老鼠三", "老鼠四")]  # fmt: skip
        person = log_in("shift_lead")
        jobs.index_reports()
        # The newest few are looked through first; here that is not enough for a page.
        monkeypatch.setattr(search, "NEWEST", 2)
        mice = [made[place] for place in (5, 4, 2, 0)]
        assert listed(person.get("/admin/?tab=all&q=老鼠").text) == mice
        assert set(listed(person.get("/admin/?tab=dispatch&q=老鼠").text)) == set(mice)
        assert listed(person.get("/admin/?tab=handle&q=老鼠").text) == []
        page = person.get("/admin/?tab=all&q=老鼠").text
        assert counts_on(page) == {}
        found: list[str] = []
        before = None
        while len(found) < 10:
            part = queries.newest(Filters(words="老鼠"), before=before, limit=1)
            found += [report.number for report in part.reports]
            before = part.next_before
            if before is None:
                break
        assert found == mice

    def test_a_whole_number_in_any_spelling_leads_to_its_report(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        spelled = f" {report.number.lower().replace('-', ' ')} "
        answer = log_in("dispatcher").get("/admin/", query_string={"q": spelled})
        assert (answer.status_code, answer.location) == (302, f"/admin/reports/{report.number}")

    def test_a_set_filter_can_be_taken_away_alone(self, district: SmallDistrict, log_in: LogIn) -> None:
        page = log_in("dispatcher").get("/admin/?tab=open&urgency=urgent&q=灯").text
        away = re.findall(r'<a class="chip" href="([^"]+)"', page)
        assert len(away) == 2
        assert any("urgency" not in address and "q=" in address for address in away)

    @pytest.mark.parametrize("after", ["x", "1.2", "1.2.3.4", "-1", "9" * 30, "0.999999999999999999.1", "1.1.1"])
    def test_a_strange_place_in_the_list_is_no_error(self, district: SmallDistrict, log_in: LogIn, after: str) -> None:
        for tab in ("dispatch", "all"):
            assert log_in("dispatcher").get(f"/admin/?tab={tab}&after={after}").status_code == 200


class TestLive:
    def test_new_work_is_announced_and_ones_own_is_not(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.TRIAGE)
        person = log_in("dispatcher")
        page = person.get("/admin/?tab=dispatch").text
        address = re.search(r'hx-get="(/admin/live[^"]+)"', page)
        assert address is not None
        poll = address[1].replace("&amp;", "&")
        assert "fresh-pill" not in person.get(poll).text
        with clock.frozen_at(clock.now() + timedelta(seconds=30)):
            person.act(report, "comment", text="自己写的")
            assert "fresh-pill" not in person.get(poll).text
            make_report(district, Status.SUBMITTED)
            make_report(district, Status.SUBMITTED)
            answer = person.get(poll)
        assert "有 2 件新到或有变化" in words_of(answer)
        assert counts_on(answer.text)["dispatch"] == 3

    def test_nothing_that_one_may_not_see_is_announced(self, district: SmallDistrict, log_in: LogIn) -> None:
        make_report(district, Status.ASSIGNED)
        poll = "/admin/live?tab=all&loaded_at=0"
        assert "fresh-pill" not in log_in("street").get(poll).text
        assert "fresh-pill" in log_in("handler").get(poll).text

    @pytest.mark.parametrize("loaded_at", ["", "x", "nan", "inf", "-1e30", "1e400"])
    def test_a_strange_time_is_no_error(self, district: SmallDistrict, log_in: LogIn, loaded_at: str) -> None:
        assert log_in("dispatcher").get(f"/admin/live?loaded_at={loaded_at}").status_code == 200


class TestClocks:
    @pytest.mark.parametrize(
        ("passed", "tone", "said"),
        [(0.1, "calm", "还剩"), (0.6, "soon", "还剩"), (0.9, "pressing", "还剩"), (1.2, "late", "已超时")],
    )
    def test_the_chip_turns_with_the_time_that_is_gone(
        self, district: SmallDistrict, log_in: LogIn, passed: float, tone: str, said: str
    ) -> None:
        report = make_report(district, Status.TRIAGE)
        length = report.dispatch_due_at - report.submitted_at
        with clock.frozen_at(report.submitted_at + length * passed):
            page = log_in("dispatcher").get("/admin/").text
        chip = re.search(r'class="clock clock-(\w+)".*?<span data-clock-text>([^<]+)', page)
        assert chip is not None
        assert chip[1] == tone
        assert chip[2].startswith(said)


def test_a_longer_list_takes_no_more_queries(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("dispatcher")

    def queries_of(address: str) -> int:
        counts = []
        # Now and then a request looks for new reference data besides: not in three that follow each other.
        for _ in range(3):
            # As a request of its own would find it: nothing read before.
            db.session.rollback()
            with counted_queries() as seen:
                assert person.get(address).status_code == 200
            counts.append(len(seen))
        return min(counts)

    make_report(district, Status.TRIAGE)
    person.get("/admin/")
    few = queries_of("/admin/?tab=open")
    for _ in range(6):
        make_report(district, Status.ASSIGNED)
    assert queries_of("/admin/?tab=open") == few
    assert few <= 13
    # Whatever columns are shown.
    all_of_them = "/admin/?tab=open&cols=" + ".".join(BY_NAME)
    assert queries_of(all_of_them) <= few + 1


def test_lists_and_counts_of_open_work_do_not_read_what_has_ended(district: SmallDistrict, log_in: LogIn) -> None:
    make_report(district, Status.TRIAGE)
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "FROM report" in statement and "WHERE" in statement:
            asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        for who in ("shift_lead", "handler"):
            for address in ("/admin/", "/admin/?tab=open", "/admin/?tab=overdue", "/admin/units"):
                assert log_in(who).get(address).status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) > 10
    for statement, parameters in asked:
        plan = db.session.connection().exec_driver_sql(f"explain query plan {statement}", parameters).all()
        steps = [str(step[3]) for step in plan]
        assert not [step for step in steps if step in ("SCAN report", "SCAN report USING INDEX")], (statement, steps)
        assert any("ix_report_" in step for step in steps), (statement, steps)


def test_an_empty_inbox_says_so_kindly(district: SmallDistrict, log_in: LogIn) -> None:
    assert "都办完了" in log_in("dispatcher").get("/admin/").text
    assert "没有符合条件的事项" in log_in("dispatcher").get("/admin/?tab=open&urgency=critical").text


def test_the_whole_inbox_speaks_english(district: SmallDistrict, log_in: LogIn) -> None:
    make_report(district, Status.TRIAGE)
    said = words_of(log_in("dispatcher").get("/admin/?lang=en"))
    for words in ("1 waiting for you", "To dispatch", "Street light", "Most pressing", "left"):
        assert words in said


@both_databases
def test_how_often_a_resident_urged_is_told_while_it_can_be_hurried(district: SmallDistrict, log_in: LogIn) -> None:
    quiet, urged = (make_report(district, Status.IN_PROGRESS) for _ in range(2))
    for text, urges in (("怎么还没人来", True), ("灯杆是歪的", False), ("都三天了", True)):
        with unit_of_work():
            reports.comment(reports.lock(urged.id), by=district.resident, text=text, urges=urges)
    said = t("admin.flag.urged", n=2)
    handler = log_in("handler")
    rows = handler.get("/admin/").text.split('<tr role="row" class="work-row')[1:]
    assert {number: said in row for row in rows for number in (quiet.number, urged.number) if number in row} == {
        quiet.number: False, urged.number: True,
    }  # fmt: skip
    page = handler.get(f"/admin/reports/{urged.number}").text
    assert said in page
    assert page.count(f"<b>{t('status.event.urged')}</b>") == 2
    assert said not in handler.get(f"/admin/reports/{quiet.number}").text
    with unit_of_work():
        reports.resolve(reports.lock(urged.id), by=district.staff["handler"], note="修好了")
        reports.verify(reports.lock(urged.id), by=district.staff["verifier"])
    assert said not in handler.get(f"/admin/reports/{urged.number}").text
    assert said not in log_in("leader").get("/admin/?tab=all").text
