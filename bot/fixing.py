"""Something was understood wrongly: set it right in the draft, or in the report just filed. Pure."""

from __future__ import annotations

from dataclasses import asdict, replace

from bot.corrections import Correction, mend
from bot.draft import LONGEST_ADDRESS, go_on_after_fix, look_again, shown
from bot.talk import Fix, Place, PlaceFrom, Reading, Say, Step, Talk, Turn, World


def corrected(turn: Turn, text: str, world: World, *, last_is_recent: bool) -> bool:
    """ "Not the lamp, the cover"; "wrong place". False for what corrects nothing."""
    talk = turn.talk
    correction = world.words.correction(text)
    if correction is None or not (talk.is_open or last_is_recent):
        return False
    reading = world.read(correction.new) if correction.new else Reading()
    if reading.dangers or (correction.new and not _says_otherwise(talk, correction, reading, world)):
        return False
    if talk.is_open:
        _fix_draft(turn, text, correction, reading, world)
    elif not correction.new:
        talk.step = Step.FIX_PLACE if correction.about == "place" else Step.FIX_WHAT
        turn.say("bot.fix.where" if correction.about == "place" else "bot.fix.what")
    else:
        _fix_filed(turn, text, correction, reading, world)
    return True


def _says_otherwise(talk: Talk, correction: Correction, reading: Reading, world: World) -> bool:
    """Whether it really contradicts: "it is not only me, the whole house is dark" does not."""
    if correction.about or any(correction.old and correction.old in words for words in talk.words):
        return True
    before = talk.category if talk.is_open else talk.last_category
    if reading.category:
        return reading.category != before
    return bool(reading.places) or _sounds_like_place(correction, world)


def _sounds_like_place(correction: Correction, world: World) -> bool:
    """Words that no map knows, but said of a place: a place that is right for one that is wrong."""
    sounds = world.words.looks_like_place
    return sounds(correction.new) and (not correction.old or sounds(correction.old))


def _fix_draft(turn: Turn, text: str, correction: Correction, reading: Reading, world: World) -> None:
    talk = turn.talk
    look_again(talk)
    if talk.asked.get("apart"):
        _fix_pieces(turn, text, correction, reading, world)
        return
    if not correction.new:
        if correction.about == "place":
            talk.place, talk.facility, talk.choices, talk.near = None, None, [], ""
            talk.step, talk.asked["place"] = Step.NEED_PLACE, 1
            turn.say("bot.fix.where")
        else:
            talk.words, talk.category, talk.parts, talk.step = [], None, [], Step.NEED_WHAT
            turn.say("bot.fix.what")
        return
    is_place = _is_place(correction, reading, world)
    if is_place:
        talk.facility, talk.near = None, ""
        if len(reading.places) > 1:
            talk.place, talk.choices = None, [asdict(place) for place in reading.places[:5]]
        else:
            talk.place, talk.choices = asdict(_place(correction, reading)), []
    if reading.category or not is_place:
        words = mend("\n".join(talk.words), correction, text)
        talk.words = [words]
        talk.category = reading.category or world.read(words).category
        if reading.category:
            talk.asked["corrected"] = 1
    go_on_after_fix(turn, world)


def _fix_pieces(turn: Turn, text: str, correction: Correction, reading: Reading, world: World) -> None:
    """Several problems, already taken apart: set right the one that was asked about, or holds the wrong words."""
    talk = turn.talk
    named = [one for one in talk.parts if correction.old and correction.old in one["words"]]
    part = named[0] if named else talk.parts[talk.piece or 0]
    part.pop("looked", None)
    if _is_place(correction, reading, world) and (correction.new or correction.about == "place"):
        part["place"] = asdict(_place(correction, reading)) if correction.new else None
        talk.place = None if part["place"] is None else talk.place
    elif correction.new:
        part["words"] = mend(part["words"], correction, text)
        part["category"] = reading.category or world.read(part["words"]).category
        if reading.category:
            part["corrected"] = True
    else:
        part["words"], part["category"], talk.piece = "", None, talk.parts.index(part)
        talk.step = Step.NEED_WHAT
        turn.say("bot.fix.what")
        return
    go_on_after_fix(turn, world)


def _fix_filed(turn: Turn, text: str, correction: Correction, reading: Reading, world: World) -> None:
    is_place = _is_place(correction, reading, world)
    place = _place(correction, reading) if is_place else None
    what = correction if reading.category or not is_place else None
    category = reading.category if what else None
    _set_right(turn, world, Fix(0, text, what, category, place))


def filed_answered(turn: Turn, text: str, world: World) -> bool:
    """The answer to "where is it then", "what is it then", about the report just filed."""
    talk = turn.talk
    reading = world.read(text)
    if reading.dangers or reading.number:
        return False
    if talk.step == Step.FIX_PLACE or (reading.is_only_place and reading.places):
        correction = Correction("place", "", text)
        _set_right(turn, world, Fix(0, text, None, None, _place(correction, reading)))
    else:
        _set_right(turn, world, Fix(0, text, Correction("what", "", text), reading.category, None))
    return True


def place_sent(turn: Turn, place: Place, world: World) -> None:
    """A place for the report just filed, which had none or the wrong one."""
    said = f"{place.address} ({place.latitude:.5f}, {place.longitude:.5f})".strip()
    _set_right(turn, world, Fix(0, said, None, None, place))


def _set_right(turn: Turn, world: World, fix: Fix) -> None:
    """Changed while it waits for dispatch, passed on as words afterwards; the resident hears which."""
    talk = turn.talk
    talk.step = Step.IDLE
    report = world.report(talk.last_number)
    if report is None:
        turn.say("bot.status.unknown", number=talk.last_number)
        return
    turn.actions.append(replace(fix, report_id=report.id))
    talk.last_at = world.now.isoformat()
    if fix.place is not None and fix.place.latitude is not None and fix.place.longitude is not None:
        talk.last_place = [fix.place.latitude, fix.place.longitude]
    talk.last_category = fix.category or talk.last_category
    if report.is_ended:
        turn.say("bot.fix.ended", number=report.number)
        turn.actions.pop()
    elif report.can_correct:
        name = world.category_name(fix.category) if fix.category else ""
        what = name or (shown(fix.correction.new) if fix.correction else "")
        where: str | Say = ""
        if fix.place is not None:
            # A point alone has no words that mean anything to a resident.
            where = shown(fix.place.address) or Say("bot.draft.point")
        turn.say("bot.fix.done", number=report.number, parts=[one for one in (what, where) if one] or [shown(fix.said)])
    elif report.unit:
        turn.say("bot.fix.passed_on", number=report.number, unit=report.unit)
    else:
        turn.say("bot.added.words", number=report.number)


def _is_place(correction: Correction, reading: Reading, world: World) -> bool:
    if correction.about == "what":
        return False
    if correction.about == "place" or reading.places:
        return True
    return reading.category is None and _sounds_like_place(correction, world)


def _place(correction: Correction, reading: Reading) -> Place:
    """The one place the words name, else the words themselves; which door they say is kept either way."""
    address = correction.new[:LONGEST_ADDRESS]
    if len(reading.places) == 1:
        return replace(reading.places[0], address=address)
    return Place(None, None, address, PlaceFrom.WORDS)
