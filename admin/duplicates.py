"""What a report's page shows of others about the same thing: what may be the same, and what has joined it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from district import clock
from district.people.models import Staff
from district.reference import reference
from district.reports import incidents, merging, queries, sight, similar
from district.reports.models import Report
from district.reports.similar import Similar
from district.reports.states import Action

MOST_CANDIDATES = 5
MOST_JOINED = 5


@dataclass(frozen=True)
class Candidate:
    """An open report that may be about the same thing. thumb: its first picture's token, or None."""

    report: Report
    score: Similar
    thumb: str | None

    @property
    def percent(self) -> int:
        return round(self.score.score * 100)


def shown_with(found: Report, staff: Staff, can_do: Collection[Action]) -> dict[str, Any]:
    """What the report page's template needs of them."""
    number = incidents.joined_counts([found.id]).get(found.id, 0) if found.has_followers else 0
    joined = incidents.members_of(found.id, limit=MOST_JOINED) if number else []
    return {
        "candidates": _candidates(found, staff) if Action.MERGE in can_do else [],
        "can_merge": Action.MERGE in can_do,
        "can_unmerge": Action.UNMERGE in can_do,
        "joined": joined,
        "joined_number": number,
        "joined_thumbs": queries.thumbs(joined),
        "follower_number": merging.count_followers(found.id) if found.has_followers else 0,
        "incident": incidents.latest_of(found.id) if number else None,
    }


def _candidates(found: Report, staff: Staff) -> list[Candidate]:
    scores = similar.find(similar.of_report(found), reference(), now=clock.now(), limit=MOST_CANDIDATES)
    by_number = {report.number: report for report in queries.by_numbers([one.number for one in scores])}
    seen = [one for one in scores if one.number in by_number and sight.may_see(staff, by_number[one.number])]
    thumbs = queries.thumbs([by_number[one.number] for one in seen])
    return [Candidate(by_number[one.number], one, thumbs.get(one.id)) for one in seen]
