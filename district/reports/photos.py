"""Photos: checked, re-encoded without EXIF, kept in sizes.

Pictures come from anywhere. Only what Pillow can decode as JPEG, PNG, WebP or GIF is kept, always as a new JPEG.
"""

from __future__ import annotations

import hashlib
import io
import struct
from dataclasses import dataclass
from datetime import timedelta

from flask import current_app
from PIL import ExifTags, Image, UnidentifiedImageError
from sqlalchemy import func, select, update

from district import clock
from district.errors import BadInput
from district.extensions import db
from district.people.models import Resident, Staff
from district.reports.looks import look_of
from district.reports.models import Photo, PhotoState
from district.reports.numbers import new_key
from district.rows import insert_values
from district.storage import PhotoStore

LARGEST_BYTES = 12 * 1024 * 1024
MOST_PIXELS = 60_000_000
# Longest side in pixels of each size kept. `thumb` for lists, `page` for reading.
SIZES = {"page": 1600, "thumb": 320}
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MOST_PHOTOS = 9
MEDIA_LIVES = timedelta(days=3)
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """A re-encoded picture: JPEG bytes by size name, the page size's width and height, and how it looks (`looks`)."""

    digest: str
    width: int
    height: int
    files: dict[str, bytes]
    look: str


def prepare(content: bytes) -> Picture:
    """Check and re-encode. Raises BadInput when it is too large or no picture we can show."""
    if len(content) > LARGEST_BYTES:
        raise BadInput("errors.photo_too_large")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise BadInput("errors.photo_too_large")
            # Turned as the camera held it; converting to a fresh RGB picture leaves EXIF behind.
            upright = _upright(opened).convert("RGB")
    except BadInput:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise BadInput("errors.photo_unreadable") from error
    files: dict[str, bytes] = {}
    width = height = 0
    for name, side in SIZES.items():
        sized = upright.copy()
        sized.thumbnail((side, side), Image.Resampling.LANCZOS)
        sized.info.clear()
        out = io.BytesIO()
        sized.save(out, "JPEG", quality=82, optimize=True, progressive=True)
        files[name] = out.getvalue()
        if name == "page":
            width, height = sized.size
    return Picture(hashlib.sha256(files["page"]).hexdigest(), width, height, files, look_of(upright))


def _upright(image: Image.Image) -> Image.Image:
    """Turned by its EXIF orientation. Pillow's own `exif_transpose` also rewrites the EXIF, which fails on odd ones."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    except (ValueError, TypeError, KeyError, SyntaxError, struct.error):
        # Damaged EXIF does not make the picture worthless.
        return image
    return image if turn is None else image.transpose(turn)


def store() -> PhotoStore:
    kept: PhotoStore = current_app.extensions["photo_store"]
    return kept


def keep(picture: Picture) -> None:
    """Write every size to the store. Safe to repeat; do it before the row is committed, outside the transaction."""
    for name, content in picture.files.items():
        store().save(file_name(picture.digest, name), content)


def read(photo: Photo, size: str) -> bytes | None:
    """The JPEG of a kept photo in one of SIZES, or None."""
    if photo.state != PhotoState.KEPT or photo.digest is None or size not in SIZES:
        return None
    found = store().read(file_name(photo.digest, size))
    # After its time only the small size of a picture is kept: better that than none.
    return found if found is not None or size == "thumb" else store().read(file_name(photo.digest, "thumb"))


def file_name(digest: str, size: str) -> str:
    """What a size of a picture is called in the store."""
    return f"{digest}-{size}.jpg"


def add_uploaded(picture: Picture, *, resident: Resident | None = None, staff: Staff | None = None) -> Photo:
    """A row for a picture that `keep` has stored, not yet part of a report. Flushes, for the id."""
    photo = Photo(
        token=new_key(20),
        resident_id=resident.id if resident else None,
        staff_id=staff.id if staff else None,
        state=PhotoState.KEPT,
        digest=picture.digest,
        look=picture.look,
        width=picture.width,
        height=picture.height,
        created_at=clock.now(),
    )
    db.session.add(photo)
    db.session.flush()
    return photo


def expect_media(media_id: str, resident_id: int, report_id: int | None = None) -> int:
    """The id of a new row for a picture that WeChat holds; the caller hurries `fetch_photos`."""
    now = clock.now()
    photo_id: int = insert_values(
        Photo,
        token=new_key(20),
        resident_id=resident_id,
        report_id=report_id,
        state=PhotoState.WAITING,
        media_id=media_id,
        next_try_at=now,
        created_at=now,
    )
    return photo_id


def claim_waiting(limit: int = 10, lease: timedelta = timedelta(seconds=90)) -> list[tuple[int, str]]:
    """Take up to `limit` photos to fetch, as (id, media id); nobody else gets them during `lease`."""
    now = clock.now()
    rows = db.session.execute(
        select(Photo.id, Photo.media_id)
        .where(Photo.state == PhotoState.WAITING, Photo.next_try_at <= now, Photo.media_id.is_not(None))
        .order_by(Photo.next_try_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        db.session.execute(
            update(Photo)
            .where(Photo.id.in_([row.id for row in rows]))
            .values(next_try_at=now + lease, tries=Photo.tries + 1)
        )
    return [(row.id, str(row.media_id)) for row in rows]


def fetched(photo_id: int, picture: Picture) -> None:
    """The picture has arrived and is in the store. Does nothing when it was already noted."""
    db.session.execute(
        update(Photo)
        .where(Photo.id == photo_id, Photo.state == PhotoState.WAITING)
        .values(
            state=PhotoState.KEPT,
            digest=picture.digest,
            look=picture.look,
            width=picture.width,
            height=picture.height,
            next_try_at=None,
            last_error="",
        )
    )


def not_fetched(photo_id: int, error: str, *, final: PhotoState | None = None) -> None:
    """A try failed. With `final` it is given up as `lost` or `refused`; else tried again for three days."""
    photo = db.session.get(Photo, photo_id, with_for_update=True)
    if photo is None or photo.state != PhotoState.WAITING:
        return
    photo.last_error = error[:200]
    now = clock.now()
    if final is None and now - photo.created_at > MEDIA_LIVES:
        final = PhotoState.LOST
    if final is not None:
        photo.state, photo.next_try_at = final, None
    else:
        photo.next_try_at = now + timedelta(seconds=min(3600, 5 * 2 ** min(photo.tries, 10)))


def count_waiting() -> int:
    """How many photos WeChat still holds for us."""
    return db.session.scalar(select(func.count()).select_from(Photo).where(Photo.state == PhotoState.WAITING)) or 0
