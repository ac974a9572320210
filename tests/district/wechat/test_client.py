"""Calls to WeChat's API, against a server in another process that answers, refuses, stalls and breaks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from district.wechat import client as client_module
from district.wechat import tokens as tokens_module
from district.wechat.client import WeChatClient
from district.wechat.errors import (
    BadRecipient,
    Fatal,
    MediaGone,
    MediaTooLarge,
    NoGrant,
    NotFollower,
    QuotaUsed,
    Retryable,
    WeChatError,
    WindowClosed,
    error_for,
)
from district.wechat.redaction import Redact, protect_library_logs, redact
from district.wechat.tokens import TokenKeeper
from tests.support.wechat_platform import Remote, running_platform

SEND, TEMPLATE, MEDIA = "/cgi-bin/message/custom/send", "/cgi-bin/message/template/send", "/cgi-bin/media/get"
STABLE = "/cgi-bin/stable_token"
SECRET = "s3cret-of-ours"


@dataclass
class Door:
    """The part of the application's Redis connection that the token keeper uses."""

    connection: redis.Redis
    is_resting: bool = False
    failures: int = 0

    def failed(self) -> None:
        self.failures += 1


@pytest.fixture(scope="module")
def server() -> Iterator[Remote]:
    with running_platform("wxtest", SECRET) as remote:
        yield remote


@pytest.fixture
def platform(server: Remote) -> Remote:
    server.control("reset", {})
    return server


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    connection = redis.Redis.from_url(redis_url)
    clear(connection)
    yield connection
    clear(connection)
    connection.close()


def clear(connection: redis.Redis) -> None:
    for key in connection.scan_iter("bihuan:wechat:token:wxtest*"):
        connection.delete(key)


def door_that_is_shut() -> Door:
    """A Redis address where nobody listens."""
    return Door(
        redis.Redis(host="127.0.0.1", port=9, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))
    )


def keeper(platform: Remote, door: Door | None, secret: str = SECRET) -> TokenKeeper:
    return TokenKeeper(app_id="wxtest", secret=secret, base_url=platform.base, door=door)


def make_client(platform: Remote, door: Door | None = None, secret: str = SECRET) -> WeChatClient:
    tokens = keeper(platform, door, secret)
    return WeChatClient(app_id="wxtest", secret=secret, base_url=platform.base, tokens=tokens)


@pytest.fixture
def client(platform: Remote) -> WeChatClient:
    return make_client(platform)


def follow(platform: Remote, openid: str, kind: str = "message") -> None:
    platform.control("interaction", {"openid": openid, "kind": kind})


# Sending


def test_a_text_arrives_in_real_characters(platform: Remote, client: WeChatClient) -> None:
    follow(platform, "oA")
    client.send_text("oA", "已派给 “市政” 😀")
    (sent,) = platform.sent("oA")
    assert sent["body"]["text"]["content"] == "已派给 “市政” 😀"


def test_a_text_too_long_is_cut_rather_than_refused(platform: Remote, client: WeChatClient) -> None:
    follow(platform, "oA")
    client.send_text("oA", "井" * 3000)
    assert len(platform.sent("oA")[0]["body"]["text"]["content"].encode()) <= 2048


def test_a_template_carries_our_id_and_fitting_values(platform: Remote, client: WeChatClient) -> None:
    follow(platform, "oA")
    data = {"thing1": "井" * 30, "phrase2": "已派遣给单位了", "character_string3": "BH20261122-0042K"}
    first = client.send_template("oA", "TPL", "https://example.com/r/1", data, "outbox-7")
    again = client.send_template("oA", "TPL", "https://example.com/r/1", data, "outbox-7")
    assert first == again
    (sent,) = platform.sent("oA")
    assert sent["body"]["client_msg_id"] == "outbox-7"
    assert {name: value["value"] for name, value in sent["body"]["data"].items()} == {
        "thing1": "井" * 19 + "…",
        "phrase2": "已派遣给…",
        "character_string3": "BH20261122-0042K",
    }


