"""The report being made: what is still missing, showing it back, asking, filing. Pure, as the dialogue is.

Only what is missing is asked for, each thing at most twice, then it is filed as it is. Before filing, open reports of
the same thing are shown; a danger is filed without any such question. Several problems of one message: `pieces`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from bot import pieces
from bot.talk import Action, AddWords, Danger, FileReport, Place, PlaceFrom, Say, Step, Support, Talk, Turn, World

# Loose photos are tidied away after a day; up to this age nobody has to look whether they are still there.
LOOSE_PHOTOS_SAFE = timedelta(hours=12)
# Photos chosen together arrive as one message each, within this time.
SAME_BREATH = timedelta(seconds=60)
# Somebody who speaks in pieces is not asked again after each of them.
SAME_SENTENCE = timedelta(seconds=20)
MOST_IN_A_BREATH = 3
# What is as good as reported is filed when its resident has gone away from our question for so long.
SOONEST_UNFINISHED = timedelta(minutes=2)
DANGER_WAITS, QUESTION_WAITS = SOONEST_UNFINISHED, timedelta(minutes=10)
MOST_ASKED = 2
# What these are about has often no place at all.
NEED_NO_PLACE = frozenset({"consult", "suggest", "praise", "complaint"})
MOST_CHOICES = 5
LONGEST_DESCRIPTION = 1900
LONGEST_ADDRESS = 190
# How much of a resident's own words is shown back.
EXCERPT = 24
HERE_M = 10
DANGER_SAID = frozenset({"bot.danger.call", "bot.danger.own"})
ASKS_PLACE = frozenset({Step.NEED_PLACE, Step.DANGER_PLACE, Step.CHOOSE_PLACE})


def has_place(talk: Talk) -> bool:
    return talk.place is not None or talk.facility is not None


def go_on(turn: Turn, world: World) -> None:
    """Ask for what is missing, in the order place, what; file as soon as nothing is, or it was asked enough."""
    talk = turn.talk
    if talk.parts and not talk.asked.get("apart"):
        if talk.asked.get("parts", 0) < MOST_ASKED:
            ask_apart(turn)
            return
        talk.parts = []
    was_asked_at, talk.asked_at = talk.asked_at, world.now.isoformat()
    if not has_place(talk) and talk.choices and talk.intent not in NEED_NO_PLACE:
        offer_places(turn, world)
        return
    if talk.words and talk.intent in NEED_NO_PLACE:
        file(turn, world)
        return
    if _lacks_place(talk) and not _ask_place(turn, world, was_asked_at):
        _finish(turn, world)
        return
    if _lacks_place(talk) and talk.step in ASKS_PLACE:
        return
    if not talk.words and not _ask_what(turn, world):
        return
    _finish(turn, world)


def go_on_after_fix(turn: Turn, world: World) -> None:
    """The draft was set right: show it as it is now; what is missing was asked for before."""
    talk = turn.talk
    if talk.step in (Step.NEED_PLACE, Step.DANGER_PLACE) and _lacks_place(talk) and not talk.choices:
        _show_back(turn, world, always=True)
        remind(turn)
        return
    go_on(turn, world)


def _lacks_place(talk: Talk) -> bool:
    if talk.parts:
        return talk.place is None and talk.facility is None and any(not part.get("place") for part in talk.parts)
    return not has_place(talk) and bool(talk.words or talk.photo_count or talk.voices)


def _ask_place(turn: Turn, world: World, was_asked_at: str) -> bool:
    """Ask where it is. False when it was asked enough and the words alone must do."""
    talk = turn.talk
    asked = talk.asked.get("place", 0)
    in_pieces = talk.asked.get("pieces", 0)
    if asked and not talk.danger and in_pieces < MOST_IN_A_BREATH and within(was_asked_at, SAME_SENTENCE, world):
        talk.asked["pieces"] = in_pieces + 1
        turn.say("bot.draft.noted")
        remind(turn)
        return True
    if asked >= MOST_ASKED and (talk.words or talk.danger):
        return False
    talk.asked["place"] = asked + 1
    talk.step = Step.DANGER_PLACE if talk.danger else Step.NEED_PLACE
    named = [part for part in talk.parts if part.get("place")]
    if named and not asked:
        lacking = next(part for part in talk.parts if not part.get("place"))
        turn.say("bot.ask.place_of", words=shown(lacking["words"]))
    elif asked:
        if not (talk.danger and talk.danger.get("say")):
            # Nobody in despair is read their own words.
            _show_back(turn, world, always=True)
        turn.say("bot.ask.place_again", link=world.form_link(talk))
    elif talk.near:
        turn.say("bot.ask.place_on", road=talk.near)
    elif talk.danger:
        turn.say("bot.ask.place_now")
    else:
        _show_back(turn, world)
        turn.say("bot.ask.place")
    return True


def about_place(turn: Turn, text: str, world: World) -> bool:
    """Where it is was asked, and the answer is none: how to send it, or nobody knows. False for the rest."""
    talk, words = turn.talk, world.words
    if has_place(talk):
        return False
    if words.means("how_place", text):
        turn.say("bot.place.how", link=world.form_link(talk))
    elif words.means("no", text) or words.means("unknown_place", text):
        if talk.asked.get("place", 0) >= MOST_ASKED:
            talk.asked["pieces"] = MOST_IN_A_BREATH
            go_on(turn, world)
        else:
            talk.asked["place"] = MOST_ASKED
            turn.say("bot.ask.place_hint")
    else:
        return False
    talk.asked_at = world.now.isoformat()
    return True


def _ask_what(turn: Turn, world: World) -> bool:
    """Ask what is wrong. True when a picture or a voice must do instead."""
    talk = turn.talk
    about = "photo" if talk.photo_count else "what"
    asked = talk.asked.get(about, 0)
    if has_place(talk) and talk.photo_count and asked:
        return True
    if has_place(talk) and talk.voices and asked >= MOST_ASKED:
        return True
    talk.asked[about] = asked + 1
    talk.step = Step.NEED_WHAT
    turn.say("bot.ask.what_with_photo" if talk.photo_count else "bot.ask.what")
    return False


def _finish(turn: Turn, world: World) -> None:
    """Everything is there. Is it known already?"""
    talk = turn.talk
    if talk.parts:
        if not pieces.ask_known(turn, world):
            pieces.file(turn, world)
        return
    has_point = talk.facility is not None or (talk.place is not None and talk.place.get("latitude") is not None)
    if has_point and talk.danger is None and not talk.asked.get("similar"):
        talk.asked["similar"] = 1
        cards = world.similar(talk)
        if cards:
            talk.similar = [asdict(card) for card in cards]
            talk.step = Step.CHOOSE_SIMILAR
            turn.says = [one for one in turn.says if not is_receipt(one)]
            ask_similar(turn)
            return
    file(turn, world)


def file(turn: Turn, world: World) -> None:
    """File it, say so, and remember it for what comes after."""
    talk = turn.talk
    place = Place(**talk.place) if talk.place else None
    facility_id = talk.facility["id"] if talk.facility else None
    asks = talk.intent in NEED_NO_PLACE and not talk.danger
    if not talk.words and not talk.photo_count and talk.voices:
        talk.words = [world.sentence("bot.voice.description", count=talk.voices)]
    elif not talk.words and not talk.photo_count and talk.danger:
        talk.words = [str(talk.danger["name"])]
    nth = sum(isinstance(action, FileReport) for action in turn.actions)
    turn.actions.append(filing(talk, "\n".join(talk.words), place, world, photo_ids=tuple(talk.photo_ids)))
    call_first(turn)
    # The answer to the last missing thing needs no "received" of its own.
    turn.says = [one for one in turn.says if not is_receipt(one)]
    turn.say("bot.filed.done", filed=nth)
    if asks:
        turn.say("bot.filed.question", filed=nth)
    else:
        turn.say("bot.draft.have", parts=gathered(talk, world))
        turn.say("bot.filed.urgent" if talk.danger else "bot.filed.soon", filed=nth)
        if facility_id is None and (place is None or place.latitude is None):
            turn.say("bot.filed.no_place")
        elif not talk.photo_count:
            turn.say("bot.filed.photos_welcome")
    point = (place.latitude, place.longitude) if place and not facility_id else (None, None)
    forget(talk, talk.category, point, world)


def filing(
    talk: Talk,
    words: str,
    place: Place | None,
    world: World,
    photo_ids: tuple[int, ...],
    *,
    piece: int | None = None,
    category: str | None = None,
) -> FileReport:
    """The wish to file these words.

    piece: which of several problems they are; a danger is one of them, not all. category: where the resident has
    corrected what was understood.
    """
    facility_id = talk.facility["id"] if talk.facility else None
    is_danger = talk.danger is not None and (piece is None or bool(talk.parts[piece].get("is_danger")))
    return FileReport(
        description=words[:LONGEST_DESCRIPTION],
        photo_ids=photo_ids,
        place=None if facility_id else place,
        facility_id=facility_id,
        is_critical=is_danger,
        scanned=talk.scanned,
        intent="emergency" if is_danger else "report" if talk.danger else talk.intent,
        is_old=not within(talk.photos_since, LOOSE_PHOTOS_SAFE, world),
        category=category
        or (talk.category if talk.asked.get("corrected") or (piece is None and talk.asked.get("chosen")) else None),
        piece=piece,
        is_another=bool(talk.asked.get("another") if piece is None else talk.parts[piece].get("is_another")),
    )


def call_first(turn: Turn) -> None:
    """Whoever told of a danger reads the number to call in every answer until it is filed."""
    if turn.talk.danger and not any(one.key in DANGER_SAID for one in turn.says):
        turn.says.insert(0, danger_said(Danger(**turn.talk.danger)))


def danger_said(danger: Danger) -> Say:
    """The first line of every answer where there is danger: whom to call."""
    if danger.say:
        return Say("bot.danger.own", {"words": danger.say})
    return Say("bot.danger.call", {"name": danger.name, "phone": danger.phone})


def forget(talk: Talk, category: str | None, point: tuple[float | None, float | None], world: World) -> None:
    """What was made is filed: remember it as the last."""
    talk.clear()
    talk.last_follows, talk.last_pieces, talk.last_photo_ids, talk.last_pictures = False, [], [], []
    talk.last_category = category
    talk.last_place = [float(one) for one in point if one is not None] or None
    talk.last_at = world.now.isoformat()


def is_receipt(say: Say) -> bool:
    return say.key.startswith(("bot.place.got", "bot.photo.got", "bot.draft.noted"))


# Showing it back


def gathered(talk: Talk, world: World) -> list[str | Say]:
    """What is known so far, in few words: what, where, how many pictures."""
    parts: list[str | Say] = []
    name = world.category_name(talk.category) if talk.category else ""
    words = shown("\n".join(talk.words))
    if name or words:
        parts.append(name or words)
    if talk.facility is not None:
        parts.append(shown(str(talk.facility.get("address") or talk.facility.get("name") or "")))
    elif talk.place is not None:
        parts.append(shown(str(talk.place.get("address") or "")) or Say("bot.draft.point"))
    if talk.photo_count:
        parts.append(Say("bot.draft.photos", {"count": talk.photo_count}))
    return [part for part in parts if part]


def _show_back(turn: Turn, world: World, *, always: bool = False) -> None:
    """One line of what is known, where it tells the resident more than they have just said."""
    talk = turn.talk
    parts = gathered(talk, world)
    if parts and (always or len(parts) > 1 or talk.category):
        turn.says = [one for one in turn.says if not is_receipt(one)]
        turn.say("bot.draft.have", parts=parts)


def shown(words: str) -> str:
    """Somebody's own words on one line, short, and without anything that could pass for a link of ours."""
    line = " ".join(words.split()).replace("<", "＜")
    # A Latin letter is half as wide as a Chinese character.
    longest = 2 * EXCERPT if line.isascii() else EXCERPT
    return line if len(line) <= longest else line[: longest - 1] + "…"


