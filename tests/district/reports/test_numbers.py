"""Report numbers: read out on the telephone, misheard, mistyped, and never the same twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from district.reports import numbers
from district.work import unit_of_work
from tests.support.threads import in_threads

days = st.dates().map(lambda day: day.strftime("%Y%m%d").zfill(8))
counts = st.integers(min_value=1, max_value=99_999_999)


@given(days, counts)
def test_a_number_is_read_as_it_was_spelt(day: str, count: int) -> None:
    number = numbers.spell(day, count)
    if number[-1].isalpha():
        assert numbers.read(number) == number


@given(days, counts, st.data())
def test_one_wrong_digit_is_noticed(day: str, count: int, data: st.DataObject) -> None:
    digits = day + f"{count:04d}"
    place = data.draw(st.integers(0, len(digits) - 1))
    other = data.draw(st.sampled_from([one for one in "0123456789" if one != digits[place]]))
    assert numbers.check_letter(digits) != numbers.check_letter(digits[:place] + other + digits[place + 1 :])


@given(days, counts, st.data())
def test_two_neighbouring_digits_swapped_are_noticed(day: str, count: int, data: st.DataObject) -> None:
    digits = day + f"{count:04d}"
    unlike = [place for place in range(len(digits) - 1) if digits[place] != digits[place + 1]]
    if unlike:
        place = data.draw(st.sampled_from(unlike))
        swapped = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
        assert numbers.check_letter(digits) != numbers.check_letter(swapped)


@pytest.fixture(scope="module")
def a_number() -> str:
    return next(number for count in range(42, 99) if (number := numbers.spell("20261122", count))[-1].isalpha())


@pytest.mark.parametrize(
    "spelt",
    [
        "{n}", "{lower}", " {n}。", "编号{n}的事怎么样了", "{n}{n}", "bh 2026112 {n}", "{spaced}", "{bare}", "{wide}",
        "{dash}", "BH20261122-0042A、{n}",
    ],
)  # fmt: skip
def test_a_number_is_found_in_what_people_write(a_number: str, spelt: str) -> None:
    wide = "".join(chr(ord(one) + 0xFEE0) for one in a_number)
    words = spelt.format(
        n=a_number, lower=a_number.lower(), bare=a_number.replace("-", ""), wide=wide,
        spaced=f"BH {a_number[2:10]} - {a_number[11:-1]} {a_number[-1]}", dash=a_number.replace("-", "——"),
    )  # fmt: skip
    if spelt == "{n}{n}":
        # Nothing says where the first one ends but the second one's first letter.
        assert numbers.read(words) in (None, a_number)
    else:
        assert numbers.read(words) == a_number


@pytest.mark.parametrize(
    "words", ["", "BH", "路灯坏了", "12345", "BH2026112-0042K", "BH20261122-042K", "BH20261122-0042", "20261122-0042K"]
)
def test_what_is_no_number_is_none(words: str) -> None:
    assert numbers.read(words) is None


@given(st.text(max_size=60))
def test_reading_never_fails(words: str) -> None:
    numbers.read(words)


def test_the_day_is_the_districts_and_the_count_begins_anew_each_day(app: Flask) -> None:
    late = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)  # half past midnight in Shanghai
    with unit_of_work():
        first, second = numbers.take(late), numbers.take(late)
        next_day = numbers.take(datetime(2026, 11, 22, 16, 0, tzinfo=UTC))
    assert first.startswith("BH20261122-")
    assert first != second
    assert next_day.startswith("BH20261123-")
    assert int(next_day[11:-1]) < 10


def test_every_number_ends_with_a_letter(app: Flask) -> None:
    with unit_of_work():
        taken = [numbers.take(datetime(2026, 11, 22, tzinfo=UTC)) for _ in range(60)]
    assert all(number[-1].isalpha() for number in taken)
    assert len(set(taken)) == 60
    assert taken == sorted(taken)


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads that change places all the time: what can happen in a year happens in a second."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_that_count_at_once_agree(restless_threads: None) -> None:
    day = "20990101"
    for day_number in range(20):
        day = f"209901{day_number + 1:02d}"
        found: list[list[int]] = []
        in_threads([lambda day=day, found=found: found.append([numbers._nth_count(day, n) for n in range(1, 200)])] * 8)
        assert all(one == found[0] for one in found)
        assert len(set(found[0])) == 199


def test_a_key_is_long_and_easily_read() -> None:
    keys = {numbers.new_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(len(key) == 16 and not set(key) & set("01ilo") for key in keys)
