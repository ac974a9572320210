"""What residents are sent, worded in the panel: what is refused, where it is heard, and the way back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from district import messages, settings
from district.extensions import db
from district.messages import CHINESE, ENGLISH, LANGUAGES, catalogue, speaking, t
from district.notifications import service as notifications
from district.people.models import AuditEntry
from district.reference import reference
from district.reports.states import Status
from district.wording import sentences
from district.wording import service as wordings
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_report

PAGE = "/admin/settings/wording"
DONE, SOON, ASSIGNED = "bot.filed.done", "bot.filed.soon", "notifications.assigned"


@pytest.fixture(autouse=True)
def _catalogue_as_it_is() -> Any:
    """The wording belongs to the process: nothing of one test may be heard in the next."""
    yield
    messages.use_wording({})


def save(person: Person, key: str, chinese: str, english: str, **more: str) -> Any:
    fields = {"seen": wordings.state_of(key), f"text-{CHINESE}": chinese, f"text-{ENGLISH}": english}
    return person.post(f"{PAGE}/{key}", **fields | more)


def said(key: str, tag: str = CHINESE, **params: str) -> str:
    reference()
    with speaking(tag):
        return t(key, **params)


@both_databases
def test_a_sentence_worded_anew_is_said_so_and_goes_back(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("administrator")
    version = settings.versions().get("wording", 0)
    assert save(person, DONE, "收到啦，编号 {number}，放心！", "Got it: {number}.").status_code == 302
    # By the version other processes notice.
    assert settings.versions()["wording"] == version + 1
    assert said(DONE, number="BH1") == "收到啦，编号 BH1，放心！"
    assert said(DONE, ENGLISH, number="BH1") == "Got it: BH1."
    assert "改过" in words_of(person.get(PAGE))
    assert person.post(f"{PAGE}/{DONE}/reset").status_code == 302
    assert said(DONE, number="BH1") == catalogue(CHINESE)[DONE].format(number="BH1")
    logged = db.session.scalars(select(AuditEntry).where(AuditEntry.subject == f"sentence:{DONE}").order_by("id")).all()
    original = {tag: catalogue(tag)[DONE] for tag in LANGUAGES}
    new = {CHINESE: "收到啦，编号 {number}，放心！", ENGLISH: "Got it: {number}."}
    assert [(one.action, one.detail["before"], one.detail["after"]) for one in logged] == [
        ("sentence.change", original, new), ("sentence.reset", new, original)
    ]  # fmt: skip


def test_the_chat_and_the_messages_say_it(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.ASSIGNED)
    save(
        log_in("administrator"),
        ASSIGNED,
        "亲，{number} 派给{unit}啦，{due} 前办好。",
        "{number} is with {unit}, {due}.",
    )
    reference()
    message = notifications.preview(report, "assigned", unit="路灯所", due="11-30 10:00")
    assert message.startswith(f"亲，{report.number} 派给路灯所啦，11-30 10:00 前办好。\n<a href=")


@pytest.mark.parametrize(
    "chinese, says",
    [
        ("", "不能空着"),
        ("收到了。", "{number}"),
        ("收到了 {number}，{unit} 去办", "{unit}"),
        ("收到了 {number", "花括号"),
        ("收到了 {}", "{number}"),
        ("收到了 {number!r}", "{number}"),
        ("收到了 {number:>99999999}", "{number}"),
        ("收到了 {number.__class__}", "{number}"),
        ("收到了 {number} <b>好</b>", "尖括号"),
        ('收到了 {number} <a href="http://evil.example">看</a>', "尖括号"),
        ("长" * 198 + "{number}", "600"),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_reason(log_in: LogIn, chinese: str, says: str) -> None:
    answer = save(log_in("administrator"), DONE, chinese, "Got it: {number}.")
    assert answer.status_code == 422
    error = re.search(r'id="error-zh-Hans"[^>]*>(.*?)</p>', answer.text, re.DOTALL)
    assert error is not None
    assert says in error[1]
    # What was typed is still there.
    if chinese:
        assert "收到了" in answer.text or "长长" in answer.text
    assert wordings.changed() == frozenset()
    assert said(DONE, number="BH1") == catalogue(CHINESE)[DONE].format(number="BH1")


def test_a_link_may_be_worded_and_stays_a_link(log_in: LogIn) -> None:
    chinese, english = 'OK。<a href="{link}">点这里</a>', 'OK. <a href="{link}">Here</a>'
    assert save(log_in("administrator"), SOON, chinese, english).status_code == 302
    assert said(SOON, link="http://x") == 'OK。<a href="http://x">点这里</a>'


def test_a_templates_value_is_short_and_on_one_line(log_in: LogIn) -> None:
    person, key = log_in("administrator"), "notifications.short.assigned"
    for bad in ("派给" * 10 + "了{unit}", "派给\n{unit}"):
        assert save(person, key, bad, "With {unit}").status_code == 422
    assert save(person, key, "派给" * 10 + "{unit}", "With {unit}").status_code == 302


def test_nobody_overwrites_what_another_has_just_written(log_in: LogIn) -> None:
    person, seen = log_in("administrator"), wordings.state_of(DONE)
    assert save(person, DONE, "甲 {number}", "A {number}").status_code == 302
    answer = save(person, DONE, "乙 {number}", "B {number}", seen=seen)
    assert answer.status_code == 409
    assert "乙 {number}" in answer.text
    assert "甲 {number}" in answer.text
    assert said(DONE, number="1") == "甲 1"


@pytest.mark.parametrize("key", ["bot.words.yes", "admin.nav.inbox", "errors.not_found", "no.such.key"])
def test_other_sentences_are_not_to_be_worded_here(log_in: LogIn, key: str) -> None:
    person = log_in("administrator")
    assert person.get(f"{PAGE}/{key}").status_code == 404
    fields = {"seen": "x", f"text-{CHINESE}": "x", f"text-{ENGLISH}": "x"}
    assert person.post(f"{PAGE}/{key}", **fields).status_code == (422 if key in sentences.KEYS else 404)


def test_the_folders_wording_is_the_original_and_loading_it_again_leaves_the_panels(log_in: LogIn) -> None:
    person = log_in("administrator")

    def load(words: str) -> None:
        with unit_of_work():
            settings.put("wording", {CHINESE: {DONE: words}})
            settings.changed("wording")
        forget_reference()

    load("本区收到 {number}")
    assert wordings.originals(DONE)[CHINESE] == "本区收到 {number}"
    save(person, DONE, "面板 {number}", "Panel {number}")
    load("本区又收到 {number}")
    assert said(DONE, number="1") == "面板 1"
    # Said as the folder says it is not the panel's any more in that language.
    save(person, DONE, "本区又收到 {number}", "Panel {number}")
    assert settings.get("wording:panel") == {CHINESE: {}, ENGLISH: {DONE: "Panel {number}"}}
    person.post(f"{PAGE}/{DONE}/reset")
    assert said(DONE, number="1") == "本区又收到 1"


def test_the_preview_shows_it_as_wechat_does(log_in: LogIn) -> None:
    person = log_in("administrator")

    def look(key: str, text: str, tag: str = CHINESE) -> str:
        return person.post(f"{PAGE}/{key}/preview", tag=tag, **{f"text-{tag}": text}).text

    shown = look(DONE, "收到 {number}")
    assert re.search(r'class="bubble"[^>]*>收到 BH\d{8}-\w+', shown)
    assert "/600" in shown
    # A message has its link below, as a word in blue; what somebody types is never markup of ours.
    assert 'class="bubble-link"' in look(ASSIGNED, "{number} {unit} {due}")
    assert "<script" not in look(DONE, "<script>{number}")
    assert "{number}" in look(DONE, "没有编号")
    assert wordings.changed() == frozenset()


def test_every_sentence_that_is_listed_is_in_the_catalogue_and_keeps_the_rules(app: Flask, log_in: LogIn) -> None:
    person = log_in("administrator")
    for key in sentences.KEYS:
        for tag in LANGUAGES:
            assert sentences.fault_of(key, catalogue(tag)[key], catalogue(tag)[key]) is None, key
    page = person.get(PAGE).text
    assert all(f"{PAGE}/{key}" in page for key in sentences.KEYS)
    for key in sorted(sentences.KEYS):
        opened = person.get(f"{PAGE}/{key}?lang=en")
        assert opened.status_code == 200
        # Nothing is shown without its example.
        assert "phrasing.example" not in opened.text
        assert "field-error" not in opened.text, key
