"""Every page there is, on a telephone and on a desk: no script trouble, nothing from elsewhere, nothing too wide,
nothing that a blind or a keyboard user could not use, no key of the catalogue instead of a sentence.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from tests.browser.conftest import Visit
from tests.support.browser import DESKTOP, PHONE
from tests.support.pictures import jpeg
from tests.support.running import Bihuan, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

# Every GET that answers with a page, with an example of each address; `{...}` is filled from a real report.
ANYBODY = {
    "citizen.home": "/", "citizen.report_form": "/report", "citizen.mine": "/mine", "citizen.nearby": "/nearby",
    "citizen.privacy": "/privacy", "citizen.look_up": "/r?number={number}", "report_page.show": "/r/{number}?key={key}",
    "notices_page.show": "/notices",
    "facility_page.show": "/F/{token}", "chat.show": "/chat", "admin.log_in": "/admin/login",
}  # fmt: skip
# Who may open it, and where.
STAFF = {
    "admin.inbox": ("desk", "/admin/?tab=all"),
    "admin.errands": ("desk", "/admin/tasks"),
    "admin.errand": ("desk", "/admin/tasks/{errand}"),
    "admin.bulk": ("desk", "/admin/bulk?do=comment&row={number}"),
    "admin.report": ("desk", "/admin/reports/{number}"),
    "admin.form": ("desk", "/admin/reports/{number}/do/comment"),
    "admin.print_report": ("desk", "/admin/reports/{number}/print"),
    "admin.chat": ("desk", "/admin/reports/{number}/chat"),
    "admin.blocks": ("admin", "/admin/blocks"),
    "admin.incidents": ("desk", "/admin/incidents"),
    "admin.incident": ("desk", "/admin/incidents/{incident}"),
    "admin.take_call": ("desk", "/admin/reports/new"),
    "admin.facilities": ("admin", "/admin/facilities"),
    "admin.facility": ("admin", "/admin/facilities/{facility}"),
    "admin.add_facility": ("admin", "/admin/facilities/new"),
    "admin.edit_facility": ("admin", "/admin/facilities/{facility}/edit"),
    "admin.import_facilities": ("admin", "/admin/facilities/import"),
    "admin.import_plan": ("admin", "/admin/facilities/import/{import}"),
    "admin.hand_backs": ("desk", "/admin/hand-backs"),
    "admin.unseen": ("desk", "/admin/unseen"),
    "admin.notices": ("desk", "/admin/notices"),
    "admin.my_wechat": ("desk", "/admin/wechat"),
    "admin.roster": ("admin", "/admin/roster"),
    "admin.messages": ("admin", "/admin/messages"),
    "admin.staff": ("admin", "/admin/staff"),
    "admin.add_staff": ("admin", "/admin/staff/new"),
    "admin.calendar": ("admin", "/admin/calendar"),
    "admin.reply_templates": ("admin", "/admin/reply-templates"),
    "admin.add_reply_template": ("admin", "/admin/reply-templates/new"),
    "admin.reply_template": ("admin", "/admin/reply-templates/1"),
    "admin.units": ("admin", "/admin/units"),
    "admin.audit": ("admin", "/admin/audit"),
    "admin.account": ("admin", "/admin/account"),
    "admin.edit_staff": ("admin", "/admin/staff/2"),
    "admin.rights": ("admin", "/admin/rights"),
    "admin.rules": ("admin", "/admin/rules"),
    "admin.add_rule": ("admin", "/admin/rules/new"),
    "admin.rule": ("admin", "/admin/rules/one/R069"),
    "admin.rules_versions": ("admin", "/admin/rules/versions"),
    "admin.rules_version": ("admin", "/admin/rules/versions/1"),
    "admin.try_route": ("desk", "/admin/where"),
    "admin.accuracy": ("admin", "/admin/accuracy"),
    "admin.overview": ("desk", "/admin/district"),
    "admin.wall": ("admin", "/admin/wall"),
    "admin.field": ("verifier1", "/admin/field"),
    "admin.numbers": ("admin", "/admin/numbers"),
    "admin.numbers_behind": ("admin", "/admin/numbers/behind/received"),
}
# Addresses that answer with data, a file, a part of a page or another address.
NO_PAGES = {
    "static", "admin.static", "citizen.static", "chat.static", "files.photo", "files.base_map", "health.alive",
    "health.ready", "health.metrics", "citizen.nearby_reports", "admin.anything_else", "admin.live", "admin.nearby",
    "admin.places", "admin.set_password", "chat.log", "chat.facility_code", "chat.find_facilities", "chat.picture",
    "wechat_login.done", "wechat_login.start", "admin.wechat_start", "admin.wechat_done", "admin.incident_places",
    "admin.facility_map", "admin.import_state",
    "admin.alarm", "admin.next_report", "admin.around_reports", "admin.around_facilities",
    "admin.log_in_code", "admin.codes_page",
    # What came of a form that was sent.
    "admin.bulk_result",
    "admin.errand_state",
    "admin.errand_file",
    "admin.overview_data",
    "admin.field_ready",
    "admin.numbers_workbook",
}  # fmt: skip
LOST = {"lost-report": "/r/BH20260101-0001A", "lost-page": "/no/such/page", "lost-facility": "/f/NEVERMADE2"}


@pytest.fixture(scope="module")
def example(address: str, bihuan: Bihuan) -> dict[str, str]:
    """A report with a picture, assigned, a facility, and an incident of three reports."""
    photo = requests.post(f"{address}/api/v1/photos", files={"photo": ("a.jpg", jpeg(size=(900, 700)))}, timeout=60)
    body = {"description": "路灯不亮了，晚上黑得看不见路，已经三天了" * 4, "latitude": 50.426, "longitude": 124.1262,
            "contact": "13800138000", "photos": [photo.json()["id"]]}  # fmt: skip
    filed = requests.post(f"{address}/api/v1/reports", json=body, timeout=60).json()

    def has_unit() -> bool:
        answer = requests.get(f"{address}/api/v1/reports/{filed['number']}", params={"key": filed["key"]}, timeout=60)
        return bool(answer.json()["unit"])

    eventually(has_unit, "it has its unit")
    found = re.search(r"/f/([a-z0-9]+)", requests.get(f"{address}/nearby", timeout=60).text)
    token, code = _a_facility(bihuan)
    for _ in range(3):
        burst = {"description": "水管爆了", "category": "21002", "latitude": 50.421, "longitude": 124.131}
        assert requests.post(f"{address}/api/v1/reports", json=burst, timeout=60).status_code == 201
    eventually(lambda: bool(_incident(bihuan)), "the incident is there")
    return {
        "number": filed["number"], "key": filed["key"], "token": found[1] if found else token, "facility": code,
        "incident": _incident(bihuan), "errand": _errand(bihuan),
        "import": _import(bihuan),
    }  # fmt: skip


def _errand(bihuan: Bihuan) -> str:
    """A task of the desk's, under way."""
    import sqlite3

    with sqlite3.connect(bihuan.var_dir / "bihuan.db") as connection:
        made = connection.execute(
            "insert into errand (kind, staff_id, language, parameters, given, state, done, total, attempts, asked_at, "
            "beat_at, outcome, problem, file_name, file_type, file_bytes) select 'export_reports', id, 'zh-Hans', "
            "'{}', '', 'running', 40, 100, 1, datetime('now'), datetime('now', '+1 hour'), '{}', '{}', '', '', 0 "
            "from staff where username = 'desk'"
        )
    connection.close()
    return str(made.lastrowid)


