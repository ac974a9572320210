"""The files of a run: sheets or single labels as PDF, plates as drawings, the crew's list. Nothing here writes rows."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import BinaryIO

from district import links
from district.facilities.code_states import LIVE
from district.facilities.codes import TOKEN_LENGTH
from district.labels import service
from district.labels.composing import Label, compose
from district.labels.layouts import Layout, LayoutKind
from district.labels.pdf import Document
from district.labels.service import Printed
from district.labels.shapes import Box, Shape, Stroke, Words
from district.labels.squares import Maker
from district.labels.svg import drawing
from district.labels.typeface import Typeface, typeface
from district.messages import language, t
from district.reference import reference

Tell = Callable[[int], None]

# The crew's list, on A4: millimetres.
_LIST_WIDTH, _LIST_HEIGHT, _LIST_EDGE = 210.0, 297.0, 14.0
_ROW, _HEADING = 9.6, 9.0


@dataclass(frozen=True)
class Made:
    """What a file holds. missing: characters the typeface lacks, which show as a stand-in."""

    labels: int
    pages: int
    missing: frozenset[str]


def suffix(layout: Layout) -> str:
    """How the name of this layout's file ends."""
    return ".zip" if layout.kind is LayoutKind.PLATE else ".pdf"


def check_address() -> None:
    """Raises BadInput where this site's address does not fit into a printed code."""
    Maker().square(links.printed_facility_code("A" * TOKEN_LENGTH))


def labels(run_id: int, layout: Layout, file: BinaryIO, tell: Tell = lambda done: None) -> Made:
    """Write the run's labels into a file, a page at a time. tell: hears now and then how many are done.

    A label whose code has ended meanwhile is left out; its place stays empty, for the crew's list counts places.
    """
    face, maker = typeface(), Maker()
    missing: set[str] = set()
    rows = _read(run_id)
    if layout.kind is LayoutKind.PLATE:
        count = _plates(rows, maker, layout, file, face, missing, tell)
        return Made(count, 0, frozenset(missing))
    document = Document(file, face, title=t("labels.print.title", run=run_id))
    count = 0
    for _, page in groupby(rows, lambda one: (one.position - 1) // layout.per_page):
        shapes: list[tuple[float, float, Shape]] = []
        for one in page:
            x, y = layout.place((one.position - 1) % layout.per_page)
            shapes += [(x, y, shape) for shape in compose(layout, _label(one, maker), face)]
            missing |= face.lacks(one.name)
            count += 1
        document.page(layout.page_width, layout.page_height, shapes)
        tell(count)
    document.close()
    return Made(count, document.pages, frozenset(missing))


def crew_list(run_id: int, layout: Layout, asked_at: datetime, file: BinaryIO) -> Made:
    """Write the list for those who put the labels up: by area in the order of the sheets, with boxes to tick.

    asked_at: of the run, in the district's zone.
    """
    face = typeface()
    document = Document(file, face, title=t("labels.list.title", run=run_id))
    page = _ListPage(document, face, t("labels.list.title", run=run_id), f"{asked_at:%Y-%m-%d %H:%M}")
    area, count = None, 0
    names = reference().areas_by_code
    for one in _read(run_id):
        if one.area_code != area:
            area = one.area_code
            page.heading(names[area].name if area in names else t("labels.list.no_area"))
        page.row(one, layout)
        count += 1
    page.end()
    document.close()
    return Made(count, document.pages, frozenset())


def _read(run_id: int) -> Iterator[Printed]:
    after = 0
    while batch := service.printed(run_id, after=after):
        yield from (one for one in batch if one.state in LIVE)
        after = batch[-1].position


def _label(one: Printed, maker: Maker) -> Label:
    address = links.printed_facility_code(one.token)
    ref = reference()
    site = ref.setting("district.service_name", {})
    return Label(
        name=one.name,
        code=one.code,
        token=one.token,
        address=address.partition("://")[2],
        site=site.get(language(), "") if isinstance(site, dict) else str(site),
        hotline=str(ref.setting("telephones.hotline", "12345")),
        square=maker.square(address),
    )


def _plates(
    rows: Iterable[Printed], maker: Maker, layout: Layout, file: BinaryIO, face: Typeface, missing: set[str], tell: Tell
) -> int:
    """One drawing for each label, in an archive; named so that they sort as the crew walks."""
    count = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in rows:
            shapes = compose(layout, _label(one, maker), face)
            archive.writestr(f"{one.position:06d}-{one.code}.svg", drawing(layout.width, layout.height, shapes, face))
            missing |= face.lacks(one.name)
            count += 1
            if count % 50 == 0:
                tell(count)
    tell(count)
    return count


class _ListPage:
    """The page of the crew's list that is being filled."""

    def __init__(self, document: Document, face: Typeface, title: str, when: str) -> None:
        self._document = document
        self._face = face
        self._title = title
        self._when = when
        self._begin()

    def _begin(self) -> None:
        self._shapes: list[Shape] = []
        edge, right = _LIST_EDGE, _LIST_WIDTH - _LIST_EDGE
        self._shapes.append(Words(edge, 18, 5.2, self._title))
        number = t("labels.list.page", page=self._document.pages + 1)
        said = f"{self._when}    {number}"
        self._shapes.append(Words(right - self._face.width(said, 3.2), 18, 3.2, said))
        self._shapes.append(Words(edge, 25, 3.4, t("labels.list.by")))
        self._shapes.append(Stroke(edge, 28, right, 28, 0.4))
        self._y = 29.0

    def heading(self, name: str) -> None:
        self._need(_HEADING + _ROW)
        self._shapes.append(Words(_LIST_EDGE, self._y + 6.6, 4.2, name))
        self._y += _HEADING

    def row(self, one: Printed, layout: Layout) -> None:
        self._need(_ROW)
        y, edge, right = self._y, _LIST_EDGE, _LIST_WIDTH - _LIST_EDGE
        self._shapes.append(Box(edge, y + 2.2, 5, 5, 0.35))
        sheet, place = divmod(one.position - 1, layout.per_page)
        where = t("labels.list.where", sheet=sheet + 1, place=place + 1) if layout.per_page > 1 else f"{one.position}"
        self._shapes.append(Words(edge + 7.5, y + 6.2, 3.2, where))
        self._shapes.append(Words(edge + 33, y + 4.3, 3.4, self._short(one.name, 3.4, 96)))
        self._shapes.append(Words(edge + 33, y + 8.3, 2.9, self._short(one.address, 2.9, 96)))
        self._shapes.append(Words(edge + 132, y + 4.3, 3.2, one.code))
        self._shapes.append(Words(edge + 132, y + 8.3, 2.9, one.token))
        self._shapes.append(Stroke(edge, y + _ROW, right, y + _ROW, 0.1))
        self._y += _ROW

    def end(self) -> None:
        self._document.page(_LIST_WIDTH, _LIST_HEIGHT, [(0.0, 0.0, shape) for shape in self._shapes])

    def _need(self, room: float) -> None:
        if self._y + room > _LIST_HEIGHT - _LIST_EDGE:
            self.end()
            self._begin()

    def _short(self, text: str, size: float, width: float) -> str:
        while text and self._face.width(text, size) > width:
            text = text[:-2] + "…" if len(text) > 2 else ""
        return text
