"""The seal of the message push: honest messages open, forged ones are refused with one exception."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.protocol.crypto import MAX_AGE_S, MAX_BODY_BYTES, BadCallback, Seal
from bot.protocol.xml import clean
from tests.support.wechat_platform import seal, seal_bytes, sign, unseal, xml_of

TOKEN, APP_ID = "testtoken", "wxabc123"
KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
OTHER_KEY = base64.b64encode(bytes(reversed(range(32)))).decode().rstrip("=")
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
STAMP, NONCE = str(int(NOW.timestamp())), "12345"
SAFE = Seal(token=TOKEN, app_id=APP_ID, aes_key=KEY)
PLAIN = Seal(token=TOKEN, app_id=APP_ID, mode="plain")
XML = "<xml><Content><![CDATA[井盖破损]]></Content></xml>"


def signed(sealed: str, *, stamp: str = STAMP, token: str = TOKEN) -> dict[str, str]:
    return {
        "signature": sign(token, stamp, NONCE),
        "timestamp": stamp,
        "nonce": NONCE,
        "encrypt_type": "aes",
        "msg_signature": sign(token, stamp, NONCE, sealed),
    }


def body_of(sealed: Any) -> bytes:
    return xml_of({"ToUserName": "gh_1", "Encrypt": sealed}).encode()


def opened(sealed: str, **query: str) -> str:
    return SAFE.open(body_of(sealed), {**signed(sealed), **query}, now=NOW)


@given(st.text(max_size=400))
def test_what_wechat_seals_opens_again(text: str) -> None:
    printable = clean(text)
    assert opened(seal(KEY, APP_ID, printable)) == printable


@given(st.text(max_size=400))
def test_what_we_seal_wechat_can_open(text: str) -> None:
    import xml.etree.ElementTree as ElementTree

    reply = ElementTree.fromstring(SAFE.close(clean(text), now=NOW))
    part = {one.tag: one.text or "" for one in reply}
    assert part["MsgSignature"] == sign(TOKEN, part["TimeStamp"], part["Nonce"], part["Encrypt"])
    assert unseal(KEY, APP_ID, part["Encrypt"]) == clean(text)


@pytest.mark.parametrize("length", range(66))
def test_every_padding_length_opens(length: int) -> None:
    assert opened(seal(KEY, APP_ID, "x" * length)) == "x" * length


def test_two_replies_to_the_same_words_look_different() -> None:
    assert SAFE.close(XML, now=NOW) != SAFE.close(XML, now=NOW)


@given(st.binary(max_size=300))
def test_well_signed_nonsense_is_refused(raw: bytes) -> None:
    sealed = base64.b64encode(raw).decode()
    with pytest.raises(BadCallback):
        opened(sealed)


@given(st.binary(min_size=1, max_size=6).map(lambda raw: (raw * 32)[: 32 * len(raw)]))
def test_well_encrypted_nonsense_is_refused(raw: bytes) -> None:
    with pytest.raises(BadCallback):
        opened(seal_bytes(KEY, raw))


@given(st.text(max_size=200))
def test_any_text_in_place_of_the_ciphertext_is_refused(text: str) -> None:
    with pytest.raises(BadCallback):
        opened(clean(text))


FORGERIES = {
    "another key": seal(OTHER_KEY, APP_ID, XML),
    "another account": seal(KEY, "wxSomeoneElse", XML),
    "our account's name and more": seal(KEY, APP_ID + "x", XML),
    "padding of 33": seal(KEY, APP_ID, XML, pad=33),
    "padding of 0": seal(KEY, APP_ID, XML, pad=0),
    "padding that disagrees with itself": seal(KEY, APP_ID, "x" * 40, pad=31),
    "a length past the end": seal(KEY, APP_ID, XML, length=4_000_000_000),
    "a length one too short": seal(KEY, APP_ID, XML, length=len(XML.encode()) - 1),
    "only padding": seal_bytes(KEY, bytes([32]) * 32),
    "half a block": base64.b64encode(os.urandom(40)).decode(),
    "sixteen bytes": seal_bytes(KEY, os.urandom(16)),
    "nothing": "",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_correctly_signed_forgery_is_refused(name: str) -> None:
    with pytest.raises(BadCallback):
        opened(FORGERIES[name])


@pytest.mark.parametrize(
    "changed",
    [
        {"signature": "0" * 40},
        {"signature": ""},
        {"signature": "é" * 40},
        {"msg_signature": "0" * 40},
        {"msg_signature": ""},
        {"msg_signature": "中" * 40},
        {"nonce": "54321"},
        {"timestamp": str(int(STAMP) + 1)},
        {"timestamp": "yesterday"},
    ],
)
def test_a_changed_query_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(BadCallback):
        opened(seal(KEY, APP_ID, XML), **changed)


@pytest.mark.parametrize("missing", ["signature", "timestamp", "nonce", "msg_signature"])
def test_a_missing_parameter_is_refused(missing: str) -> None:
    sealed = seal(KEY, APP_ID, XML)
    query = signed(sealed)
    del query[missing]
    with pytest.raises(BadCallback):
        SAFE.open(body_of(sealed), query, now=NOW)


def test_every_single_changed_letter_of_the_ciphertext_is_noticed() -> None:
    sealed = seal(KEY, APP_ID, XML)
    query = signed(sealed)
    for at in range(0, len(sealed), 7):
        other = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        with pytest.raises(BadCallback):
            SAFE.open(body_of(other), query, now=NOW)


@pytest.mark.parametrize("age_s", [MAX_AGE_S + 1, 7 * 86400, -MAX_AGE_S - 1])
def test_an_old_or_future_request_is_refused(age_s: int) -> None:
    sealed = seal(KEY, APP_ID, XML)
    query = signed(sealed, stamp=str(int((NOW - timedelta(seconds=age_s)).timestamp())))
    with pytest.raises(BadCallback):
        SAFE.open(body_of(sealed), query, now=NOW)


def test_a_retry_some_seconds_later_is_taken() -> None:
    sealed = seal(KEY, APP_ID, XML)
    assert SAFE.open(body_of(sealed), signed(sealed), now=NOW + timedelta(seconds=15)) == XML


@pytest.mark.parametrize("stamp", ["-5", "1e9", "9" * 40, "١٢٣", STAMP + ".0"])
def test_a_well_signed_timestamp_that_is_no_number_is_refused(stamp: str) -> None:
    sealed = seal(KEY, APP_ID, XML)
    with pytest.raises(BadCallback):
        SAFE.open(body_of(sealed), signed(sealed, stamp=stamp), now=NOW)


def test_safe_mode_does_not_read_a_plain_body() -> None:
    query = {"signature": sign(TOKEN, STAMP, NONCE), "timestamp": STAMP, "nonce": NONCE}
    with pytest.raises(BadCallback):
        SAFE.open(XML.encode(), query, now=NOW)


def test_safe_mode_reads_only_the_encrypted_part_of_a_compatible_body() -> None:
    sealed = seal(KEY, APP_ID, XML)
    body = xml_of({"Content": "a forged plain part", "Encrypt": sealed}).encode()
    assert SAFE.open(body, signed(sealed), now=NOW) == XML


def test_plain_mode_reads_plain_and_replies_plain() -> None:
    query = {"signature": sign(TOKEN, STAMP, NONCE), "timestamp": STAMP, "nonce": NONCE}
    assert PLAIN.open(XML.encode(), query, now=NOW) == XML
    assert PLAIN.close(XML, now=NOW) == XML


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<xml></xml>",
        b"<xml/>",
        b"<a><Encrypt>x</Encrypt></a>",
        b"<xml><Encrypt>x</Encrypt>",
        b"\xff\xfe<xml>",
        b"<!DOCTYPE xml [<!ENTITY e 'x'>]><xml><Encrypt>&e;</Encrypt></xml>",
        b"<xml><Encrypt>x</Encrypt><Encrypt>y</Encrypt></xml>",
        b"<xml><Encrypt><a>x</a></Encrypt></xml>",
        b"<xml>" + b"<a>" * 40_000,
    ],
)
def test_a_body_without_one_encrypted_part_is_refused(body: bytes) -> None:
    with pytest.raises(BadCallback):
        SAFE.open(body, signed("x"), now=NOW)


def test_a_body_over_the_cap_is_refused_before_it_is_read() -> None:
    sealed = seal(KEY, APP_ID, "x" * MAX_BODY_BYTES)
    with pytest.raises(BadCallback, match="large"):
        SAFE.open(body_of(sealed), signed(sealed), now=NOW)


def test_the_key_before_is_still_read_but_not_written() -> None:
    changing = Seal(token=TOKEN, app_id=APP_ID, aes_key=OTHER_KEY, previous_key=KEY)
    sealed = seal(KEY, APP_ID, XML)
    assert changing.open(body_of(sealed), signed(sealed), now=NOW) == XML
    encrypted = changing.close(XML, now=NOW).split("[CDATA[")[1].split("]]>")[0]
    with pytest.raises((AssertionError, ValueError)):
        unseal(KEY, APP_ID, encrypted)


def test_control_characters_are_gone_before_anything_is_parsed() -> None:
    assert opened(seal(KEY, APP_ID, "<xml>a\x08b\ufffe\x00c\x0bd</xml>")) == "<xml>abcd</xml>"


def test_broken_utf8_inside_an_authentic_message_is_replaced() -> None:
    assert opened(seal(KEY, APP_ID, b"<xml>\xff</xml>")) == "<xml>\N{REPLACEMENT CHARACTER}</xml>"


@pytest.mark.parametrize(
    "key",
    ["", "short", "A" * 42, "A" * 44, "!" * 43, "A" * 42 + "=", "中" * 43, " " + "A" * 42, "A" * 42 + "\n"],
)
def test_a_key_that_is_none_is_refused_at_the_start(key: str) -> None:
    with pytest.raises(ValueError):
        Seal(token=TOKEN, app_id=APP_ID, aes_key=key)


def test_the_mode_must_be_known_and_the_token_set() -> None:
    with pytest.raises(ValueError):
        Seal(token=TOKEN, app_id=APP_ID, aes_key=KEY, mode="compatible")
    with pytest.raises(ValueError):
        Seal(token="", app_id=APP_ID, aes_key=KEY)
    with pytest.raises(ValueError):
        Seal(token=TOKEN, app_id="", aes_key=KEY)
