"""The conversation: a pure state machine that turns one message into the next step, words and actions.

It knows no database, no clock and no WeChat. What it may ask is in `World`; what it wants done comes back as
actions, in order; what it says are catalogue keys, put into words once the actions have brought numbers and
links. Residents send words, photos and a place in any order. Here a message is told apart; `draft` asks for what is
missing and files, `fixing` sets right what was understood wrongly, `afterwards` is about reports already filed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from bot import afterwards, draft, fixing, judging, pieces, place_link, whose
from bot.draft import (
    LONGEST_ADDRESS,
    MOST_ASKED,
    MOST_CHOICES,
    SAME_BREATH,
    go_on,
    has_place,
    remind,
    shown,
    tappable,
    within,
)
from bot.protocol.inbound import Inbound
from bot.recent import AFTER_FILING, last_is_recent, takes_more, touch
from bot.talk import (
    AddPhoto,
    AddWords,
    BindStaff,
    FacilityCard,
    KeepPhoto,
    Place,
    PlaceFrom,
    Reading,
    Say,
    Step,
    Talk,
    Turn,
    World,
)
from bot.words import is_only_pictures, plain, typed_code

# What nobody files a report for: with a trouble in the same words it is one all the same.
SMALL_TALK = frozenset({"chitchat", "thanks"})
DRAFT_LIVES = timedelta(hours=24)
MOST_PHOTOS = 9
# Two places closer than this are the same place, sent twice.
SAME_PLACE_DEGREES = 0.0005
SOONEST_UNFINISHED = draft.SOONEST_UNFINISHED
let_go = draft.let_go


# Events that bring an answer; every other is only acknowledged.
ANSWERED_EVENTS = frozenset({"subscribe", "scan", "click", "scancode_waitmsg"})
PLACE_PICKED = "location_select"
KEY_REPORT, KEY_SCAN, KEY_MINE, KEY_HELP = "REPORT", "SCAN", "MINE", "HELP"


def is_silent(message: Inbound) -> bool:
    """True for what needs no answer and no memory.

    A picked photo comes again as an ordinary message, and that one is answered. So does a picked place, but should
    its message be missing, the place is known all the same.
    """
    if message.event == PLACE_PICKED:
        return message.point is None
    return message.kind == "event" and message.event not in ANSWERED_EVENTS


def advance(talk: Talk, message: Inbound, world: World, *, updated_at: datetime | None = None) -> Turn:
    """One message further. updated_at: when this talk last moved on, None for a new one. Changes `talk`."""
    turn = Turn(talk)
    if updated_at is not None and world.now - updated_at > DRAFT_LIVES and (talk.is_open or talk.step != Step.IDLE):
        if talk.words:
            turn.say("bot.draft.expired_words", words=shown(talk.words[0]))
        elif talk.is_open:
            turn.say("bot.draft.expired")
        talk.clear()
    text = message.text if message.kind == "text" else message.recognition if message.kind == "voice" else None
    if message.kind == "event":
        _event(turn, message, world)
    elif text:
        _text(turn, text.strip(), world)
    elif message.kind == "image" and message.media_id:
        _photo(turn, message.media_id, world)
    elif message.kind in ("video", "shortvideo") and message.thumb_media_id:
        # The film itself is too large to fetch; its first picture says what it is about.
        _photo(turn, message.thumb_media_id, world, is_film=True)
    elif message.kind == "location":
        _location(turn, message.point, message.label or "", world)
    elif message.kind == "link" and (linked := place_link.read(message.url or "")):
        _location(turn, (linked.latitude, linked.longitude), linked.name or message.title or "", world)
    elif message.kind == "voice":
        _unheard(turn, world)
    else:
        _cannot(turn, message.kind)
    return turn


# Events


def _event(turn: Turn, message: Inbound, world: World) -> None:
    talk = turn.talk
    if message.event == PLACE_PICKED:
        _picked(turn, message, world)
    elif message.event == "subscribe":
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
        afterwards.list_mine(turn, world)
    elif message.event == "click" and message.event_key == KEY_HELP:
        turn.say("bot.help.all")
    elif talk.is_open:
        go_on(turn, world)
    else:
        talk.step = Step.NEED_WHAT
        turn.say("bot.report.how")


def _picked(turn: Turn, message: Inbound, world: World) -> None:
    """A place from a button of the menu: kept in silence, because the same place follows as a message."""
    talk = turn.talk
    place = world.place(*message.point, message.label or "") if message.point else None
    is_filed = takes_more(talk, world) or talk.step in (Step.FIX_PLACE, Step.FIX_WHAT)
    if place is not None and talk.facility is None and not is_filed:
        talk.place, talk.choices = asdict(place), []


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
    if talk.words:
        go_on(turn, world)
        return
    if card.open_number:
        same = world.sentence("bot.facility.same")
        turn.say("bot.facility.already", tappable(same, same), number=card.open_number, same=same)
    talk.step = Step.CHOOSE_PROBLEM
    lines = tuple(tappable(f"{index}. {one}", one) for index, one in enumerate(card.problems[:MOST_CHOICES], 1))
    key = "bot.facility.choose" if lines else "bot.facility.say"
    turn.say(key, *lines, name=card.name, kind=card.kind, code=card.code, address=card.address)
    if lines:
        turn.say("bot.facility.or_words")


# Words


def _text(turn: Turn, text: str, world: World) -> None:
    talk, words = turn.talk, world.words
    if code := words.binding_code(text):
        name = world.staff_with_code(code)
        if name is not None:
            turn.actions.append(BindStaff(code))
        turn.say("bot.staff.bound" if name is not None else "bot.staff.code_unknown", name=name or "")
        remind(turn)
        return
    if is_only_pictures(text) or words.means("sticker", text):
        turn.say("bot.cannot.sticker" if talk.step == Step.IDLE else "bot.cannot.sticker_now")
        remind(turn)
        return
    if talk.is_open and talk.asked.get("came_back") and judging.came_back_answered(turn, text, world):
        return
    was_asked_why = talk.step == Step.CHOOSE_REASON
    if talk.step != Step.IDLE and _answered(turn, text, world):
        return
    if _command(turn, text, world):
        return
    if not talk.is_open and afterwards.rated(turn, text, world):
        return
    if talk.is_open and _nodded(turn, text, world):
        return
    is_after_filing = talk.step in AFTER_FILING
    if is_after_filing and afterwards.short_words(turn, text, world, was_asked_why=was_asked_why):
        return
    if words.means("thanks", text):
        turn.say("bot.chat.thanks")
        remind(turn)
        return
    if words.means("hello", text):
        turn.say("bot.chat.hello" if talk.step == Step.IDLE else "bot.chat.here")
        remind(turn)
        return
    if words.means("no", text) and talk.step == Step.NEED_WHAT and talk.photo_count:
        talk.asked["photo"] = MOST_ASKED
        go_on(turn, world)
        return
    if _linked_place(turn, text, world):
        return
    may_correct = last_is_recent(talk, world) and not talk.last_follows
    if fixing.corrected(turn, text, world, last_is_recent=may_correct):
        return
    reading = world.read(text)
    if reading.number and afterwards.about_number(turn, reading.number, text, world):
        return
    mistyped = words.number_in(text)
    if mistyped and not reading.number and words.is_little(words.without_number(text)):
        turn.say("bot.status.unknown", number=shown(mistyped))
        return
    if reading.facility is None and typed_code(text) is not None and any(one.isdecimal() for one in text):
        turn.say("bot.facility.unknown")
        return
    if not talk.is_open and not takes_more(talk, world) and judging.came_back(turn, text, reading, world):
        return
    if not reading.dangers and not talk.is_open and _aside(turn, text, reading, world):
        return
    _content(turn, text, reading, world)


def _answered(turn: Turn, text: str, world: World) -> bool:
    """The answer to what was asked last, by number or in words."""
    step = turn.talk.step
    if step == Step.CONFIRM_WITHDRAWAL:
        return afterwards.withdrawal_answered(turn, text, world)
    if step == Step.CHOOSE_REASON:
        return judging.reason_answered(turn, text, world)
    if step == Step.CHOOSE_PIECE:
        return whose.answered(turn, text, world)
    if step == Step.CHOOSE_SIMILAR:
        return draft.similar_answered(turn, text, world)
    if step == Step.CHOOSE_PARTS:
        return draft.parts_answered(turn, text, world)
    if step in (Step.FIX_PLACE, Step.FIX_WHAT):
        words = world.words
        if any(words.means(meaning, text) for meaning in ("cancel", *afterwards.NODS)):
            turn.talk.step = Step.IDLE
            turn.say("bot.fix.kept", number=turn.talk.last_number)
            return True
        if words.chase(text) or words.means("gone", text):
            turn.talk.step = Step.IDLE
            return False
        if _is_order(text, world) or place_link.address_in(text):
            return False
        return fixing.filed_answered(turn, text, world)
    if step in (Step.CHOOSE_PLACE, Step.CHOOSE_PROBLEM) and _chosen(turn, text, world):
        return True
    return step in draft.ASKS_PLACE and draft.about_place(turn, text, world)


def _nodded(turn: Turn, text: str, world: World) -> bool:
    """ "All right" to what was asked, or "wait": no part of the report, and no answer yet."""
    words = world.words
    if words.means("wait", text):
        turn.say("bot.draft.wait")
        return True
    if plain(text) and not any(words.means(meaning, text) for meaning in ("noted", "enough", "yes")):
        return False
    if turn.talk.step == Step.IDLE:
        go_on(turn, world)
    else:
        remind(turn)
    return True


def _is_order(text: str, world: World) -> bool:
    orders = ("progress", "withdraw", "help", "person", "report", "thanks", "hello")
    return any(world.words.means(order, text) for order in orders)


def _linked_place(turn: Turn, text: str, world: World) -> bool:
    """A map's address among the words is a place; the words around it count as words."""
    address = place_link.address_in(text)
    linked = place_link.read(address) if address else None
    if address is None or linked is None:
        return False
    rest = text.replace(address, " ").strip()
    talk = turn.talk
    if rest and not world.words.is_little(rest) and not takes_more(talk, world) and not world.words.correction(rest):
        draft.add_words(talk, rest)
        talk.category = talk.category or world.read(rest).category
    _location(turn, (linked.latitude, linked.longitude), linked.name, world)
    return True


