"""Every page on a telephone: no script trouble, nothing from elsewhere, nothing too wide or too small, nothing that a
blind or a keyboard user could not use, no key of the catalogue instead of a sentence.
"""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit
from tests.browser.pages.addresses import WHOSE
from tests.browser.pages.walk import wrong_with_pages

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("whose", WHOSE)
def test_every_page_is_sound_on_a_telephone(visit: Visit, example: dict[str, str], whose: str, language: str) -> None:
    wrong = wrong_with_pages(visit, example, whose, language, "phone")
    assert not wrong, "\n".join(wrong)
