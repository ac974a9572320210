"""Cuts the typeface of labels out of Noto Sans SC; run by hand when it changes.

    pip install fonttools zhon
    npm pack @expo-google-fonts/noto-sans-sc@0.4.3 && tar xzf expo-google-fonts-noto-sans-sc-0.4.3.tgz
    python tools/label_typeface.py package/500Medium/NotoSansSC_500Medium.ttf

Kept: Latin, punctuation, all of GB 2312, and the simplified characters of the CC-CEDICT dictionary, which has those of
place and personal names that GB 2312 lacks. Layout tables and hints go: labels are set in one line and printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from zhon import cedict

TARGET = Path(__file__).parent.parent / "district" / "labels" / "fonts" / "NotoSansSC-Medium-subset.ttf"
_OTHER = "–—‘’“”…‧·•℃°²³№①②③④⑤⑥⑦⑧⑨⑩☐☑□■✓→←↑↓〇×"


def characters() -> set[str]:
    """What labels may have to say."""
    kept = {chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x180))} | set(_OTHER)
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            one = bytes((high, low)).decode("gb2312", errors="ignore")
            # Not its Greek, Cyrillic, kana and box drawing.
            if one and not any(first <= one <= last for first, last in ("Ͱӿ", "぀ヿ", "─╿")):
                kept.add(one)
    return kept | {one for one in cedict.simplified if "一" <= one <= "鿿"}


def main(source: str) -> None:
    options = subset.Options()
    options.layout_features = []
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "GPOS", "GSUB", "GDEF", "STAT", "gasp", "prep", "DSIG"]
    font = TTFont(source)
    cutter = subset.Subsetter(options)
    cutter.populate(text="".join(sorted(characters())))
    cutter.subset(font)
    font.save(TARGET)
    print(f"{TARGET.name}: {len(font.getGlyphOrder())} glyphs, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
