"""A sentence that the district words anew is what the chat says, from the next message on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from district import messages
from district.messages import CHINESE, ENGLISH
from district.wording import service as wordings
from district.work import unit_of_work
from tests.bot.conftest import TestPhone
from tests.conftest import both_databases
from tests.factories import SmallDistrict

HELLO = "bot.chat.hello"


@pytest.fixture(autouse=True)
def _catalogue_as_it_is() -> Iterator[None]:
    """The wording belongs to the process: nothing of one test may be heard in the next."""
    yield
    messages.use_wording({})


@both_databases
def test_the_chat_says_what_the_panel_worded(phone: TestPhone, district: SmallDistrict) -> None:
    before = phone.says("你好").text
    with unit_of_work():
        words = {CHINESE: "您来啦！有事您说话。", ENGLISH: "There you are! What is it?"}
        wordings.save(HELLO, words, seen=wordings.state_of(HELLO), by=district.staff["administrator"])
    wordings.seen_at_once()
    assert "您来啦！有事您说话。" in phone.says("您好").text
    with unit_of_work():
        wordings.reset(HELLO, by=district.staff["administrator"])
    wordings.seen_at_once()
    assert "您来啦" not in phone.says("在吗").text
    assert "您来啦" not in before