def _import(bihuan: Bihuan) -> str:
    """A file of facilities that the administrator had looked through, two rows of it wrong."""
    import sqlite3

    with sqlite3.connect(bihuan.var_dir / "bihuan.db") as connection:
        made = connection.execute(
            "insert into errand (kind, staff_id, language, parameters, given, state, done, total, attempts, asked_at, "
            "ended_at, outcome, problem, file_name, file_type, file_bytes) select 'check_facilities', id, 'zh-Hans', "
            """'{"name": "lamps.csv"}', 'lamps.csv', 'done', 3, 3, 1, datetime('now'), datetime('now'), """
            """'{"read": 3, "created": 1, "updated": 0, "unchanged": 0, "refused": 2}', '{}', 'refused.csv', """
            "'text/csv', 99 from staff where username = 'admin'"
        )
    connection.close()
    folder = bihuan.var_dir / "errands" / str(made.lastrowid)
    folder.mkdir(parents=True)
    (folder / "given").write_text("编码,名称,经度,纬度\n23276101037000001,灯,124.1,50.4\n", encoding="utf-8")
    (folder / "problems.json").write_text('[[3, "没有名称"], [4, "没有编码"]]', encoding="utf-8")
    return str(made.lastrowid)


def _incident(bihuan: Bihuan) -> str:
    import sqlite3

    with sqlite3.connect(bihuan.var_dir / "bihuan.db") as connection:
        found = connection.execute("select id from incident").fetchone()
    connection.close()
    return str(found[0]) if found else ""


