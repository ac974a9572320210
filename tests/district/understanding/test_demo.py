"""The demo district's weights on messages they were not trained on, and on contrasts of danger.

The floors leave room below what was measured: a change that loses more has lost something.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from district.categories.models import Urgency
from district.loading import read_folder
from district.reference import reference
from district.routing import evaluation
from district.understanding import understand

pytestmark = pytest.mark.demo
ROOT = Path(__file__).resolve().parents[3]
MESSAGES = ROOT / "tests" / "data" / "messages_dev.csv"
FLOORS = {
    "intent": 0.85, "category_top1": 0.88, "category_top3": 0.95, "critical_recall": 1.0, "critical_precision": 0.65,
    "clarification_f1": 0.82, "unit_accuracy": 0.85,
}  # fmt: skip


def test_the_figures_on_messages_of_another_hand_do_not_fall(app: Flask) -> None:
    found = evaluation.evaluate(evaluation.read(MESSAGES), with_places=False).figures
    fallen = {name: getattr(found, name) for name, floor in FLOORS.items() if getattr(found, name) < floor}
    assert not fallen
    assert found.wrong_unit_rate is not None
    assert found.wrong_unit_rate <= 0.05


@pytest.mark.parametrize("opener", ["举报", "我要举报，", "我要投诉", "反映一下", "反映个事，"])
def test_saying_that_it_is_reported_changes_nothing_of_what_it_is(app: Flask, opener: str) -> None:
    now = reference()
    messages = [one for one in evaluation.read(MESSAGES) if one.intent == "report"]
    texts = [(one.text, understand(one.text, now, has_place=True)) for one in messages]
    heard = [(plain, understand(opener + text, now, has_place=True)) for text, plain in texts]
    other = [plain for plain, opened in heard if (opened.intent, opened.category) != (plain.intent, plain.category)]
    assert len(texts) > 50
    assert len(other) <= 3


def test_who_does_not_want_to_live_is_met_with_a_sentence_of_their_own(app: Flask) -> None:
    for text in ("我不想活了", "活够了，没意思", "有人要自杀", "I want to kill myself"):
        understood = understand(text, reference())
        assert (understood.danger, understood.urgency) == ("crisis", Urgency.CRITICAL), text
    assert understand("有人要跳楼，在六楼", reference()).danger == "police"
    assert understand("这破路我真是够了", reference()).urgency is not Urgency.CRITICAL


def test_nothing_was_trained_on_what_it_is_measured_on() -> None:
    asked = {message.text for message in evaluation.read(MESSAGES)}
    learnt = {utterance.text for utterance in read_folder(ROOT / "demo").utterances}
    assert not asked & learnt


def test_the_weights_in_the_folder_are_those_of_its_words() -> None:
    folder = read_folder(ROOT / "demo")
    assert folder.weights
    assert folder.is_trained, "run: .venv/bin/flask district train demo"


@pytest.mark.parametrize(
    ("harmless", "critical"),
    [
        ("门口的井盖一压就响", "门口的井盖没了，就剩一个窟窿"),
        ("人民路胜利路口路灯不亮，井盖也响，还有垃圾没人收", "路灯不亮，井盖也没了，还有垃圾没人收"),
        ("井盖响，没人来修", "井盖，让人偷走了"),
        ("燃气表没电了怎么换", "一进楼道全是煤气味"),
        ("楼外的网线太乱了不好看", "电线断了掉在地上冒火花"),
        ("树枝挡着路灯了，修剪一下", "大树倒下来砸着人了，快来救人"),
        ("消防通道让车堵死了，万一着火咋办", "三楼着火了，往外冒黑烟"),
        ("电梯按钮坏了一个", "电梯困人了，里面有老人"),
        ("路面有个小坑，有点颠", "路面突然塌了一大块，底下全空了"),
        ("暖气不热，才十五度", "暖气管爆了，热水往外喷"),
        ("水龙头拧不紧老滴水", "自来水主管爆了，水喷两米高"),
        ("manhole cover is a bit noisy", "manhole cover is missing, somebody will fall in"),
    ],
)
def test_danger_is_told_from_what_only_sounds_like_it(app: Flask, harmless: str, critical: str) -> None:
    ref = reference()
    assert understand(harmless, ref).urgency is not Urgency.CRITICAL
    assert understand(critical, ref).urgency is Urgency.CRITICAL


@pytest.mark.parametrize("text", ["", "   ", "……", "[图片]", "看图", "😀😀", "你好", "谢谢"])
def test_words_about_nothing_have_no_category(app: Flask, text: str) -> None:
    assert understand(text, reference()).category is None


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("路灯不亮了", ("location",)),
        ("人民路的路灯不亮了", ()),
        ("看图", ("location", "category")),
        ("我上次报的那个路灯修了吗", ("case_no",)),
        ("工资三个月没发", ()),
        ("谢谢", ()),
    ],
)
def test_what_a_message_leaves_open(app: Flask, text: str, missing: tuple[str, ...]) -> None:
    understood = understand(text, reference())
    assert understood.missing == missing
    assert understood.needs_clarification is bool(missing)


def test_a_place_known_from_elsewhere_is_not_asked_for(app: Flask) -> None:
    assert understand("路灯不亮了", reference(), has_place=True).missing == ()
    assert understand("人民路的路灯不亮了", reference(), has_place=False).missing == ("location",)


def test_understanding_is_the_same_every_time(app: Flask) -> None:
    texts = [message.text for message in evaluation.read(MESSAGES)][:20]
    assert [understand(text, reference()) for text in texts] == [understand(text, reference()) for text in texts]
