"""The visual language holds: colours only in the lists of colours, every text readable on its ground, sizes from the
scales of docs/ui.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED, CITIZEN = ROOT / "static/shared/tokens.css", ROOT / "static/shared/citizen.css"
PANEL, CHAT, MAP = ROOT / "admin/static/tokens.css", ROOT / "bot/static/chat.css", ROOT / "static/map/district-map.css"
# Only these may name a colour, and only as the value of a variable.
LISTS = {SHARED, CITIZEN, PANEL, CHAT, MAP}
SHEETS = sorted(
    path
    for folder in ("static", "admin/static", "bot/static", "citizen/static")
    for path in (ROOT / folder).rglob("*.css")
    if "vendor" not in path.parts
)
COLOUR = re.compile(
    r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl)a?\([^)]*\)|(?<![\w-])(?:white|black|red|green|blue|gr[ae]y|orange|yellow)(?![\w-])"
)
Rgb = tuple[float, float, float]
Values = dict[str, str]


@dataclass(frozen=True)
class Rule:
    """One rule of a style sheet. around: the conditions it stands in, such as `@media print`."""

    around: str
    selector: str
    told: dict[str, str]


@cache
def rules(path: Path) -> tuple[Rule, ...]:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return tuple(_rules(text, ""))


def _rules(text: str, around: str) -> Iterator[Rule]:
    at = 0
    while (opening := text.find("{", at)) >= 0:
        selector = " ".join(text[at:opening].split())
        depth, end = 1, opening + 1
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        inside = text[opening + 1 : end - 1]
        if "{" in inside:
            yield from _rules(inside, f"{around} {selector}".strip())
        else:
            # A data address holds semicolons of its own.
            lines = re.split(r";(?![^(]*\))", inside)
            told = {
                name.strip(): value.strip() for name, colon, value in (one.partition(":") for one in lines) if colon
            }
            yield Rule(around, selector, told)
        at = end


def values_of(path: Path, *selectors: str, around: str = "") -> Values:
    """The variables that rules with one of these selectors set."""
    found: Values = {}
    for rule in rules(path):
        if rule.around == around and set(rule.selector.split(", ")) & set(selectors):
            found |= {name: value for name, value in rule.told.items() if name.startswith("--")}
    return found


DARK = "@media (prefers-color-scheme: dark)"
RESIDENTS = values_of(SHARED, ":root") | values_of(MAP, ":root") | values_of(CITIZEN, "body")
WORDS = ("--p-ink", "--p-muted", "--p-link", "--p-bad", "--p-brand-ink")
GROUNDS = ("--p-ground", "--p-card", "--p-soft")
_PANEL = values_of(SHARED, ":root") | values_of(MAP, ":root") | values_of(PANEL, ":root")
_NIGHT = _PANEL | values_of(SHARED, ":root", around=DARK) | values_of(PANEL, ":root[data-bs-theme=dark]")
_STAFF_SHEETS = [path for path in SHEETS if path.parent == ROOT / "admin/static" and path.name != "print.css"]


@dataclass(frozen=True)
class Surface:
    """What is shown with one list of values. standing: pairs whose text and ground are set by different rules.
    belongs: which rules of the sheets are this surface's."""

    values: Values
    sheets: list[Path]
    standing: list[tuple[str, str]]
    belongs: str = ""


SURFACES = {
    "panel, light": Surface(
        _PANEL | values_of(PANEL, ":root[data-bs-theme=light]") | values_of(PANEL, ".ov"),
        _STAFF_SHEETS,
        [(word, ground) for word in WORDS for ground in GROUNDS]
        + [("--p-wechat-muted", "--p-wechat-ground"), ("--p-wechat-bad", "--p-wechat-ground"),
           ("--p-wechat-link", "--bh-paper"), ("--p-ink", "--p-brand-tint")],
    ),
    "panel, dark": Surface(
        _NIGHT | values_of(PANEL, ".ov"), _STAFF_SHEETS,
        [(word, ground) for word in WORDS for ground in GROUNDS] + [("--p-ink", "--p-brand-tint")],
    ),
    "wall": Surface(
        _NIGHT | values_of(PANEL, ".ov") | values_of(PANEL, ".wall") | values_of(PANEL, ".wall .ov"),
        [ROOT / "admin/static/overview.css"],
        [(word, ground) for word in ("--p-ink", "--p-muted", "--p-bad") for ground in GROUNDS]
        + [("--o-good", "--p-card"), ("--p-bad", "--p-bad-tint"), ("--p-ink", "--p-bad-tint")],
        belongs=".wall",
    ),
    "paper": Surface(
        _PANEL, [ROOT / "admin/static/print.css"],
        [("--bh-paper-ink", "--bh-paper"), ("--p-paper-muted", "--bh-paper"), ("--bh-paper-ink", "--p-paper-soft")],
    ),
    "residents, light": Surface(RESIDENTS, [CITIZEN, SHARED, MAP], []),
    "residents, dark": Surface(
        RESIDENTS | values_of(SHARED, ":root", around=DARK) | values_of(CITIZEN, "body", around=DARK),
        [CITIZEN, SHARED, MAP], [],
    ),
    "chat": Surface(
        values_of(CHAT, ":root"), [CHAT],
        [("--ink", "--ground"), ("--quiet", "--ground"), ("--ink", "--mine"), ("--ink", "--card"), ("--link", "--card"),
         ("--link", "--mine"), ("--quiet", "--bar"), ("--desk-ink", "--desk"), ("--quiet", "--card")],
    ),
}  # fmt: skip
for _name in ("residents, light", "residents, dark"):
    SURFACES[_name].standing.extend(
        (word, ground)
        for word in ("--ink", "--weui-FG-1", "--weui-FG-2", "--weui-LINK", "--weui-RED", "--weui-BRAND")
        for ground in ("--card", "--page")
    )
    SURFACES[_name].standing.extend([("--m-ink", "--m-paper"), ("--m-link", "--m-paper"), ("--ink", "--quiet-button")])


