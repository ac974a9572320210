"""Which reports words and pictures may still belong to: the one just filed or spoken of, those still open. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.draft import within
from bot.talk import ReportCard, Step, Talk, World

# How long after filing more photos and words still belong to the same report.
ADDING = timedelta(minutes=30)
# Where nothing is asked, or nothing that must be answered.
AFTER_FILING = frozenset({Step.IDLE, Step.CHOOSE_REASON, Step.CHOOSE_PIECE})


def touch(talk: Talk, report_id: int, number: str, world: World) -> None:
    """This report is the one that more words and photos belong to."""
    if talk.last_id != report_id:
        talk.last_category, talk.last_place, talk.last_follows = None, None, False
        if all(piece.get("id") != report_id for piece in talk.last_pieces):
            talk.last_pieces = []
    talk.last_id, talk.last_number, talk.last_at = report_id, number, world.now.isoformat()


def last_is_recent(talk: Talk, world: World) -> bool:
    return talk.last_id is not None and within(talk.last_at, ADDING, world)


def takes_more(talk: Talk, world: World) -> bool:
    """Whether what comes now, without a word of what it is, is for the report just filed."""
    return last_is_recent(talk, world) and not talk.is_open and talk.step in AFTER_FILING


def going_on(reports: Sequence[ReportCard]) -> list[ReportCard]:
    """Those of them that are the resident's own and that somebody still has to do something about."""
    return [one for one in reports if one.is_mine and not one.is_ended and not one.is_closed]
