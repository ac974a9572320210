"""The conversation: a pure state machine that turns one message into the next step, words and actions.

It knows no database, no clock and no WeChat. What it may ask is in `World`; what it wants done comes back as
actions, in order; what it says are catalogue keys, put into words once the actions have brought numbers and
links. Residents send words, photos and a place in any order: only what is missing is asked for, at most twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from bot.protocol.inbound import Inbound
from bot.talk import (
    AddPhoto,
    AddWords,
    FacilityCard,
    FileReport,
    Follow,
    KeepPhoto,
    Place,
    PlaceFrom,
    Rate,
    Reading,
    Reopen,
    ReportCard,
    Say,
    Step,
    Talk,
    Turn,
    Withdraw,
    World,
)
from bot.words import is_only_pictures

DRAFT_LIVES = timedelta(hours=24)
# How long after filing more photos and words still belong to the same report.
ADDING = timedelta(minutes=30)
# Loose photos are tidied away after a day; up to this age nobody has to look whether they are still there.
LOOSE_PHOTOS_SAFE = timedelta(hours=12)
# Photos chosen together arrive as one message each, within this time.
SAME_BREATH = timedelta(seconds=60)
MOST_PHOTOS = 9
MOST_ASKED = 2
# What these are about has often no place at all.
NEED_NO_PLACE = frozenset({"consult", "suggest", "praise", "complaint"})
MOST_CHOICES = 5
LONGEST_DESCRIPTION = 1900
LONGEST_ADDRESS = 190
# Two places closer than this are the same place, sent twice.
SAME_PLACE_DEGREES = 0.0005


# Events that bring an answer; every other is only acknowledged.
ANSWERED_EVENTS = frozenset({"subscribe", "unsubscribe", "scan", "click", "scancode_waitmsg"})
KEY_REPORT, KEY_SCAN, KEY_MINE, KEY_HELP = "REPORT", "SCAN", "MINE", "HELP"


def is_silent(message: Inbound) -> bool:
    """True for what needs no answer and no memory.

    A picked place or photo comes again as an ordinary message, and that one is answered.
    """
    return message.kind == "event" and message.event not in ANSWERED_EVENTS


def advance(talk: Talk, message: Inbound, world: World, *, updated_at: datetime | None = None) -> Turn:
    """One message further. updated_at: when this talk last moved on, None for a new one. Changes `talk`."""
    turn = Turn(talk)
    if updated_at is not None and world.now - updated_at > DRAFT_LIVES and (talk.is_open or talk.step != Step.IDLE):
        if talk.is_open:
            turn.say("bot.draft.expired")
        talk.clear()
    text = message.text if message.kind == "text" else message.recognition if message.kind == "voice" else None
    if message.kind == "event":
        _event(turn, message, world)
    elif text:
        _text(turn, text.strip(), world)
    elif message.kind == "image" and message.media_id:
        _photo(turn, message.media_id, world)
    elif message.kind == "location":
        _location(turn, message, world)
    else:
        _cannot(turn, message.kind)
    return turn


# Events


def _event(turn: Turn, message: Inbound, world: World) -> None:
    talk = turn.talk
    if message.event == "unsubscribe":
        turn.actions.append(Follow(False))
        turn.talk = Talk()
    elif message.event == "subscribe":
        turn.actions.append(Follow(True))
        turn.say("bot.welcome.hello")
        if message.scanned and message.event_key:
            _scanned(turn, message.event_key, world)
        else:
            turn.say("bot.welcome.how")
    elif message.event == "scan" and message.event_key:
        _scanned(turn, message.event_key, world)
    elif message.event == "scancode_waitmsg":
        _scanned(turn, message.scan_result or "", world)
    elif message.event == "click" and message.event_key == KEY_MINE:
        _list_mine(turn, world)
    elif message.event == "click" and message.event_key == KEY_HELP:
        turn.say("bot.help.all")
    elif talk.is_open:
        _next(turn, world)
    else:
        talk.step = Step.NEED_WHAT
        turn.say("bot.report.how")


def _scanned(turn: Turn, scanned: str, world: World) -> None:
    card = world.facility(scanned)
    if card is None:
        turn.say("bot.facility.unknown")
        return
    _about_facility(turn, card, world, scanned=True)


def _about_facility(turn: Turn, card: FacilityCard, world: World, *, scanned: bool) -> None:
    """The place is known and so are the usual troubles: one number is enough."""
    talk = turn.talk
    talk.facility = asdict(card)
    talk.scanned = talk.scanned or scanned
    talk.place, talk.choices = None, []
    if card.open_number:
        turn.say("bot.facility.already", number=card.open_number)
    if talk.words:
        _next(turn, world)
        return
    talk.step = Step.CHOOSE_PROBLEM
    lines = tuple(f"{index}. {problem}" for index, problem in enumerate(card.problems[:MOST_CHOICES], 1))
    key = "bot.facility.choose" if lines else "bot.facility.say"
    turn.say(key, *lines, name=card.name, kind=card.kind, code=card.code, address=card.address)
    if lines:
        turn.say("bot.facility.or_words")


# Words


def _text(turn: Turn, text: str, world: World) -> None:
    talk, words = turn.talk, world.words
    if is_only_pictures(text) or words.means("sticker", text):
        turn.say("bot.cannot.sticker")
        _remind(turn)
        return
    if talk.step == Step.CONFIRM_WITHDRAWAL and _withdrawal_answered(turn, text, world):
        return
    if _command(turn, text, world):
        return
    if talk.step in (Step.CHOOSE_PLACE, Step.CHOOSE_PROBLEM) and _chosen(turn, text, world):
        return
    if not talk.is_open and _rated(turn, text, world):
        return
    if words.means("thanks", text):
        turn.say("bot.chat.thanks")
        _remind(turn)
        return
    if words.means("hello", text):
        turn.say("bot.chat.hello")
        _remind(turn)
        return
    if words.means("no", text) and talk.step == Step.NEED_WHAT and talk.photo_count:
        talk.asked["photo"] = MOST_ASKED
        _next(turn, world)
        return
    reading = world.read(text)
    if reading.number and _about_number(turn, reading.number, text, world):
        return
    mistyped = words.number_in(text)
    if mistyped and not reading.number and words.is_little(words.without_number(text)):
        turn.say("bot.status.unknown", number=mistyped)
        return
    if not reading.category and not reading.dangers and not talk.is_open and _aside(turn, text, reading, world):
        return
    _content(turn, text, reading, world)


def _aside(turn: Turn, text: str, reading: Reading, world: World) -> bool:
    """Whole sentences that report nothing: about an earlier report, a kind word, a coarse one."""
    if reading.intent == "followup":
        return _follow_up(turn, text, world)
    if reading.intent == "withdraw":
        _ask_withdrawal(turn, next((one for one in world.my_reports() if one.can_withdraw), None))
    elif reading.intent in ("thanks", "chitchat"):
        turn.say(f"bot.chat.{'thanks' if reading.intent == 'thanks' else 'hello'}")
    elif reading.intent in ("abuse", "spam"):
        turn.say(f"bot.chat.{reading.intent}")
    else:
        return False
    return True


def _follow_up(turn: Turn, text: str, world: World) -> bool:
    """ "What about the light I reported?" Show it; to the only open one the words are passed on."""
    mine = [one for one in world.my_reports() if one.is_mine]
    if not mine:
        return False
    going_on = [one for one in mine if not one.is_ended and not one.is_closed]
    if len(going_on) == 1:
        turn.actions.append(AddWords(going_on[0].id, text))
        _show(turn, going_on[0])
        turn.say("bot.added.passed_on")
        _touch(turn.talk, going_on[0].id, going_on[0].number, world)
    else:
        _list_mine(turn, world)
    return True


def _command(turn: Turn, text: str, world: World) -> bool:
    """Short orders: where is my report, take it back, help, a person."""
    talk, words = turn.talk, world.words
    if words.means("progress", text):
        _list_mine(turn, world)
    elif words.means("withdraw", text):
        if talk.is_open:
            talk.clear()
            turn.say("bot.draft.dropped")
        else:
            _ask_withdrawal(turn, next((one for one in world.my_reports() if one.can_withdraw), None))
    elif words.means("cancel", text) and (talk.is_open or talk.step != Step.IDLE):
        talk.clear()
        turn.say("bot.draft.dropped")
    elif words.means("help", text):
        turn.say("bot.help.all")
        _remind(turn)
    elif words.means("person", text):
        turn.say("bot.help.person")
    elif words.means("report", text):
        if not talk.is_open:
            talk.step = Step.NEED_WHAT
            turn.say("bot.report.how")
        else:
            _next(turn, world)
    else:
        return False
    return True


def _chosen(turn: Turn, text: str, world: World) -> bool:
    """A number out of the list that was shown. False when the words are something else."""
    talk = turn.talk
    number = world.words.choice(text)
    if talk.step == Step.CHOOSE_PROBLEM:
        problems = (talk.facility or {}).get("problems", [])[:MOST_CHOICES]
        if number is None:
            return False
        if not 1 <= number <= len(problems):
            turn.say("bot.choose.again", count=len(problems))
            return True
        talk.words.append(problems[number - 1])
        _next(turn, world)
        return True
    if number is not None:
        if not 1 <= number <= len(talk.choices):
            turn.say("bot.choose.again", count=len(talk.choices))
            return True
        talk.place = talk.choices[number - 1]
        _next(turn, world)
        return True
    return False


def _rated(turn: Turn, text: str, world: World) -> bool:
    """An answer to "is it solved?": stars, content, or not solved. Only after a report was closed."""
    words = world.words
    stars = words.stars(text)
    solved = words.means("solved", text)
    unsolved = words.means("unsolved", text)
    if stars is None and not solved and not unsolved:
        return False
    report = world.to_rate()
    if report is None:
        turn.say("bot.rate.nothing")
        return True
    if unsolved:
        turn.actions.append(Reopen(report.id) if report.is_rated else Rate(report.id, False, None))
        turn.say("bot.rate.reopened", number=report.number)
        _touch(turn.talk, report.id, report.number, world)
        return True
    if report.is_rated:
        turn.say("bot.rate.already", number=report.number)
        return True
    turn.actions.append(Rate(report.id, True, stars))
    low = stars is not None and stars <= 2
    turn.say("bot.rate.low" if low else "bot.rate.thanks", number=report.number, stars=stars or "")
    _touch(turn.talk, report.id, report.number, world)
    return True


def _about_number(turn: Turn, number: str, text: str, world: World) -> bool:
    """Somebody names a report: show it, take it back, or add the words to it."""
    report = world.report(number)
    if report is None:
        turn.say("bot.status.unknown", number=number)
        return True
    words = world.words
    rest = words.without_number(text)
    if report.is_mine and words.means("withdraw", rest):
        _ask_withdrawal(turn, report)
        return True
    if report.is_mine and report.is_closed and words.means("unsolved", rest):
        turn.actions.append(Reopen(report.id) if report.is_rated else Rate(report.id, False, None))
        turn.say("bot.rate.reopened", number=report.number)
        _touch(turn.talk, report.id, report.number, world)
        return True
    if report.is_mine and not report.is_ended and len(rest) >= 4 and not words.means("progress", rest):
        turn.actions.append(AddWords(report.id, rest))
        turn.say("bot.added.words", number=report.number)
        _touch(turn.talk, report.id, report.number, world)
        return True
    _show(turn, report)
    return True


def _content(turn: Turn, text: str, reading: Reading, world: World) -> None:
    """Words that describe something: a new report, the missing part of one, or more about the last."""
    talk = turn.talk
    if reading.dangers:
        danger = reading.dangers[0]
        talk.danger = asdict(danger)
        turn.say("bot.danger.call", name=danger.name, phone=danger.phone)
        for other in reading.dangers[1:]:
            turn.say("bot.danger.also", name=other.name, phone=other.phone)
    if reading.facility is not None and talk.facility is None:
        talk.facility = asdict(reading.facility)
        if world.words.is_little(world.words.without_code(text)):
            _about_facility(turn, reading.facility, world, scanned=False)
            return
    if not talk.is_open and not reading.dangers and _belongs_to_last(talk, reading, world):
        assert talk.last_id is not None
        turn.actions.append(AddWords(talk.last_id, text))
        turn.say("bot.added.words", number=talk.last_number)
        _touch(talk, talk.last_id, talk.last_number, world)
        return
    asked_for_place = talk.step in (Step.NEED_PLACE, Step.CHOOSE_PLACE) and not talk.facility
    if talk.place is None and not talk.facility:
        if len(reading.places) == 1:
            talk.place = asdict(reading.places[0])
            if asked_for_place:
                # Their own words say more than the map's name: which door, which side.
                talk.place["address"] = text[:LONGEST_ADDRESS]
        elif reading.places:
            talk.choices = [asdict(place) for place in reading.places[:MOST_CHOICES]]
    is_place = reading.is_only_place and bool(reading.places)
    is_unknown = talk.place is None and not reading.places and not reading.dangers
    sounds_like_place = world.words.looks_like_place(text) or talk.asked.get("place", 0) >= MOST_ASKED
    if asked_for_place and is_unknown and sounds_like_place:
        # Words that no map knows are still an address: somebody will understand them.
        talk.place = asdict(Place(None, None, text[:LONGEST_ADDRESS], PlaceFrom.WORDS))
        is_place = True
    if not is_place and not (asked_for_place and talk.place and not reading.category and talk.words):
        if world.words.is_little(text) and not talk.words and not reading.dangers:
            talk.step = Step.NEED_WHAT
            turn.say("bot.ask.more")
            return
        _add_words(talk, text)
    talk.category = talk.category or reading.category
    if talk.intent == "report":
        talk.intent = reading.intent
    talk.near = reading.near or talk.near
    _next(turn, world)


def _belongs_to_last(talk: Talk, reading: Reading, world: World) -> bool:
    """Whether words after filing are about the report just filed: same trouble, no other place."""
    if talk.last_id is None or talk.step != Step.IDLE or not _is_recent(talk, world):
        return False
    if reading.facility is not None:
        return False
    if reading.category and talk.last_category and reading.category != talk.last_category:
        return False
    point = _sure_point(reading)
    return point is None or talk.last_place is None or _is_near(point, talk.last_place)


def _sure_point(reading: Reading) -> list[float] | None:
    if len(reading.places) != 1:
        return None
    place = reading.places[0]
    return [place.latitude, place.longitude] if place.latitude is not None and place.longitude is not None else None


# Photos and places


def _photo(turn: Turn, media_id: str, world: World) -> None:
    talk = turn.talk
    if talk.last_id is not None and not talk.is_open and talk.step == Step.IDLE and _is_recent(talk, world):
        turn.actions.append(AddPhoto(talk.last_id, media_id))
        turn.say("bot.added.photo", number=talk.last_number)
        _touch(talk, talk.last_id, talk.last_number, world)
        return
    if talk.photo_count >= MOST_PHOTOS:
        turn.say("bot.photo.enough", count=MOST_PHOTOS)
        _remind(turn)
        return
    turn.actions.append(KeepPhoto(media_id))
    talk.photo_count += 1
    talk.photos_since = talk.photos_since or world.now.isoformat()
    if talk.step == Step.CONFIRM_WITHDRAWAL:
        talk.step = Step.IDLE
    if talk.photo_count > 1 and not (talk.words and _has_place(talk)) and _was_just_asked(talk, world):
        # Several photos come as several messages: one question is enough.
        turn.say("bot.photo.more", count=talk.photo_count)
        return
    turn.say("bot.photo.got")
    if talk.step == Step.NEED_PLACE and not _has_place(talk):
        # The place was asked for already; a photo is no answer to that, and no refusal either.
        _remind(turn)
        return
    _next(turn, world)


def _location(turn: Turn, message: Inbound, world: World) -> None:
    talk = turn.talk
    if message.point is None:
        _cannot(turn, "location")
        return
    place = world.place(*message.point, message.label or "")
    if place is None:
        turn.say("bot.place.outside")
        _remind(turn)
        return
    point = [place.latitude, place.longitude]
    if talk.last_id is not None and not talk.is_open and talk.step == Step.IDLE and _is_recent(talk, world):
        if talk.last_place is None:
            turn.actions.append(
                AddWords(talk.last_id, f"{place.address} ({place.latitude:.5f}, {place.longitude:.5f})")
            )
            turn.say("bot.added.place", number=talk.last_number)
            talk.last_place = [float(place.latitude or 0), float(place.longitude or 0)]
            _touch(talk, talk.last_id, talk.last_number, world)
            return
        if _is_near([float(one or 0) for one in point], talk.last_place):
            turn.say("bot.added.same_place", number=talk.last_number)
            return
    if talk.facility is not None and talk.step == Step.CHOOSE_PROBLEM:
        # The facility's own place is surer than the phone's.
        _remind(turn)
        return
    talk.place, talk.choices = asdict(place), []
    turn.say("bot.place.got", address=place.address) if place.address else turn.say("bot.place.got_point")
    _next(turn, world)


def _cannot(turn: Turn, kind: str) -> None:
    known = {"voice", "video", "shortvideo", "link", "file", "location"}
    turn.say(f"bot.cannot.{kind}" if kind in known else "bot.cannot.other")
    _remind(turn)


# What is missing


def _has_place(talk: Talk) -> bool:
    return talk.place is not None or talk.facility is not None


def _next(turn: Turn, world: World) -> None:
    """Ask for what is missing, in the order place, what; file as soon as nothing is, or it was asked enough."""
    talk = turn.talk
    has_place = _has_place(talk)
    talk.asked_at = world.now.isoformat()
    if not has_place and talk.choices and talk.intent not in NEED_NO_PLACE:
        _offer_places(turn, world)
        return
    if talk.words and talk.intent in NEED_NO_PLACE:
        _file(turn, world)
        return
    if not has_place and (talk.words or talk.photo_count):
        asked = talk.asked.get("place", 0)
        if asked >= MOST_ASKED and talk.words:
            _file(turn, world)
            return
        talk.asked["place"] = asked + 1
        talk.step = Step.NEED_PLACE
        if asked:
            turn.say("bot.ask.place_again")
        elif talk.near:
            turn.say("bot.ask.place_on", road=talk.near)
        else:
            turn.say("bot.ask.place")
        return
    if not talk.words:
        about = "photo" if talk.photo_count else "what"
        if has_place and talk.photo_count and talk.asked.get(about, 0):
            _file(turn, world)
            return
        talk.asked[about] = talk.asked.get(about, 0) + 1
        talk.step = Step.NEED_WHAT
        turn.say("bot.ask.what_with_photo" if talk.photo_count else "bot.ask.what")
        return
    _file(turn, world)


def _offer_places(turn: Turn, world: World) -> None:
    talk = turn.talk
    asked = talk.asked.get("choice", 0)
    if asked >= MOST_ASKED:
        first = talk.choices[0]
        talk.place = asdict(Place(None, None, str(first.get("address", ""))[:LONGEST_ADDRESS], PlaceFrom.WORDS))
        talk.choices = []
        _next(turn, world)
        return
    talk.asked["choice"] = asked + 1
    talk.step = Step.CHOOSE_PLACE
    turn.say(
        "bot.ask.which_place",
        *(f"{index}. {choice['address']}" for index, choice in enumerate(talk.choices, 1)),
    )


def _file(turn: Turn, world: World) -> None:
    """Everything is there: file it, say so, and remember it for what comes after."""
    talk = turn.talk
    place = Place(**talk.place) if talk.place else None
    facility_id = talk.facility["id"] if talk.facility else None
    description = "\n".join(talk.words)[:LONGEST_DESCRIPTION]
    turn.actions.append(
        FileReport(
            description=description,
            photo_ids=tuple(talk.photo_ids),
            place=None if facility_id else place,
            facility_id=facility_id,
            is_critical=talk.danger is not None,
            scanned=talk.scanned,
            intent="emergency" if talk.danger else talk.intent,
            is_old=not _is_within(talk.photos_since, LOOSE_PHOTOS_SAFE, world),
        )
    )
    if talk.danger and not any(one.key == "bot.danger.call" for one in turn.says):
        turn.says.insert(0, Say("bot.danger.call", dict(talk.danger)))
    # The answer to the last missing thing needs no "received" of its own.
    turn.says = [one for one in turn.says if not one.key.startswith(("bot.place.got", "bot.photo.got"))]
    asks = talk.intent in NEED_NO_PLACE and not talk.danger
    turn.say("bot.filed.question" if asks else "bot.filed.done")
    if not talk.photo_count and not asks:
        turn.say("bot.filed.photos_welcome")
    category = talk.category
    point = [place.latitude, place.longitude] if place and not facility_id else None
    talk.clear()
    talk.last_category = category
    talk.last_place = [float(one) for one in point if one is not None] or None if point else None
    talk.last_at = world.now.isoformat()


def _remind(turn: Turn) -> None:
    """After an aside: what is still wanted."""
    talk = turn.talk
    if talk.step == Step.NEED_PLACE:
        turn.say("bot.remind.place")
    elif talk.step == Step.NEED_WHAT:
        turn.say("bot.remind.what")
    elif talk.step in (Step.CHOOSE_PLACE, Step.CHOOSE_PROBLEM):
        turn.say("bot.remind.choice")


def _add_words(talk: Talk, text: str) -> None:
    if text not in talk.words:
        talk.words.append(text[:LONGEST_DESCRIPTION])


# Reports


def _list_mine(turn: Turn, world: World) -> None:
    reports = list(world.my_reports())[:MOST_CHOICES]
    if not reports:
        turn.say("bot.status.none")
        _remind(turn)
        return
    if len(reports) == 1:
        _show(turn, reports[0])
        return
    turn.say("bot.status.list")
    for report in reports:
        turn.say("bot.status.row", number=report.number, status=report.status, words=report.words, link=report.link)


def _show(turn: Turn, report: ReportCard) -> None:
    turn.say(
        "bot.status.one" if report.words else "bot.status.one_bare",
        number=report.number, status=report.status, words=report.words, link=report.link,
    )  # fmt: skip
    if report.note:
        turn.say("bot.status.note", note=report.note)
    if report.is_mine and report.is_closed and not report.is_rated:
        turn.say("bot.rate.ask")


def _ask_withdrawal(turn: Turn, report: ReportCard | None) -> None:
    if report is None:
        turn.say("bot.withdraw.nothing")
        return
    if not report.can_withdraw:
        turn.say("bot.withdraw.too_late", number=report.number, status=report.status)
        return
    talk = turn.talk
    talk.step, talk.withdraw_id, talk.withdraw_number = Step.CONFIRM_WITHDRAWAL, report.id, report.number
    turn.say("bot.withdraw.sure", number=report.number, words=report.words)


def _withdrawal_answered(turn: Turn, text: str, world: World) -> bool:
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
    if world.words.means("no", text) or world.words.means("cancel", text):
        turn.say("bot.withdraw.kept", number=number)
        return True
    return False


def _touch(talk: Talk, report_id: int, number: str, world: World) -> None:
    """This report is the one that more words and photos belong to."""
    if talk.last_id != report_id:
        talk.last_category, talk.last_place = None, None
    talk.last_id, talk.last_number, talk.last_at = report_id, number, world.now.isoformat()


def _is_recent(talk: Talk, world: World) -> bool:
    return _is_within(talk.last_at, ADDING, world)


def _was_just_asked(talk: Talk, world: World) -> bool:
    return _is_within(talk.asked_at, SAME_BREATH, world)


def _is_within(moment: str, length: timedelta, world: World) -> bool:
    try:
        return world.now - datetime.fromisoformat(moment) <= length
    except ValueError:
        return False


def _is_near(point: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(one - two) <= SAME_PLACE_DEGREES for one, two in zip(point, other, strict=False))
