"""The panel on a phone: its manifest, its worker, what stays in the phone without a network and after a log-out."""

# ruff: noqa: F811  fixtures of another module

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from district.messages import LANGUAGES
from tests.admin.conftest import LogIn, Person
from tests.admin.test_browser import (  # noqa: F401  fixtures
    PASSWORD,
    Visit,
    address,
    ask,
    backstage,
    browser,
    database,
    new_report,
    status_of,
    visit,
)
from tests.factories import SmallDistrict
from tests.support.browser import PHONE, Watched
from tests.support.pictures import jpeg

HERE = {"latitude": 50.4276, "longitude": 124.127}


class TestManifest:
    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("start", ["", "?start=field"])
    def test_it_can_be_installed(
        self, app: Flask, district: SmallDistrict, nobody: Person, language: str, start: str
    ) -> None:
        answer = nobody.get(f"/admin/manifest/{language}.webmanifest{start}")
        assert answer.mimetype == "application/manifest+json"
        assert "Set-Cookie" not in answer.headers
        told = json.loads(answer.text)
        assert told["lang"] == language
        assert told["name"]
        assert told["short_name"]
        assert told["display"] == "standalone"
        assert told["start_url"] == ("/admin/field" if start else "/admin/")
        assert told["start_url"].startswith(told["scope"])
        kinds = set()
        for icon in told["icons"]:
            picture = Image.open(BytesIO(file_of(nobody, icon["src"])))
            assert icon["sizes"] == f"{picture.width}x{picture.height}"
            kinds.add((icon["sizes"], icon.get("purpose", "any")))
            if icon.get("purpose") == "maskable":
                # The phone cuts it to a shape: the ground reaches every corner.
                assert picture.convert("RGBA").getpixel((0, 0)) == picture.convert("RGBA").getpixel((511, 511))
                assert picture.convert("RGBA").getpixel((0, 0))[3] == 255  # type: ignore[index]
        assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= kinds

    def test_the_two_languages_differ_and_there_is_no_third(self, district: SmallDistrict, nobody: Person) -> None:
        assert len({nobody.get(f"/admin/manifest/{one}.webmanifest").text for one in LANGUAGES}) == len(LANGUAGES)
        assert nobody.get("/admin/manifest/fr.webmanifest").status_code == 404
        assert nobody.get("/admin/worker.js?language=fr").status_code == 404

    def test_who_goes_out_begins_outside(self, district: SmallDistrict, log_in: LogIn) -> None:
        assert "start=field" in manifest_of(log_in("handler").get("/admin/").text)
        assert "start=field" not in manifest_of(log_in("dispatcher").get("/admin/").text)
        # And only their phones keep anything.
        assert "data-worker" in log_in("handler").get("/admin/").text
        assert "data-worker" not in log_in("dispatcher").get("/admin/").text


def file_of(person: Person, path: str) -> bytes:
    with person.get(path) as answer:
        assert answer.status_code == 200
        return answer.get_data()


def manifest_of(page: str) -> str:
    return re.findall(r'rel="manifest" href="([^"]+)"', page)[0]


