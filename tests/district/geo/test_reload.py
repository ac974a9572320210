"""A changed map or changed rules reach every process, and places outside are refused in the district's own words."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from district import reference as reference_module
from district import settings
from district.config import Config
from district.errors import BadInput
from district.extensions import db
from district.geo.models import Area
from district.messages import ENGLISH, speaking, t
from district.reference import reference
from district.routing import service as routing
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_area, make_rule

FAR = {"latitude": 40.0, "longitude": 116.0}
ADVICE = {"zh-Hans": "这里归邻区管，请拨打邻区的12345。", "en": "That is the next district's: call their 12345."}


@both_databases
def test_another_process_uses_the_new_map_and_the_new_rules(
    app: Flask, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wsgi import create_app

    district = SmallDistrict()
    monkeypatch.setattr(reference_module, "CHECK_EVERY_S", 0.0)
    other = create_app(config)
    east = (MIDDLE[0], MIDDLE[1] + 0.04)
    with other.app_context():
        assert not reference().locator.locate(*east).in_district
        before = reference().locator
        db.session.remove()
    with unit_of_work():
        make_area("990000002", middle=east, name="东边街道")
        area = db.session.scalars(select(Area).where(Area.code == "990000001")).one()
        area.name = "改名的街道"
        make_rule("R0", "CMD", priority=900, category_codes=["01037"])
    with other.app_context():
        assert reference().locator is not before
        assert reference().locator.locate(*east).area_code == "990000002"
        assert reference().areas_by_code["990000001"].name == "改名的街道"
        assert routing.decide_for("路灯不亮", *MIDDLE, category_code="01037")["unit"]["code"] == "CMD"
        db.session.remove()
        db.engine.dispose()
    assert district.lamps.code == "SZ-LD"


def test_every_door_says_whom_to_turn_to_with_a_place_that_is_not_ours(app: Flask, client: FlaskClient) -> None:
    SmallDistrict()
    ordinary = t("errors.outside_district")
    assert "12345" in ordinary
    with unit_of_work():
        settings.put("outside", {"advice": ADVICE})
        settings.changed("settings")
    forget_reference()
    reference()
    try:
        filed = client.post("/api/v1/reports", json={"description": "路灯不亮", **FAR})
        assert filed.status_code == 422
        assert filed.json["error"]["fields"]["latitude"] == ADVICE["zh-Hans"]
        english = client.post("/api/v1/reports", json={"description": "dark", **FAR}, headers={"Accept-Language": "en"})
        assert english.json["error"]["fields"]["latitude"] == ADVICE["en"]
        page = client.post("/report", data={"description": "路灯不亮", "latitude": "40.0", "longitude": "116.0"})
        assert (page.status_code, ADVICE["zh-Hans"] in page.text) == (422, True)
        with pytest.raises(BadInput) as refused, speaking(ENGLISH):
            routing.decide_for("dark", **FAR)
        assert refused.value.fields == {"latitude": "errors.outside_district"}
    finally:
        with unit_of_work():
            settings.put("outside", {})
            settings.changed("settings")
        forget_reference()
        reference()
    assert t("errors.outside_district") == ordinary