def _aside(turn: Turn, text: str, reading: Reading, world: World) -> bool:
    """Whole sentences that report nothing: about an earlier report, a kind word, a coarse one.

    What they are about may be said in them ("the lamp I reported"); with a place of its own it is something new.
    """
    if reading.facility is not None or (reading.category and reading.places):
        return False
    if reading.intent == "followup" and takes_more(turn.talk, world):
        # About what was filed a moment ago: more words for it.
        return False
    if reading.intent == "followup":
        return afterwards.follow_up(turn, text, world)
    if reading.intent == "complaint" or (reading.intent == "abuse" and not reading.category):
        if not reading.places and afterwards.complained(turn, text, world):
            return True
        if reading.intent == "complaint":
            return False
    if reading.category:
        return False
    if reading.intent == "withdraw":
        afterwards.ask_withdrawal(turn, afterwards.latest_to_withdraw(world.my_reports()))
    elif reading.intent in ("thanks", "chitchat"):
        turn.say(f"bot.chat.{'thanks' if reading.intent == 'thanks' else 'hello'}")
    elif reading.intent in ("abuse", "spam"):
        turn.say(f"bot.chat.{reading.intent}")
    else:
        return False
    return True


def _command(turn: Turn, text: str, world: World) -> bool:
    """Short orders: where is my report, take it back, help, a person."""
    talk, words = turn.talk, world.words
    if words.means("progress", text):
        afterwards.list_mine(turn, world)
    elif words.means("withdraw", text):
        if talk.is_open:
            talk.clear()
            turn.say("bot.draft.dropped")
        else:
            afterwards.ask_withdrawal(turn, afterwards.latest_to_withdraw(world.my_reports()))
    elif words.means("cancel", text) and (talk.is_open or talk.step != Step.IDLE):
        talk.clear()
        turn.say("bot.draft.dropped")
    elif words.means("help", text):
        turn.say("bot.help.all")
        remind(turn)
    elif words.means("person", text):
        turn.say("bot.help.person")
    elif words.means("report", text):
        if not talk.is_open:
            talk.step = Step.NEED_WHAT
            turn.say("bot.report.how")
        else:
            go_on(turn, world)
    else:
        return False
    return True


