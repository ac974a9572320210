"""From page to page, in every language, each as somebody in particular finds it."""

from __future__ import annotations

from tests.browser.conftest import Visit
from tests.browser.pages.addresses import LOST, SIZES, WHOSE
from tests.browser.pages.faults import STILL, faults, serious


def wrong_with_pages(
    visit: Visit, example: dict[str, str], whose: str, language: str, size: str, *, also_dark: bool = False
) -> list[str]:
    """Open every page of theirs; what is wrong with each.

    also_dark: then night falls, and what reads on what is looked at once more.
    """
    username, paths = WHOSE[whose]
    watched = visit(username, **SIZES[size], locale=language)
    wrong: list[str] = []
    for name, path in (paths | LOST if whose == "anybody" else paths).items():
        page = watched.open(path.format(**example))
        before = len(watched.troubles)
        watched.settled()
        found = faults(page, language, size)
        if also_dark:
            page.emulate_media(color_scheme="dark")
            page.evaluate(STILL)
            found += [f"in the dark: {fault}" for fault in serious(page, "color-contrast")]
            page.emulate_media(color_scheme="light")
        wrong += [f"{name} ({path}) {fault}" for fault in found]
        if name in LOST:
            # The browser itself notes the 404 of the page.
            del watched.troubles[:]
        wrong += [f"{name}: {trouble}" for trouble in watched.troubles[before:]]
    return wrong
