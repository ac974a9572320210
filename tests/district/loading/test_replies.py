"""reply_templates.csv: prepared words for residents, from the folder."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from district.extensions import db
from district.people.models import Staff
from district.replies import service as replies
from district.replies.models import ReplyTemplate
from district.reports.states import Status
from district.work import unit_of_work
from tests.district.loading.conftest import SpoiltFolder


def test_loading_brings_the_files_words_and_leaves_the_panels(app: Flask, folder: SpoiltFolder) -> None:
    assert folder.load().counts["reply_templates"]["created"] == 7
    lamp = db.session.scalars(select(ReplyTemplate).where(ReplyTemplate.code == "R05")).one()
    assert (lamp.category_codes, lamp.statuses) == (["01037"], [Status.ASSIGNED, Status.IN_PROGRESS])
    with unit_of_work():
        by = db.session.scalars(select(Staff).where(Staff.username == "admin")).one()
        own = replies.save(None, by=by, title="自己写的", words="马上来").id
        replies.end(lamp.id, by=by)
    folder.drop("reply_templates.csv", "R01")
    assert folder.load().counts["reply_templates"] == {"created": 0, "updated": 0, "unchanged": 6, "retired": 1}
    in_use = {row.code for row in replies.listed()}
    assert "R01" not in in_use
    assert "R05" not in in_use, "what was put away in the panel stays away"
    assert own in {row.id for row in replies.listed()}


@pytest.mark.parametrize(
    ("column", "value", "part"),
    [
        ("words_zh", "{市长}来了", "{市长}"),
        ("words_en", "{mayor} comes", "{mayor}"),
        ("words_zh", "", "empty"),
        ("title", "", "empty"),
        ("category_codes", "99999", "categories.csv has no '99999'"),
        ("statuses", "lost", "'lost'"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: SpoiltFolder, column: str, value: str, part: str) -> None:
    folder.put("reply_templates.csv", 2, column, value)
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == ("reply_templates.csv", 2, column)
    assert part in str(problem)
