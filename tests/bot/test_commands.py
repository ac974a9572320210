"""`flask district wechat ...` against a played WeChat, and that each tap on the menu is answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import Result
from flask import Flask
from PIL import Image

from bot import menu
from district.extensions import db
from district.facilities import service as facilities
from district.messages import CHINESE, LANGUAGES, speaking
from district.work import unit_of_work
from tests.bot.conftest import TestPhone
from tests.conftest import settings_for
from tests.factories import SmallDistrict, forget_reference, make_facility
from tests.support.wechat_platform import Remote

CODES = "/cgi-bin/qrcode/create"


@pytest.fixture
def env(env: dict[str, str], wechat: Remote) -> dict[str, str]:
    return env | {
        **settings_for(wechat),
        "PUBLIC_BASE_URL": "https://district.test",
    }


def run(app: Flask, *words: str, fails: int = 0) -> Result:
    result = app.test_cli_runner().invoke(args=["district", "wechat", *words])
    assert result.exit_code == fails, result.output
    return result


def as_json(app: Flask, *words: str, fails: int = 0) -> Any:
    return json.loads(run(app, *words, "--json", fails=fails).output)


# The menu


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_menu_is_one_that_wechat_takes(app: Flask, tag: str) -> None:
    with speaking(tag):
        buttons = menu.buttons()
    assert 1 <= len(buttons) <= 3
    for top in buttons:
        assert len(top["name"].encode()) <= 16
        assert len(top.get("sub_button", [])) <= 5
        for row in top.get("sub_button", [top]):
            assert len(row["name"].encode()) <= 60
            assert ("key" in row) != ("url" in row)
            if "url" in row:
                assert row["url"].startswith("https://district.test/")
                assert app.test_client().get(urlsplit(row["url"]).path).status_code == 200


def test_each_tap_on_the_menu_is_answered(phone: TestPhone, district: SmallDistrict) -> None:
    answers = {}
    for key, kind in menu.tapped().items():
        more = {"ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "x"}} if kind == "scancode_waitmsg" else {}
        answer = phone.does("CLICK" if kind == "click" else kind, key, **more)
        assert answer.problems == []
        answers[key] = answer.text
    assert len(set(answers.values())) == len(answers) == 4, "each has an answer of its own"
    assert all(answers.values())


def test_the_menu_is_made_shown_and_taken_away(app: Flask, wechat: Remote) -> None:
    assert as_json(app, "menu") == {"button": []}
    made = as_json(app, "menu", "--create")["button"]
    with speaking(CHINESE):
        assert made == wechat.control("state")["menu"]["button"] == menu.buttons()
    shown = run(app, "menu", "--show").output
    assert all(key in shown for key in menu.tapped())
    assert "https://district.test/nearby" in shown
    assert as_json(app, "menu", "--delete") == {"button": []}
    assert wechat.control("state")["menu"] is None


@pytest.mark.parametrize("code, said", [(40164, "white list"), (48001, "certified"), (-1, "busy"), (99999, "99999")])
def test_a_refusal_is_explained(app: Flask, wechat: Remote, code: int, said: str) -> None:
    wechat.fault("/cgi-bin/menu/create", errcode=code)
    refused = run(app, "menu", "--create", fails=2)
    assert said in refused.output
    assert "Traceback" not in refused.output
    assert wechat.secret not in refused.output


# Codes


def test_a_code_is_drawn_from_what_wechat_gave_and_never_made_twice(
    app: Flask, district: SmallDistrict, wechat: Remote, tmp_path: Path
) -> None:
    with unit_of_work():
        first, second = make_facility(), make_facility()
        codes = [first.code17, second.code]
        files = [str(tmp_path / "codes" / f"{one.code17}.png") for one in (first, second)]
    words = ["codes", "--facility", codes[0], "--facility", codes[1], "--output", str(tmp_path / "codes")]
    assert as_json(app, *words) == {"made": files, "kept": []}
    with Image.open(files[0]) as picture:
        assert picture.format == "PNG"
        assert picture.width == picture.height > 300
    assert as_json(app, *words) == {"made": [], "kept": files}
    assert wechat.calls(CODES) == 2


def test_a_facility_nobody_has_is_named_and_nothing_is_asked(app: Flask, wechat: Remote, tmp_path: Path) -> None:
    run(app, "codes", "--facility", "9999999999999999", "--output", str(tmp_path), fails=2)
    assert wechat.calls(CODES) == 0


@pytest.mark.parametrize("event, prefix", [("subscribe", "qrscene_fac:"), ("SCAN", "fac:")])
def test_a_parametric_code_leads_into_the_facilitys_dialogue(
    phone: TestPhone, district: SmallDistrict, event: str, prefix: str
) -> None:
    with unit_of_work():
        facility = make_facility(district.lamps)
        token, code = facilities.token_of(facility.id), facility.code17
    forget_reference()
    answer = phone.does(event, f"{prefix}{token}", Ticket="T")
    assert answer.problems == []
    assert code in answer.text
    assert "1." in answer.text
    assert "BH" in phone.says("1").text
    db.session.rollback()


# Whether all is well


@pytest.fixture
def reached(client: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """The public address answers as our application does, with another status, or not at all.

    The address is a real one only where the product runs; the request itself goes through the whole application.
    """

    def answer(address: str, params: dict[str, str], **_: Any) -> requests.Response:
        if status["is"] is None:
            raise requests.ConnectionError
        found = client.get(urlsplit(address).path, query_string=params)
        response = requests.Response()
        response.status_code = status["is"] or found.status_code
        response._content = found.data
        return response

    status: dict[str, int | None] = {"is": 0}
    monkeypatch.setattr("district.wechat.checking.requests.get", answer)
    return lambda value: status.update({"is": value})


def test_all_is_well_once_there_is_a_menu(app: Flask, wechat: Remote, reached: Any) -> None:
    found = {one["name"]: one["is_well"] for one in as_json(app, "check", fails=1)}
    assert found == {
        "settings": True, "token": True, "addresses": True, "quota": True, "menu": False, "callback": True
    }  # fmt: skip
    run(app, "menu", "--create")
    assert all(one["is_well"] for one in as_json(app, "check"))


@pytest.mark.parametrize("status", [None, 403, 404, 502])
def test_an_address_that_does_not_answer_rightly_is_said(app: Flask, wechat: Remote, reached: Any, status: int) -> None:
    run(app, "menu", "--create")
    reached(status)
    found = {one["name"]: one for one in as_json(app, "check", fails=1)}
    assert not found["callback"]["is_well"]
    assert "https://district.test/wechat" in found["callback"]["text"]


def test_a_menu_of_somebody_elses_is_noticed(app: Flask, wechat: Remote, reached: Any) -> None:
    from district import wechat as api

    api.client_for(app).create_menu([{"name": "x", "type": "click", "key": "THEIRS"}])
    found = {one["name"]: one for one in as_json(app, "check", fails=1)}
    assert "THEIRS" in found["menu"]["text"]


def test_a_wrong_secret_is_said_in_words(app: Flask, wechat: Remote, reached: Any) -> None:
    wechat.fault("/cgi-bin/stable_token", errcode=40125, times=9)
    found = {one["name"]: one for one in as_json(app, "check", fails=1)}
    assert "WECHAT_APP_SECRET" in found["token"]["text"]
