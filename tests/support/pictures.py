"""Small real pictures, honest and otherwise."""

from __future__ import annotations

import io
from typing import Any

from PIL import ExifTags, Image


def picture(
    form: str = "JPEG", *, size: tuple[int, int] = (64, 48), mode: str = "RGB", colour: Any = None, **options: Any
) -> bytes:
    """A picture of one colour in one of Pillow's formats."""
    out = io.BytesIO()
    Image.new(mode, size, colour if colour is not None else (200, 120, 40)).save(out, form, **options)
    return out.getvalue()


def jpeg(**options: Any) -> bytes:
    return picture("JPEG", **options)


def photo_of_a_phone(*, orientation: int = 1) -> bytes:
    """A JPEG as a telephone writes it: left half red, right half blue, with place, time and owner in its EXIF."""
    image = Image.new("RGB", (80, 40), (220, 20, 20))
    image.paste((20, 20, 220), (40, 0, 80, 40))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "SecretPhone"
    exif[ExifTags.Base.Artist] = "SecretOwner"
    exif[ExifTags.Base.DateTime] = "2026:11:22 08:00:00"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (50.0, 25.0, 33.6)
    place[ExifTags.GPS.GPSLongitudeRef] = "E"
    place[ExifTags.GPS.GPSLongitude] = (124.0, 7.0, 34.3)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95, exif=exif, comment=b"SecretComment")
    return out.getvalue()