def resolved(value: str, values: Values) -> str:
    while found := re.search(r"var\((--[\w-]+)(?:, *([^()]*))?\)", value):
        value = value.replace(found[0], values.get(found[1], found[2] or ""))
    return value.strip()


def over(colour: str, below: Rgb) -> Rgb | None:
    """The colour as it is seen over another; None for what is no colour."""
    if found := re.fullmatch(r"#([0-9a-fA-F]{3,8})", colour):
        digits = found[1] if len(found[1]) > 4 else "".join(one * 2 for one in found[1])
        parts = [int(digits[at : at + 2], 16) for at in range(0, len(digits), 2)]
        share = parts[3] / 255 if len(parts) > 3 else 1.0
    elif found := re.fullmatch(r"rgba?\(([^)]*)\)", colour):
        numbers = [float(one) for one in re.findall(r"[\d.]+", found[1])]
        parts, share = [int(one) for one in numbers[:3]], numbers[3] if len(numbers) > 3 else 1.0
    else:
        return None
    red, green, blue = (share * one + (1 - share) * under for one, under in zip(parts, below, strict=False))
    return red, green, blue


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG 2.2's ratio of two colours, 1 to 21."""

    def light(colour: Rgb) -> float:
        parts = [part / 255 for part in colour]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def pairs(surface: Surface) -> Iterator[tuple[str, str, str]]:
    """(where, text, ground) of every pair that is really used."""
    for text, ground in surface.standing:
        yield f"{text} on {ground}", f"var({text})", f"var({ground})"
    for path in surface.sheets:
        for rule in rules(path):
            if rule.around.startswith("@media print") or "@keyframes" in rule.around:
                continue
            if (path.name == "overview.css" and surface.belongs not in rule.selector) or (
                not surface.belongs and ".wall" in rule.selector
            ):
                continue
            ground = rule.told.get("background-color") or rule.told.get("background", "").split(" ")[0]
            if "color" in rule.told and ground:
                yield f"{path.name}: {rule.selector}", rule.told["color"], ground


@pytest.mark.parametrize("name", SURFACES)
def test_every_text_reads_on_its_ground(name: str) -> None:
    surface = SURFACES[name]
    page = over(resolved("var(--p-card, var(--card, #fff))", surface.values), (255, 255, 255)) or (255, 255, 255)
    tried, wrong = 0, []
    for where, text, ground in pairs(surface):
        below = over(resolved(ground, surface.values), page)
        above = over(resolved(text, surface.values), below) if below else None
        if below is None or above is None:
            continue
        tried += 1
        # What cannot be pressed now may be pale.
        if "disabled" not in where and (found := contrast(above, below)) < 4.5:
            wrong.append(f"{found:.2f} : 1  {where}")
    assert tried >= 3
    assert not wrong, "\n".join(wrong)


def test_a_ratio_is_what_the_standard_says() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
    assert over("rgba(0, 0, 0, .5)", (255, 255, 255)) == (127.5, 127.5, 127.5)


def test_colours_stand_in_their_lists_only() -> None:
    wrong = []
    for path in SHEETS:
        for rule in rules(path):
            for name, value in rule.told.items():
                said = re.sub(r"url\([^)]*\)", "", value)
                if COLOUR.search(said) and not (path in LISTS and name.startswith("--")):
                    wrong.append(f"{path.relative_to(ROOT)}: {rule.selector} {{ {name}: {value[:60]} }}")
    assert not wrong, "name a variable of tokens.css instead:\n" + "\n".join(wrong)


