"""Photos and the base map, served to whoever may see the page they are on."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, current_app, request, send_file
from sqlalchemy import select

from district import settings
from district.extensions import db
from district.reports import photos
from district.reports.models import Photo

pages = Blueprint("files", __name__)


@pages.get("/photos/<token>/<size>.jpg")
def photo(token: str, size: str) -> Response:
    """A kept photo by its unguessable token; size: `thumb` or `page`."""
    row = db.session.scalar(select(Photo).where(Photo.token == token))
    content = photos.read(row, size) if row is not None else None
    if content is None:
        abort(404)
    response = Response(content, mimetype="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@pages.get("/map/<name>.json")
def base_map(name: str) -> Response:
    """The district's base map as the loader prepared it: files under `VAR_DIR/map/`."""
    folder = Path(current_app.config["VAR_DIR"]) / "map"
    path = folder / f"{name}.json"
    if not name.replace("-", "").isalnum() or not path.is_file():
        abort(404)
    response = send_file(path, mimetype="application/json", conditional=True)
    response.headers["Cache-Control"] = "public, max-age=31536000" if request.args.get("v") else "no-cache"
    return response


def map_version() -> int:
    """Counts up when the district's map changes: part of the map's address."""
    return settings.versions().get("map", 0)
