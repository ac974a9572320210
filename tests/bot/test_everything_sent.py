"""docs/wechat.md says what happens to everything WeChat sends; here each line goes through the signed callback."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.models import InboundMessage
from district.extensions import db
from district.notifications.models import SubscriptionGrant
from district.people.models import Resident
from tests.bot.conftest import TestPhone
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict

PAGE = Path(__file__).resolve().parents[2] / "docs" / "wechat.md"
ROW = re.compile(r"^\| `([a-z_]+)`( event)? \| (answered|noted|acknowledged) \| .+ \|$", re.MULTILINE)


@dataclass(frozen=True)
class Sent:
    """One message as WeChat sends it, and words that its answer must hold."""

    fields: dict[str, Any]
    event: str | None = None
    key: str | None = None
    says: str = ""
    effect: dict[str, Any] = field(default_factory=dict)


LINES = {"List": {"TemplateId": "S1", "SubscribeStatusString": "accept", "PopupScene": 1}}
PICKED = {"SendPicsInfo": {"Count": 1, "PicList": {"item": {"PicMd5Sum": "1b5f7c23b5bf75682a53e7b6d163e185"}}}}
SCANNED = {"ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "EAN_13,6901234567892"}}
PLACE = {"Location_X": MIDDLE[0], "Location_Y": MIDDLE[1], "Scale": 16, "Label": "人民路"}
SAMPLES: dict[str, Sent] = {
    "text": Sent({"Content": "民悦园门口的路灯坏了"}, says="BH"),
    "image": Sent({"PicUrl": "http://mmbiz.qpic.cn/0", "MediaId": "M1"}, says="位置"),
    "voice": Sent({"MediaId": "M2", "Format": "amr", "Recognition": "民悦园门口的路灯坏了。"}, says="BH"),
    "video": Sent({"MediaId": "M3", "ThumbMediaId": "T"}, says="视频"),
    "shortvideo": Sent({"MediaId": "M3", "ThumbMediaId": "T"}, says="视频"),
    "location": Sent(PLACE, says="问题"),
    "link": Sent({"Title": "t", "Description": "d", "Url": "https://example.com/"}, says="链接"),
    "file": Sent({"Title": "a.pdf", "Description": "", "FileKey": "k", "FileMd5": "m", "FileTotalLen": 9}, says="文件"),
    "miniprogrampage": Sent({"Title": "t", "AppId": "a", "PagePath": "p", "ThumbUrl": "u"}, says="照片"),
    "subscribe": Sent({}, "subscribe", "", says="您好"),
    "unsubscribe": Sent({}, "unsubscribe", "", effect={"openid": None}),
    "scan": Sent({"Ticket": "T"}, "SCAN", "fac:nothing1", says="码"),
    "click": Sent({}, "CLICK", "HELP", says="撤回"),
    "scancode_waitmsg": Sent(SCANNED, "scancode_waitmsg", "SCAN", says="码"),
    "scancode_push": Sent(SCANNED, "scancode_push", "SCAN"),
    "view": Sent({"MenuId": 1}, "VIEW", "https://district.test/nearby"),
    "view_miniprogram": Sent({"MenuId": 1}, "view_miniprogram", "pages/index"),
    "pic_sysphoto": Sent(PICKED, "pic_sysphoto", "K"),
    "pic_photo_or_album": Sent(PICKED, "pic_photo_or_album", "K"),
    "pic_weixin": Sent(PICKED, "pic_weixin", "K"),
    "location_select": Sent({"SendLocationInfo": {**PLACE, "Poiname": ""}}, "location_select", "K"),
    "location event": Sent({"Latitude": 50.426, "Longitude": 124.126, "Precision": 119.38}, "LOCATION"),
    "templatesendjobfinish": Sent({"MsgID": 200163836, "Status": "failed:user block"}, "TEMPLATESENDJOBFINISH"),
    "subscribe_msg_popup_event": Sent(
        {"SubscribeMsgPopupEvent": LINES}, "subscribe_msg_popup_event", effect={"consents": 1}
    ),
    "subscribe_msg_change_event": Sent(
        {"SubscribeMsgChangeEvent": {"List": [{"TemplateId": "S1", "SubscribeStatusString": "reject"}]}},
        "subscribe_msg_change_event",
        effect={"consents": 0},
    ),
    "subscribe_msg_sent_event": Sent(
        {"SubscribeMsgSentEvent": {"List": {"TemplateId": "S1", "MsgID": 7, "ErrorCode": 43101, "ErrorStatus": "x"}}},
        "subscribe_msg_sent_event",
    ),
    "user_authorization_revoke": Sent({"RevokeInfo": "1"}, "user_authorization_revoke", effect={"web_epoch": 1}),
    "user_authorization_cancellation": Sent({}, "user_authorization_cancellation", effect={"openid": None}),
    "user_info_modified": Sent({}, "user_info_modified"),
    "wxa_media_check": Sent({"isrisky": 0, "trace_id": "t"}, "wxa_media_check"),
}


def outcomes() -> dict[str, str]:
    """The page's table: what is sent, and what becomes of it."""
    return {name + more: outcome for name, more, outcome in ROW.findall(PAGE.read_text(encoding="utf-8"))}


def test_the_page_has_a_line_for_everything() -> None:
    assert set(outcomes()) == set(SAMPLES)


@both_databases
@pytest.mark.parametrize("name", SAMPLES)
def test_what_the_page_says_is_what_happens(phone: TestPhone, district: SmallDistrict, name: str) -> None:
    sample, outcome = SAMPLES[name], outcomes()[name]
    phone.says("在吗")
    before = db.session.scalar(select(func.count()).select_from(InboundMessage))
    if sample.event is None:
        message = phone.message(name, **sample.fields)
    else:
        message = phone.event(sample.event, sample.key, **sample.fields)
    first, again = phone.deliver(message), phone.deliver(message)
    assert (first.status, first.problems, again.problems) == (200, [], [])
    assert first.xml == again.xml
    kept = (db.session.scalar(select(func.count()).select_from(InboundMessage)) or 0) - (before or 0)
    if outcome == "answered":
        assert sample.says
        assert sample.says in first.text
        assert kept == 1
    else:
        assert (first.body, first.text) == ("success", "")
    if outcome == "acknowledged":
        assert kept == 0
    resident = db.session.scalars(select(Resident).order_by(Resident.id.desc()).limit(1)).one()
    consents = db.session.scalar(select(func.coalesce(func.sum(SubscriptionGrant.left_over), 0)))
    facts = {"openid": resident.openid, "web_epoch": resident.web_epoch, "consents": consents}
    assert facts == {"openid": phone.openid, "web_epoch": 0, "consents": 0} | {
        **sample.effect, **({"web_epoch": 1} if "openid" in sample.effect else {}),
    }  # fmt: skip