def tappable(line: str, says: str) -> str:
    """A line that WeChat sends as a message of the resident when it is tapped; read and typed like any other where
    that does not work. says: what it sends.
    """
    content = "".join(one if one.isalnum() else quote(one) for one in says)
    return f'<a href="weixin://bizmsgmenu?msgmenucontent={content}&msgmenuid=1">{line}</a>'


def remind(turn: Turn) -> None:
    """After an aside: what is still wanted."""
    step = turn.talk.step
    if step in (Step.NEED_PLACE, Step.DANGER_PLACE, Step.FIX_PLACE):
        turn.say("bot.remind.place")
    elif step in (Step.NEED_WHAT, Step.FIX_WHAT):
        turn.say("bot.remind.what")
    elif step in (Step.CHOOSE_PLACE, Step.CHOOSE_PROBLEM):
        turn.say("bot.remind.choice")
    elif step == Step.CHOOSE_SIMILAR:
        turn.say("bot.remind.similar")
    elif step == Step.CHOOSE_PARTS:
        turn.say("bot.remind.parts")


def add_words(talk: Talk, text: str, *, is_danger: bool = False) -> None:
    if talk.asked.get("apart") and talk.parts:
        # Said while one of several problems is asked about.
        part = talk.parts[talk.piece if talk.piece is not None else -1]
        part["words"] = "\n".join(one for one in (part["words"], text) if one)[:LONGEST_DESCRIPTION]
        if is_danger:
            part["is_danger"] = True
    if text not in talk.words:
        talk.words.append(text[:LONGEST_DESCRIPTION])


