"""From the code on a lamp post to the people who look after it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
from PIL import Image, ImageDraw

from tests.journeys.conftest import Filed, System, filed_by
from tests.journeys.test_report import handler_of
from tests.support.desk import Desk, forms_of

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


@pytest.fixture
def facility(system: System) -> dict[str, Any]:
    """A street light of the demo district, by the door for partners."""
    desk = system.desk("admin")
    code = re.search(r"/admin/facilities/(\d{16,17})", desk.page("/admin/facilities?words=%E8%B7%AF%E7%81%AF"))
    assert code, "the register lists street lights"
    answer = requests.get(f"{system.base}/api/v1/facilities/{code[1]}", timeout=120)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    assert found["unit"], "it has somebody who looks after it"
    return found


def drawn(svg: str, dots: int = 8) -> Image.Image:
    """An SVG of squares as a picture; written here, so that nothing of the maker's code reads it back."""
    box = [float(number) for number in re.search(r'viewBox="([^"]+)"', svg)[1].split()]  # type: ignore[index]
    path = re.search(r'<path[^>]*\sd="([^"]+)"', svg)
    assert path, "no squares"
    squares = re.findall(r"M\s*([\d.]+)[, ]([\d.]+)\s*H\s*([\d.]+)\s*V\s*([\d.]+)", path[1])
    assert len(squares) > 100
    scale = dots / (float(squares[0][2]) - float(squares[0][0]))
    image = Image.new("L", (round(box[2] * scale) + 8 * dots, round(box[3] * scale) + 8 * dots), 255)
    pen = ImageDraw.Draw(image)
    for left, top, right, bottom in squares:
        corners = [4 * dots + round(float(number) * scale) for number in (left, top, right, bottom)]
        pen.rectangle((corners[0], corners[1], corners[2] - 1, corners[3] - 1), fill=0)
    return image


def decoded(image: Image.Image) -> str:
    """What a telephone would read, by a decoder that is not the library that made it."""
    import zxingcpp

    (code,) = zxingcpp.read_barcodes(image)
    assert "QR" in str(code.format)
    return str(code.text)


def path_of(printed: str, system: System) -> str:
    """The path of a printed address: capitals, on our own host."""
    assert printed == printed.upper(), "capitals keep the code small"
    assert printed.startswith(f"{system.base}/F/".upper())
    return printed.removeprefix(system.base.upper())


def test_a_printed_code_leads_to_its_facility_and_one_tap_to_its_maintainer(
    system: System, facility: dict[str, Any]
) -> None:
    page = system.desk("admin").page(f"/admin/facilities/{facility['code']}")
    svg = re.search(r"<svg[^>]*square-code.*?</svg>", page, re.DOTALL)
    assert svg
    path = path_of(decoded(drawn(svg[0])), system)

    # Somebody walks by, scans and taps.
    passer_by = system.browser()
    shown = passer_by.page(path)
    assert facility["name"] in shown
    assert facility["code"] in shown
    assert facility["unit"]["name"] in shown
    form = next(form for form in forms_of(shown) if form["action"].lower() == path.lower())
    tapped = passer_by.post(path, form["fields"] | {"problem": facility["problems"][0]})
    assert tapped.status_code in (302, 303)
    found = re.search(r"/r/(BH[^?]+)\?(?:.*&)?key=([a-z0-9]+)", tapped.headers["Location"])
    assert found, tapped.headers["Location"]
    filed = Filed(found[1], found[2])
    assert filed.number in passer_by.page(f"/r/{filed.number}?key={filed.key}")

    report = system.wait_for(filed, "assigned")
    assert report["unit"]["code"] == facility["unit"]["code"]
    assert report["facility"] == facility["code"]
    assert facility["unit"]["name"] in report["reason"]

    # The next one who scans sees that it is known; the unit sees the work and writes the repair down.
    again = system.browser().page(path)
    assert f"/r/{filed.number}" in again
    assert filed.key not in again
    handler = system.desk(handler_of(facility["unit"]["code"]))
    assert f"/admin/reports/{filed.number}" in handler.page(path)
    log = next(form for form in forms_of(handler.page(path)) if form["action"].endswith("/log"))
    assert handler.post(log["action"], log["fields"] | {"note": "换了灯泡", "kind": "repair"}).status_code in (302, 303)
    assert "换了灯泡" in handler.page(path)
    assert "换了灯泡" not in system.browser().page(path)


def test_a_scan_inside_wechat_knows_the_facility(system: System, facility: dict[str, Any]) -> None:
    phone = system.phone()
    token = _token(system.desk("admin"), facility["code"])
    answer = phone.does("scancode_waitmsg", "SCAN", ScanCodeInfo={
        "ScanType": "qrcode", "ScanResult": f"{system.base}/F/{token}".upper(),
    })  # fmt: skip
    assert "回复数字" in answer.text
    said = phone.says("1")
    # Another journey may have reported the same trouble of the same lamp: this is a second one.
    filed = filed_by(phone.says("不是") if "已经有人报过" in said.text else said)
    report = system.wait_for(filed, "assigned")
    assert (report["unit"]["code"], report["facility"]) == (facility["unit"]["code"], facility["code"])
    assert facility["unit"]["name"] in system.wait_told(phone, filed.number)


def test_a_code_that_was_never_printed_or_was_revoked_helps_on(system: System) -> None:
    browser = system.browser()
    unknown = browser.get("/F/NEVERMADE2")
    assert unknown.status_code == 404
    assert "/report" in unknown.text
    admin = system.desk("admin")
    listed = re.findall(r"/admin/facilities/(\d{16,17})", admin.page("/admin/facilities"))
    path = f"/admin/facilities/{listed[-1]}"
    token = _token(admin, listed[-1])
    assert browser.get(f"/F/{token}").status_code == 200
    form = next(form for form in forms_of(admin.page(path)) if form["action"].endswith("/revoke"))
    assert admin.post(form["action"], form["fields"]).status_code == 302
    revoked = browser.get(f"/f/{token.lower()}")
    assert revoked.status_code == 410
    assert "/report" in revoked.text


def _token(desk: Desk, code: str) -> str:
    svg = re.search(r"<svg[^>]*square-code.*?</svg>", desk.page(f"/admin/facilities/{code}"), re.DOTALL)
    assert svg
    return decoded(drawn(svg[0])).rpartition("/")[2]
