"""Weights learn from a handful of utterances, travel as bytes, and are asked for answers."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest

from district.geo.gazetteer import plain
from district.understanding.features import features, units
from district.understanding.material import Danger, Material, Signs, Utterance, Written, any_of, mended, surely
from district.understanding.training import Lesson, calibration_of, fit, held_back, learn, signs_of
from district.understanding.weights import (
    CATEGORY,
    INTENT,
    NO_CATEGORY,
    URGENCY,
    Head,
    UnreadableWeights,
    Weights,
)
from district.understanding.weights import odds as softmax

LAMP = Written("01", "路灯异常", "street_light", ("路灯不亮", "灯不亮"), ("路灯不亮",), ())
COVER = Written("02", "井盖异常", "manhole_cover", ("井盖",), ("井盖丢失",), ())
LINES = [
    ("楼下路灯不亮了", "01", "report", "normal"),
    ("路灯坏了三盏", "01", "report", "normal"),
    ("灯一闪一闪的", "01", "report", "normal"),
    ("路灯黑了好几天", "01", "report", "normal"),
    ("井盖响得睡不着", "02", "report", "normal"),
    ("井盖裂了一道缝", "02", "report", "normal"),
    ("井盖没了，是个窟窿", "02", "report", "critical"),
    ("井上没有盖，孩子差点掉下去", "02", "report", "critical"),
    ("井盖让人偷走了", "02", "report", "critical"),
    ("谢谢你们", "", "thanks", "normal"),
    ("多谢了", "", "thanks", "normal"),
    ("太感谢了", "", "thanks", "normal"),
    ("the lamp is dark", "01", "report", "normal"),
    ("a manhole cover is missing", "02", "report", "critical"),
]
UTTERANCES = tuple(Utterance(*line, writer="one" if at % 2 else "other") for at, line in enumerate(LINES))
DANGERS = (Danger("cover", ("井盖没了",), ("井*没*盖", "cover * missing")),)
MATERIAL = Material((LAMP, COVER), DANGERS, UTTERANCES)


def test_a_feature_of_many_classes_adds_up_like_any_other() -> None:
    classes = tuple(f"c{number}" for number in range(40))
    heads = {CATEGORY: Head(classes), INTENT: Head(("report",)), URGENCY: Head(("normal",))}
    wide, also_wide = [(at, 3 * at - 50) for at in range(40)], [(at, -32768 + at) for at in range(30)]
    rows = {"宽": wide, "窄": [(7, 90), (39, -20)], "也宽": also_wide}
    weights = Weights(heads, rows.items(), made_of="", figures={})
    for said in (["宽"], ["窄", "宽"], ["也宽", "宽", "没见过", "宽"], ["窄"], []):
        scores = [0] * 40
        for one in said:
            row = dict(rows.get(one, ()))
            scores = [score + row.get(at, 0) for at, score in enumerate(scores)]
        wanted = softmax([score * 0.02 / sqrt(len(said) or 1) for score in scores], 1.0)
        for _ in range(2):
            assert weights.answers(said)[CATEGORY] == pytest.approx(wanted)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return fit(MATERIAL, UTTERANCES)


def best(weights: Weights, text: str, head: str) -> str:
    text = mended(text)
    odds = weights.answers(features(text, signs_of(MATERIAL).of(plain(text))))[head]
    return weights.heads[head].classes[odds.index(max(odds))]


@pytest.mark.parametrize(
    ("text", "category", "intent"),
    [
        ("门口的路灯又不亮", "01", "report"),
        ("井盖破了", "02", "report"),
        ("井该破了", "02", "report"),
        ("真是太谢谢了", NO_CATEGORY, "thanks"),
        ("this lamp is broken", "01", "report"),
    ],
)
def test_what_was_learnt_holds_for_other_words(weights: Weights, text: str, category: str, intent: str) -> None:
    assert (best(weights, text, CATEGORY), best(weights, text, INTENT)) == (category, intent)


def test_the_same_object_is_critical_only_when_it_is_a_trap(weights: Weights) -> None:
    assert best(weights, "路口的井盖没了", URGENCY) == "critical"
    assert best(weights, "路口的井盖响", URGENCY) == "normal"


def test_probabilities_add_up_to_one(weights: Weights) -> None:
    for odds in weights.answers(features("完全没见过的话")).values():
        assert sum(odds) == pytest.approx(1.0)


def test_the_same_material_gives_the_same_bytes_and_they_come_back_whole(weights: Weights) -> None:
    packed = weights.pack()
    assert fit(MATERIAL, UTTERANCES).pack() == packed
    again = Weights.unpack(packed)
    assert again.pack() == packed
    told = features("井盖没了")
    assert again.answers(told) == weights.answers(told)
    assert again.made_of == MATERIAL.digest()


@pytest.mark.parametrize("packed", [b"", b"nothing of the kind", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(UnreadableWeights):
        Weights.unpack(packed)


@pytest.mark.parametrize(
    "other",
    [
        replace(MATERIAL, utterances=UTTERANCES[1:]),
        replace(MATERIAL, categories=(LAMP, replace(COVER, keywords=("盖子",)))),
        replace(MATERIAL, dangers=()),
    ],
)
def test_weights_know_that_their_material_has_changed(other: Material) -> None:
    assert other.digest() != MATERIAL.digest()


def test_how_sure_is_measured_on_utterances_held_back() -> None:
    asked = held_back(MATERIAL, by_writer=True)
    assert sorted(answer.utterance.text for answer in asked) == sorted(one.text for one in UTTERANCES)
    made = learn(MATERIAL)
    assert set(made.figures) == {"category_top1", "category_top3", "intent", "calibration_error"}
    assert all(head.temperature > 0 for head in made.heads.values())


def test_nothing_to_learn_from_is_no_failure() -> None:
    empty = fit(Material((), ()), ())
    assert empty.answers(features("路灯"))[CATEGORY] == [1.0]


def test_words_and_letters_are_units_and_numbers_have_no_value() -> None:
    assert units("Street LAMPS 3号杆，不亮！") == ["street", "lamp", "0", "号", "杆", "", "不", "亮", "!"]
    assert features("灯3") == features("灯７７")


def test_groups_do_not_reach_over_a_pause() -> None:
    assert "灯路" not in features("坏了灯，路破了")
    assert "坏了" in features("坏了灯，路破了")


@pytest.mark.parametrize(
    ("text", "is_sure"),
    [
        ("楼道着火了", True),
        ("就怕着火", False),
        ("万一着火往哪跑", False),
        ("没着火", False),
        ("怕着火，真的着火了", True),
        ("no fire here, on fire", True),
        ("井盖响没人管", False),
        ("井盖也响，还有垃圾没人收", False),
        ("井盖响没人管，现在井盖没了", True),
    ],
)
def test_a_feared_danger_is_not_a_danger(text: str, is_sure: bool) -> None:
    assert surely(any_of(["着火", "on fire", "井盖*没"]), plain(text)) is is_sure


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("井盖没了", ["cover"]),
        ("井上的盖子没有盖回去", ["cover"]),
        ("井在那边。没有盖被子", []),
        ("the cover of this is missing", ["cover"]),
    ],
)
def test_a_gap_stays_within_a_sentence(text: str, signs: list[str]) -> None:
    look = Signs((), DANGERS)
    assert look.hints(look.of(plain(text))) == signs


def test_how_honest_confidences_are_is_counted_in_tenths() -> None:
    assert calibration_of([]) == {}
    honest = [(0.95, True)] * 95 + [(0.95, False)] * 5
    assert calibration_of(honest)["calibration_error"] == pytest.approx(0.0)
    # Half of them as sure as 0.8 and always right, half as sure as 0.6 and never.
    assert calibration_of([(0.8, True)] * 10 + [(0.6, False)] * 10)["calibration_error"] == pytest.approx(0.4)


def test_the_system_acts_from_where_enough_answers_are_right() -> None:
    sure, unsure = [(0.93, True)] * 70, [(0.73, True)] * 20
    assert calibration_of([*sure, *unsure, *[(0.62, False)] * 40])["sure_enough"] == 0.65
    assert calibration_of([*sure, *unsure, *[(0.73, False)] * 40])["sure_enough"] == 0.75
    # Too few to tell.
    assert "sure_enough" not in calibration_of(sure)


def test_a_lesson_teaches_the_category_alone_and_only_what_several_say() -> None:
    lessons = [Lesson("井上那铁家伙张三丰", "01", 2.0, f"person {n % 4}") for n in range(20)]
    lessons += [Lesson("井上那铁家伙紫荆苑", "01", 2.0, "one") for _ in range(20)]
    before = fit(MATERIAL, UTTERANCES)
    after = fit(MATERIAL, UTTERANCES, lessons=lessons, others=before)
    assert best(before, "井上那铁家伙", CATEGORY) == "02"
    assert best(after, "井上那铁家伙", CATEGORY) == "01"
    for head in (INTENT, URGENCY):
        assert list(after.rows_of(head)) == list(before.rows_of(head))
        assert after.heads[head] == before.heads[head]
    learnt = {feature for feature, _ in after.rows_of(CATEGORY)}
    assert "家伙" in learnt
    assert not any("荆" in feature for feature in learnt)
    # They are still made of the district's own words alone.
    assert after.made_of == before.made_of
    assert Weights.unpack(after.pack()).answers(features("井盖")) == after.answers(features("井盖"))
