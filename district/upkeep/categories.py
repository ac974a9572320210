"""Categories, their case standards and the facility types with their usual problems, set by hand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from district.categories.models import CaseStandard, Category
from district.devices.models import DeviceAlarmKind
from district.extensions import db
from district.facilities.models import Facility, FacilityType
from district.loading.category_rows import (
    CATEGORY_COLUMNS,
    STANDARD_COLUMNS,
    TYPE_COLUMNS,
    KnownToCategories,
    read_category,
    read_facility_type,
    read_standard,
)
from district.messages import t
from district.replies.models import ReplyTemplate
from district.reports.models import Report
from district.reports.states import OPEN
from district.routing.models import RoutingRule
from district.units.models import Unit
from district.upkeep.kinds import (
    Cells,
    Kind,
    Record,
    Use,
    count,
    in_use,
    joined,
    read_row,
    refuse,
    rows_listing,
    rules_naming,
    yes_no,
)


class Categories(Kind):
    """Categories. One that is out of use is offered no more; reports that have it keep it."""

    name = "category"
    model = Category
    columns = CATEGORY_COLUMNS
    fixed = ("scheme", "kind")
    versions = ("categories", "rules")

    def read(self, cells: Cells) -> tuple[str, Record]:
        row, report = read_row(self.columns, cells)
        code, record = read_category(row, _known())
        major = db.session.scalar(select(Category.major).where(Category.code == code, Category.retired_at.is_(None)))
        if major is not None and major != record["major"] and _rules_of_last(major, code):
            report.add("", 0, "major_zh", "major_needed", value=major)
        refuse(report)
        return code, record

    def told(self, row: Category) -> Record:
        names = (
            "scheme", "kind", "major", "name", "name_en", "default_unit_kind", "limit_value", "limit_unit", "urgency",
            "facility_type_code", "topic", "close_without_verification",
        )  # fmt: skip
        record = {name: getattr(row, name) for name in names}
        return record | {"keywords": list(row.keywords), "active": row.retired_at is None}

    def put(self, row: Category, record: Record) -> None:
        for name in record.keys() - {"active"}:
            setattr(row, name, record[name])

    def written(self, code: str, record: Record) -> dict[str, str]:
        return {
            "code": code,
            "scheme": record["scheme"],
            "kind": record["kind"],
            "major_zh": record["major"],
            "name_zh": record["name"],
            "name_en": record["name_en"],
            "keywords_zh": joined(record["keywords"]),
            "default_unit_kind": record["default_unit_kind"],
            "deadline_value": str(record["limit_value"]),
            "deadline_unit": str(record["limit_unit"]),
            "urgency": str(record["urgency"]),
            "facility_type": record["facility_type_code"],
            "campaign_topic": record["topic"],
            "close_without_verification": yes_no(record["close_without_verification"]),
        }

    def uses(self, row: Category) -> list[Use]:
        replies = db.session.scalars(select(ReplyTemplate).where(ReplyTemplate.ended_at.is_(None)))
        defaults = FacilityType.default_category_code == row.code
        return [
            Use("rules", len(rules_naming("category_codes", row.code)) + _rules_of_last(row.major, row.code), True),
            Use("facility_types", count(FacilityType, defaults, FacilityType.retired_at.is_(None)), True),
            Use("standards", count(CaseStandard, CaseStandard.category_id == row.id,
                                   CaseStandard.retired_at.is_(None)), False),
            Use("open_reports", count(Report, Report.category_id == row.id, Report.status.in_(OPEN)), False),
            Use("alarm_kinds", count(DeviceAlarmKind, DeviceAlarmKind.category_code == row.code,
                                     DeviceAlarmKind.retired_at.is_(None)), True),
            Use("reply_templates", rows_listing(replies, "category_codes", row.code), False),
        ]  # fmt: skip


class Standards(Kind):
    """Case standards: when a case is opened, how long it may take, when it counts as done."""

    name = "standard"
    model = CaseStandard
    columns = STANDARD_COLUMNS
    code_column = "standard_id"
    versions = ("categories",)

    def read(self, cells: Cells) -> tuple[str, Record]:
        row, report = read_row(self.columns, cells)
        code, record = read_standard(row, _known())
        refuse(report)
        return code, record

    def told(self, row: CaseStandard) -> Record:
        return {
            "category_code": db.session.get_one(Category, row.category_id).code,
            "condition": row.condition,
            "limit_value": row.limit_value,
            "limit_unit": row.limit_unit,
            "close_condition": row.close_condition,
            "active": row.retired_at is None,
        }

    def put(self, row: CaseStandard, record: Record) -> None:
        for name in ("condition", "limit_value", "limit_unit", "close_condition"):
            setattr(row, name, record[name])
        row.category_id = db.session.scalars(
            select(Category.id).where(Category.code == record["category_code"], Category.retired_at.is_(None))
        ).one()

    def written(self, code: str, record: Record) -> dict[str, str]:
        return {
            "standard_id": code,
            "category_code": record["category_code"],
            "condition_zh": record["condition"],
            "limit_value": str(record["limit_value"]),
            "limit_unit": str(record["limit_unit"]),
            "close_condition_zh": record["close_condition"],
        }

    def uses(self, row: CaseStandard) -> list[Use]:
        chosen = (Report.standard_code == row.code, Report.status.in_(OPEN))
        return [Use("open_reports", count(Report, *chosen), False)]


class FacilityTypes(Kind):
    """Facility types, with what residents usually report about them."""

    name = "facility_type"
    model = FacilityType
    columns = TYPE_COLUMNS
    versions = ("categories", "rules")

    def read(self, cells: Cells) -> tuple[str, Record]:
        row, report = read_row(self.columns, cells)
        code, record = read_facility_type(row, _known())
        refuse(report)
        return code, record

    def told(self, row: FacilityType) -> Record:
        names = (
            "major", "name", "name_en", "geometry", "default_unit_kind", "is_smart", "gives_light",
            "default_category_code",
        )  # fmt: skip
        record = {name: getattr(row, name) for name in names}
        return record | {"problems": list(row.problems), "active": row.retired_at is None}

    def put(self, row: FacilityType, record: Record) -> None:
        for name in record.keys() - {"active"}:
            setattr(row, name, record[name])

    def written(self, code: str, record: Record) -> dict[str, str]:
        return {
            "code": code,
            "major_zh": record["major"],
            "name_zh": record["name"],
            "name_en": record["name_en"],
            "geometry": record["geometry"],
            "default_unit_kind": record["default_unit_kind"],
            "is_smart": yes_no(record["is_smart"]),
            # Changes from before there was the field do not have it.
            "gives_light": yes_no(record.get("gives_light", False)),
            "quick_problems_zh": joined(record["problems"]),
            "default_category": record["default_category_code"],
        }

    def uses(self, row: FacilityType) -> list[Use]:
        named = Category.facility_type_code == row.code
        return [
            Use("facilities", count(Facility, Facility.type_id == row.id, Facility.retired_at.is_(None)), True),
            Use("categories", count(Category, named, Category.retired_at.is_(None)), True),
            Use("rules", len(rules_naming("facility_types", row.code)), True),
            Use("alarm_kinds", count(DeviceAlarmKind, DeviceAlarmKind.facility_type_code == row.code,
                                     DeviceAlarmKind.retired_at.is_(None)), True),
        ]  # fmt: skip


def _known() -> KnownToCategories:
    return KnownToCategories(
        in_use(Category),
        in_use(FacilityType),
        frozenset(db.session.scalars(select(Unit.kind).where(Unit.closed_at.is_(None)))),
        t("rules.list.categories"),
        t("rules.list.types"),
        t("rules.list.units"),
    )


def _rules_of_last(major: str, code: str) -> int:
    """How many rules name this group of categories, when the category is the last one in it."""
    others: Any = (Category.major == major, Category.code != code, Category.retired_at.is_(None))
    if count(Category, *others):
        return 0
    return count(RoutingRule, RoutingRule.major == major, RoutingRule.retired_at.is_(None))
