"""Photos and the base map, served to whoever may see the page they are on."""

from __future__ import annotations

import json

from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy import select

from district import settings
from district.extensions import db
from district.reports import photos
from district.reports.models import Photo

pages = Blueprint("files", __name__)
MAP_PARTS = ("base", "buildings", "areas")


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
    """One part of the district's base map: `base`, `buildings` or `areas`, as `geo.basemap` made it."""
    if name not in MAP_PARTS:
        abort(404)
    version = map_version()
    parts: dict[str, tuple[int, bytes]] = current_app.extensions.setdefault("map_parts", {})
    kept = parts.get(name)
    if kept is None or kept[0] != version:
        shape = settings.get(f"map:{name}")
        if shape is None:
            abort(404)
        kept = parts[name] = (version, json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode())
    response = Response(kept[1], mimetype="application/json")
    response.set_etag(f"{name}-{version}-{len(kept[1])}")
    asked = request.args.get("v", type=int)
    response.headers["Cache-Control"] = "public, max-age=31536000" if asked == version else "public, max-age=600"
    response.make_conditional(request)
    return response


def map_version() -> int:
    """Counts up when the district's map changes: part of the map's address."""
    return settings.versions().get("map", 0)
