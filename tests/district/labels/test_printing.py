"""Printed labels: what their codes hold, that they fit on what they are printed on, and that Chinese is embedded."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import zxingcpp
from flask import Flask
from PIL import Image, ImageDraw

from district import clock, links
from district.errands.kinds import labels as label_errand
from district.errors import BadInput
from district.extensions import db
from district.facilities.codes import new_token
from district.facilities.models import FacilityToken
from district.labels import printing
from district.labels.composing import Label, compose
from district.labels.layouts import GUARD_MM, MARGIN_MM, OURS, LayoutKind, read
from district.labels.pdf import Document
from district.labels.service import Order
from district.labels.shapes import Box, Code, Words
from district.labels.squares import LEAST_VERSION, Maker, Square, runs
from district.labels.svg import drawing
from district.labels.typeface import STAND_IN, Typeface, typeface
from district.messages import speaking
from district.work import unit_of_work
from tests.factories import SmallDistrict, make_facility
from tests.support.labels import codes_in, text_of

LAYOUTS = read(OURS)
HOST = "HTTPS://CG.EXAMPLE.GOV.CN/F/"


@pytest.fixture(autouse=True)
def _in_chinese() -> Iterator[None]:
    """Whatever language an earlier test of this process left behind."""
    with speaking("zh-Hans"):
        yield


def a_label(name: str = "人民路东段12号路灯", token: str = "ABCDE23456", maker: Maker | None = None) -> Label:
    return Label(
        name=name, code="23276101037000123", token=token, address=f"CG.EXAMPLE.GOV.CN/F/{token}", site="加区闭环",
        hotline="12345", square=(maker or Maker()).square(HOST + token),
    )  # fmt: skip


def picture_of(square: Square, scale: int = 6) -> Image.Image:
    side = len(square)
    picture = Image.new("L", ((side + 8) * scale, (side + 8) * scale), 255)
    draw = ImageDraw.Draw(picture)
    for row, column, length in runs(square):
        x, y = (column + 4) * scale, (row + 4) * scale
        draw.rectangle((x, y, x + length * scale - 1, y + scale - 1), fill=0)
    return picture


# The square


def test_every_square_of_a_run_holds_its_address_with_the_strongest_correction() -> None:
    maker = Maker()
    for _ in range(30):
        text = HOST + new_token()
        square = maker.square(text)
        assert len(square) == 17 + 4 * LEAST_VERSION
        (found,) = zxingcpp.read_barcodes(picture_of(square))
        assert found.text == text
        assert found.ec_level == "H"


def test_a_longer_address_gets_a_larger_square_with_the_same_correction() -> None:
    text = "HTTPS://" + "LONG." * 16 + "GOV.CN/F/ABCDE23456"
    square = Maker().square(text)
    assert len(square) > 17 + 4 * LEAST_VERSION
    (found,) = zxingcpp.read_barcodes(picture_of(square))
    assert (found.text, found.ec_level) == (text, "H")


@pytest.mark.parametrize("text", ["https://small.example/f/x", "HTTPS://例.CN/F/X", "HTTPS://A.CN/F/X?Y=1", ""])
def test_what_cannot_be_held_compactly_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Maker().square(text)


# The layouts


@pytest.mark.parametrize("name", list(LAYOUTS))
@pytest.mark.parametrize(
    "thing", ["灯", "人民路东段12号路灯", "加格达奇区东山街道林海路与光明大街交叉口东北角公共厕所" * 3]
)
def test_everything_stays_inside_the_label_and_clear_of_the_code(name: str, thing: str) -> None:
    layout, face = LAYOUTS[name], typeface()
    shapes = compose(layout, a_label(thing), face)
    (code,) = (shape for shape in shapes if isinstance(shape, Code))
    guard = next(shape for shape in shapes if isinstance(shape, Box) and shape.line == GUARD_MM)
    quiet = 4 * code.size / code.modules
    assert code.size >= 20
    # Four light modules on each side, then the frame, then at least the margin to the edge.
    for inner, outer, length, whole in (
        (code.x, guard.x, guard.width, layout.width), (code.y, guard.y, guard.height, layout.height)
    ):  # fmt: skip
        assert inner - outer - GUARD_MM / 2 >= quiet - 0.01
        assert outer + length - GUARD_MM / 2 - inner - code.size >= quiet - 0.01
        assert outer - GUARD_MM / 2 >= MARGIN_MM - 0.01
        assert outer + length + GUARD_MM / 2 <= whole - MARGIN_MM + 0.01
    lines = [shape for shape in shapes if isinstance(shape, Words)]
    frame_right, frame_bottom = guard.x + guard.width + GUARD_MM / 2, guard.y + guard.height + GUARD_MM / 2
    for line in lines:
        assert line.x >= MARGIN_MM - 0.01
        assert line.x + face.width(line.text, line.size) <= layout.width - MARGIN_MM + 0.1, line.text
        assert line.y <= layout.height - MARGIN_MM + 0.1, line.text
        assert line.x >= frame_right or line.y - line.size >= frame_bottom - 0.1, f"over the code: {line.text}"
    for above, below in pairwise(lines):
        assert below.y - below.size >= above.y - above.size * 0.2, "one line over another"
    said = "\n".join(line.text for line in lines)
    for words in ("扫码报修", "23276101037000123", "CG.EXAMPLE.GOV.CN/", "F/ABCDE23456", "12345", "加区闭环"):
        assert words in said, words


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.kind is LayoutKind.SHEET])
def test_labels_of_a_sheet_lie_beside_each_other_on_the_paper(name: str) -> None:
    layout = LAYOUTS[name]
    places = [layout.place(number) for number in range(layout.per_page)]
    assert len(set(places)) == layout.per_page
    for x, y in places:
        assert 0 <= x <= layout.page_width - layout.width + 0.01
        assert 0 <= y <= layout.page_height - layout.height + 0.01
    for number, (x, y) in enumerate(places):
        for other_x, other_y in places[:number]:
            assert abs(x - other_x) >= layout.width - 0.01 or abs(y - other_y) >= layout.height - 0.01


GOOD = 'kind = "sheet"\npage = [210, 297]\nlabel = [60, 40]\ncolumns = 3\nrows = 7\nleft = 5\ntop = 5\ncode = 20\n'


@pytest.mark.parametrize(
    "change, key",
    [
        (("columns = 3", "columns = 4"), "labels.errors.too_wide"),
        (("columns = 3", "columns = 0"), "labels.errors.too_wide"),
        (("rows = 7", "rows = 8"), "labels.errors.too_high"),
        (("code = 20", "code = 19"), "labels.errors.code_small"),
        (("code = 20", "code = 36"), "labels.errors.code_large"),
        (('kind = "sheet"', 'kind = "scroll"'), "labels.errors.file"),
        (("code = 20", 'code = "wide"'), "labels.errors.file"),
        (("code = 20\n", ""), "labels.errors.file"),
        (("code = 20", 'code = 20\nwords = "around"'), "labels.errors.file"),
        (("code = 20", "code = = 20"), "labels.errors.file"),
    ],
)
def test_a_layout_that_cannot_be_printed_is_explained(tmp_path: Path, change: tuple[str, str], key: str) -> None:
    file = tmp_path / "labels.toml"
    file.write_text(f"[mine]\n{GOOD}", encoding="utf-8")
    assert read(file)["mine"].per_page == 21
    file.write_text(f"[mine]\n{GOOD.replace(*change)}", encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        read(file)
    assert refused.value.key == key


# The files


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.kind is not LayoutKind.PLATE])
def test_the_code_on_every_label_is_its_records(app: Flask, district: SmallDistrict, tmp_path: Path, name: str) -> None:
    with unit_of_work():
        for number in range(5):
            make_facility(district.lamps, address=f"人民路{number + 1}号")
    made = label_errand.make(Order(name), tmp_path / "labels.pdf", crew_list=tmp_path / "list.pdf")
    pdf = (tmp_path / "labels.pdf").read_bytes()
    tokens = list(db.session.scalars(db.select(FacilityToken.token).order_by(FacilityToken.facility_id)))
    assert codes_in(pdf, name) == [links.printed_facility_code(token) for token in tokens]
    assert (made.labels, made.pages) == (5, -(-5 // LAYOUTS[name].per_page))
    said = text_of(pdf)
    assert said.count("扫码报修") == 5
    assert all(token in said for token in tokens)
    assert all(token in text_of((tmp_path / "list.pdf").read_bytes()) for token in tokens)
    assert sorted(path.name for path in tmp_path.glob("*.p*")) == ["labels.pdf", "list.pdf"], "nothing half written"


def test_plates_are_drawings_without_letters_that_need_a_font(
    app: Flask, district: SmallDistrict, tmp_path: Path
) -> None:
    with unit_of_work():
        code = make_facility(district.lamps).code17
    made = label_errand.make(Order("plate"), tmp_path / "plates.zip")
    assert (made.labels, made.pages) == (1, 0)
    with zipfile.ZipFile(tmp_path / "plates.zip") as archive:
        (name,) = archive.namelist()
        svg = archive.read(name).decode()
    assert name == f"000001-{code}.svg"
    assert "<text" not in svg
    assert 'width="100mm"' in svg
    # The squares of the drawing, drawn once more by somebody else, hold the address.
    squares = re.search(r'crispEdges"[^>]* d="([^"]+)"', svg)
    assert squares is not None
    picture = Image.new("L", (450, 450), 255)
    draw = ImageDraw.Draw(picture)
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1", squares[1]):
        left, top = 40 + 10 * int(x), 40 + 10 * int(y)
        draw.rectangle((left, top, left + 10 * int(length) - 1, top + 9), fill=0)
    token = db.session.scalars(db.select(FacilityToken.token)).one()
    assert zxingcpp.read_barcodes(picture)[0].text == links.printed_facility_code(token)


def test_a_label_whose_code_ended_meanwhile_leaves_its_place_empty(
    app: Flask, district: SmallDistrict, tmp_path: Path
) -> None:
    with unit_of_work():
        for number in range(3):
            make_facility(district.lamps, address=f"人民路{number + 1}号")
    run = label_errand.make(Order("sheet21"), tmp_path / "a.pdf").run_id
    tokens = list(db.session.scalars(db.select(FacilityToken.token).order_by(FacilityToken.facility_id)))
    with unit_of_work() as session:
        gone = session.get_one(FacilityToken, tokens[1])
        gone.state, gone.revoked_at = "revoked", clock.now()
    file = io.BytesIO()
    printing.labels(run, LAYOUTS["sheet21"], file)
    assert codes_in(file.getvalue(), "sheet21") == [links.printed_facility_code(tokens[place]) for place in (0, 2)]
    assert tokens[1] not in text_of(file.getvalue())


def test_an_address_that_no_code_can_hold_prints_nothing(app: Flask, district: SmallDistrict, tmp_path: Path) -> None:
    with unit_of_work():
        make_facility(district.lamps)
    app.config["PUBLIC_BASE_URL"] = "https://区.example"
    with pytest.raises(BadInput):
        label_errand.make(Order("sheet21"), tmp_path / "a.pdf")
    assert list(tmp_path.glob("*.pdf")) == []
    assert db.session.scalars(db.select(FacilityToken.state)).one() == "issued"


def test_a_character_the_typeface_lacks_is_said_and_stood_in_for(
    app: Flask, district: SmallDistrict, tmp_path: Path
) -> None:
    with unit_of_work():
        make_facility(district.lamps, name="\U0002a6d6字路灯")
    made = label_errand.make(Order("sheet21"), tmp_path / "a.pdf")
    assert made.missing == "\U0002a6d6"
    assert f"{STAND_IN}字路灯" in text_of((tmp_path / "a.pdf").read_bytes())


# The typeface


def test_the_typeface_has_the_characters_of_chinese_place_names() -> None:
    assert typeface().lacks("加格达奇区人民路（东段）12号——甲、乙；囍堃垚淼犇鑫圳氹埔圩〓№" + "ABCxyz0189.:/-") == set()
    lost = [
        character
        for high in range(0xB0, 0xF8)
        for low in range(0xA1, 0xFF)
        if (character := bytes((high, low)).decode("gb2312", errors="ignore")) and typeface().lacks(character)
    ]
    assert lost == [], "all of GB 2312"


def test_a_cut_typeface_draws_the_same_and_is_small() -> None:
    face = typeface()
    text = "扫码报修 é 12345"
    cut = face.cut({face.glyph(character) for character in text})
    assert len(cut) < 250_000
    assert sum(struct.unpack(f">{len(cut) // 4}L", cut)) & 0xFFFFFFFF == 0xB1B0AFBA, "the sum that fonts end with"
    # It keeps no map of characters, so it is asked by the numbers of the whole one.
    assert "cmap" not in {cut[12 + 16 * n : 16 + 16 * n].decode() for n in range(struct.unpack_from(">H", cut, 4)[0])}


def test_outlines_are_where_the_letters_are() -> None:
    face = typeface()
    numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", face.path("口", 10, 20, 5))]
    xs, ys = numbers[::2], numbers[1::2]
    assert 10 <= min(xs) < max(xs) <= 15
    assert 15 <= min(ys) < max(ys) <= 21.5
    assert drawing(10, 10, [Words(1, 5, 3, "口")], face).count("<path") == 1


def test_a_typeface_without_a_map_is_refused() -> None:
    face = typeface()
    with pytest.raises((ValueError, KeyError)):
        Typeface(face.cut({1}))


def test_pages_go_to_the_file_at_once() -> None:
    """Nothing of a page stays behind, so that a run's length costs no memory."""
    file, face, maker = io.BytesIO(), typeface(), Maker()
    document = Document(file, face, title="标牌")
    sizes = []
    for number in range(4):
        document.page(60, 40, [(0, 0, shape) for shape in compose(LAYOUTS["roll60"], a_label(maker=maker), face)])
        sizes.append(file.tell())
        assert document.pages == number + 1
    assert all(later - earlier > 1000 for earlier, later in pairwise(sizes))
    document.close()
    assert file.getvalue().endswith(b"%%EOF\n")
