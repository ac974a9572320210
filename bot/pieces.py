"""Several problems of one message, once they are taken apart: what is known of each, filing them, whose a picture is.

Pure, as the dialogue is. Each piece that is reported already is asked about, in two rounds at most; the rest is filed.
A picture belongs to one report: the resident hears to which, and moves it to another by its number (`whose`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

# They need each other, a draft being one problem or several: so neither takes single names out of the other.
from bot import draft
from bot.talk import Place, PlaceFrom, Say, Step, Talk, Turn, World

MOST_ROUNDS = 2


def take_apart(talk: Talk, world: World) -> None:
    """Each problem with its own place; one place named once is the place of all."""
    talk.asked["apart"] = 1
    for part in talk.parts:
        reading = world.read(part["words"])
        part["category"] = reading.category
        part["place"] = asdict(reading.places[0]) if len(reading.places) == 1 else None
    named = {(part["place"]["latitude"], part["place"]["longitude"]) for part in talk.parts if part["place"]}
    shared = talk.place is not None and talk.place["source"] == PlaceFrom.SHARED
    if len(named) > 1 and not shared:
        # What the whole message seemed to name was one of them.
        talk.place, talk.choices = None, []
    elif len(named) == 1 and talk.place is None:
        talk.place = next(part["place"] for part in talk.parts if part["place"])
        talk.choices = []


def take_danger_apart(turn: Turn, parts: Sequence[str], world: World) -> bool:
    """A danger and other problems in one message: nobody is asked, each goes out as what it is.

    False when the danger is in no piece alone: then the message goes out whole, as the danger it is.
    """
    talk = turn.talk
    dangers = [bool(world.read(part).dangers) for part in parts]
    if not any(dangers):
        return False
    talk.parts = [{"words": part, "is_danger": danger} for part, danger in zip(parts, dangers, strict=True)]
    take_apart(talk, world)
    draft.go_on(turn, world)
    return True


# Known already


def ask_known(turn: Turn, world: World) -> bool:
    """Ask about the next piece that is reported already. False when there is none, or it was asked enough."""
    talk = turn.talk
    rounds = talk.asked.get("similar", 0)
    for index, part in enumerate(talk.parts):
        if talk.danger is not None or rounds >= MOST_ROUNDS:
            break
        if part.get("looked"):
            continue
        part["looked"] = True
        part["category"] = part.get("category") or world.read(part["words"]).category
        cards = world.similar(
            Talk(words=[part["words"]], category=part["category"], place=part.get("place") or talk.place)
        )
        taken = {one["joins"]["id"] for one in talk.parts if one.get("joins")}
        found = [asdict(card) for card in cards if card.id not in taken]
        if found:
            talk.similar, talk.piece, talk.step = found, index, Step.CHOOSE_SIMILAR
            talk.asked["similar"] = rounds + 1
            turn.says = [one for one in turn.says if not draft.is_receipt(one)]
            turn.say("pieces.about", words=draft.shown(part["words"]))
            draft.ask_similar(turn)
            return True
    talk.similar, talk.piece = [], None
    return False


def known(turn: Turn, card: dict[str, Any] | None, world: World) -> None:
    """The piece asked about is this open report, or with None a new one."""
    talk = turn.talk
    if talk.piece is not None:
        talk.parts[talk.piece] |= {"is_another": True} if card is None else {"joins": card}
    draft.go_on(turn, world)


# Filing


def file(turn: Turn, world: World) -> None:
    """Each piece becomes a report, or joins the one it is the same as."""
    talk = turn.talk
    turn.says = [one for one in turn.says if not draft.is_receipt(one)]
    draft.call_first(turn)
    is_danger = talk.danger is not None
    fresh = [part for part in talk.parts if not part.get("joins")]
    if fresh:
        turn.say("bot.filed.several" if len(fresh) > 1 else "pieces.filed_one", count=len(fresh))
    made: list[dict[str, Any]] = []
    joined: list[Say] = []
    point: tuple[float | None, float | None] = (None, None)
    for index, part in enumerate(talk.parts):
        # Nobody can tell to which a picture belongs, so it stays with the first.
        its_photos = () if index else tuple(talk.photo_ids)
        name = world.category_name(part["category"]) if part.get("category") else ""
        name = name or draft.shown(part["words"])
        if card := part.get("joins"):
            turn.actions += draft.joining(card, part["words"], its_photos)
            joined.append(Say("pieces.joined", {"what": name, "number": card["number"], "link": card["link"]}))
            made.append(
                {"what": name, "id": card["id"], "number": card["number"], "follows": not card["is_mine"]}
            )  # fmt: skip
            continue
        place = _place_of(part, talk)
        category = part.get("category") if part.get("corrected") else None
        filing = draft.filing(talk, part["words"], place, world, its_photos, piece=index, category=category)
        turn.actions.append(filing)
        turn.say("bot.filed.row", filed=len(made) - len(joined), what=name)
        point = (place.latitude, place.longitude) if place else (None, None)
        made.append({"what": name})
    turn.says += joined
    photo_ids, has_photos = talk.photo_ids, talk.photo_count > 0
    if fresh:
        turn.say("pieces.urgent" if is_danger else "bot.filed.soon_all")
    draft.forget(talk, fresh[-1].get("category") if fresh else None, point, world)
    talk.last_pieces, talk.last_piece, talk.last_photo_ids = made, 0, photo_ids
    if not fresh:
        talk.last_id, talk.last_number = made[-1]["id"], made[-1]["number"]
        talk.last_follows = made[-1]["follows"]
    if has_photos:
        ask_whose(turn, "pieces.photos_with_first")


def _place_of(part: dict[str, Any], talk: Talk) -> Place | None:
    known_place = part.get("place") or talk.place
    return Place(**known_place) if known_place else None


# Whose a picture is


def ask_whose(turn: Turn, key: str) -> None:
    """Say in which report the pictures are, and offer the others by number."""
    talk = turn.talk
    here = talk.last_pieces[talk.last_piece]
    others = (f"{at}. {one['what']}" for at, one in enumerate(talk.last_pieces, 1) if one is not here)
    turn.say(key, *others, what=here["what"])
    talk.step = Step.CHOOSE_PIECE
