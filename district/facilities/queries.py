"""Lists of facilities. None commits."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from district.extensions import db
from district.facilities.models import Facility, FacilityToken, FacilityType
from district.geo.measure import METRES_A_DEGREE, metres_between

PAGE_SIZE = 30
# Fewer digits than this are a house number rather than the beginning of a code.
_SHORTEST_CODE = 6
_MOST_IN_A_BOX = 1000


@dataclass(frozen=True)
class FacilityPage:
    """One page of a list, in the order they were entered. next_after: None at the end."""

    facilities: list[Facility]
    next_after: int | None


def search(
    *,
    words: str = "",
    type_code: str = "",
    area_code: str = "",
    state: str = "",
    after: int | None = None,
    limit: int = PAGE_SIZE,
) -> FacilityPage:
    """Facilities in use. words: a code or its beginning, a token, or parts of name and address."""
    query = select(Facility).where(Facility.retired_at.is_(None)).options(joinedload(Facility.maintainer))
    for word in words.split()[:5]:
        if word.isdecimal() and len(word) >= _SHORTEST_CODE:
            query = query.where(
                or_(Facility.code.startswith(word, autoescape=True), Facility.code17.startswith(word, autoescape=True))
            )
        else:
            owned = select(FacilityToken.facility_id).where(FacilityToken.token == word.upper())
            query = query.where(
                or_(
                    Facility.name.contains(word, autoescape=True),
                    Facility.address.contains(word, autoescape=True),
                    Facility.id.in_(owned),
                )
            )
    if type_code:
        query = query.where(Facility.type_id.in_(select(FacilityType.id).where(FacilityType.code == type_code)))
    if area_code:
        query = query.where(Facility.area_code == area_code)
    if state:
        query = query.where(Facility.state == state)
    if after is not None:
        query = query.where(Facility.id > after)
    rows = list(db.session.scalars(query.order_by(Facility.id).limit(limit + 1)))
    return FacilityPage(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


def near(latitude: float, longitude: float, *, metres: float, limit: int) -> list[tuple[Facility, float]]:
    """Facilities in use within `metres` of a point, nearest first, each with its distance in metres."""
    degrees = metres / METRES_A_DEGREE
    query = select(Facility).where(
        Facility.retired_at.is_(None),
        Facility.latitude.between(latitude - degrees, latitude + degrees),
        # Wide enough up to 60 degrees north; what is too far away goes below.
        Facility.longitude.between(longitude - 2 * degrees, longitude + 2 * degrees),
    )
    rows = db.session.scalars(query.limit(_MOST_IN_A_BOX))
    found = [(row, metres_between(latitude, longitude, row.latitude, row.longitude)) for row in rows]
    return sorted((pair for pair in found if pair[1] <= metres), key=lambda pair: pair[1])[:limit]


def tokens(facility_id: int) -> list[FacilityToken]:
    """Every code ever issued for a facility, newest first, revoked ones included."""
    return list(
        db.session.scalars(
            select(FacilityToken)
            .where(FacilityToken.facility_id == facility_id)
            .order_by(FacilityToken.issued_at.desc(), FacilityToken.token)
        )
    )
