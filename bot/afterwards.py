"""After filing: where a report stands, what is said of it, taking it back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot import judging
from bot.chasing import Chase
from bot.draft import MOST_CHOICES, remind
from bot.recent import going_on, last_is_recent, touch
from bot.talk import AddWords, ReportCard, Step, Talk, Turn, Withdraw, World
from bot.words import plain

# Words that answer a question of ours, and say nothing where none is asked.
NODS = ("noted", "enough", "yes", "no")


# Where it stands


def list_mine(turn: Turn, world: World) -> None:
    reports = list(world.my_reports())[:MOST_CHOICES]
    if not reports:
        turn.say("bot.status.none")
        remind(turn)
        return
    if len(reports) == 1:
        show(turn, reports[0])
        return
    turn.say("bot.status.list")
    for report in reports:
        words = report.words or world.sentence("bot.status.followed")
        turn.say("bot.status.row", number=report.number, status=report.status, words=words, link=report.link)


def show(turn: Turn, report: ReportCard) -> None:
    turn.say(
        "bot.status.one" if report.words else "bot.status.one_bare",
        number=report.number, status=report.status, words=report.words,
    )  # fmt: skip
    if report.due:
        turn.say("bot.status.overdue" if report.is_overdue else "bot.status.due", due=report.due)
    if report.note:
        turn.say("bot.status.note", note=report.note)
    turn.say("bot.status.link", link=report.link)
    if report.is_mine and report.is_closed and not report.is_rated:
        turn.say("bot.rate.ask")


def follow_up(turn: Turn, text: str, world: World, *, urges: bool = False) -> bool:
    """ "What about the light I reported?" Show it; to the only open one the words are passed on.

    urges: they are counted as asking that it be hurried.
    """
    mine = [one for one in world.my_reports() if one.is_mine]
    if not mine:
        return False
    meant = _meant(turn.talk, going_on(mine), world)
    if meant is not None:
        turn.actions.append(AddWords(meant.id, text, urges=urges))
        show(turn, meant)
        turn.say("bot.added.passed_on")
        touch(turn.talk, meant.id, meant.number, world)
    else:
        list_mine(turn, world)
    return True


def _meant(talk: Talk, reports: Sequence[ReportCard], world: World) -> ReportCard | None:
    """Which of them words are about that do not say: the one just spoken of, else the only one."""
    if last_is_recent(talk, world):
        spoken_of = [one for one in reports if one.id == talk.last_id]
        if spoken_of:
            return spoken_of[0]
    return reports[0] if len(reports) == 1 else None


def complained(turn: Turn, text: str, world: World) -> bool:
    """Angry words without a new problem are about the one report that is open. False when there is none, or several."""
    if _meant(turn.talk, going_on(world.my_reports()), world) is None:
        return False
    turn.say("bot.chat.sorry")
    return follow_up(turn, text, world, urges=True)


def short_words(turn: Turn, text: str, world: World, *, was_asked_why: bool = False) -> bool:
    """ "All right", "when?", "why does nobody come?", "no": about what is reported already, and not more of it.

    was_asked_why: what sounds like urging is the reason for being discontent, in words of their own.
    """
    talk, words = turn.talk, world.words
    if talk.is_open:
        return False
    if not plain(text):
        # Nothing but question marks and the like.
        return bool(world.my_reports()) and _asked_when(turn, world)
    if words.means("wrong", text) and last_is_recent(talk, world) and not talk.last_follows:
        talk.step = Step.FIX_WHAT
        turn.say("bot.fix.either")
        return True
    if words.means("gone", text):
        return _gone(turn, text, world)
    if words.means("so_so", text) or any(words.means(meaning, text) for meaning in NODS):
        closed = world.to_rate()
        if closed is not None and not closed.is_rated:
            # "All right" to "is it solved?" is too little to be counted as content.
            turn.say("bot.rate.ask")
            return True
        turn.say("bot.chat.noted" if going_on(world.my_reports()) else "bot.chat.anytime")
        return True
    return not was_asked_why and _chased(turn, text, world)


def _chased(turn: Turn, text: str, world: World) -> bool:
    wanted = world.words.chase(text)
    if wanted is None:
        return False
    if wanted is Chase.WHEN:
        return _asked_when(turn, world)
    if world.read(text).dangers:
        # "Come quick, somebody!" may be about what nobody knows yet.
        return False
    if going_on(world.my_reports()):
        turn.say("bot.chat.sorry")
        return follow_up(turn, text, world, urges=True)
    list_mine(turn, world)
    return True


def _asked_when(turn: Turn, world: World) -> bool:
    meant = _meant(turn.talk, going_on(world.my_reports()), world)
    if meant is not None:
        show(turn, meant)
    else:
        list_mine(turn, world)
    return True


def _gone(turn: Turn, text: str, world: World) -> bool:
    """It has come right by itself: taken back while nobody has it, told to whoever has it otherwise."""
    waiting = going_on(world.my_reports())
    meant = _meant(turn.talk, waiting, world)
    if meant is None:
        if waiting:
            list_mine(turn, world)
        else:
            turn.say("bot.chat.anytime")
        return True
    if meant.can_withdraw:
        ask_withdrawal(turn, meant)
        return True
    turn.actions.append(AddWords(meant.id, text))
    turn.say("bot.added.passed_on")
    touch(turn.talk, meant.id, meant.number, world)
    return True


def about_number(turn: Turn, number: str, text: str, world: World) -> bool:
    """Somebody names a report: show it, take it back, rate it, or add the words to it."""
    report = world.report(number)
    if report is None:
        turn.say("bot.status.unknown", number=number)
        return True
    words = world.words
    rest = words.without_number(text)
    if report.is_mine and words.means("withdraw", rest):
        ask_withdrawal(turn, report)
        return True
    if report.is_mine and report.is_closed:
        said, more = judging.verdict(rest, world)
        if said and judging.judged(turn, said, report, world, more):
            return True
    if report.is_mine and not report.is_ended and len(rest) >= 4 and not words.means("progress", rest):
        turn.actions.append(AddWords(report.id, rest))
        turn.say("bot.added.words", number=report.number)
        touch(turn.talk, report.id, report.number, world)
        return True
    show(turn, report)
    return True


# How it was


def rated(turn: Turn, text: str, world: World) -> bool:
    """An answer to "is it solved?": stars, content, or not solved. Only after a report was closed."""
    words = world.words
    said, rest = judging.verdict(text, world)
    if not said:
        return False
    report = world.to_rate()
    if report is not None:
        return judging.judged(turn, said, report, world, rest)
    if not rest:
        if short_words(turn, text, world):
            return True
        if words.means("unsolved", text) and going_on(world.my_reports()):
            turn.say("bot.chat.sorry")
            return follow_up(turn, text, world, urges=True)
        turn.say("bot.rate.nothing")
        return True
    return False


# Taking it back


def ask_withdrawal(turn: Turn, report: ReportCard | None) -> None:
    if report is None:
        turn.say("bot.withdraw.nothing")
        return
    if not report.can_withdraw:
        turn.say("bot.withdraw.too_late", number=report.number, status=report.status)
        return
    talk = turn.talk
    talk.step, talk.withdraw_id, talk.withdraw_number = Step.CONFIRM_WITHDRAWAL, report.id, report.number
    turn.say("bot.withdraw.sure", number=report.number, words=report.words)


def latest_to_withdraw(reports: Sequence[ReportCard]) -> ReportCard | None:
    return next((one for one in reports if one.can_withdraw), None)


def withdrawal_answered(turn: Turn, text: str, world: World) -> bool:
    """Yes, no, or something else altogether (which leaves the report as it is)."""
    talk = turn.talk
    report_id, number = talk.withdraw_id, talk.withdraw_number
    talk.step, talk.withdraw_id, talk.withdraw_number = Step.IDLE, None, ""
    if report_id is not None and (world.words.means("yes", text) or world.words.means("withdraw", text)):
        turn.actions.append(Withdraw(report_id))
        turn.say("bot.withdraw.done", number=number)
        if talk.last_id == report_id:
            talk.last_id = None
        return True
    said_no = world.words.means("no", text) or world.words.means("cancel", text)
    if said_no or world.read(text).intent == "withdraw":
        # "Rather not withdraw" speaks of withdrawing too: what is not a plain yes keeps the report.
        turn.say("bot.withdraw.kept", number=number)
        return True
    return False