def test_a_subscription_notice_needs_a_consent_each(platform: Remote, client: WeChatClient) -> None:
    follow(platform, "oA")
    with pytest.raises(NoGrant):
        client.send_subscription_notice("oA", "TPL", "https://example.com", {"thing1": "x"})
    platform.control("consent", {"openid": "oA", "template_id": "TPL"})
    assert client.send_subscription_notice("oA", "TPL", "https://example.com", {"thing1": "x"})
    with pytest.raises(NoGrant):
        client.send_subscription_notice("oA", "TPL", "https://example.com", {"thing1": "x"})


def test_the_window_closes_after_five_messages_and_after_two_days(
    platform: Remote, client: WeChatClient
) -> None:
    follow(platform, "oA")
    for number in range(5):
        client.send_text("oA", str(number))
    with pytest.raises(WindowClosed) as used_up:
        client.send_text("oA", "6")
    assert used_up.value.code == 45047
    follow(platform, "oA")
    platform.control("clock", {"advance": 49 * 3600})
    with pytest.raises(WindowClosed) as over:
        client.send_text("oA", "7")
    assert over.value.code == 45015


def test_strangers_and_those_who_left_are_told_apart(platform: Remote, client: WeChatClient) -> None:
    with pytest.raises(BadRecipient):
        client.send_text("oNobody", "x")
    follow(platform, "oA")
    follow(platform, "oA", "unsubscribe")
    with pytest.raises(NotFollower):
        client.send_template("oA", "TPL", "", {}, "1")


def test_the_menu_and_a_scene_code_are_made(platform: Remote, client: WeChatClient) -> None:
    client.create_menu([{"name": "上报", "type": "click", "key": "REPORT"}])
    assert platform.control("state")["menu"]["button"][0]["name"] == "上报"
    assert client.create_scene_code("fac:1", lasts_s=3600).startswith("http")
    assert client.create_scene_code("fac:1").startswith("http")
    with pytest.raises(Fatal):
        client.create_scene_code("x" * 65)


# What goes wrong


@pytest.mark.parametrize(
    "code, family",
    [
        (-1, Retryable),
        (45009, QuotaUsed),
        (45011, QuotaUsed),
        (45015, WindowClosed),
        (45047, WindowClosed),
        (43004, NotFollower),
        (43101, NoGrant),
        (40007, MediaGone),
        (40003, BadRecipient),
        (45002, Fatal),
        (47003, Fatal),
        (48001, Fatal),
        (99999, Fatal),
    ],
)
def test_an_error_code_says_what_to_do(
    platform: Remote, client: WeChatClient, code: int, family: type[WeChatError]
) -> None:
    platform.fault(SEND, errcode=code)
    with pytest.raises(family) as refused:
        client.send_text("oA", "x")
    assert refused.value.code == code
    assert type(refused.value) is family
    assert platform.calls(SEND) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"http": 500},
        {"http": 502, "raw": "bad gateway"},
        {"raw": "<html>"},
        {"raw": ""},
        {"raw": "[1]"},
        {"raw": '{"errcode": "abc"}'},
    ],
)
def test_no_proper_answer_is_worth_another_try(
    platform: Remote, client: WeChatClient, fault: dict[str, object]
) -> None:
    platform.fault(SEND, **fault)
    with pytest.raises(Retryable) as refused:
        client.send_text("oA", "x")
    assert refused.value.code is None


def test_a_slow_server_is_given_up(platform: Remote, client: WeChatClient) -> None:
    client.timeout = (1.0, 0.3)
    follow(platform, "oA")
    client.send_text("oA", "warm")
    platform.fault(SEND, delay=5)
    began = time.monotonic()
    with pytest.raises(Retryable):
        client.send_text("oA", "x")
    assert time.monotonic() - began < 4


def test_a_server_that_is_away_is_worth_another_try() -> None:
    away = Remote("http://127.0.0.1:9", "wxtest", SECRET)
    with pytest.raises(Retryable):
        make_client(away).send_text("oA", "x")


def test_every_call_has_time_limits(platform: Remote, client: WeChatClient) -> None:
    assert client.timeout == client_module.TIMEOUT_S
    assert client.auto_retry is False


# The token


