"""The front-end packages are what their makers published, ask no other host, and the icons pages name exist."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
VENDOR = ROOT / "static" / "vendor"


def test_vendored_files_are_those_that_were_checked_in() -> None:
    sums = dict(
        reversed(line.split("  ", 1)) for line in (VENDOR / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    )
    there = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert there == sums


def test_every_vendored_package_carries_its_version_and_licence() -> None:
    folders = [path for path in VENDOR.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        assert re.search(r"-\d+\.\d+\.\d+$", folder.name)
        assert (folder / "LICENSE").read_text(encoding="utf-8").strip()


def test_style_sheets_load_nothing_from_elsewhere() -> None:
    sheets = [*ROOT.glob("static/**/*.css"), *ROOT.glob("*/static/**/*.css")]
    assert len(sheets) > 5
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        assert "@import" not in text, sheet
        assert not re.search(r"url\(\s*[\"']?(https?:)?//", text), sheet


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = ElementTree.parse(ROOT / "static" / "shared" / "icons.svg")
    drawn = {element.get("id") for element in sprite.iter("{http://www.w3.org/2000/svg}symbol")}
    named: dict[str, Path] = {}
    for template in ROOT.glob("*/templates/**/*.html"):
        for name in re.findall(r"\bicon\(\s*'([\w-]+)'", template.read_text(encoding="utf-8")):
            named[name] = template
    assert len(named) > 20
    assert {name: path for name, path in named.items() if name not in drawn} == {}
