"""A resident's words without what points to a person: what is left may be learnt from. Pure."""

from __future__ import annotations

import re

# In the order in which they are looked for: what holds another comes first. No \b: Chinese has no word boundaries.
_PERSONAL = re.compile(
    r"""
      https?://\S+ | www\.\S+
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+                                                  # mail
    | (?<![A-Za-z0-9])BH\d{8}-?\w*                                                  # numbers of reports
    | (?:微信号?|QQ|wechat|wx)\s*(?:号|是|id|:|：)*\s*[A-Za-z0-9_-]{5,}              # names in other services
    | (?<![A-Za-z0-9_-])o[A-Za-z0-9_-]{27}(?![A-Za-z0-9_-])                         # openids
    | [京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z]\s?[·.]?\s?[A-Z0-9]{5,6}   # vehicles
    | \d{17}[\dXx]                                                                  # identity cards
    | (?:\+?86[- ]?)?\d(?:[- ]?\d){6,}                                              # telephones and other long numbers
    | [零〇一二三四五六七八九幺两]{7,}                                               # the same spoken
    | (?:我叫|我姓|我是|本人|联系人|姓名|my\ name\ is)\s*[:：]?\s*
      (?:[\u4e00-\u9fff]{1,4}(?=[，,。；;、\s：:]|$)|[A-Z][a-z]+(?:\ [A-Z][a-z]+)?)      # names that are told
    | [\u4e00-\u9fff]{1,3}(?:先生|女士|小姐)                                         # and titles with them
    """,
    re.VERBOSE | re.IGNORECASE,
)


def without_personal(text: str) -> str:
    """`text` with a pause wherever a telephone number, a name that is told, an address of the net or the like stood."""
    return _PERSONAL.sub("，", text).strip("， \n\t")
