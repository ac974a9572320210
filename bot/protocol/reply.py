"""The passive reply: the answer that travels back in the response to WeChat's own request."""

from __future__ import annotations

from datetime import datetime

from bot.protocol.inbound import Inbound
from bot.protocol.xml import clean
from district.wechat.text import cut

ACKNOWLEDGED = "success"


def text_reply(message: Inbound, content: str, *, now: datetime) -> str:
    """The plain XML that answers `message` with `content`, cut to what WeChat accepts."""
    return (
        f"<xml>\n<ToUserName>{_quoted(message.openid)}</ToUserName>\n"
        f"<FromUserName>{_quoted(message.account)}</FromUserName>\n<CreateTime>{int(now.timestamp())}</CreateTime>\n"
        f"<MsgType><![CDATA[text]]></MsgType>\n<Content>{_quoted(cut(clean(content)))}</Content>\n</xml>"
    )


def _quoted(text: str) -> str:
    """A CDATA section that its content cannot end, whatever a resident wrote into it."""
    return f"<![CDATA[{clean(text).replace(']]>', ']]]]><![CDATA[>')}]]>"
