"""Searching the gazetteer by part of a name, for people who type. None commits."""

from __future__ import annotations

from sqlalchemy import case, func, or_, select

from district.extensions import db
from district.geo.models import NamedPlace
from district.reference import reference


def search_places(words: str, *, limit: int = 8) -> list[NamedPlace]:
    """Named places: first those the words name in passing ("the crossing of A and B"), then those that contain them."""
    words = words.strip()
    if not words:
        return []
    named = [(point.name, point.latitude, point.longitude) for point in reference().gazetteer.find(words).candidates]
    first = [
        place
        for place in db.session.scalars(select(NamedPlace).where(NamedPlace.name.in_({name for name, *_ in named})))
        if (place.name, place.latitude, place.longitude) in named
    ]
    first.sort(key=lambda place: named.index((place.name, place.latitude, place.longitude)))
    query = select(NamedPlace)
    for word in words.split()[:4]:
        query = query.where(
            or_(NamedPlace.name.contains(word, autoescape=True), NamedPlace.address.contains(word, autoescape=True))
        )
    rank = case((NamedPlace.name == words, 0), (NamedPlace.name.startswith(words, autoescape=True), 1), else_=2)
    rest = db.session.scalars(query.order_by(rank, func.length(NamedPlace.name), NamedPlace.id).limit(limit))
    return list(dict.fromkeys([*first, *rest]))[:limit]
