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
from tests.browser.states import STATES
from tests.support.browser import DESKTOP, PHONE
from tests.support.filled import filled_of
from tests.support.pictures import jpeg
from tests.support.running import Bihuan, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

# Every GET that answers with a page, with an example of each address; `{...}` is filled from a real report.
ANYBODY = {
    "citizen.home": "/", "citizen.report_form": "/report", "citizen.mine": "/mine", "citizen.nearby": "/nearby",
    "citizen.privacy": "/privacy", "citizen.look_up": "/r?number={number}", "report_page.show": "/r/{number}?key={key}",
    "notices_page.show": "/notices",
    "facility_page.show": "/F/{token}", "chat.show": "/chat", "admin.log_in": "/admin/login",
    "admin.offline": "/admin/offline",
}  # fmt: skip
# Who may open it, and where.
STAFF = {
    "admin.inbox": ("desk", "/admin/?tab=all"),
    "admin.errands": ("desk", "/admin/tasks"),
    "admin.errand": ("desk", "/admin/tasks/{errand}"),
    "admin.export_list": ("desk", "/admin/export?tab=open"),
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
    "admin.care_due": ("sz-ld", "/admin/care/due"),
    "admin.print_due": ("sz-ld", "/admin/care/due/print?area=232761001"),
    "admin.inspection_plans": ("admin", "/admin/care/plans"),
    "admin.inspection_plan": ("admin", "/admin/care/plans/1"),
    "admin.new_plan": ("admin", "/admin/care/plans/new"),
    "admin.care_rates": ("admin", "/admin/care/rates"),
    "admin.care_faults": ("admin", "/admin/care/rates/behind"),
    "admin.often_repaired": ("admin", "/admin/care/repeated"),
    "admin.labels": ("admin", "/admin/labels"),
    "admin.code_scans": ("admin", "/admin/facilities/scans"),
    "admin.label_run": ("admin", "/admin/labels/{label_run}"),
    "admin.add_facility": ("admin", "/admin/facilities/new"),
    "admin.edit_facility": ("admin", "/admin/facilities/{facility}/edit"),
    "admin.import_facilities": ("admin", "/admin/facilities/import"),
    "admin.import_plan": ("admin", "/admin/facilities/import/{import}"),
    "admin.devices": ("admin", "/admin/devices"),
    "admin.device": ("admin", "/admin/devices/1"),
    "admin.add_device": ("admin", "/admin/devices/new"),
    "admin.import_devices": ("admin", "/admin/devices/import"),
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
    "admin.wall_links": ("admin", "/admin/wall-links"),
    "admin.field": ("verifier1", "/admin/field"),
    "admin.wechat_settings": ("admin", "/admin/settings/wechat"),
    "admin.wording": ("admin", "/admin/settings/wording"),
    "admin.sentence": ("admin", "/admin/settings/wording/bot.filed.done"),
    "admin.retention": ("admin", "/admin/settings/retention"),
    "admin.api_keys_page": ("admin", "/admin/settings/api-keys"),
    "admin.add_api_key": ("admin", "/admin/settings/api-keys/new"),
    "admin.numbers": ("admin", "/admin/numbers"),
    "admin.numbers_behind": ("admin", "/admin/numbers/behind/received"),
    "admin.settings": ("admin", "/admin/settings"),
    "admin.settings_units": ("admin", "/admin/settings/units"),
    "admin.settings_categories": ("admin", "/admin/settings/categories"),
    "admin.settings_standards": ("admin", "/admin/settings/standards"),
    "admin.settings_types": ("admin", "/admin/settings/facility-types"),
    "admin.settings_areas": ("admin", "/admin/settings/areas"),
    "admin.settings_tags": ("admin", "/admin/settings/tags"),
    "admin.settings_alarms": ("admin", "/admin/settings/alarms"),
    "admin.settings_changes": ("admin", "/admin/settings/changes"),
    "admin.setting": ("admin", "/admin/settings/areas/one/232761001"),
    "admin.new_setting": ("admin", "/admin/settings/categories/new"),
}
# Addresses that answer with data, a file, a part of a page or another address.
NO_PAGES = {
    "static", "admin.static", "citizen.static", "chat.static", "files.photo", "files.base_map", "health.alive",
    "health.ready", "health.metrics", "citizen.nearby_reports", "admin.anything_else", "admin.live", "admin.nearby",
    "admin.places", "admin.set_password", "chat.log", "chat.facility_code", "chat.find_facilities", "chat.picture",
    "wechat_login.done", "wechat_login.start", "admin.wechat_start", "admin.wechat_done", "admin.incident_places",
    "admin.facility_map", "admin.import_state", "facility_page.look_up",
    "admin.alarm", "admin.next_report", "admin.around_reports", "admin.around_facilities",
    "admin.log_in_code", "admin.codes_page",
    # The form of a new one with what is known filled in.
    "admin.api_key", "admin.preview_retention",
    # What came of a form that was sent.
    "admin.bulk_result",
    "admin.errand_state",
    "admin.errand_file",
    "admin.overview_data",
    "admin.field_ready",
    "admin.list_map",
    "admin.manifest", "admin.worker",
    # By a token of their own: tests/admin/test_wall_links.py opens them.
    "admin.wall_by_link", "admin.wall_by_link_data",
    "admin.numbers_workbook", "admin.care_workbook", "admin.often_workbook",
    "admin.area_outlines",
}  # fmt: skip
LOST = {"lost-report": "/r/BH20260101-0001A", "lost-page": "/no/such/page", "lost-facility": "/f/NEVERMADE2"}