# Which sheets are on a page together.
TOGETHER = {
    "panel": [SHARED, MAP, *(path for path in SHEETS if path.parent == PANEL.parent or path.name == "admin.css")],
    "paper": [SHARED, PANEL, ROOT / "admin/static/print.css"],
    "residents": [SHARED, MAP, CITIZEN],
    "chat": [CHAT, MAP],
}


@pytest.mark.parametrize("page", TOGETHER)
def test_every_variable_that_is_named_has_a_value_on_its_page(page: str) -> None:
    sheets = TOGETHER[page]
    known = {name for path in sheets for rule in rules(path) for name in rule.told if name.startswith("--")}
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sheets
        for rule in rules(path)
        for value in rule.told.values()
        for name in re.findall(r"var\((--(?!tblr|weui)[\w-]+)", value)
        if name not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_every_page_of_the_panel_brings_its_colours() -> None:
    """A page with a head of its own, too: without the lists its words stand in no colour at all."""
    folder = ROOT / "admin/templates/admin"
    pages = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}
    heads = {name: page for name, page in pages.items() if "<head>" in page}
    assert heads.keys() >= {"base.html", "login.html", "offline.html", "wall.html", "paper.html"}
    for name, page in heads.items():
        assert "admin/_looks.html" in page or "asset('tokens.css', 'admin.static')" in page, name


def test_light_and_dark_say_the_same_things() -> None:
    light, dark = values_of(PANEL, ":root[data-bs-theme=light]"), values_of(PANEL, ":root[data-bs-theme=dark]")
    assert {name for name in light if name.startswith("--p-")} == set(dark)
    # In a light page the shared values are light whatever the system says: the two lists must agree.
    shared = values_of(SHARED, ":root")
    assert {name: shared[name] for name in light if name.startswith("--bh-")} == {
        name: value for name, value in light.items() if name.startswith("--bh-")
    }


def scale(what: str) -> set[str]:
    """The sizes that docs/ui.md allows, each with its unit."""
    page = (ROOT / "docs/ui.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| {re.escape(what)}[^|]*\| ([^|]*) \|$", page, re.MULTILINE)
    assert row, f"docs/ui.md has no row {what}"
    words = re.sub(r"\([^)]*\)|,", "", row[1]).split()
    sizes, waiting = set(), []
    for word in words:
        if re.fullmatch(r"[\d.]+", word):
            waiting.append(word)
        elif word in ("px", "rem", "pt"):
            sizes |= {f"{one}{word}" for one in waiting}
            waiting = []
        else:
            sizes.add(word)
    return sizes | {"0"}


def test_letters_have_the_sizes_of_the_scale() -> None:
    allowed = {
        "panel": scale("letters, panel"), "residents": scale("letters, residents and map"),
        "wall": scale("letters, wall"), "paper": scale("letters, paper"),
    }  # fmt: skip
    wrong = []
    for path in SHEETS:
        if path == CHAT:
            # WeChat's own sizes, for the development window only.
            continue
        for rule in rules(path):
            short = re.search(r"(?<![\d.])([\d.]+(?:px|rem|pt))/", rule.told.get("font", ""))
            size = short[1] if short else rule.told.get("font-size", "").removesuffix(" !important")
            if not re.fullmatch(r"[\d.]+(px|rem|pt)", size):
                continue
            # Fields on a telephone and drawings are measured in pixels in the panel too.
            kinds = ["panel", "residents"]
            if ".wall" in rule.selector:
                kinds = ["wall"]
            elif size.endswith("pt"):
                kinds = ["paper"]
            if not any(size in allowed[kind] for kind in kinds):
                wrong.append(f"{path.name}: {rule.selector} {{ {size} }}")
    assert not wrong, "\n".join(wrong)


def test_space_and_corners_have_the_sizes_of_the_scale() -> None:
    space, corners = scale("space"), scale("corners")
    wrong = []
    for path in SHEETS:
        if path == CHAT:
            continue
        for rule in rules(path):
            for name, value in rule.told.items():
                if re.fullmatch(r"(row-|column-)?gap|(padding|margin)(-(top|right|bottom|left))?", name):
                    # What makes room for something else that is fixed is as large as that.
                    sizes = [one for one in re.findall(r"(?<![\d.\w-])[\d.]+px", value) if float(one[:-2]) <= 48]
                    wrong += [f"{path.name}: {rule.selector} {{ {name}: {one} }}" for one in sizes if one not in space]
                elif name == "border-radius":
                    sizes = [one for one in value.split() if "var" not in one]
                    wrong += [
                        f"{path.name}: {rule.selector} {{ {name}: {one} }}" for one in sizes if one not in corners
                    ]
    assert not wrong, "\n".join(wrong)
