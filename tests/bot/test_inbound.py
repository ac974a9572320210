"""Every kind of callback becomes one flat record, and no shape of XML can upset that."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.protocol.inbound import KEY_LENGTH, BadMessage, Inbound, read
from bot.protocol.xml import clean
from tests.support.wechat_platform import xml_of

FROM_TO = "<xml><FromUserName>o</FromUserName><ToUserName>g</ToUserName>"
HEAD = {"ToUserName": "gh_1", "FromUserName": "oAlice", "CreateTime": 1_700_000_000}


def message(kind: str, **extra: object) -> Inbound:
    return read(xml_of({**HEAD, "MsgType": kind, **extra}))


def event(name: str, **extra: object) -> Inbound:
    return message("event", Event=name, **extra)


def test_a_text_is_read_whole() -> None:
    got = message("text", Content="井盖破损😀 ]]> <b>&amp;", MsgId=24_010_000_000_000_001)
    assert (got.kind, got.openid, got.account) == ("text", "oAlice", "gh_1")
    assert got.text == "井盖破损😀 ]]> <b>&amp;"
    assert got.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert got.message_id == "24010000000000001"


def test_a_location_has_the_latitude_in_x() -> None:
    got = message("location", Location_X="23.134521", Location_Y="113.358803", Scale=20, Label="客村", MsgId=1)
    assert got.point == (23.134521, 113.358803)
    assert got.label == "客村"


@pytest.mark.parametrize(
    "x, y", [("", ""), ("91", "0"), ("nan", "1"), ("inf", "1"), ("abc", "1"), ("0", "0"), ("1", "")]
)
def test_an_impossible_location_is_no_location(x: str, y: str) -> None:
    assert message("location", Location_X=x, Location_Y=y, MsgId=1).point is None


def test_photo_voice_and_video_carry_their_media_id() -> None:
    assert message("image", PicUrl="http://p/0", MediaId="M1", MsgId=1).media_id == "M1"
    voice = message("voice", MediaId="M2", Format="amr", Recognition="路灯坏了", MsgId=2)
    assert (voice.media_id, voice.recognition) == ("M2", "路灯坏了")
    assert message("voice", MediaId="M2", Format="amr", MsgId=2).recognition is None
    assert message("shortvideo", MediaId="M3", ThumbMediaId="T", MsgId=3).media_id == "M3"


def test_a_link_a_file_and_a_kind_nobody_knows_are_read() -> None:
    assert message("link", Title="t", Url="https://example.com/", MsgId=1).url == "https://example.com/"
    assert message("file", Title="a.pdf", FileKey="k", MsgId=1).title == "a.pdf"
    assert message("holo_sticker", MsgId=1).kind == "holo_sticker"


def test_scans_tell_their_scene_whether_or_not_they_followed_with_it() -> None:
    followed = event("subscribe", EventKey="qrscene_fac:1", Ticket="T")
    assert (followed.event, followed.event_key, followed.scanned) == ("subscribe", "fac:1", True)
    scanned = event("SCAN", EventKey="fac:1", Ticket="T")
    assert (scanned.event, scanned.event_key, scanned.scanned) == ("scan", "fac:1", True)
    plain = event("subscribe", EventKey="")
    assert (plain.event, plain.event_key, plain.scanned) == ("subscribe", None, False)


def test_menu_scans_and_places_are_read() -> None:
    got = event(
        "scancode_waitmsg",
        EventKey="SCAN",
        ScanCodeInfo={"ScanType": "qrcode", "ScanResult": "HTTPS://H/F/AB"},
    )
    assert (got.event_key, got.scan_result) == ("SCAN", "HTTPS://H/F/AB")
    place = event(
        "location_select",
        EventKey="K",
        SendLocationInfo={
            "Location_X": "23",
            "Location_Y": "113",
            "Scale": "15",
            "Label": "客村",
            "Poiname": "x",
        },
    )
    assert (place.point, place.label) == ((23.0, 113.0), "客村")


def test_events_wechatpy_has_no_class_for_are_read() -> None:
    for name in ("subscribe_msg_popup_event", "subscribe_msg_change_event", "user_authorization_revoke"):
        assert event(name).event == name
    assert event("TEMPLATESENDJOBFINISH", MsgID=200, Status="success").status == "success"


def test_a_repeat_has_the_same_key_and_another_message_another() -> None:
    first = message("text", Content="a", MsgId=7)
    assert first.key == message("text", Content="a", MsgId=7).key
    assert first.key != message("text", Content="a", MsgId=8).key
    keys = {
        event("subscribe", EventKey="").key,
        event("LOCATION", Latitude=23.1, Longitude=113.2, Precision=9).key,
        event("CLICK", EventKey="REPORT").key,
        event("CLICK", EventKey="MINE").key,
        read(
            xml_of(
                {
                    **HEAD,
                    "CreateTime": 1_700_000_001,
                    "MsgType": "event",
                    "Event": "CLICK",
                    "EventKey": "MINE",
                }
            )
        ).key,
    }
    assert len(keys) == 5


def test_nobody_shares_a_key_and_no_key_shows_an_openid() -> None:
    mine = message("text", Content="a", MsgId=7)
    other = read(xml_of({**HEAD, "FromUserName": "oBob", "MsgType": "text", "Content": "a", "MsgId": 7}))
    assert mine.key != other.key
    assert "oAlice" not in mine.key
    assert "oAlice" not in event("CLICK", EventKey="K").key


def test_a_long_event_key_still_fits_the_column_and_stays_distinct() -> None:
    one, two = (event("VIEW", EventKey="https://example.com/" + "p" * 900 + end).key for end in "ab")
    assert one != two
    assert max(len(one), len(two)) <= KEY_LENGTH


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<a/>",
        "<xml/>",
        "<xml></xml>",
        "plain words",
        "<xml><MsgType>text</MsgType></xml>",
        FROM_TO + "</xml>",
        FROM_TO + "<MsgType>text</MsgType><MsgType>text</MsgType></xml>",
        "<xml><FromUserName><b>o</b></FromUserName><ToUserName>g</ToUserName><MsgType>text</MsgType></xml>",
        FROM_TO.replace(">o<", ">o'; drop<") + "<MsgType>text</MsgType></xml>",
        "<!DOCTYPE xml>" + FROM_TO + "<MsgType>text</MsgType></xml>",
        '<!DOCTYPE xml SYSTEM "http://127.0.0.1:1/x"><xml><FromUserName>o</FromUserName></xml>',
        '<!DOCTYPE x [<!ENTITY a "b">]><xml><FromUserName>&a;</FromUserName></xml>',
        "<xml><FromUserName>&a;</FromUserName></xml>",
        "<xml>" + "<a>" * 30_000,
    ],
)
def test_what_is_no_message_is_refused_with_one_exception(xml: str) -> None:
    with pytest.raises(BadMessage):
        read(xml)


def test_strange_fields_become_none() -> None:
    base = "<xml><FromUserName>o</FromUserName><ToUserName>g</ToUserName><MsgType>text</MsgType>"
    assert read(base + "<Content><b>x</b></Content></xml>").text is None
    assert read(base + '<Content a="1">x</Content></xml>').text is None
    assert read(base + "<Content>a</Content><Content>b</Content></xml>").text is None
    assert read(base + "<Content>  </Content></xml>").text is None
    assert read(base + "<CreateTime>99999999999999999999</CreateTime><MsgId>abc</MsgId></xml>").created_at is None


def test_control_characters_do_not_lose_the_message() -> None:
    assert message("text", Content="a\x08b\x00\ufffe井盖", MsgId=1).text == "ab井盖"


@given(st.text(max_size=300))
def test_any_text_a_resident_can_type_arrives(text: str) -> None:
    expected = clean(text).replace("\r\n", "\n").replace("\r", "\n").strip()
    assert message("text", Content=text, MsgId=1).text == (expected or None)


@given(st.text(max_size=300))
def test_any_text_in_place_of_a_message_is_read_or_refused(text: str) -> None:
    for xml in (text, f"<xml>{text}</xml>"):
        try:
            read(xml)
        except BadMessage:
            continue


@given(
    st.dictionaries(
        st.sampled_from(["Content", "MediaId", "Event", "EventKey", "MsgId", "Location_X", "ScanCodeInfo", "Label"]),
        st.one_of(st.text(max_size=20), st.lists(st.text(max_size=5), max_size=3), st.just({"a": "b"})),
    ),
    st.sampled_from(["text", "image", "event", "location", "voice", "x"]),
)
def test_every_field_is_text_a_number_a_tuple_or_none(extra: dict[str, object], kind: str) -> None:
    try:
        got = message(kind, **extra)
    except BadMessage:
        return
    allowed = (str, float, bool, datetime, tuple, type(None))
    assert all(isinstance(getattr(got, field.name), allowed) for field in fields(got))
    assert len(got.key) <= KEY_LENGTH


ODD = ["]]>", "]]", "<![CDATA[", "</Content>", "<Content>", "&amp;", "&#65;", "\r\n", " ", "<b/>", "<!--", "井"]
words = st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=6).map(clean)), max_size=6).map("".join)


@given(st.lists(st.tuples(st.sampled_from(["Content", "Label", "MsgId", "Event", "MediaId"]), words, st.booleans())))
def test_the_short_way_reads_what_the_parser_reads(told: list[tuple[str, str, bool]]) -> None:
    """A comment is what the short way leaves to the parser."""
    told = [(name, f"<![CDATA[{text}]]>" if quoted else text, quoted) for name, text, quoted in told]
    body = "".join(f"<{name}>{text}</{name}>" for name, text, _ in told)
    head = "<ToUserName>gh_1</ToUserName><FromUserName>oAlice</FromUserName><MsgType>text</MsgType>"
    by_parser = _or_bad(f"<xml><!-- -->{head}{body}</xml>")
    assert _or_bad(f"<xml>{head}{body}</xml>") == by_parser


def _or_bad(xml: str) -> Inbound | None:
    try:
        return read(xml)
    except BadMessage:
        return None
