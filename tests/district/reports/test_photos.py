"""Pictures come from anywhere: only pictures get in, and only the picture of them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from datetime import timedelta

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select

from district import clock
from district.errors import BadInput
from district.extensions import db
from district.reports import photos
from district.reports.models import Photo, PhotoState
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases
from tests.support.pictures import jpeg, photo_of_a_phone, picture
from tests.support.threads import in_threads


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


# What gets in


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_every_kind_we_show_becomes_a_jpeg_of_two_sizes(form: str) -> None:
    prepared = photos.prepare(picture(form, size=(2400, 1200)))
    assert {name: opened(content).format for name, content in prepared.files.items()} == {
        "page": "JPEG",
        "thumb": "JPEG",
    }
    assert opened(prepared.files["page"]).size == (1600, 800) == (prepared.width, prepared.height)
    assert opened(prepared.files["thumb"]).size == (320, 160)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_every_kind_of_colour_is_understood(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    content = picture(form, mode=mode, colour=1 if mode in ("P", "1", "L", "I;16") else None or 0)
    assert opened(photos.prepare(content).files["page"]).mode == "RGB"


def test_a_small_picture_is_not_blown_up() -> None:
    prepared = photos.prepare(jpeg(size=(20, 10)))
    assert opened(prepared.files["page"]).size == (20, 10)


def test_the_same_picture_has_the_same_name_in_the_store() -> None:
    assert photos.prepare(jpeg()).digest == photos.prepare(jpeg()).digest
    assert photos.prepare(jpeg()).digest != photos.prepare(jpeg(colour=(1, 2, 3))).digest


# What stays outside


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_and_knows_nothing_of_its_owner(orientation: int) -> None:
    original = photo_of_a_phone(orientation=orientation)
    assert b"SecretOwner" in original
    for content in photos.prepare(original).files.values():
        for secret in (b"Exif", b"SecretPhone", b"SecretOwner", b"SecretComment", b"GPS", b"2026:11:22", b"xmp"):
            assert secret not in content
        assert not opened(content).getexif()
    upright = opened(photos.prepare(original).files["page"])
    assert upright.size == ((80, 40) if orientation <= 4 else (40, 80))
    # As the camera's owner sees it: red left of blue, or above, by orientation.
    red_at = {1: (10, 20), 2: (70, 20), 3: (70, 20), 4: (10, 20), 5: (20, 10), 6: (20, 10), 7: (20, 70), 8: (20, 70)}
    red, _, blue = upright.getpixel(red_at[orientation])  # type: ignore[misc]
    assert red > 180 > 80 > blue


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"\xff\xd8\xff\xe0" + b"\0" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!doctype html><script>alert(1)</script>",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        b"#!AMR\n" + b"\x3c" + b"\0" * 31,
        b"PK\x03\x04" + b"\0" * 200,
        "路灯坏了".encode(),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        photos.prepare(content)
    assert refused.value.key == "errors.photo_unreadable"


@pytest.mark.parametrize("form", ["BMP", "TIFF", "ICO", "PPM", "TGA"])
def test_kinds_that_phones_do_not_make_are_refused(form: str) -> None:
    with pytest.raises(BadInput):
        photos.prepare(picture(form))


def test_a_page_disguised_as_a_picture_leaves_only_the_picture() -> None:
    polyglot = jpeg() + b"<script>alert(document.cookie)</script>"
    for content in photos.prepare(polyglot).files.values():
        assert b"script" not in content


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_half_a_picture_is_refused(form: str) -> None:
    noise = Image.frombytes("RGB", (120, 120), random.Random(1).randbytes(120 * 120 * 3))
    out = io.BytesIO()
    noise.save(out, form)
    with pytest.raises(BadInput) as refused:
        photos.prepare(out.getvalue()[: len(out.getvalue()) // 2])
    assert refused.value.key == "errors.photo_unreadable"


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(BadInput) as refused:
        photos.prepare(jpeg() + b"\0" * photos.LARGEST_BYTES)
    assert refused.value.key == "errors.photo_too_large"


@pytest.mark.parametrize("side", [8_000, 30_000, 65_000])
def test_a_picture_that_would_fill_the_memory_is_refused(side: int) -> None:
    """A few bytes that promise many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(b"\0" * 10_000)) + chunk(b"IEND", b"")
    with pytest.raises(BadInput):
        photos.prepare(bomb)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_damaged_pictures_are_refused_or_read_and_never_an_accident(form: str) -> None:
    chance = random.Random(form)
    original = photo_of_a_phone() if form == "JPEG" else picture(form)
    for _ in range(150):
        damaged = bytearray(original)
        for _ in range(chance.randint(1, 12)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            assert photos.prepare(bytes(damaged)).files
        except BadInput:
            continue


@pytest.mark.parametrize("seed", range(0, 400, 8))
def test_damaged_exif_does_not_make_a_picture_an_accident(seed: int) -> None:
    for chance in map(random.Random, range(seed, seed + 8)):
        damaged = bytearray(photo_of_a_phone(orientation=6))
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(20, 400)] = chance.randrange(256)
        try:
            photos.prepare(bytes(damaged))
        except BadInput:
            continue