# Several places of one name


def offer_places(turn: Turn, world: World) -> None:
    talk = turn.talk
    asked = talk.asked.get("choice", 0)
    if asked >= MOST_ASKED:
        first = talk.choices[0]
        talk.place = asdict(Place(None, None, str(first.get("address", ""))[:LONGEST_ADDRESS], PlaceFrom.WORDS))
        talk.choices = []
        go_on(turn, world)
        return
    talk.asked["choice"] = asked + 1
    talk.step = Step.CHOOSE_PLACE
    turn.say(
        "bot.ask.which_place",
        *(f"{index}. {choice['address']}" for index, choice in enumerate(talk.choices, 1)),
    )


# Known already


def look_again(talk: Talk) -> None:
    """Something has changed: whether it is known already is looked for anew."""
    talk.similar = []
    if not talk.asked.get("apart"):
        talk.asked.pop("similar", None)
    elif talk.piece is not None:
        talk.parts[talk.piece].pop("looked", None)


def ask_similar(turn: Turn) -> None:
    """Show the open reports, and ask whether it is one of them."""
    cards = turn.talk.similar
    one = len(cards) == 1
    turn.say("bot.similar.mine_before" if one and cards[0]["is_mine"] else "bot.similar.found")
    for index, card in enumerate(cards, 1):
        metres = card["metres"]
        away = Say("bot.similar.away", {"metres": metres}) if metres >= HERE_M else Say("bot.similar.here")
        turn.say(
            "bot.similar.row",
            mark="" if one else f"{index}. ", what=card["what"], away=away, status=card["status"], link=card["link"],
            see=Say("bot.similar.photo" if card.get("has_photo") else "bot.similar.page"),
        )  # fmt: skip
    turn.say("bot.similar.ask_one" if one else "bot.similar.ask")