def _chosen(turn: Turn, text: str, world: World) -> bool:
    """A number out of the list that was shown. False when the words are something else."""
    talk = turn.talk
    number = world.words.choice(text)
    if talk.step == Step.CHOOSE_PROBLEM:
        facility = talk.facility or {}
        if facility.get("open_id") and world.words.means("same", text):
            known = {"id": facility["open_id"], "number": facility["open_number"], "is_mine": facility["open_is_mine"]}
            card = world.report(str(known["number"]))
            draft.join(turn, known | {"link": card.link if card else ""}, world)
            return True
        problems = list(facility.get("problems", [])[:MOST_CHOICES])
        if text in problems:
            number = problems.index(text) + 1
        if number is None:
            return False
        if not 1 <= number <= len(problems):
            turn.say("bot.choose.again", count=len(problems))
            return True
        talk.words.append(problems[number - 1])
        if facility.get("category"):
            talk.category, talk.asked["chosen"] = facility["category"], 1
        go_on(turn, world)
        return True
    if number is not None:
        if not 1 <= number <= len(talk.choices):
            turn.say("bot.choose.again", count=len(talk.choices))
            return True
        talk.place = talk.choices[number - 1]
        go_on(turn, world)
        return True
    return False


def _content(turn: Turn, text: str, reading: Reading, world: World) -> None:
    """Words that describe something: a new report, the missing part of one, or more about the last."""
    talk = turn.talk
    is_another = reading.category and talk.category and reading.category != talk.category
    if talk.step == Step.CHOOSE_SIMILAR and is_another and not talk.asked.get("apart"):
        # Another matter, and no answer: what was asked about goes as it is, rather than both in one.
        draft.file(turn, world)
    _warn(turn, reading)
    if reading.facility is not None and talk.facility is None:
        talk.facility = asdict(reading.facility)
        if world.words.is_little(world.words.without_code(text)):
            _about_facility(turn, reading.facility, world, scanned=False)
            return
    if not talk.is_open and not reading.dangers and _belongs_to_last(talk, reading, world):
        assert talk.last_id is not None
        turn.actions.append(AddWords(talk.last_id, text, follows=talk.last_follows))
        turn.say("bot.added.words", number=talk.last_number)
        touch(talk, talk.last_id, talk.last_number, world)
        return
    is_first = not talk.words
    asked_for_place = talk.step in draft.ASKS_PLACE and not talk.facility
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
            if has_place(talk) and talk.step == Step.NEED_WHAT and any(one.isalpha() for one in text):
                draft.add_words(talk, text)
            talk.step = Step.NEED_WHAT
            turn.say("bot.ask.more")
            return
        draft.add_words(talk, text, is_danger=bool(reading.dangers))
    talk.category = talk.category or reading.category
    if talk.intent == "report" and (is_first or not (talk.category or asked_for_place)):
        # "I do not know where" is no question to somebody, but an answer about what was reported before.
        talk.intent = "report" if reading.category and reading.intent in SMALL_TALK else reading.intent
    if talk.category is None and len(talk.words) > 1 and not is_place:
        # "The lamp", "broken": together they say what neither does.
        talk.category = world.read("，".join(talk.words)).category
    talk.near = reading.near or talk.near
    if talk.step == Step.CHOOSE_PARTS and is_place and talk.place and not reading.dangers:
        turn.say("bot.place.got", address=shown(str(talk.place["address"])))
        remind(turn)
        return
    if is_first and talk.words and _tells_of_several(turn, text, world):
        return
    if reading.dangers and talk.parts and not talk.asked.get("apart"):
        # It does not wait until somebody has said whether the others are taken apart.
        talk.parts.append({"words": text, "is_danger": True})
        pieces.take_apart(talk, world)
    go_on(turn, world)