@pytest.fixture(scope="module")
def example(address: str, bihuan: Bihuan) -> dict[str, str]:
    """A report with a picture, assigned, a facility, an incident of three reports, and a district with work in it."""
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
    return filled_of(address) | {
        "number": filed["number"], "key": filed["key"], "token": found[1] if found else token, "facility": code,
        "incident": _incident(bihuan), "errand": _errand(bihuan),
        "label_run": _label_run(bihuan),
        "import": _import(bihuan),
    }  # fmt: skip


def _label_run(bihuan: Bihuan) -> str:
    """Three labels, printed."""
    import sqlite3

    with sqlite3.connect(bihuan.var_dir / "bihuan.db") as connection:
        made = connection.execute(
            "insert into label_run (asked_at, finished_at, layout, chosen, labels, sheets) values "
            "(datetime('now'), datetime('now'), 'sheet21', '{\"layout\": \"sheet21\"}', 3, 1)"
        )
        run_id = str(made.lastrowid)
        connection.execute(
            "insert into label_print (run_id, position, token) select ?, row_number() over (order by token), token "
            "from (select token from facility_token order by token limit 3)",
            (run_id,),
        )
        connection.execute(
            "update facility_token set state = 'printed', printed_at = datetime('now') where token in "
            "(select token from label_print where run_id = ?)",
            (run_id,),
        )
    connection.close()
    return run_id


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


# What a thumb must hit on a telephone, and where: at least 44 px in both directions.
THUMB_PX = 44
MAIN_ACTIONS = (
    ".btn:not(.btn-small), .btn-primary, .bottom a, .tab, .form-control, .form-select, .more-menu > summary, .door, "
    ".weui-btn, .problem, label.choice > span, .tabs a, .bar a, button.send, .tile, .sheet-close"
)
SMALL = """([which, least]) => [...document.querySelectorAll(which)].filter((one) => {
  const box = one.getBoundingClientRect();
  return one.checkVisibility({ visibilityProperty: true }) && !one.closest('.leaflet-control')
    && box.width && box.height && (box.height < least || box.width < least);
}).map((one) => `${one.className} ${one.textContent.trim().slice(0, 20)}`)"""
# What moves in has arrived; a colour that is still fading is no colour to judge.
STILL = """() => Promise.all(document.getAnimations()
  .filter((one) => one.effect.getComputedTiming().iterations < 99)
  .map((one) => one.finished.catch(() => 0)))"""


def serious(page: Any, *rules: str) -> list[str]:
    """What axe finds serious or critical on the page as it is now; only by these rules, where any are named."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not reachable (make check)")
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    return [
        f"{found['id']} at {node['html'][:120]}"
        for found in axe.Axe().run(page, options=options).response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"][:3]
    ]


def faults(page: Any, language: str, size: str) -> list[str]:
    """What is wrong with the page as it is now, for the eye, the thumb and whoever hears it."""
    words = page.inner_text("body")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    found = {
        f"scrolls sideways by {wide} px": wide > 1,
        "shows a key": KEYS.search(words.replace("bihuan.example", "")),
        "has no title": not page.title().strip(),
        "has no heading": page.locator("h1").count() != 1,
        "speaks the other language": not str(page.get_attribute("html", "lang")).startswith(language[:2]),
        "is empty": len(words.strip()) < 20,
    }
    small = page.evaluate(SMALL, [MAIN_ACTIONS, THUMB_PX - 0.5]) if size == "phone" else []
    return [fault for fault, is_so in found.items() if is_so] + [f"too small: {one}" for one in small] + serious(page)


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
        wrong += [f"{name} ({path}) {fault}" for fault in faults(page, language, size)]
        if name in LOST:
            # The browser itself notes the 404 of the page.
            del watched.troubles[:]
        wrong += [f"{name}: {trouble}" for trouble in watched.troubles[before:]]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("size, language", [("phone", "zh-CN"), ("desk", "en")])
@pytest.mark.parametrize("whose", STATES)
def test_pages_are_sound_in_the_middle_of_something(
    visit: Visit, example: dict[str, str], whose: str, size: str, language: str
) -> None:
    watched = visit(whose, **SIZES[size], locale=language)
    wrong: list[str] = []
    for name, act in STATES[whose].items():
        act(watched, example, size)
        watched.page.wait_for_load_state("load" if name.startswith("chat") else "networkidle")
        watched.page.evaluate(STILL)
        wrong += [f"{name}: {fault}" for fault in faults(watched.page, language, size)]
    # The browser notes each page that was refused, as it should be.
    watched.troubles[:] = [one for one in watched.troubles if "the server responded with a status of 4" not in one]
    wrong += watched.troubles
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("whose", WHOSE)
def test_every_page_reads_in_the_dark(visit: Visit, example: dict[str, str], whose: str) -> None:
    """At night the system is dark and so are the pages; what reads on what is the question."""
    username, paths = WHOSE[whose]
    watched = visit(username, **DESKTOP, color_scheme="dark")
    wrong: list[str] = []
    for name, path in paths.items():
        page = watched.open(path.format(**example))
        page.wait_for_load_state("networkidle")
        wrong += [f"{name}: {fault}" for fault in serious(page, "color-contrast")]
    assert not wrong, "\n".join(wrong)


def test_no_page_is_left_out(app: Flask) -> None:
    pages = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())}
    pages = {name for name in pages if not name.startswith(("api.", "wechat_stand_in."))}
    named: set[Any] = {*ANYBODY, *STAFF, *NO_PAGES}
    assert pages - named == set(), "name these in ANYBODY, STAFF or NO_PAGES"
    assert named - pages == set(), "these are gone"
