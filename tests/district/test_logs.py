"""Logs: one JSON object a line, and nothing in them that belongs to a person."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from district import logs

OPENID = "oZ9x-Kq_7abcdefghijklmnop123"[:28]
PHONE = "13812345678"
TOKEN = "57_aBcDeFgHiJkLmNoPqRsTuVwXyZ"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """What a handler set up as the application's writes."""
    stream = io.StringIO()
    root = logging.getLogger()
    set_up = root.handlers[:]
    root.handlers = []
    logs.set_up_logging()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers = set_up


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        f"resident {OPENID} wrote",
        f"居民{OPENID}说",
        f"/wechat?signature=abc&openid={OPENID}&nonce=1",
        f"call {PHONE}",
        f"电话{PHONE}联系我",
        f"+86{PHONE}",
        "86 138-1234-5678",
        f"GET /cgi-bin/token?access_token={TOKEN}",
        f'{{"access_token":"{TOKEN}","expires_in":7200}}',
        f"{{'access_token': '{TOKEN}'}}",
        f'"{{\\"access_token\\": \\"{TOKEN}\\"}}"',
        f"/r/BH20261122-0042K?key={TOKEN}",
        f"redirect?url=x%3Fkey%3D{TOKEN}",
        f"secret={TOKEN} appsecret={TOKEN}",
        f"POST /admin/login password={TOKEN}",
        f"https://open.weixin.qq.com/?code={TOKEN}&state=1",
    ],
)
def test_nothing_that_belongs_to_a_person_is_written(output: io.StringIO, text: str) -> None:
    log = logging.getLogger("district.anything")
    log.warning(text)
    log.warning("said %s", text)
    log.warning("said", extra={"words": text, "deep": {"list": [text, (text,)]}, "error": OSError(text)})
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed")
    log.warning("with stack", stack_info=True, extra={"words": text})
    written = output.getvalue()
    for secret in (OPENID, PHONE, TOKEN, "138-1234-5678"):
        assert secret not in written
    assert len(lines(output)) == 5


@pytest.mark.parametrize(
    "text",
    [
        "report 123456 routed to SZ-LD in 12 ms",
        "BH20261122-0042K",
        "facility 23276101037000012 at 124.1262, 50.4260",
        "took 15912345 bytes at 1763769600",
        "code 45015: response out of time limit",
        "the keyboard of the monkey: a turkey",
    ],
)
def test_what_operators_need_is_left_as_it_is(output: io.StringIO, text: str) -> None:
    logging.getLogger("district.anything").warning(text, extra={"report": 12, "took_ms": 1.5})
    (line,) = lines(output)
    assert (line["message"], line["report"], line["took_ms"]) == (text, 12, 1.5)
    assert {"at", "levelname", "name"} <= set(line)


def test_setting_up_twice_writes_once(output: io.StringIO) -> None:
    logs.set_up_logging()
    logging.getLogger("district.anything").error("one")
    assert len(lines(output)) == 1
