"""The passive reply: the answer that travels back in the response to WeChat's own request."""

from __future__ import annotations

from datetime import datetime

from wechatpy.fields import StringField
from wechatpy.replies import TextReply

from bot.protocol.inbound import Inbound
from bot.protocol.xml import clean
from district.wechat.text import cut

ACKNOWLEDGED = "success"


class CdataField(StringField):  # type: ignore[misc]
    """wechatpy's text field, except that its content cannot end the CDATA section it stands in."""

    def to_xml(self, value: str) -> str:
        safe = clean(value or "").replace("]]>", "]]]]><![CDATA[>")
        return f"<{self.name}><![CDATA[{safe}]]></{self.name}>"


class SafeTextReply(TextReply):  # type: ignore[misc]
    """A text reply whose every field is safe, whatever a resident wrote into it."""

    source = CdataField("FromUserName")
    target = CdataField("ToUserName")
    content = CdataField("Content")


def text_reply(message: Inbound, content: str, *, now: datetime) -> str:
    """The plain XML that answers `message` with `content`, cut to what WeChat accepts."""
    xml: str = SafeTextReply(
        source=message.account, target=message.openid, time=int(now.timestamp()), content=cut(clean(content))
    ).render()
    return xml
