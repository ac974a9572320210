"""What a report's category, place and units are called in the reader's language."""

from __future__ import annotations

from typing import Any

from district.messages import CHINESE, language, t
from district.reference import CategoryRef, reference
from district.reports.models import Report


def category_name(category: CategoryRef | Any | None) -> str:
    """The category, or the facility's type, in the reader's language."""
    if category is None:
        return t("admin.report.no_category")
    if language() != CHINESE and category.name_en:
        return str(category.name_en).replace("_", " ").capitalize()
    return str(category.name)


def area_name(code: str) -> str:
    """A street, township, community or grid; "" for one that is not known."""
    area = reference().areas_by_code.get(code)
    return area.name if area else ""


def unit_name(unit_id: int | None) -> str:
    """A unit by its id; "" for none."""
    unit = reference().units_by_id.get(unit_id) if unit_id else None
    return unit.name if unit else ""


def place_words(report: Report) -> str:
    """Where it is, in one line: the address, else the facility's, else the community and street."""
    if report.address:
        return report.address
    if report.facility is not None:
        return report.facility.address or report.facility.name
    names = [area_name(report.area_code), area_name(report.community_code)]
    return " ".join(name for name in names if name)
