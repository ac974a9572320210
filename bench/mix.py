"""The messages of the measurement: whole conversations of many residents, encrypted as WeChat does."""

from __future__ import annotations

import random
import re
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from wechatpy.crypto import WeChatCrypto

ACCOUNT = "gh_0123456789ab"
WORDS = tomllib.loads((Path(__file__).parent / "mix.toml").read_text(encoding="utf-8"))
# A square inside the demo district, GCJ-02 as WeChat gives it.
SOUTH, NORTH, WEST, EAST = 50.412, 50.436, 124.104, 124.146


@dataclass(frozen=True)
class Secrets:
    """What both sides know."""

    token: str
    app_id: str
    aes_key: str


def conversations(count: int, seed: int) -> list[list[str]]:
    """`count` residents' conversations, each a list of message XML in order: three or four messages, one report.

    Orders vary as people do: words first, place first, picture first; some say hello or ask in between.
    """
    chance = random.Random(seed)
    found = []
    for number in range(count):
        openid = f"o{seed:03d}{number:06d}".ljust(28, "B")
        text = chance.choice(WORDS["texts"]).format(place=chance.choice(WORDS["places"]) + f"{number}号")
        steps = {
            "text": f"<MsgType>text</MsgType><Content><![CDATA[{text}]]></Content>",
            "location": _location(chance),
            "image": "<MsgType>image</MsgType><PicUrl><![CDATA[http://mmbiz.qpic.cn/x/0]]></PicUrl>"
            f"<MediaId><![CDATA[bench-{seed}-{number}]]></MediaId>",
        }
        orders = (["text", "location", "image"], ["image", "text", "location"], ["location", "text", "image"])
        order = [steps[kind] for kind in chance.choice(orders)]
        if chance.random() < 0.3:
            aside = chance.choice(WORDS["asides"])
            order.insert(0, f"<MsgType>text</MsgType><Content><![CDATA[{aside}]]></Content>")
        created = int(time.time())
        found.append(
            [
                f"<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>"
                f"<CreateTime>{created}</CreateTime>{body}"
                f"<MsgId>{2_400_000_000_000_000 + seed * 10_000_000 + number * 10 + place}</MsgId></xml>"
                for place, body in enumerate(order)
            ]
        )
    return found


def _location(chance: random.Random) -> str:
    latitude, longitude = chance.uniform(SOUTH, NORTH), chance.uniform(WEST, EAST)
    return (
        f"<MsgType>location</MsgType><Location_X>{latitude:.6f}</Location_X>"
        f"<Location_Y>{longitude:.6f}</Location_Y><Scale>16</Scale><Label></Label>"
    )


def sealed_requests(messages: list[str], secrets: Secrets, path: str = "/wechat") -> Iterator[bytes]:
    """Whole HTTP requests, encrypted and signed now: they are too old for the callback after a few minutes."""
    crypto = WeChatCrypto(secrets.token, secrets.aes_key, secrets.app_id)
    stamp = str(int(time.time()))
    for message in messages:
        nonce = str(random.randrange(10**9))
        answer = crypto.encrypt_message(message, nonce, stamp)
        encrypted = _inside(answer, "Encrypt")
        query = urlencode(
            {
                "signature": _plain_signature(secrets.token, stamp, nonce),
                "timestamp": stamp,
                "nonce": nonce,
                "openid": _inside(message, "FromUserName"),
                "encrypt_type": "aes",
                "msg_signature": _inside(answer, "MsgSignature"),
            }
        )
        body = (
            f"<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        ).encode()
        head = f"POST {path}?{query} HTTP/1.1\r\nHost: bench\r\nContent-Type: text/xml\r\n"
        yield f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def opened(answer: bytes, secrets: Secrets) -> str:
    """The plain reply inside an encrypted answer; raises when it is not a true one."""
    text = answer.decode()
    crypto = WeChatCrypto(secrets.token, secrets.aes_key, secrets.app_id)
    stamp, nonce = _inside(text, "TimeStamp"), _inside(text, "Nonce")
    return str(crypto.decrypt_message(text, _inside(text, "MsgSignature"), stamp, nonce))


def _inside(xml: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</{tag}>", xml, re.DOTALL)
    if found is None:
        raise ValueError(f"no {tag} in the answer")
    return found[1]


def _plain_signature(token: str, stamp: str, nonce: str) -> str:
    import hashlib

    return hashlib.sha1("".join(sorted([token, stamp, nonce])).encode()).hexdigest()
