"""Pictures that come after one message became several reports: which one has them, and moving them. Pure."""

from __future__ import annotations

from bot.draft import SAME_BREATH, within
from bot.pieces import ask_whose
from bot.recent import touch
from bot.talk import MovePhotos, Step, Turn, World


def photo_added(turn: Turn, media_id: str, world: World) -> None:
    """A picture after several reports were made: it is with the last one, and may be moved."""
    talk = turn.talk
    is_more = talk.step == Step.CHOOSE_PIECE and within(talk.last_at, SAME_BREATH, world)
    now_in = next((at for at, one in enumerate(talk.last_pieces) if one.get("id") == talk.last_id), 0)
    if is_more and talk.last_pictures and talk.last_piece == now_in:
        # Chosen together, they arrive one by one: asked once.
        talk.last_pictures.append(media_id)
        turn.say("bot.added.photo", number=talk.last_number)
        return
    talk.last_piece, talk.last_photo_ids, talk.last_pictures = now_in, [], [media_id]
    ask_whose(turn, "pieces.photo")


def answered(turn: Turn, text: str, world: World) -> bool:
    """The number of the report the pictures belong to. False for anything else, which leaves them where they are."""
    talk = turn.talk
    number = world.words.choice(text)
    if number is not None and not 1 <= number <= len(talk.last_pieces):
        turn.say("bot.choose.again", count=len(talk.last_pieces))
        return True
    talk.step = Step.IDLE
    if number is None:
        return False
    here, chosen = talk.last_pieces[talk.last_piece], talk.last_pieces[number - 1]
    if here is not chosen:
        turn.actions.append(MovePhotos(here["id"], chosen["id"], tuple(talk.last_pictures), tuple(talk.last_photo_ids)))
    turn.say("pieces.moved", what=chosen["what"], number=chosen["number"])
    talk.last_piece, talk.last_photo_ids, talk.last_pictures = number - 1, [], []
    touch(talk, chosen["id"], chosen["number"], world)
    talk.last_follows = bool(chosen.get("follows"))
    return True