# In the store and in the database


@pytest.fixture
def waiting(app: Flask) -> int:
    with unit_of_work():
        return photos.expect_media("media-1", factories.make_resident().id)


def row(photo_id: int) -> Photo:
    db.session.expire_all()
    return db.session.get_one(Photo, photo_id)


def test_what_is_kept_can_be_read_in_both_sizes_and_no_other(app: Flask) -> None:
    prepared = photos.prepare(jpeg())
    photos.keep(prepared)
    photos.keep(prepared)
    with unit_of_work():
        photo = photos.add_uploaded(prepared)
    assert photos.read(photo, "page") == prepared.files["page"]
    assert photos.read(photo, "thumb") == prepared.files["thumb"]
    assert photos.read(photo, "original") is None
    assert photos.read(photo, "../secrets") is None


@both_databases
def test_a_picture_is_fetched_by_one_worker_at_a_time(app: Flask) -> None:
    with unit_of_work():
        resident_id = factories.make_resident().id
        for number in range(30):
            photos.expect_media(f"media-{number}", resident_id)
    db.session.remove()
    claimed: list[int] = []

    def claim() -> None:
        with app.app_context():
            for _ in range(5):
                with unit_of_work():
                    claimed.extend(photo_id for photo_id, _ in photos.claim_waiting(3))
            db.session.remove()

    in_threads([claim] * 4)
    assert len(claimed) == len(set(claimed)) == 30
    assert db.session.scalars(select(Photo.tries)).all() == [1] * 30


def test_a_picture_whose_worker_died_is_fetched_again(app: Flask, waiting: int) -> None:
    with unit_of_work():
        assert photos.claim_waiting() == [(waiting, "media-1")]
    with unit_of_work():
        assert photos.claim_waiting() == []
    with clock.frozen_at(clock.now() + timedelta(seconds=91)), unit_of_work():
        assert photos.claim_waiting() == [(waiting, "media-1")]


def test_a_failed_fetch_is_tried_again_ever_later_and_then_given_up(app: Flask, waiting: int) -> None:
    start, waits = clock.now(), []
    moment = start
    while row(waiting).state == PhotoState.WAITING:
        with clock.frozen_at(moment):
            with unit_of_work():
                assert photos.claim_waiting() == [(waiting, "media-1")]
            with unit_of_work():
                photos.not_fetched(waiting, "no answer")
        due = row(waiting).next_try_at
        if due is not None:
            waits.append((due - moment).total_seconds())
            moment = due
    assert waits == sorted(waits)
    assert waits[0] <= 30
    assert waits[-1] <= 3600
    assert row(waiting).state == PhotoState.LOST
    assert moment - start <= photos.MEDIA_LIVES + timedelta(hours=1)


@pytest.mark.parametrize("end", [PhotoState.LOST, PhotoState.REFUSED])
def test_what_can_never_be_fetched_is_given_up_at_once(app: Flask, waiting: int, end: PhotoState) -> None:
    with unit_of_work():
        photos.not_fetched(waiting, "错" * 500, final=end)
    assert (row(waiting).state, row(waiting).next_try_at) == (end, None)


def test_a_picture_that_arrived_twice_stays_as_it_came_first(app: Flask, waiting: int) -> None:
    first, second = photos.prepare(jpeg()), photos.prepare(jpeg(colour=(9, 9, 9)))
    with unit_of_work():
        photos.fetched(waiting, first)
    with unit_of_work():
        photos.fetched(waiting, second)
        photos.not_fetched(waiting, "too late", final=PhotoState.LOST)
    assert (row(waiting).state, row(waiting).digest) == (PhotoState.KEPT, first.digest)
    assert photos.count_waiting() == 0