@pytest.mark.parametrize("how", ["invalid", "expired"])
@pytest.mark.parametrize("with_redis", [True, False])
def test_a_refused_token_is_replaced_once_and_the_message_goes_out(
    platform: Remote, store: redis.Redis, how: str, with_redis: bool
) -> None:
    client = make_client(platform, Door(store) if with_redis else None)
    follow(platform, "oA")
    client.send_text("oA", "1")
    platform.control("tokens", {"how": how})
    client.send_text("oA", "2")
    assert len(platform.sent("oA")) == 2
    assert platform.calls(STABLE) == 2
    assert platform.calls(SEND) == 3


@pytest.mark.parametrize("code", [40001, 40014, 42001])
@pytest.mark.parametrize("with_redis", [True, False])
def test_a_token_refused_for_ever_is_tried_twice_and_no_more(
    platform: Remote, store: redis.Redis, code: int, with_redis: bool
) -> None:
    client = make_client(platform, Door(store) if with_redis else None)
    platform.fault(SEND, errcode=code, times=1000)
    with pytest.raises(Retryable) as refused:
        client.send_text("oA", "x")
    assert refused.value.code == code
    assert platform.calls(SEND) == 2
    assert platform.calls(STABLE) <= 3


def test_eight_cold_processes_fetch_one_token(platform: Remote, store: redis.Redis) -> None:
    platform.fault(STABLE, delay=0.5)
    keepers = [keeper(platform, Door(store)) for _ in range(8)]
    got: list[str] = []
    threads = [threading.Thread(target=lambda one=one: got.append(one.get())) for one in keepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got)) == 1
    assert platform.calls(STABLE) == 1