def _warn(turn: Turn, reading: Reading) -> None:
    """Whom to call comes before anything else."""
    if not reading.dangers:
        return
    danger = reading.dangers[0]
    turn.talk.danger = asdict(danger)
    also = (Say("bot.danger.also", {"name": other.name, "phone": other.phone}) for other in reading.dangers[1:])
    turn.says[:0] = [draft.danger_said(danger), *also]


def _tells_of_several(turn: Turn, text: str, world: World) -> bool:
    """Several problems in one message: asked whether to take them apart. A danger among them waits for no answer."""
    talk = turn.talk
    if talk.facility is not None or (talk.danger is None and talk.intent in draft.NEED_NO_PLACE):
        return False
    parts = world.parts(text)
    if len(parts) < 2:
        return False
    if talk.danger is not None:
        return pieces.take_danger_apart(turn, parts, world)
    draft.tells_of_several(turn, parts)
    return True


def _belongs_to_last(talk: Talk, reading: Reading, world: World) -> bool:
    """Whether words after filing are about the report just filed: same trouble, no other place."""
    if not takes_more(talk, world) or reading.facility is not None:
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


# Photos, places and what cannot be read


def _photo(turn: Turn, media_id: str, world: World, *, is_film: bool = False) -> None:
    talk = turn.talk
    if takes_more(talk, world):
        assert talk.last_id is not None
        turn.actions.append(AddPhoto(talk.last_id, media_id, follows=talk.last_follows))
        if len(talk.last_pieces) > 1:
            whose.photo_added(turn, media_id, world)
        else:
            turn.say("bot.added.photo", number=talk.last_number)
        touch(talk, talk.last_id, talk.last_number, world)
        return
    if talk.photo_count >= MOST_PHOTOS:
        turn.say("bot.photo.enough", count=MOST_PHOTOS)
        remind(turn)
        return
    turn.actions.append(KeepPhoto(media_id))
    talk.photo_count += 1
    talk.photos_since = talk.photos_since or world.now.isoformat()
    if talk.step in (Step.CONFIRM_WITHDRAWAL, Step.FIX_PLACE, Step.FIX_WHAT, Step.CHOOSE_REASON):
        talk.step = Step.IDLE
    if is_film:
        turn.say("bot.video.got")
    elif talk.photo_count > 1 and not (talk.words and has_place(talk)) and within(talk.asked_at, SAME_BREATH, world):
        # Several photos come as several messages: one question is enough.
        turn.say("bot.photo.more", count=talk.photo_count)
        return
    else:
        turn.say("bot.photo.got")
    if talk.step in (Step.NEED_PLACE, Step.DANGER_PLACE) and not has_place(talk):
        # The place was asked for already; a photo is no answer to that, and no refusal either.
        remind(turn)
        return
    if talk.step in (Step.CHOOSE_SIMILAR, Step.CHOOSE_PARTS):
        remind(turn)
        return
    go_on(turn, world)