class TestWorker:
    def kept(self, nobody: Person) -> dict[str, Any]:
        answer = nobody.get("/admin/worker.js?language=zh-Hans")
        assert answer.mimetype == "text/javascript"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "Set-Cookie" not in answer.headers
        return json.loads(answer.text.split(";\n")[0].removeprefix("self.PANEL = "))  # type: ignore[no-any-return]

    def test_it_keeps_files_by_their_content_and_one_page_of_nobody(
        self, district: SmallDistrict, nobody: Person, log_in: LogIn
    ) -> None:
        told = self.kept(nobody)
        for file in told["files"]:
            assert re.fullmatch(r"/(admin/)?static/[^?]+\?v=[0-9a-f]{10}", file)
            assert file_of(nobody, file)
        page = nobody.get(told["offline"])
        assert page.status_code == 200
        assert "Set-Cookie" not in page.headers
        # The same for whoever asks: nobody's name, no token.
        assert log_in("handler").get(told["offline"]).text == page.text
        asked = set(re.findall(r'(?:src|href)="([^"#]*/static/[^"#]*)', page.text))
        assert asked <= set(told["files"]) | {one for one in asked if "apple-touch" in one}

    def test_its_version_changes_with_what_it_keeps(
        self, district: SmallDistrict, nobody: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = self.kept(nobody)["version"]
        assert self.kept(nobody)["version"] == before
        monkeypatch.setattr("admin.phone._SCRIPTS", ("theme",))
        assert self.kept(nobody)["version"] != before


# ------------------------------------------------------------------ in a browser


@pytest.fixture
def outside(visit: Visit, backstage: Flask, database: Path) -> Iterator[tuple[Watched, str]]:
    """A handler's phone with the list on it and the worker in charge, and the number of the first report on it."""
    number = new_report(backstage, assigned=True)
    watched = visit("sz-ld", **PHONE, geolocation=HERE, permissions=["geolocation"])
    watched.open("/admin/field")
    # A page that was on its way while the worker began is not its own yet; the next one is.
    watched.until("navigator.serviceWorker.getRegistration('/admin/').then((found) => Boolean(found && found.active))")
    watched.page.reload(wait_until="load")
    watched.until("Boolean(navigator.serviceWorker.controller)")
    until_kept(watched)
    yield watched, number
    # Without a network the browser itself notes each request that failed.
    watched.troubles[:] = [line for line in watched.troubles if "ERR_INTERNET_DISCONNECTED" not in line]


STORE = """(name, mode) => new Promise((resolve) => { const request = indexedDB.open('bihuan-field', 2);
 request.onsuccess = () => { const all = request.result.transaction(name).objectStore(name).getAll();
 all.onsuccess = () => { request.result.close(); resolve(all.result); }; }; })"""


def in_store(watched: Watched, name: str) -> list[dict[str, Any]]:
    return list(watched.page.evaluate(f"({STORE})('{name}')"))


def until_kept(watched: Watched) -> None:
    watched.until(f"({STORE})('lists').then((all) => all.length === 1)")


def do(watched: Watched, number: str) -> None:
    card = watched.page.locator(f'[data-number="{number}"]')
    card.locator("summary").click()
    card.locator("[name=photos]").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    card.locator(".photo-item").wait_for()
    card.locator("[type=submit]").click()
    watched.until("document.querySelector('#field-queue').textContent.includes('1 张照片、1 件待上传')")


def pictures_of(database: Path, number: str) -> int:
    return int(ask(database, "select count(*) from photo join report on report.id = report_id "
                             f"where number = '{number}' and purpose = 'after'")[0][0])  # fmt: skip


@pytest.mark.browser
def test_opened_without_a_network_done_and_sent_once_when_it_is_back(
    outside: tuple[Watched, str],
    database: Path,
) -> None:
    watched, number = outside
    page = watched.page
    page.context.set_offline(True)
    page.reload(wait_until="load")
    page.locator(f'[data-number="{number}"]').wait_for()
    assert "连不上网络。这是" in page.inner_text("#field-age")
    assert page.locator("#field img").count() == 0
    do(watched, number)
    # Also when it is put away and taken out again.
    page.goto(watched.address + "/admin/field", wait_until="load")
    watched.until("document.querySelector('#field-queue').textContent.includes('1 件待上传')")
    with page.expect_navigation(wait_until="load"):
        page.context.set_offline(False)
    assert page.locator("#field[data-offline]").count() == 0
    watched.until("document.querySelector('#field-queue').hidden")
    assert (status_of(database, number), pictures_of(database, number)) == ("resolved", 1)
    assert in_store(watched, "acts") == []
    assert page.locator(f'[data-number="{number}"]').count() == 0


@pytest.mark.browser
def test_what_waits_stays_under_a_finger(outside: tuple[Watched, str]) -> None:
    watched, number = outside
    page = watched.page
    page.context.set_offline(True)
    do(watched, number)
    button = page.locator("#field-queue > button")
    button.hover()
    page.mouse.down()
    pressed = button.element_handle()
    # Sent meanwhile: the line goes when the finger is up, and not before.
    page.context.set_offline(False)
    watched.until("document.querySelector('#field-said').textContent.includes('已上传')")
    watched.settled()
    assert pressed.evaluate("one => one.isConnected")
    page.mouse.up()
    watched.until("document.querySelector('#field-queue').hidden")


@pytest.mark.browser
def test_any_other_page_without_a_network_says_so(outside: tuple[Watched, str]) -> None:
    watched, _ = outside
    watched.page.context.set_offline(True)
    watched.open("/admin/notices")
    assert watched.page.inner_text("h1") == "没有网络"
    kept = watched.page.evaluate(
        "caches.keys().then(async (names) => { const all = []; for (const name of names)"
        " for (const request of await (await caches.open(name)).keys()) all.push(request.url); return all; })"
    )
    assert kept
    assert [one for one in kept if "/static/" not in one and "/admin/offline" not in one] == []


@pytest.mark.browser
def test_who_logs_out_takes_everything_along(outside: tuple[Watched, str]) -> None:
    watched, number = outside
    page = watched.page
    page.context.set_offline(True)
    do(watched, number)
    # The server does not get it while this lasts.
    page.route("**/admin/field/**", lambda route: route.abort())
    page.context.set_offline(False)
    page.goto(watched.address + "/admin/account", wait_until="load")
    with page.expect_event("dialog") as asked:
        log_out(watched)
    assert "退出登录就没了" in asked.value.message
    asked.value.dismiss()
    assert len(in_store(watched, "acts")) == 1
    with page.expect_event("dialog") as asked:
        log_out(watched)
    asked.value.accept()
    page.wait_for_selector("[name=username]")
    assert (in_store(watched, "acts"), in_store(watched, "lists")) == ([], [])
    watched.troubles[:] = [line for line in watched.troubles if "ERR_FAILED" not in line]


def log_out(watched: Watched) -> None:
    # The browser would note as an error what the page had asked for and is refused after the log out.
    watched.settled()
    watched.page.evaluate("document.querySelector('form[action$=\"/logout\"] button').click()")


@pytest.mark.browser
def test_a_login_that_was_ended_leaves_the_work_for_its_person_only(
    outside: tuple[Watched, str],
    database: Path,
) -> None:
    watched, number = outside
    page = watched.page
    page.context.set_offline(True)
    do(watched, number)
    with sqlite3.connect(database) as connection:
        connection.execute("update staff_login set ended_at = '2026-01-01 00:00:00' where ended_at is null")
    connection.close()
    page.context.set_offline(False)
    watched.until("document.querySelector('#field-said').textContent.includes('登录已结束')")
    # The browser notes that the page was told so.
    watched.troubles[:] = [line for line in watched.troubles if "status of 401" not in line]
    assert in_store(watched, "lists") == []
    assert status_of(database, number) == "assigned"
    # Somebody else takes the phone.
    page.goto(watched.address + "/admin/login", wait_until="load")
    watched.until("document.querySelector('#phone-waits').textContent.includes('还有 1 件没上传')")
    enter(watched, "verifier1")
    page.goto(watched.address + "/admin/field", wait_until="load")
    watched.until("document.querySelector('#phone-waits').textContent.includes('同事的 1 件')")
    assert page.locator("#field-queue").is_hidden()
    assert number not in [one["html"].count(number) and number for one in in_store(watched, "lists")]
    log_out(watched)
    page.wait_for_selector("[name=username]")
    assert len(in_store(watched, "acts")) == 1
    assert status_of(database, number) == "assigned"
    # And then the one who did it.
    enter(watched, "sz-ld")
    page.goto(watched.address + "/admin/field", wait_until="load")
    watched.until("document.querySelector('#field-said').textContent.includes('已上传')")
    assert (status_of(database, number), pictures_of(database, number)) == ("resolved", 1)


def enter(watched: Watched, username: str) -> None:
    watched.page.fill("[name=username]", username)
    watched.page.fill("[name=password]", PASSWORD)
    watched.page.click("button[type=submit]")
    watched.page.wait_for_selector(".tabs")


@pytest.mark.browser
def test_a_list_of_a_login_that_has_run_out_is_not_shown(outside: tuple[Watched, str]) -> None:
    watched, number = outside
    page = watched.page
    page.evaluate("PhoneKeep.list().then((list) => PhoneKeep.putList({ ...list, until: Date.now() - 1000 }))")
    page.context.set_offline(True)
    page.reload(wait_until="load")
    page.locator("#field-nothing").wait_for()
    assert page.locator(f'[data-number="{number}"]').count() == 0
    assert in_store(watched, "lists") == []


@pytest.mark.browser
def test_the_nearest_comes_first_and_without_leave_the_most_urgent(
    visit: Visit,
    backstage: Flask,
) -> None:
    far = new_report(backstage, assigned=True, latitude=HERE["latitude"] + 0.02, longitude=HERE["longitude"])
    near = new_report(backstage, assigned=True, latitude=HERE["latitude"] + 0.0005, longitude=HERE["longitude"])
    watched = visit("sz-ld", **PHONE, geolocation=HERE, permissions=["geolocation"])
    page = watched.open("/admin/field")
    order = "[...document.querySelectorAll('.fm-card')].map((card) => card.dataset.number)"
    page.locator("#field-near").tap()
    watched.until("document.querySelector('[data-distance]').textContent !== ''")
    numbers = page.evaluate(order)
    assert numbers.index(near) < numbers.index(far)
    assert page.inner_text(f'[data-number="{near}"] [data-distance]') == "60 米"
    assert page.inner_text(f'[data-number="{far}"] [data-distance]') == "2.2 公里"

    shut = visit("sz-ld", **PHONE)
    page = shut.open("/admin/field")
    before = page.evaluate(order)
    page.locator("#field-near").tap()
    shut.until("document.querySelector('#field-said').textContent.includes('先按紧急程度和时限排序')")
    assert page.evaluate(order) == before


@pytest.mark.browser
def test_the_hint_to_install_goes_away_for_good_and_is_not_in_wechat(visit: Visit) -> None:
    iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
    watched = visit("sz-ld", **PHONE, user_agent=iphone)
    page = watched.open("/admin/field")
    page.locator("#install-hint").wait_for()
    assert "添加到主屏幕" in page.inner_text("#install-hint")
    page.locator("[data-dismiss]").tap()
    page.reload(wait_until="load")
    assert page.locator("#install-hint").is_hidden()
    wechat = visit("sz-ld", **PHONE, user_agent=f"{iphone} MicroMessenger/8.0.50")
    assert wechat.open("/admin/field").locator("#install-hint").is_hidden()


@pytest.mark.browser
def test_chrome_itself_finds_nothing_that_stands_in_the_way_of_installing(outside: tuple[Watched, str]) -> None:
    watched, _ = outside
    session = watched.page.context.new_cdp_session(watched.page)
    told = session.send("Page.getAppManifest")
    assert told["errors"] == []
    assert told["url"].endswith("/admin/manifest/zh-Hans.webmanifest?start=field")
    found = {error["errorId"] for error in session.send("Page.getInstallabilityErrors")["installabilityErrors"]}
    # A browser of a test is a private one, and those install nothing.
    assert found - {"in-incognito"} == set()
