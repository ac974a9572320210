"""How it was in the end: stars, content, not solved and why, and what has come back. Pure."""

from __future__ import annotations

import re

from bot.recent import going_on, touch
from bot.talk import AddWords, Rate, Reading, Reopen, ReportCard, Step, Turn, World
from bot.words import plain

_CLAUSE = re.compile(r"[，,。.！!；;\n]+")
# Why a resident is not content, in the order they are offered; the pages offer the same.
REASONS = ("slow", "not_fixed", "rework", "attitude", "other")
LOW_STARS = 2


def verdict(text: str, world: World) -> tuple[str, str]:
    """How it was, and what is said behind it ("not content, too slow"); empty where nothing is judged.

    What names a trouble or a place of its own is no verdict, whatever stands before it.
    """
    words = world.words

    def is_verdict(part: str) -> bool:
        return words.stars(part) is not None or words.means("solved", part) or words.means("unsolved", part)

    if is_verdict(bare := words.without_thanks(text)):
        return bare, ""
    head, *others = _CLAUSE.split(text, maxsplit=1)
    if not others or not is_verdict(head) or words.means("no_verdicts", head):
        return "", ""
    if plain(head).isdecimal() and not is_verdict(words.without_thanks(others[0])):
        # "5, the lamp ..." counts something else.
        return "", ""
    reading = world.read(others[0])
    is_more = reading.category or reading.places or reading.facility or reading.dangers or reading.number
    return ("", "") if is_more else (head, others[0].strip())


def judged(turn: Turn, text: str, report: ReportCard, world: World, rest: str = "") -> bool:
    """rest: what was said behind the verdict, for whoever reads it there."""
    words = world.words
    stars = words.stars(text)
    if words.means("unsolved", text):
        _not_solved(turn, report, world, rest)
        return True
    if stars is None and not words.means("solved", text):
        return False
    if report.is_rated:
        turn.say("bot.rate.already", number=report.number)
        return True
    turn.actions.append(Rate(report.id, True, stars))
    if plain(rest) and not words.means("solved", rest) and not words.means("thanks", rest):
        turn.actions.append(AddWords(report.id, rest))
    if stars is not None and stars <= LOW_STARS:
        turn.say("bot.rate.low")
        _ask_why(turn, report, world)
    else:
        turn.say("bot.rate.thanks")
        touch(turn.talk, report.id, report.number, world)
    return True


def _not_solved(
    turn: Turn, report: ReportCard, world: World, why: str = "", photo_ids: tuple[int, ...] = ()
) -> None:
    """Sent back first, asked why afterwards: whoever does not answer is not left with it."""
    turn.actions.append(Reopen(report.id) if report.is_rated else Rate(report.id, False, None))
    turn.say("bot.rate.reopened", number=report.number, unit=report.unit)
    if why or photo_ids:
        turn.actions.append(AddWords(report.id, why, photo_ids=photo_ids))
        turn.say("bot.added.passed_on")
        touch(turn.talk, report.id, report.number, world)
    else:
        _ask_why(turn, report, world)


def came_back(turn: Turn, text: str, reading: Reading, world: World) -> bool:
    """ "The light is still dark", "dark again", without a word of where.

    It is the one of that kind that is still open. Of one that was closed lately it is asked, and kept as a draft
    meanwhile.
    """
    talk = turn.talk
    is_again = reading.category and world.words.says_again(text)
    if not is_again or reading.places or reading.facility or reading.dangers:
        return False
    still = [one for one in going_on(world.my_reports()) if one.category == reading.category]
    if len(still) == 1:
        turn.actions.append(AddWords(still[0].id, text, urges=True))
        turn.say("bot.added.words", number=still[0].number)
        touch(talk, still[0].id, still[0].number, world)
        return True
    report = world.to_rate()
    if report is None or (report.category or world.read(report.words).category) != reading.category:
        return False
    talk.words, talk.category, talk.step = [text], reading.category, Step.NEED_PLACE
    talk.asked |= {"place": 1, "came_back": report.id}
    talk.asked_at = world.now.isoformat()
    turn.say("bot.rate.came_back", number=report.number, words=report.words)
    return True


def came_back_answered(turn: Turn, text: str, world: World) -> bool:
    """Yes: it is done anew, with these words. No: it is another one, and where is asked. Else False."""
    talk, words = turn.talk, world.words
    if any(words.means(meaning, text) for meaning in ("no", "different", "wrong")):
        talk.asked.pop("came_back")
        turn.say("bot.ask.place")
        return True
    if not any(words.means(meaning, text) for meaning in ("yes", "same", "unsolved")):
        return False
    report = world.to_rate()
    if report is None or report.id != talk.asked["came_back"]:
        talk.asked.pop("came_back")
        return False
    why, photo_ids = "\n".join(talk.words), tuple(talk.photo_ids)
    talk.clear()
    _not_solved(turn, report, world, why, photo_ids)
    return True


def _ask_why(turn: Turn, report: ReportCard, world: World) -> None:
    talk = turn.talk
    reasons = (f"{index} {world.sentence(reason_key(code))}" for index, code in enumerate(REASONS, 1))
    turn.say("bot.rate.why", reasons="  ".join(reasons))
    touch(talk, report.id, report.number, world)
    talk.step, talk.reason_id, talk.reason_number = Step.CHOOSE_REASON, report.id, report.number


def reason_key(code: str) -> str:
    return f"bot.reason.{code}"


def reason_answered(turn: Turn, text: str, world: World) -> bool:
    """A number of the reasons. False for words of their own, which are added to the report as they are."""
    talk = turn.talk
    number, report_id, report_number = world.words.choice(text), talk.reason_id, talk.reason_number
    if number is not None:
        report = world.report(report_number)
        if report is None or (report.is_closed and not report.is_rated):
            # Done anew in the meantime: the number answers the newer question, how it was.
            talk.step, talk.reason_id, talk.reason_number = Step.IDLE, None, ""
            return False
    if number is not None and not 1 <= number <= len(REASONS):
        turn.say("bot.choose.again", count=len(REASONS))
        return True
    talk.step, talk.reason_id, talk.reason_number = Step.IDLE, None, ""
    if number is None or report_id is None:
        return False
    code = REASONS[number - 1]
    turn.actions.append(AddWords(report_id, world.sentence(reason_key(code)), reason=code))
    turn.say("bot.rate.other" if code == "other" else "bot.rate.told")
    touch(talk, report_id, report_number, world)
    return True
