"""Every page at a desk, by day and by night: as on a telephone, and none of them is left out."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.browser.conftest import Visit
from tests.browser.pages.addresses import ANYBODY, NO_PAGES, STAFF, WHOSE
from tests.browser.pages.walk import wrong_with_pages

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("whose", WHOSE)
def test_every_page_is_sound_at_a_desk(visit: Visit, example: dict[str, str], whose: str, language: str) -> None:
    """At night the system is dark and so are the pages; what reads on what is the question."""
    wrong = wrong_with_pages(visit, example, whose, language, "desk", also_dark=language == "zh-CN")
    assert not wrong, "\n".join(wrong)


def test_no_page_is_left_out(app: Flask) -> None:
    pages = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())}
    pages = {name for name in pages if not name.startswith(("api.", "wechat_stand_in."))}
    named: set[str] = {*ANYBODY, *STAFF, *NO_PAGES}
    assert pages - named == set(), "name these in ANYBODY, STAFF or NO_PAGES"
    assert named - pages == set(), "these are gone"
