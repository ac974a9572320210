"""What can be wrong with a page for the eye, the thumb and whoever hears it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.running import ROOT

CATALOGUE = ROOT / "district" / "messages" / "zh-Hans"
KEYS = re.compile(
    rf"\b(?:{'|'.join(sorted(path.stem for path in CATALOGUE.glob('*.toml')))})"
    r"\.[a-z_]+\.[a-z_]+\b"
)


# What a thumb must hit on a telephone, and where: at least 44 px in both directions.
THUMB_PX = 44
MAIN_ACTIONS = (
    ".btn:not(.btn-small), .btn-primary, .bottom a, .tab, .form-control, .form-select, .more-menu > summary, .door, "
    ".weui-btn, .problem, label.choice > span, .tabs a, .bar a, button.send, .tile, .sheet-close"
)
SMALL = """([which, least]) => [...document.querySelectorAll(which)].filter((one) => {
  const box = one.getBoundingClientRect();
  return one.checkVisibility({ visibilityProperty: true }) && !one.closest('.leaflet-control')
    && box.width && box.height && (box.height < least || box.width < least);
}).map((one) => `${one.className} ${one.textContent.trim().slice(0, 20)}`)"""
# What moves in has arrived; a colour that is still fading is no colour to judge.
STILL = """async () => {
  for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
  await Promise.all(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().iterations < 99)
    .map((one) => one.finished.catch(() => 0)));
}"""


# Style sheets are not fetched once more for axe: no grave rule that is on reads them. Only what is bad comes back.
AXE = """async (rules) => {
  const options = { resultTypes: ['violations'], preload: false, selectors: false };
  if (rules.length) options.runOnly = { type: 'rule', values: rules };
  const { violations } = await axe.run(document, options);
  return violations.filter((found) => ['serious', 'critical'].includes(found.impact))
    .flatMap((found) => found.nodes.slice(0, 3).map((node) => `${found.id} at ${node.html.slice(0, 120)}`));
}"""


def serious(page: Any, *rules: str) -> list[str]:
    """What axe finds serious or critical on the page as it is now; only by these rules, where any are named."""
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe is not reachable (make check)")
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.AXE_SCRIPT)
    found: list[str] = page.evaluate(AXE, list(rules))
    return found


def faults(page: Any, language: str, size: str) -> list[str]:
    """What is wrong with the page as it is now, for the eye, the thumb and whoever hears it."""
    words = page.inner_text("body")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    found = {
        f"scrolls sideways by {wide} px": wide > 1,
        "shows a key": KEYS.search(words.replace("bihuan.example", "")),
        "has no title": not page.title().strip(),
        "has no heading": page.locator("h1").count() != 1,
        "speaks the other language": not str(page.get_attribute("html", "lang")).startswith(language[:2]),
        "is empty": len(words.strip()) < 20,
    }
    small = page.evaluate(SMALL, [MAIN_ACTIONS, THUMB_PX - 0.5]) if size == "phone" else []
    return [fault for fault, is_so in found.items() if is_so] + [f"too small: {one}" for one in small] + serious(page)