def _a_facility(bihuan: Bihuan) -> tuple[str, str]:
    import sqlite3

    with sqlite3.connect(bihuan.var_dir / "bihuan.db") as connection:
        token, code = connection.execute(
            "select token, code17 from facility_token join facility on facility.id = facility_id limit 1"
        ).fetchone()
    connection.close()
    return str(token), str(code)


SIZES = {"phone": PHONE, "desk": DESKTOP}
WHOSE = {
    "anybody": ("", ANYBODY),
    "desk": ("desk", {name: path for name, (who, path) in STAFF.items() if who == "desk"}),
    "verifier": ("verifier1", {name: path for name, (who, path) in STAFF.items() if who == "verifier1"}),
    "admin": ("admin", {name: path for name, (who, path) in STAFF.items() if who == "admin"}),
}
CATALOGUE = Path(__file__).parents[2] / "district" / "messages" / "zh-Hans"
KEYS = re.compile(
    rf"\b(?:{'|'.join(sorted(path.stem for path in CATALOGUE.glob('*.toml')))})"
    r"\.[a-z_]+\.[a-z_]+\b"
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("whose", WHOSE)
def test_every_page_is_sound(visit: Visit, example: dict[str, str], whose: str, language: str, size: str) -> None:
    username, paths = WHOSE[whose]
    watched = visit(username, **SIZES[size], locale=language)
    wrong: list[str] = []
    for name, path in (paths | LOST if whose == "anybody" else paths).items():
        page = watched.open(path.format(**example))
        before = len(watched.troubles)
        page.wait_for_load_state("networkidle")
        words = page.inner_text("body")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        faults = {
            "scrolls sideways": wide > 1,
            "shows a key": KEYS.search(words.replace("bihuan.example", "")),
            "has no title": not page.title().strip(),
            "has no heading": page.locator("h1").count() != 1,
            "speaks the other language": not str(page.get_attribute("html", "lang")).startswith(language[:2]),
            "is empty": len(words.strip()) < 20,
        }
        wrong += [f"{name} ({path}) {fault}" for fault, is_so in faults.items() if is_so]
        if name in LOST:
            # The browser itself notes the 404 of the page.
            del watched.troubles[:]
        wrong += [f"{name}: {trouble}" for trouble in watched.troubles[before:]]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("whose", WHOSE)
def test_every_page_can_be_used_by_everybody(visit: Visit, example: dict[str, str], whose: str, size: str) -> None:
    sync = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not reachable (make check)")
    # The checker puts its own script into the page, which the content policy forbids, and rightly so.
    username, paths = WHOSE[whose]
    watched = visit(username, **SIZES[size], bypass_csp=True)
    wrong: list[str] = []
    for name, path in paths.items():
        page = watched.open(path.format(**example))
        page.wait_for_load_state("networkidle")
        for found in sync.Axe().run(page).response["violations"]:
            if found["impact"] in ("serious", "critical"):
                wrong.append(f"{name}: {found['id']} at {found['nodes'][0]['html'][:120]}")
    assert not wrong, "\n".join(wrong)


def test_no_page_is_left_out(app: Flask) -> None:
    pages = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())}
    pages = {name for name in pages if not name.startswith(("api.", "wechat_stand_in."))}
    named: set[Any] = {*ANYBODY, *STAFF, *NO_PAGES}
    assert pages - named == set(), "name these in ANYBODY, STAFF or NO_PAGES"
    assert named - pages == set(), "these are gone"
