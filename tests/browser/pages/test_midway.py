"""Pages in the middle of something, on a telephone and at a desk."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit
from tests.browser.pages.addresses import SIZES
from tests.browser.pages.faults import STILL, faults
from tests.browser.pages.states import STATES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("size, language", [("phone", "zh-CN"), ("desk", "en")])
@pytest.mark.parametrize("whose", STATES)
def test_pages_are_sound_in_the_middle_of_something(
    visit: Visit, example: dict[str, str], whose: str, size: str, language: str
) -> None:
    watched = visit(whose, **SIZES[size], locale=language)
    wrong: list[str] = []
    for name, act in STATES[whose].items():
        act(watched, example, size)
        watched.settled()
        watched.page.evaluate(STILL)
        wrong += [f"{name}: {fault}" for fault in faults(watched.page, language, size)]
    # The browser notes each page that was refused, as it should be.
    watched.troubles[:] = [one for one in watched.troubles if "the server responded with a status of 4" not in one]
    wrong += watched.troubles
    assert not wrong, "\n".join(wrong)
