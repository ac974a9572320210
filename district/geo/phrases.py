"""How residents say where: the words of `words.toml` as patterns, for `district.geo.reading`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from district.geo.names import WORDS

_TIE, _WHERE, _ROLE = WORDS["tie"], WORDS["where"], WORDS["role"]


# Repetitions are bounded: where words begin other words ("那", "那个"), an endless repetition could be read in more
# ways than there is time for.


def one_of(*lists: Sequence[str]) -> str:
    """A pattern for any of the words, the longest first."""
    words = sorted({word for some in lists for word in some}, key=lambda word: (-len(word), word))
    return "(?:" + "|".join(re.escape(word) for word in words) + ")"


NUMBER = r"(\d+|[零一二三四五六七八九十百千两]+)"
_FILL = f"(?:{one_of(_WHERE['around'])}|的|那个|这个|个|大|小){{0,4}}"
_NOT_CROSSING = "(?!" + "|".join(word[1:] for word in WORDS["names"]["not_crossing"]) + ")"
_COMPASS = one_of(_WHERE["compass"])
JOINER = re.compile(f"(?:路口|口)?{one_of(_TIE['joiners'], [''])}$")
DIRECT = re.compile("(?:[和与跟、/交-]|)$")
THAT_IS_ALL = re.compile("$|[,，。.!！;；?？]")
BOTH = re.compile(one_of(_TIE["both"]))
# "The traffic light at the crossing, the one of A and B".
THERE = re.compile("那[个儿块里边]")
CROSSING_TOLD = re.compile("路口|十字|红绿灯|信号灯|斑马线|交叉|岔口|拐角")
ROAD_SIDE = re.compile(f"(?:以)?{_COMPASS}(?:侧|边|面)?[,，、和]?$")
ROAD_SIDE_HERE = re.compile(f"(?:以)?{_COMPASS}(?:侧|边|面|$|[,，。的])")
CLOSE = re.compile(f"(?:上|那边|这边)?[,，、(（]?{one_of(_TIE['close'])}(?:那个)?$")
CROSSING = re.compile(f"{_FILL}(?:{one_of(_TIE['crossing'])}){_NOT_CROSSING}(?:处|那|上)?")
ADJACENT_TAIL = re.compile(f"(?:{one_of(_TIE['both'], _TIE['stretch'], _TIE['to'])}|[的上](?!{_COMPASS}))")
_WAY = f"(?:路口|口|街口)?[,，]?(?:{one_of(_WHERE['toward'])}?{_COMPASS}(?:边|面|侧)?(?:走|去)?)?[,，]?"
TO = re.compile(f"(?:{one_of(_TIE['crossing'])})?{_WAY}{one_of(_TIE['to'])}$")
AND = re.compile(f"(?:{one_of(_TIE['crossing'])})?(?:{one_of(_TIE['to'], _TIE['and'])}|{_WAY}{one_of(_TIE['to'])})$")
FROM = re.compile(f"(?:上|这条|那条|路段|的){{0,4}}[,，、(（:：]?{one_of(_TIE['from'])}?$")
FROM_BEFORE = re.compile(f"{one_of(_TIE['from'])}$")
STRETCH = re.compile(f"(?:{one_of(_TIE['crossing'])})?[,，]?{_FILL}{one_of(_TIE['stretch'])}")
LISTED = re.compile(f"(?:{one_of(_TIE['crossing'])})?{one_of(_TIE['to'], _TIE['and'])}$")
BETWEEN = re.compile(f"(?:{one_of(_TIE['crossing'])})?(?:的)?{one_of(_TIE['between'])}")
STRETCH_OF = re.compile(
    f"(?:{one_of(_TIE['crossing'])})?{_FILL}(?:{one_of(_TIE['stretch'])}){{0,2}}(?:的|这|那){{0,4}}[,，]?$"
)

_NO_HOUSE = "(?!线|楼(?!上)|路灯|车|杆|井|柜|箱|灯|桩|变|机|闸|栋|幢|公交)"
HOUSE = re.compile(rf"(?:上|的|[,，])?{NUMBER}(?:[-—之]\d+)?[号號]{_NO_HOUSE}(?:院|门市|门|商铺|大院)?")
HOUSES = re.compile(
    rf"(?:上|的|从|[,，]){{0,4}}{NUMBER}[号號]?(?:院)?(?:到|至|~|—){NUMBER}[号號]{_NO_HOUSE}(?:之间|中间|院)?"
)
BUILDING = re.compile(rf"(?:的|院里|里|小区|院|[,，]){{0,3}}([a-z]|{NUMBER})(?:号|#)?(?:住宅)?(?:楼|栋|幢|座|单元)")
GATE = re.compile(f"{_FILL}({one_of(_WHERE['gate'])})(?:边|面|侧)?(?:大)?门(?![市诊卫面])")
_STOP = one_of(WORDS["names"]["bus_stop"])
# One flat choice: a choice of repeated choices would take for ever over a text that repeats itself.
_BY = one_of(*(_WHERE[key] for key in ("near", "before", "opposite", "around")), ["的", "个"])
BUS = re.compile(f"(?:{_BY}|{_COMPASS}侧){{0,5}}{_STOP}")
_METRES = rf"{NUMBER}(?:来|多|几|十)?{one_of(_WHERE['metres'])}"
_ABOUT = f"(?:{one_of(_WHERE['about'])}|边|面|侧|[,，]){{0,4}}"
DISTANCE = re.compile(
    f"(?:的|路口|那|{one_of(_WHERE['before'])})?[,，]?(?:再|继续|一直|就|出来|出门){{0,4}}"
    f"{one_of(_WHERE['toward'])}?({_COMPASS}){_ABOUT}{_METRES}"
)
SIDE = re.compile(f"{_FILL}(?:{one_of(_WHERE['toward'])})?({_COMPASS})(?:{one_of(_WHERE['side'])}|(?=[,，。!！]|$))")
OPPOSITE = re.compile(f"(?:的|{one_of(_WHERE['before'])}){{0,4}}{one_of(_WHERE['opposite'])}")
RELATED = re.compile(f"(?:的)?{one_of(*(_WHERE[key] for key in ('near', 'behind', 'before', 'inside', 'around')))}")
_BY_A_HOUSE = one_of(*(_WHERE[key] for key in ("near", "behind", "before", "opposite")))
BUILT = re.compile(f"(?:的)?(?:{_BY_A_HOUSE}|院|楼|大厅|{_COMPASS}(?:侧|边|面|门)|[东西南北]?大?门)")
END = re.compile(f"{_FILL}(?:最)?({_COMPASS})(?:边|面)?(?:的)?{one_of(_WHERE['end'])}")
MIDDLE = re.compile(f"(?:的)?{one_of(_WHERE['middle'])}")
# "From the store northwards to the crossing of C".
UP_TO = re.compile(
    f"(?:出来|门口|路口)?[,，]?{one_of(_WHERE['toward'])}({_COMPASS})(?:边|面|走|去|一直|直|行){{0,3}}(?:到|至)$"
)
BIND = re.compile("(?:的|那个|的那个|那家|的那家|有个|有家)?$")
# Between a shortened road and the one it crosses.
AND_BEFORE = re.compile(f"{one_of(_TIE['and'], [''])}$")
ON_ROAD = re.compile(f"(?:上|边|路边|{one_of(_WHERE['near'])})?(?:{one_of(_WHERE['around'])}|的|那个|那家){{0,4}}$")
# The street's office, not the road of that name.
STREET_OFFICE = re.compile("街(?:办|道(?![口边上牙路]))")

AT_HOME = re.compile("家里|楼下|楼道|小区里|我们小区|咱小区|院里|屋里|家门口|单元|暖气|停水|停电|我们楼|邻居")
HOME = re.compile(f"{one_of(_ROLE['home'])}$")
ORIGIN = re.compile("(?:从|由|打|打从|自)$")
SET_OFF = re.compile("出来|出发|下车|出站|坐车|坐|回家|往家|往回|走到|走路|骑|开车|开到|过来")
GOING = re.compile(f"{one_of(_ROLE['to'])}$")
SET_OUT = re.compile(r"(?:去|回|上|赶往|前往|开往|通往|送到|拉到|要去)$")
TRIP = re.compile(f"(?:坐车|开车|走路|骑车|打车|出来|出发){{0,4}}{one_of(_ROLE['to'])}$")
ON_THE_WAY = re.compile(one_of(_ROLE["on_the_way"]))
NOT_HERE = re.compile(f"{one_of(_ROLE['not_here'])}$")
CORRECTED = re.compile(one_of(_ROLE["corrected"]))
PASSED = re.compile(f"{one_of(_ROLE['passed'])}$")
RIDE = re.compile("(?:坐|乘|打车|骑车|开车|公交)[^,，。]{0,6}(?:到|去|至)$")
AT = re.compile("(?:在|上)$")
OCCUPIED = re.compile(one_of(_ROLE["occupied"]))
SAID_HERE = re.compile(f"{one_of(_ROLE['here'])}$")
LIKE = re.compile(f"{one_of(_ROLE['like'])}$")
LIKEWISE = re.compile(one_of(_ROLE["likewise"]))
WITH = re.compile(r"[跟和同与像]$")
_PEOPLE = "的?人(?![行民家口工防])"
_PERSON = f"(?:{one_of(_ROLE['person'])}|{_PEOPLE})"
ACTS = re.compile(f"(?:{one_of(_ROLE['acts'])}|{_PERSON})")
TO_WHOM = re.compile(f"{one_of(_ROLE['to_whom'])}$")
PERSON = re.compile(_PERSON)
PERSON_SAYS = re.compile(f"{_PERSON}[^,，。]{{0,4}}?{one_of(_ROLE['says'])}")
OFFICES = tuple(_ROLE["offices"])
NAMED_AFTER = re.compile(one_of(_ROLE["named_after"]))
PHASE = re.compile(r"[第]?[一二三四五六七八九十\d]期")