def similar_answered(turn: Turn, text: str, world: World) -> bool:
    """It is one of these, or none. False when the words say something else."""
    talk, words = turn.talk, world.words
    count = len(talk.similar)
    number = words.choice(text)
    if number is None and (words.means("same", text) or words.means("yes", text)):
        number = 1 if count == 1 else 0
    if number is not None and not 1 <= number <= count:
        turn.say("bot.choose.again", count=count)
        return True
    if number is not None or words.means("different", text) or words.means("no", text):
        card = talk.similar[number - 1] if number is not None else None
        if talk.asked.get("apart"):
            pieces.known(turn, card, world)
        elif card is not None:
            join(turn, card, world)
        else:
            talk.asked["another"] = 1
            file(turn, world)
        return True
    return False


def join(turn: Turn, card: dict[str, Any], world: World) -> None:
    """This resident hears of every step, too; one's own report takes the new words and pictures."""
    talk = turn.talk
    words, photo_ids = "\n".join(talk.words), tuple(talk.photo_ids)
    turn.actions += joining(card, words, photo_ids)
    if card["is_mine"]:
        turn.say("bot.similar.added", number=card["number"])
    else:
        turn.say("bot.similar.joined", number=card["number"], link=card["link"])
        if photo_ids:
            turn.say("pieces.joined_photos")
    forget(talk, None, (None, None), world)
    talk.last_id, talk.last_number, talk.last_follows = card["id"], card["number"], not card["is_mine"]


