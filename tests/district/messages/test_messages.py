"""The catalogue: the right language, the district's own words, and an answer whatever is missing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from district import messages
from district.messages import CHINESE, ENGLISH, language, match, set_language, speaking, t


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    tag = language()
    yield
    set_language(tag)
    messages.use_wording({})


@pytest.mark.parametrize(
    "tag, spoken",
    [
        ("zh-CN", CHINESE), ("zh_TW", CHINESE), ("zh-Hans", CHINESE), ("en", ENGLISH), ("en-GB", ENGLISH),
        ("EN_us", ENGLISH), ("ru", CHINESE), ("", CHINESE), (None, CHINESE), ("english", CHINESE),
    ],
)  # fmt: skip
def test_a_tag_means_the_nearest_language(tag: str | None, spoken: str) -> None:
    assert match(tag) == spoken


def test_a_sentence_is_said_in_the_language_of_the_moment() -> None:
    set_language("zh")
    assert t("status.plain.with_unit", unit="路灯班组") == "已派给路灯班组"
    with speaking("en"):
        assert "路灯班组" in t("status.plain.with_unit", unit="路灯班组")
        assert "已派给" not in t("status.plain.with_unit", unit="路灯班组")
    assert language() == CHINESE


def test_one_threads_language_is_not_anothers() -> None:
    set_language("en")
    heard: list[str] = []
    listener = threading.Thread(target=lambda: heard.append(language()))
    listener.start()
    listener.join()
    assert heard == [CHINESE]
    assert language() == ENGLISH


def test_the_districts_own_wording_wins_in_its_language_only() -> None:
    messages.use_wording({(CHINESE, "common.brand.tagline"): "自己的话", (CHINESE, "no.such.key"): "x"})
    with speaking("zh"):
        assert t("common.brand.tagline") == "自己的话"
        assert t("no.such.key") == "no.such.key"
    with speaking("en"):
        assert t("common.brand.tagline") == messages.catalogue(ENGLISH)["common.brand.tagline"]


@pytest.mark.parametrize("wording", ["{unit", "{}", "{other}", "{unit.x}", "{unit!z}"])
def test_a_wording_that_cannot_be_filled_is_said_as_it_stands_and_logged(
    wording: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A resident must get an answer, whatever an operator typed."""
    messages.use_wording({(CHINESE, "status.plain.with_unit"): wording})
    with speaking("zh"), caplog.at_level(logging.ERROR):
        assert t("status.plain.with_unit", unit="路灯班组") == wording
    assert any("not filled" in record.message for record in caplog.records)


def test_what_fills_a_sentence_is_not_read_as_one() -> None:
    with speaking("zh"):
        assert t("status.plain.with_unit", unit="{unit} {0}") == "已派给{unit} {0}"


def test_a_missing_sentence_is_its_key_and_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert t("nothing.like.this", x=1) == "nothing.like.this"
    assert any("missing" in record.message for record in caplog.records)
    assert messages.has("common.brand.name")
    assert not messages.has("nothing.like.this")
