"""Reads printed labels back from their PDF: rendered by one program, decoded by another, neither of them ours."""

from __future__ import annotations

import pypdfium2
import zxingcpp
from PIL.Image import Image

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
            if label.getextrema()[0] < 128:
                codes = zxingcpp.read_barcodes(label, formats=zxingcpp.BarcodeFormat.QRCode)
                found.append(codes[0].text if codes else "")
    return found


def pictures_of(pdf: bytes) -> list[Image]:
    """Every page in grey at 300 dots an inch."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.render(scale=DOTS_AN_INCH / 72, grayscale=True).to_pil() for page in document]
    finally:
        document.close()


def label_of(picture: Image, layout: Layout, number: int) -> Image:
    """The part of a page's picture that is its n-th label."""
    x, y = layout.place(number)
    edges = (x, y, x + layout.width, y + layout.height)
    left, top, right, bottom = (round(length * DOTS_AN_INCH / MM_AN_INCH) for length in edges)
    return picture.crop((left, top, right, bottom))


def text_of(pdf: bytes) -> str:
    """The text of all pages, as whoever searches or copies from the file gets it."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "".join(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()