def joining(card: dict[str, Any], words: str, photo_ids: tuple[int, ...]) -> list[Action]:
    """What joining that report wants done: one's own takes words and pictures, of another's one becomes a follower."""
    if not card["is_mine"]:
        return [Support(card["id"], words, photo_ids)]
    return [AddWords(card["id"], words, photo_ids)] if words or photo_ids else []


# Several problems


def tells_of_several(turn: Turn, parts: Sequence[str]) -> None:
    """Ask whether to take them apart: each goes to the unit that answers for it."""
    turn.talk.parts = [{"words": part} for part in parts]
    ask_apart(turn)


def ask_apart(turn: Turn) -> None:
    talk = turn.talk
    talk.asked["parts"] = talk.asked.get("parts", 0) + 1
    talk.step = Step.CHOOSE_PARTS
    lines = (f"{index}. {shown(part['words'])}" for index, part in enumerate(talk.parts, 1))
    turn.say("bot.parts.ask", *lines, count=len(talk.parts))
    turn.say("bot.parts.how")


def parts_answered(turn: Turn, text: str, world: World) -> bool:
    """Apart, together, or one of them alone. False when the words say something else."""
    talk, words = turn.talk, world.words
    number = words.choice(text)
    if number is not None:
        if not 1 <= number <= len(talk.parts):
            turn.say("bot.choose.again", count=len(talk.parts))
            return True
        only = talk.parts[number - 1]["words"]
        reading = world.read(only)
        talk.words, talk.parts, talk.category = [only], [], reading.category
        if len(reading.places) == 1:
            talk.place = asdict(reading.places[0])
        go_on(turn, world)
        return True
    if words.means("apart", text) or words.means("yes", text):
        pieces.take_apart(talk, world)
        go_on(turn, world)
        return True
    if words.means("together", text) or words.means("no", text):
        talk.parts = []
        go_on(turn, world)
        return True
    return False


# Gone away


def let_go(talk: Talk, world: World, *, updated_at: datetime) -> Turn | None:
    """Nobody answered: file what is as good as reported. None while there is still time to answer."""
    waits = DANGER_WAITS if talk.step == Step.DANGER_PLACE else QUESTION_WAITS
    if world.now - updated_at < waits:
        return None
    turn = Turn(talk)
    if talk.asked.get("apart") and talk.parts:
        pieces.file(turn, world)
        # Nobody hears what is asked now.
        talk.step = Step.IDLE
        return turn
    if talk.step == Step.CHOOSE_PARTS:
        talk.parts = []
        if not has_place(talk):
            # The place was not asked for yet; the rest is said at the next contact.
            talk.step = Step.NEED_PLACE
            return turn
        talk.asked["similar"] = 1
    file(turn, world)
    return turn


def within(moment: str, length: timedelta, world: World) -> bool:
    try:
        return world.now - datetime.fromisoformat(moment) <= length
    except ValueError:
        return False