def test_eight_processes_whose_token_was_refused_fetch_one_new_token(
    platform: Remote, store: redis.Redis
) -> None:
    keepers = [keeper(platform, Door(store)) for _ in range(8)]
    old = keepers[0].get()
    platform.control("tokens", {"how": "invalid"})
    got: list[str] = []
    threads = [threading.Thread(target=lambda one=one: got.append(one.replace(old))) for one in keepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert got[0] != old
    assert platform.calls(STABLE) == 2


def test_who_finds_the_lock_taken_uses_the_token_before(
    platform: Remote, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "WAIT_S", 0.2)
    one = keeper(platform, Door(store))
    token = one.get()
    store.delete("bihuan:wechat:token:wxtest")
    store.set("bihuan:wechat:token:wxtest:lock", "somebody else", px=60_000)
    assert one.get() == token
    with pytest.raises(Retryable):
        one.replace(token)
    assert store.get("bihuan:wechat:token:wxtest:lock") == b"somebody else"


def test_the_lock_of_somebody_else_is_never_released(platform: Remote, store: redis.Redis) -> None:
    class Slow(TokenKeeper):
        def _fetch(self, *, force: bool = False) -> tuple[str, int]:
            store.set("bihuan:wechat:token:wxtest:lock", "the next one")  # ours ran out meanwhile
            return super()._fetch(force=force)

    Slow(app_id="wxtest", secret=SECRET, base_url=platform.base, door=Door(store)).get()
    assert store.get("bihuan:wechat:token:wxtest:lock") == b"the next one"


def test_a_token_is_given_up_well_before_its_end(platform: Remote, store: redis.Redis) -> None:
    keeper(platform, Door(store)).get()
    left = store.ttl("bihuan:wechat:token:wxtest")
    assert 7200 - tokens_module.MARGIN_S - 30 <= left <= 7200 - tokens_module.MARGIN_S


def test_redis_being_away_costs_nothing_but_a_call(platform: Remote) -> None:
    door = door_that_is_shut()
    client = make_client(platform, door)
    follow(platform, "oA")
    client.send_text("oA", "1")
    client.send_text("oA", "2")
    assert len(platform.sent("oA")) == 2
    assert platform.calls(STABLE) == 1
    assert door.failures >= 1


def test_redis_resting_is_not_even_asked(platform: Remote) -> None:
    door = door_that_is_shut()
    door.is_resting = True
    assert keeper(platform, door).get()
    assert door.failures == 0


@pytest.mark.parametrize("with_redis", [True, False])
def test_a_wrong_secret_is_not_hammered(platform: Remote, store: redis.Redis, with_redis: bool) -> None:
    client = make_client(platform, Door(store) if with_redis else None, secret="wrong")
    for _ in range(5):
        with pytest.raises(Fatal) as refused:
            client.send_text("oA", "x")
        assert refused.value.code == 40125
    assert platform.calls(STABLE) == 1
    assert platform.calls(SEND) == 0


@pytest.mark.parametrize("raw", ["", "[]", "{}", '{"access_token": 5}', '{"access_token": ""}', "<html>"])
def test_a_token_answer_that_is_none_is_worth_another_try(platform: Remote, raw: str) -> None:
    platform.fault(STABLE, raw=raw)
    with pytest.raises(Retryable):
        keeper(platform, None).get()


def test_a_busy_token_server_is_worth_another_try_at_once(platform: Remote, store: redis.Redis) -> None:
    platform.fault(STABLE, errcode=-1)
    one = keeper(platform, Door(store))
    with pytest.raises(Retryable):
        one.get()
    assert one.get()


# Media


@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
def test_a_photo_is_downloaded_byte_for_byte(platform: Remote, client: WeChatClient, size: int) -> None:
    data = b"\xff\xd8" + bytes(index % 251 for index in range(size))
    assert client.download_media(platform.add_media(data)) == data


def test_a_photo_over_the_cap_is_given_up_on_the_way(platform: Remote, client: WeChatClient) -> None:
    media_id = platform.add_media(b"\xff\xd8" + bytes(2_000_000))
    with pytest.raises(MediaTooLarge):
        client.download_media(media_id, max_bytes=1_000_000)


def test_an_unknown_or_old_photo_is_gone(platform: Remote, client: WeChatClient) -> None:
    with pytest.raises(MediaGone):
        client.download_media("nothing")
    media_id = platform.add_media(b"\xff\xd8x")
    platform.control("clock", {"advance": 73 * 3600})
    with pytest.raises(MediaGone):
        client.download_media(media_id)


def test_a_video_and_an_empty_download_are_errors_not_files(platform: Remote, client: WeChatClient) -> None:
    with pytest.raises(Fatal):
        client.download_media(platform.add_media(b"x", kind="video"))
    with pytest.raises(Retryable):
        client.download_media(platform.add_media(b""))


def test_a_download_with_a_dead_token_is_tried_with_a_new_one(platform: Remote, client: WeChatClient) -> None:
    media_id = platform.add_media(b"\xff\xd8x")
    client.download_media(media_id)
    platform.control("tokens", {"how": "invalid"})
    assert client.download_media(media_id) == b"\xff\xd8x"


# What may not be seen


def test_no_error_and_no_log_line_holds_a_token_or_the_secret(
    platform: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    protect_library_logs()
    caplog.set_level(logging.DEBUG)
    # An application built earlier in this process has turned the library down.
    caplog.set_level(logging.DEBUG, logger="urllib3")
    client = make_client(platform)
    token = client.access_token
    follow(platform, "oA")
    client.send_text("oA", "x")
    said = []
    for fault in ({"http": 500}, {"errcode": 45002}, {"delay": 3}):
        client.timeout = (1.0, 0.3)
        platform.fault(SEND, **fault)
        with pytest.raises(WeChatError) as refused:
            client.send_text("oA", "x")
        said.append(f"{refused.value!r} {refused.value.__cause__!r}")
        assert refused.value.__suppress_context__
    everything = " ".join([*said, caplog.text])
    assert "custom/send" in caplog.text
    assert token not in everything
    assert SECRET not in everything


def test_redaction_covers_addresses_and_json() -> None:
    assert redact("GET /x?access_token=AB-c_9&b=1") == "GET /x?access_token=***&b=1"
    assert redact('{"secret": "abc", "n": 1}') == '{"secret": "***", "n": 1}'
    record = logging.LogRecord("x", 10, "f", 1, '"%s %s"', ("POST", "/a?secret=abc"), None)
    assert Redact().filter(record)
    assert record.getMessage() == '"POST /a?secret=***"'


def test_error_for_knows_no_answer() -> None:
    assert type(error_for(None, "x")) is Retryable