def _location(turn: Turn, point: tuple[float, float] | None, label: str, world: World) -> None:
    """point: GCJ-02, as everything on Chinese maps."""
    talk = turn.talk
    if point is None:
        _cannot(turn, "location")
        return
    place = world.place(*point, label)
    if place is None:
        turn.say("bot.place.outside")
        remind(turn)
        return
    if talk.step in (Step.FIX_PLACE, Step.FIX_WHAT):
        fixing.place_sent(turn, place, world)
        return
    if takes_more(talk, world) and not talk.last_follows:
        if talk.last_place is None:
            fixing.place_sent(turn, place, world)
            return
        if _is_near([place.latitude or 0.0, place.longitude or 0.0], talk.last_place):
            turn.say("bot.added.same_place", number=talk.last_number)
            return
    if talk.facility is not None and talk.step == Step.CHOOSE_PROBLEM:
        # The facility's own place is surer than the phone's.
        remind(turn)
        return
    talk.place, talk.choices = asdict(place), []
    if talk.step == Step.CHOOSE_SIMILAR:
        draft.look_again(talk)
    if place.address:
        turn.say("bot.place.got", address=shown(place.address))
    else:
        turn.say("bot.place.got_point")
    go_on(turn, world)


def _unheard(turn: Turn, world: World) -> None:
    """A voice that WeChat did not put into words: kept in mind, and asked about kindly."""
    talk = turn.talk
    if takes_more(talk, world):
        turn.say("bot.voice.after", number=talk.last_number)
        return
    talk.voices += 1
    if talk.step == Step.CHOOSE_REASON:
        talk.step = Step.IDLE
    if talk.words:
        turn.say("bot.voice.with_words")
        remind(turn)
        return
    if talk.voices == 1:
        talk.step = Step.NEED_WHAT if talk.step == Step.IDLE else talk.step
        turn.say("bot.voice.first")
        return
    if within(talk.asked_at, SAME_BREATH, world) and talk.voices > 2 and not has_place(talk):
        turn.say("bot.voice.more")
        return
    turn.say("bot.voice.again", link=world.form_link(talk))
    talk.asked["what"] = talk.asked.get("what", 0) + 1
    talk.asked_at = world.now.isoformat()
    if has_place(talk) and talk.asked["what"] >= MOST_ASKED:
        go_on(turn, world)


def _cannot(turn: Turn, kind: str) -> None:
    known = {"video", "shortvideo", "link", "file", "location"}
    turn.say(f"bot.cannot.{kind}" if kind in known else "bot.cannot.other")
    remind(turn)


def _is_near(point: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(one - two) <= SAME_PLACE_DEGREES for one, two in zip(point, other, strict=False))
