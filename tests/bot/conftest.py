"""For the bot's tests: a resident's phone that talks to the application under test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings

from district import clock
from district.extensions import db
from district.settings import put
from district.work import unit_of_work
from tests.factories import SmallDistrict, forget_reference, make_unit
from tests.support.serving import serving
from tests.support.wechat_platform import Answer, Phone

settings.register_profile("bihuan", deadline=None)
settings.load_profile("bihuan")


@dataclass
class TestPhone(Phone):
    """Delivers through the test client instead of the network."""

    __test__ = False
    client: FlaskClient | None = None

    def now(self) -> float:
        return clock.now().timestamp()

    def query(self, *, at: float | None = None, **extra: str) -> dict[str, str]:
        """WeChat's clock goes with ours, also where a test holds it still."""
        return super().query(at=clock.now().timestamp() if at is None else at, **extra)

    def post(self, url: str, body: bytes | None) -> Answer:
        assert self.client is not None
        parts = urlsplit(url)
        response = self.client.open(
            parts.path, method="GET" if body is None else "POST", query_string=parts.query, data=body,
            content_type="text/xml",
        )  # fmt: skip
        answer = Answer(status=response.status_code, body=response.get_data(as_text=True))
        if answer.status == 200 and body is not None:
            self._check(answer)
        # The client shares this test's session: what it loaded before is read anew.
        db.session.rollback()
        db.session.expire_all()
        return answer


def phones_of(app: Flask) -> Callable[..., TestPhone]:
    """A function that makes a phone of a new resident; keyword arguments change it."""
    config = app.config["BIHUAN"]

    def make(**given: object) -> TestPhone:
        values: dict[str, object] = {
            "url": "http://district.test/wechat",
            "token": config.wechat_token,
            "aes_key": config.wechat_encoding_aes_key,
            "app_id": config.wechat_app_id,
            "client": app.test_client(),
        }
        return TestPhone(**(values | given))  # type: ignore[arg-type]

    return make


@pytest.fixture
def new_phone(app: Flask) -> Callable[..., TestPhone]:
    return phones_of(app)


@pytest.fixture
def phone(new_phone: Callable[..., TestPhone]) -> TestPhone:
    return new_phone()


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    """A small district with named places and numbers for emergencies."""
    small = SmallDistrict()
    from district.geo.models import NamedPlace

    with unit_of_work():
        make_unit("RQ", name="燃气公司", emergency_phone="0457-5559999")
        for name, kind, north, east in (
            ("民悦园", "compound", 50.4262, 124.1265),
            ("光明小学", "school", 50.4300, 124.1300),
            ("口袋公园", "park", 50.4200, 124.1200),
            ("口袋公园", "park", 50.4330, 124.1350),
            ("人民路", "road", 50.4260, 124.1262),
        ):
            db.session.add(
                NamedPlace(
                    name=name, kind=kind, aliases=[], latitude=north, longitude=east, area_code="990000001",
                    community_code="", address=f"{name}（{north}）",
                )
            )  # fmt: skip
        put("telephones", {"hotline": "12345"})
        put("district", {"service_name": {"zh-Hans": "测试区", "en": "Test District"}})
        put("outside", {"advice": {"zh-Hans": "请拨当地的12345", "en": "Please call 12345 there"}})
        put(
            "emergency",
            [
                {"code": "fire", "phone": "119", "name": {"zh-Hans": "火警", "en": "Fire"},
                 "words": ["着火", "被困"], "words_en": ["on fire"]},
                {"code": "gas", "unit": "RQ", "name": {"zh-Hans": "燃气抢险", "en": "Gas"}, "words": ["燃气味"]},
            ],
        )  # fmt: skip
    forget_reference()
    return small


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """The application on a real port, a thread for each request; the callback's address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with serving(app) as address:
        yield f"{address}/wechat"
