"""Pictures of one scene look alike whatever their size and quality; others do not."""

from __future__ import annotations

import io

from flask import Flask
from PIL import Image, ImageDraw

from district import clock
from district.extensions import db
from district.reference import reference
from district.reports import photos, similar
from district.reports.looks import alike, apart, look_of
from district.reports.models import Report
from district.work import unit_of_work
from tests.factories import SmallDistrict, make_report


def scene(*, shift: int = 0, flipped: bool = False) -> Image.Image:
    picture = Image.new("RGB", (640, 480), (90, 120, 150))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((100 + shift, 80, 400 + shift, 400), fill=(200, 220, 240))
    draw.rectangle((0, 350, 640, 480), fill=(80, 80, 80))
    draw.rectangle((480, 60, 520, 400), fill=(30, 30, 30))
    return picture.transpose(Image.Transpose.ROTATE_180) if flipped else picture


def stored(picture: Image.Image, *, quality: int = 90, width: int = 640) -> bytes:
    out = io.BytesIO()
    picture.resize((width, width * 3 // 4)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def test_size_quality_and_a_step_aside_change_little() -> None:
    first = photos.prepare(stored(scene())).look
    again = photos.prepare(stored(scene(shift=12), quality=40, width=400)).look
    other = photos.prepare(stored(scene(flipped=True))).look
    assert len(first) == 16
    assert apart(first, again) <= 10 < apart(first, other)
    assert alike((first,), (other, again)) > 0.3
    assert alike((first,), (other,)) == 0.0


def test_a_dark_night_is_like_nothing() -> None:
    black = look_of(Image.new("RGB", (640, 480), "black"))
    assert alike((black,), (black,)) == 0.0


def test_pictures_that_look_alike_speak_for_the_same_thing(app: Flask) -> None:
    district = SmallDistrict()
    with unit_of_work():
        ids = [photos.add_uploaded(photos.prepare(stored(scene(shift=shift)))).id for shift in (0, 8)]
    # Told in other words: without the pictures it would be less sure.
    one = make_report(district, description="灯坏了", photo_ids=[ids[0]], resident=None)
    two = make_report(district, description="晚上很黑", photo_ids=[ids[1]], resident=None)
    (found,) = similar.find(similar.of_report(db.session.get_one(Report, two.id)), reference(), now=clock.now())
    assert found.number == one.number
    assert found.parts["photo"] > 0.1
