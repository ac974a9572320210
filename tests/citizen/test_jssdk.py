"""The signature for WeChat's JS-SDK: right to the letter, for our own addresses only, one ticket for everybody."""

from __future__ import annotations

import hashlib
import threading

import pytest
from flask import Flask
from flask.testing import FlaskClient

from citizen.openapi import description
from district import wechat as api
from district.wechat.tickets import sign_page
from tests.citizen.schema import complaints
from tests.conftest import settings_for
from tests.support.wechat_platform import Remote

TICKET = "/cgi-bin/ticket/getticket"


@pytest.fixture
def env(env: dict[str, str], wechat: Remote, redis_url: str) -> dict[str, str]:
    import redis

    redis.Redis.from_url(redis_url).flushdb()
    return env | {
        "REDIS_URL": redis_url,
        **settings_for(wechat),
        "PUBLIC_BASE_URL": "https://district.test",
    }


def test_wechats_own_example_comes_out() -> None:
    ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
    signed = sign_page(ticket, "http://mp.weixin.qq.com?params=value", nonce="Wm3WZYTPz0wzccnW", timestamp=1414587457)
    assert signed == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"


def test_a_page_is_signed_without_its_fragment(client: FlaskClient) -> None:
    answer = client.get("/api/v1/jssdk", query_string={"url": "https://district.test/report?a=1&b=x%20y#map"})
    assert answer.status_code == 200
    found = answer.get_json()
    raw = (
        f"jsapi_ticket=jsapi-ticket&noncestr={found['nonceStr']}&timestamp={found['timestamp']}"
        "&url=https://district.test/report?a=1&b=x%20y"
    )
    assert found["signature"] == hashlib.sha1(raw.encode()).hexdigest()
    document = description("https://district.test")
    schema = document["paths"]["/api/v1/jssdk"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert complaints(found, schema, document) == []


@pytest.mark.parametrize(
    "address",
    ["", "https://evil.test/", "https://district.test.evil.test/", "https://district.test@evil.test/",
     "https://evil.test\\@district.test/", "http://district.test/", "https://district.test:8443/", "//district.test/",
     "https://district.test/\nx", "https://district.test:x/", "district.test", "https://district.test/" + "x" * 2000],
)  # fmt: skip
def test_strangers_get_no_signature(client: FlaskClient, wechat: Remote, address: str) -> None:
    answer = client.get("/api/v1/jssdk", query_string={"url": address})
    assert answer.status_code == 422
    assert "url" in answer.get_json()["error"]["fields"]
    assert wechat.calls(TICKET) == 0


def test_one_ticket_serves_all_at_once(app: Flask, wechat: Remote) -> None:
    got: list[str] = []

    def ask() -> None:
        with app.app_context():
            got.append(api.ticket_for(app))

    wechat.fault(TICKET, delay=0.3)
    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["jsapi-ticket"] * 6
    assert wechat.calls(TICKET) == 1


@pytest.mark.parametrize("fault", [{"errcode": -1}, {"errcode": 48001}, {"http": 500}, {"raw": "{}"}])
def test_a_wechat_that_gives_no_ticket_is_said_and_asked_again(
    client: FlaskClient, wechat: Remote, fault: dict[str, object]
) -> None:
    wechat.fault(TICKET, **fault)
    answer = client.get("/api/v1/jssdk?url=https://district.test/")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "wechat_away")
    assert client.get("/api/v1/jssdk?url=https://district.test/").status_code == 200


def test_without_redis_each_process_asks_for_its_own(app: Flask, wechat: Remote) -> None:
    door = app.extensions["redis_door"]
    door.REST_AFTER_FAILURE_S = 60
    door.failed()
    assert api.ticket_for(app) == "jsapi-ticket"
