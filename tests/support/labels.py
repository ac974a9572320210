"""Reads printed labels back from their PDF: rendered by one program, decoded by another, neither of them ours."""

from __future__ import annotations

from typing import Any

import pypdfium2
import zxingcpp

from district.labels.layouts import OURS, Layout, read

DOTS_AN_INCH = 300
MM_AN_INCH = 25.4


def codes_in(pdf: bytes, layout: str | Layout) -> list[str]:
    """What the code of each label holds, in the order of their places; empty for one that cannot be read."""
    paper = read(OURS)[layout] if isinstance(layout, str) else layout
    found = []
    for picture in pictures_of(pdf):
        for number in range(paper.per_page):
            label = label_of(picture, paper, number)
            if (label < 128).any():
                codes = zxingcpp.read_barcodes(label, formats=zxingcpp.BarcodeFormat.QRCode)
                found.append(codes[0].text if codes else "")
    return found


def pictures_of(pdf: bytes) -> list[Any]:
    """Every page in grey at 300 dots an inch, as rows of numbers from 0 (black) to 255."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.render(scale=DOTS_AN_INCH / 72, grayscale=True).to_numpy() for page in document]
    finally:
        document.close()


def label_of(picture: Any, layout: Layout, number: int) -> Any:
    """The part of a page's picture that is its n-th label."""
    x, y = layout.place(number)
    left, top, right, bottom = (
        round(length * DOTS_AN_INCH / MM_AN_INCH) for length in (x, y, x + layout.width, y + layout.height)
    )
    return picture[top:bottom, left:right].copy()


def text_of(pdf: bytes) -> str:
    """The text of all pages, as whoever searches or copies from the file gets it."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "".join(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()
