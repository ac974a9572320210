"""What a message means, by words."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from district.categories.models import LimitUnit, Urgency
from district.geo.gazetteer import Gazetteer, NamedPoint
from district.reference import CategoryRef, FacilityTypeRef, Reference, StandardRef
from district.understanding import SURE_ENOUGH, language_of, understand
from district.understanding.lexicon import Lexicon
from district.understanding.material import mended


def category(code: str, name: str, *keywords: str, **given: Any) -> CategoryRef:
    values: dict[str, Any] = {
        "id": int(code), "code": code, "scheme": "test", "kind": "component", "major": "", "name": name,
        "name_en": "", "keywords": keywords, "limit_value": 1, "limit_unit": LimitUnit.HOURS,
        "urgency": Urgency.NORMAL, "facility_type_code": "", "topic": "", "close_without_verification": False,
        "is_retired": False, "standards": (),
    } | given  # fmt: skip
    return CategoryRef(**values)


LAMP = category("01037", "路灯异常", "路灯不亮", "灯不亮", "路灯坏了", name_en="street light")
RUBBISH = category("06010", "暴露垃圾", "垃圾没人收", "一堆垃圾", "垃圾袋")
NOISE = category("06028", "噪声扰民", "广场舞", "太吵", "施工噪音")
GAS = category("21003", "燃气泄漏", "煤气味", "漏气", urgency=Urgency.CRITICAL)
HOLE = category("06013", "道路破损", "大坑", "路面坏了", urgency=Urgency.URGENT)
BENCH = category(
    "04007", "休息座椅异常", standards=(StandardRef("1", "座椅木条断裂、缺失", 3, LimitUnit.HOURS, ""),)
)  # fmt: skip
TYPES = [FacilityTypeRef(1, "03005", "", "果皮箱", "litter bin", ("箱门脱落",), "06010", False, False)]
ALL = (LAMP, RUBBISH, NOISE, GAS, HOLE, BENCH)
EMERGENCIES = [
    {"code": "fire", "phone": "119", "words": ["着火"], "words_en": ["on fire"], "categories": []},
    {"code": "gas", "unit": "RQ", "words": ["燃气味"], "words_en": ["Gas Leak"], "categories": ["21003"]},
]
MAP = Gazetteer([NamedPoint("兴安街", "road", 50.4, 124.1), NamedPoint("民悦园", "compound", 50.42, 124.12)])


@pytest.fixture
def district() -> Reference:
    return Reference(
        versions={}, units_by_id={}, units_by_code={}, categories_by_id={c.id: c for c in ALL},
        categories_by_code={c.code: c for c in ALL}, facility_types_by_id={1: TYPES[0]},
        facility_types_by_code={"03005": TYPES[0]}, compounds_by_id={}, areas_by_code={}, rules=(),
        settings=MappingProxyType({"emergency": EMERGENCIES}), calendar=(), _made={"map.gazetteer []": MAP},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("我家门口路灯不亮了", "01037"),
        ("楼下一堆垃圾都臭了", "06010"),
        ("广场舞太吵", "06028"),
        ("马路上有个大坑", "06013"),
        ("street light is broken", "01037"),
        ("公园座椅木条断裂", "04007"),
        ("果皮箱箱门脱落", "06010"),
    ],
)
def test_the_category_is_found_by_what_the_district_wrote_about_it(district: Reference, text: str, code: str) -> None:
    assert understand(text, district).candidates[0][0] == code


def test_a_whole_keyword_is_sure_enough_and_a_few_shared_letters_are_not(district: Reference) -> None:
    assert understand("路灯不亮", district).category == "01037"
    shared = understand("断裂的声音", district)
    assert shared.candidates
    assert shared.category is None


@pytest.mark.parametrize("text", ["", "   ", "看图", "……", "😀😀"])
def test_words_that_say_nothing_are_a_report_of_nothing_known(district: Reference, text: str) -> None:
    understood = understand(text, district)
    assert (understood.intent, understood.candidates, understood.category) == ("report", (), None)
    assert (understood.urgency, understood.danger, understood.confidence) == (Urgency.NORMAL, None, 0.0)


def test_at_most_three_candidates_come_likeliest_first(district: Reference) -> None:
    candidates = understand("路灯不亮，一堆垃圾，广场舞，大坑，煤气味", district).candidates
    assert len(candidates) == 3
    sure = [confidence for _, confidence in candidates]
    assert sure == sorted(sure, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in sure)
    # Five problems at once: none of them may be filed without asking.
    assert sure[0] < SURE_ENOUGH


@pytest.mark.parametrize(
    ("text", "danger", "intent"),
    [
        ("三楼着火了", "fire", "emergency"),
        ("The kitchen is ON FIRE", "fire", "emergency"),
        ("楼道里有燃气味", "gas", "report"),
        ("strong gas leak here", "gas", "report"),
        ("楼道里煤气味很大，漏气了", "gas", "report"),
    ],
)
def test_danger_is_critical_by_words_or_by_category(district: Reference, text: str, danger: str, intent: str) -> None:
    understood = understand(text, district)
    assert (understood.danger, understood.urgency, understood.intent) == (danger, Urgency.CRITICAL, intent)


def test_a_likely_categorys_urgency_is_believed(district: Reference) -> None:
    assert understand("路面坏了有个大坑", district).urgency is Urgency.URGENT
    assert understand("路灯不亮", district).urgency is Urgency.NORMAL


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("路灯不亮", "report"),
        ("我上次报的路灯修好了吗", "followup"),
        ("不用来了，我要撤回", "withdraw"),
        ("建议多装几个路灯", "suggest"),
        ("请问公厕几点上班", "consult"),
        ("投诉你们互相踢皮球", "complaint"),
        ("谢谢", "thanks"),
        ("谢谢，麻烦看看我家门口路灯不亮好几天了", "report"),
        ("修得真快，点赞", "praise"),
        ("你好", "chitchat"),
        ("加微信日赚三百", "spam"),
        ("路修成这样真是王八蛋", "abuse"),
    ],
)
def test_intents_are_told_apart_by_plain_words(district: Reference, text: str, intent: str) -> None:
    assert understand(text, district).intent == intent


@pytest.mark.parametrize(
    ("text", "language"),
    [("路灯不亮", "zh-Hans"), ("light out at K2", "en"), ("KTV太吵", "zh-Hans"), ("", "zh-Hans"), ("123", "zh-Hans")],
)
def test_the_answer_is_in_the_writers_language(text: str, language: str) -> None:
    assert language_of(text) == language


def test_the_words_are_read_once_for_each_state_of_the_district(district: Reference) -> None:
    understand("路灯不亮", district)
    renamed = replace(district, categories_by_code={"06010": RUBBISH}, _made={"map.gazetteer []": MAP})
    assert understand("路灯不亮", renamed).category is None
    assert understand("路灯不亮", district).category == "01037"


def test_a_district_without_categories_understands_nothing_and_does_not_fail() -> None:
    assert Lexicon([], []).rank("路灯不亮") == ()


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("举报违建", "违建"),
        ("我要举报，楼下占道", "楼下占道"),
        ("举报！！楼下占道", "楼下占道"),
        ("我想实名举报有人私搭乱建", "有人私搭乱建"),
        ("反映一下路登不亮", "路灯不亮"),
        ("上报一个井盖坏了", "井盖坏了"),
        ("我要投诉物业不扫楼道", "物业不扫楼道"),
        ("I want to report a broken lamp", "a broken lamp"),
    ],
)
def test_saying_that_something_is_reported_is_taken_off(text: str, rest: str) -> None:
    assert mended(text) == rest


@pytest.mark.parametrize(
    "text",
    ["举报电话多少", "投诉了三次没人管", "举报有奖吗", "反映的问题怎么样了", "报修的那个灯呢", "我要举报", "我要投诉！",
     "投诉你们推诿", "怎么举报", "举报人信息会泄露吗", "反映好几个月了", "报纸箱坏了", "I reported it"],
)  # fmt: skip
def test_what_is_about_the_reporting_stays_whole(text: str) -> None:
    assert mended(text) == text
