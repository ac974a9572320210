"""What a sentence says about where: names tied together by words, and which of them is where the problem is.

A sentence is read in passes over the names found in it, left to right: pairs of roads that cross; stretches between
two ends; then what stands behind each name (a number, a gate, a side, a distance, "opposite"); then the part each
plays: where it is, where the resident lives, where they were going, who said something. Only the first kind asserts
a place, and only when what is named comes down to one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import pairwise

from district.geo import phrases as say
from district.geo.names import Mention, NamedPoint, plain, stands_alone
from district.geo.town import Spot, Town

# Names within this distance mean one place ("the bank beside the school"), also when they are listed.
TOGETHER_M = 150.0
# A place named more closely by another one this near ("at the crossing, in front of the store").
CLOSER_M = 300.0
# "The bank near the square": no farther than this from it.
NEARBY_M = 500.0
# "Between the school and the store": only of places that are neighbours.
BETWEEN_M = 700.0
# A common name longer than this cannot begin another word: only what stands left of it can make it one.
LONGEST_EVERYDAY = 3
# Names farther apart in the text than so many characters are not tied together by what stands between them.
LONGEST_GAP = 12
MOST_CANDIDATES = 6
# Whoever names more places than this is not saying where one thing is; each is held against every other.
MOST_NAMES = 24


class Part(IntEnum):
    """What a named place is to the sentence; the least counts most."""

    HERE = 0
    PASSED = 1
    HOME = 2
    ON_THE_WAY = 3
    NOT_MEANT = 4


@dataclass(frozen=True, slots=True)
class Found:
    """What the words name. place: the one place, if they name one; candidates: likeliest first, it included.

    how: `name`, `sound` or `slip` (see `Mention`), `crossing`, `stretch`, `number`, `beside` (a side, a distance, the
    other side of the road), `part` (a gate, a house, a bus stop); empty without a place. confidence: 0 to 1.
    precision_m: how far the true place may well be from it. span: from where to before where the words stand in
    `plain(text)`; None in a language that is read by translating it.
    """

    place: NamedPoint | None = None
    candidates: tuple[NamedPoint, ...] = ()
    how: str = ""
    confidence: float = 0.0
    precision_m: float = 0.0
    span: tuple[int, int] | None = None


@dataclass(slots=True)
class _Node:
    """A name, or names tied together, with what stands behind it."""

    start: int
    end: int
    points: tuple[NamedPoint, ...]
    how: str = "name"
    name: str = ""
    # How the least certain of the roads was read that cross there.
    heard: str = "name"
    is_common: bool = False
    is_office: bool = False
    part: Part = Part.HERE
    # Words behind it that say that a place is meant ("in front of").
    is_related: bool = False
    is_built: bool = False
    # It only says which of several others is meant.
    is_context: bool = False
    is_uncertain: bool = False
    then: Callable[[NamedPoint], Spot | None] | None = None
    then_how: str = ""
    spot: Spot | None = None
    options: tuple[NamedPoint, ...] = field(default=())

    @property
    def road(self) -> NamedPoint | None:
        """The road, if that is all the name can mean."""
        first = self.points[0]
        if first.kind != "road" or any(point.kind != "road" for point in self.points):
            return None
        return first


def number_of(words: str) -> int:
    """12, 十二, 一百二十, 两百; "七八十" is taken for its first part. 0 for nothing that can be read."""
    if words.isdecimal():
        return int(words) if len(words) < 6 else 0
    total, digit = 0, 0
    for character in words:
        if character in "零一二三四五六七八九两":
            digit = 2 if character == "两" else "零一二三四五六七八九".index(character)
        else:
            total += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
    return total + digit


def read(town: Town, words: str) -> Found:
    """The place that `words` (as `plain` writes them) name."""
    return _Reader(town, words).read()


class _Reader:
    def __init__(self, town: Town, words: str) -> None:
        self.town = town
        self.words = words
        self.nodes: list[_Node] = []

    def read(self) -> Found:
        mentions = self.town.names.in_text(self.words)[:MOST_NAMES]
        if not mentions:
            return Found()
        self.nodes = [node for mention in mentions if (node := self._node(mention, mentions)) is not None]
        if not self.nodes:
            return Found()
        self._split_crossings()
        self._shortened_roads()
        self._pairs(needs_word=True)
        self._stretches()
        self._pairs(needs_word=False)
        for node in self.nodes:
            if node.spot is None:
                self._behind(node)
        self._bind()
        for at in range(len(self.nodes)):
            self._assign_part(at)
        return self._choose()

    # Names

    def _node(self, mention: Mention, mentions: Sequence[Mention]) -> _Node | None:
        """None for a name that is part of another word."""
        words, start, end = self.words, mention.start, mention.end
        if mention.is_common:
            left, right = stands_alone(words, start, end)
            left = left or any(other.end == start for other in mentions)
            right = right or len(mention.points) > 1 or end - start > LONGEST_EVERYDAY
            right = right or any(other.start == end for other in mentions) or self._is_followed(end)
            right = right or any(
                other.is_of("road") and other.end <= start and say.ON_ROAD.match(words[other.end : start])
                for other in mentions
            )
            if not (left and right):
                return None
        points = tuple(dict.fromkeys(mention.points))
        written = words[start:end]
        if all(point.kind == "road" for point in points) and say.STREET_OFFICE.match(words, end - 1):
            return None
        is_office = not any(point.kind in ("road", "crossing") for point in points) and (
            any(point.kind in ("government", "area", "community") for point in points) or written.endswith(say.OFFICES)
        )
        node = _Node(start, end, points, mention.how, written, mention.how, mention.is_common, is_office)
        if say.PHASE.match(words, end) or say.NAMED_AFTER.match(words, end):
            node.is_uncertain = True
        return node

    def _is_followed(self, end: int) -> bool:
        """Whether a house number, a gate or the like stands there."""
        return any(
            pattern.match(self.words, end)
            for pattern in (say.BUILDING, say.GATE, say.HOUSE, say.DISTANCE, say.OPPOSITE)
        )

    def _split_crossings(self) -> None:
        """ "A路B路口" where "B路口" alone is a name for another crossing of B."""
        for at, (first, second) in enumerate(pairwise(self.nodes), start=1):
            if first.road is None or second.points[0].kind != "crossing":
                continue
            joined = say.JOINER.match(self.words[first.end : second.start])
            if not joined or any(first.road in self.town.roads_of(point) for point in second.points):
                continue
            road = next(iter(self.town.roads_in(self.words[second.start : second.end])), None)
            if road is not None and road.start == 0 and self.town.crossing(first.road, road.points[0]):
                self.nodes[at] = _Node(second.start, second.start + road.end, road.points)

    def _shortened_roads(self) -> None:
        """人民 for 人民路, where a second road and a word for a crossing follow."""
        for at, node in enumerate(self.nodes):
            if node.road is None or not say.CROSSING.match(self.words, node.end):
                continue
            before = self.words[: node.start]
            joined = say.AND_BEFORE.search(before)
            stop = joined.start() if joined else node.start
            roads = self.town.roads_called(before[max(0, stop - 2) : stop])
            previous = self.nodes[at - 1] if at else None
            if not roads or any(road in node.points for road in roads):
                continue
            if previous is not None and previous.end > stop - 2:
                if not previous.is_common and not previous.is_office:
                    continue
                self.nodes[at - 1] = _Node(stop - 2, stop, tuple(roads))
            else:
                self.nodes.insert(at, _Node(stop - 2, stop, tuple(roads)))
            return

    # Two roads

    def _pairs(self, *, needs_word: bool) -> None:
        at = 0
        while at + 1 < len(self.nodes):
            first, second = self.nodes[at], self.nodes[at + 1]
            node = self._pair(first, second, needs_word=needs_word)
            if node is not None:
                self.nodes[at : at + 2] = [node]
            else:
                at += 1

    def _pair(self, first: _Node, second: _Node, *, needs_word: bool) -> _Node | None:
        gap, tail = self.words[first.end : second.start], self.words[second.end :]
        if len(gap) > LONGEST_GAP:
            return None
        if first.how == "crossing" or second.how == "crossing" or first.spot or second.spot:
            return None
        word = say.CROSSING.match(tail)
        if first.road is None or second.road is None:
            return None if needs_word else self._at_the_water(first, second, gap, word)
        if needs_word:
            applies = bool(word) and bool(say.JOINER.match(gap))
        else:
            direct = not word and bool(say.DIRECT.match(gap))
            is_told = bool(say.THERE.match(tail)) and bool(say.CROSSING_TOLD.search(self.words[: first.start]))
            ends = is_told or (say.THAT_IS_ALL.match(tail) is not None and not say.BOTH.search(tail[:10]))
            far = say.DISTANCE.match(tail) or say.SIDE.match(tail)
            follows = gap == "" and not say.ADJACENT_TAIL.match(tail)
            sides = say.ROAD_SIDE.match(gap) and say.ROAD_SIDE_HERE.match(tail)
            applies = bool(say.CLOSE.match(gap) or (direct and (far or follows or ends)) or sides)
        crossings = self._crossings(first.points, second.points) if applies else ()
        how = min((first.how, second.how), key=("slip", "sound", "name").index)
        end = second.end + (word.end() if word else 0)
        return _Node(first.start, end, crossings, "crossing", heard=how) if crossings else None

    def _at_the_water(self, first: _Node, second: _Node, gap: str, word: re.Match[str] | None) -> _Node | None:
        """A road and a river: the bridge there."""
        places = [node.points[0] for node in (first, second) if all(p.kind in ("road", "river") for p in node.points)]
        if sorted(place.kind for place in places) != ["river", "road"]:
            return None
        if not (say.JOINER.match(gap) or say.ON_ROAD.match(gap)):
            return None
        road, river = sorted(places, key=lambda place: place.kind == "river")
        bridge = self.town.bridge(road, river)
        end = second.end + (word.end() if word else 0)
        return _Node(first.start, end, (bridge,), "crossing") if bridge else None

    def _crossings(self, first: Iterable[NamedPoint], second: Sequence[NamedPoint]) -> tuple[NamedPoint, ...]:
        found = (self.town.crossing(one, other) for one in first for other in second)
        return tuple(dict.fromkeys(crossing for crossing in found if crossing is not None))

    # Between two ends

    def _stretches(self) -> None:
        at = 0
        while at < len(self.nodes):
            for use in (4, 3, 2):
                some = self.nodes[at : at + use]
                if len(some) == use and all(node.spot is None and len(node.points) == 1 for node in some):
                    made = self._stretch(some)
                    if made is not None:
                        self.nodes[at : at + use] = [made]
                        break
            at += 1

    def _stretch(self, some: Sequence[_Node]) -> _Node | None:
        gaps = [self.words[one.end : other.start] for one, other in pairwise(some)]
        if any(len(gap) > LONGEST_GAP for gap in gaps):
            return None
        after = self.words[some[-1].end :]
        places = [node.points[0] for node in some]
        kinds = [place.kind for place in places]
        tail = say.STRETCH.match(after)
        end = some[-1].end + (tail.end() if tail else 0)
        found: Spot | None = None
        is_range = len(some) == 3 and bool(say.TO.match(gaps[1]) or (tail and say.AND.match(gaps[1])))
        if len(some) == 4 and places[0] is places[2] and kinds.count("road") == 4 and say.TO.match(gaps[1]):
            # "A路B路到A路C路"
            found = self.town.stretch(places[0], places[1], places[3])
        if is_range and kinds[0] == "road" and say.FROM.match(gaps[0]):
            # "A路从B路到C路", "A路B路到C路中间"
            found = self.town.stretch(places[0], places[1], places[2])
        if found is None and len(some) == 3 and kinds[2] == "road":
            # "B路到C路之间的A路"
            said = say.FROM_BEFORE.search(self.words[: some[0].start]) or say.STRETCH.match(gaps[1]) or tail
            if said and say.AND.match(gaps[0]) and say.STRETCH_OF.match(gaps[1]):
                found = self.town.stretch(places[2], places[0], places[1])
                end = some[-1].end
        if found is None and len(some) == 2:
            found = self._between(places, gaps[0], after)
            between = say.BETWEEN.match(after)
            end = some[-1].end + (between.end() if between else tail.end() if tail else 0)
        if found is None:
            return None
        return _Node(some[0].start, end, (found.place,), "stretch", spot=found)

    def _between(self, places: Sequence[NamedPoint], gap: str, after: str) -> Spot | None:
        """Two crossings of one road, a crossing and a road that crosses one of its roads, or two places."""
        between, stretch = say.BETWEEN.match(after), say.STRETCH.match(after)
        if not ((say.TO.match(gap) and stretch) or (say.AND.match(gap) and between)):
            return None
        first, second = places
        if first.kind == "crossing":
            for road in self.town.roads_of(first):
                shared = second.kind == "crossing" and road in self.town.roads_of(second)
                meets = second.kind == "road" and self.town.crossing(road, second) is not None
                if (shared or meets) and (found := self.town.stretch(road, first, second)):
                    return found
        if first.kind == "road" or second.kind == "road":
            return None
        if not (self.town.is_point(first) and self.town.is_point(second)) or first.metres_to(second) > BETWEEN_M:
            return None
        return self.town.between(first, second)

    # What stands behind a name

    def _behind(self, node: _Node) -> None:
        words, town = self.words, self.town
        if node.how == "crossing" or node.points[0].kind == "crossing":
            self._beside(node)
            return
        if node.road is not None:
            self._behind_road(node)
            return
        if any(point.kind == "compound" for point in node.points):
            house = say.BUILDING.match(words, node.end)
            if house:
                number = house[1] if not house[2] or house[2].isdecimal() else str(number_of(house[2]))
                node.then, node.then_how = (lambda place: town.building(place, number)), "part"
                node.end, node.is_related = house.end(), True
        if node.then is None and not any(point.kind in ("gate", "building", "address") for point in node.points):
            gate = say.GATE.match(words, node.end)
            if gate:
                which = gate[1]
                node.then, node.then_how = (lambda place: town.gate(place, which)), "part"
                node.end, node.is_related, node.is_built = gate.end(), True, True
        if node.then is None and not any(point.kind in ("bus_stop", "area", "community") for point in node.points):
            stop = say.BUS.match(words, node.end)
            if stop:
                node.then, node.then_how = self._stop_near, "part"
                node.end, node.is_related, node.is_built = stop.end(), True, True
        self._beside(node)

    def _behind_road(self, node: _Node) -> None:
        words, town = self.words, self.town
        house = say.HOUSES.match(words, node.end) or say.HOUSE.match(words, node.end)
        if house:
            number = number_of(house[1])
            if house.re is say.HOUSES:
                # The house half way, on the same side.
                number += (number_of(house[2]) - number) // 4 * 2
            node.then, node.then_how = (lambda road: town.number(road, number)), "number"
            node.end, node.is_related = house.end(), True
            self._beside(node)
            return
        end = say.END.match(words, node.end)
        if end:
            direction = end[1]
            node.then, node.then_how = (lambda road: town.end(road, direction)), "beside"
            node.end, node.is_related = end.end(), True
            return
        middle = say.MIDDLE.match(words, node.end)
        if middle and "段" in middle[0]:
            node.then, node.then_how = town.middle, "beside"
            node.end, node.is_related = middle.end(), True
            return
        crossing = say.CROSSING.match(words, node.end)
        at = self.nodes.index(node)
        if at and self.nodes[at - 1].road and say.TO.match(words[self.nodes[at - 1].end : node.start]):
            return  # "from A to the crossing of B" is no crossing of A and B
        if crossing and not any(town.is_point(point) for point in node.points):
            found = tuple(one for point in node.points for one in town.crossings_of(point))
            if found:
                node.points, node.how, node.end = found, "crossing", crossing.end()
                self._beside(node)

    def _beside(self, node: _Node) -> None:
        """A distance, a side, the other side of the road, or only a word such as "near"."""
        words, town = self.words, self.town
        node.is_built = node.is_built or bool(say.BUILT.match(words, node.end))
        far = say.DISTANCE.match(words, node.end)
        if far:
            unit = far[0][-2:] if far[0].endswith(("公里", "千米", "里地")) else far[0][-1]
            metres = number_of(far[2]) * {"公里": 1000.0, "千米": 1000.0, "里地": 500.0, "步": 0.7}.get(unit, 1.0)
            direction = far[1]
            self._then(node, lambda place: town.offset(place, direction, metres), far.end())
            return
        opposite = say.OPPOSITE.match(words, node.end)
        if opposite:
            roads = [other.road for other in self.nodes if other.road is not None]
            self._then(node, lambda place: town.opposite(place, roads), opposite.end())
            return
        side = say.SIDE.match(words, node.end)
        if side and not self._is_road_side(node):
            which = side[1]
            self._then(node, lambda place: town.offset(place, which, None), side.end())
            return
        related = say.RELATED.match(words, node.end)
        if related:
            node.is_related = True
            node.end = related.end()
            opposite = say.OPPOSITE.match(words, node.end)
            if opposite:
                self._beside(node)

    def _is_road_side(self, node: _Node) -> bool:
        return node.road is not None and node.then is None

    def _then(self, node: _Node, step: Callable[[NamedPoint], Spot | None], end: int) -> None:
        """Do the step after what was to be done before."""
        before = node.then
        if before is None:
            node.then = step
        else:

            def both(place: NamedPoint) -> Spot | None:
                spot = before(place)
                return step(spot.place) if spot else None

            node.then = both
        node.then_how = "beside"
        node.end, node.is_related, node.is_built = end, True, True

    def _stop_near(self, place: NamedPoint) -> Spot | None:
        own = [row for row in self.town.names.get(plain(f"{place.name}公交站")) if row.metres_to(place) < 1000]
        if len(own) == 1:
            return Spot(own[0], 40.0)
        stops = [other for other in self.town.near(place, 350) if other.kind == "bus_stop"]
        named = [stop for stop in stops if place.name in stop.name or any(a in stop.name for a in place.aliases)]
        if named or stops:
            return Spot((named or stops)[0], 40.0)
        return Spot(place, 120.0)

    # What part each name plays

    def _bind(self) -> None:
        """ "The bank beside the school": the school only says which bank."""
        for first, second in pairwise(self.nodes):
            gap = self.words[first.end : second.start]
            if first.is_related and second.road is None and say.BIND.match(gap) and second.how != "crossing":
                near = any(point.metres_to(other) <= CLOSER_M for point in second.points for other in first.points)
                first.is_context = near and any(self.town.is_point(point) for point in second.points)

    def _assign_part(self, at: int) -> None:
        node = self.nodes[at]
        before, after = self.words[max(0, node.start - 8) : node.start], self.words[node.end :]
        following = self.nodes[at + 1] if at + 1 < len(self.nodes) else None
        previous = self.nodes[at - 1] if at else None
        if (
            (following is not None and say.NOT_HERE.search(before))
            or (following is not None and say.CORRECTED.search(self.words, node.end))
            or say.LIKE.search(before)
            or (say.WITH.search(before) and say.LIKEWISE.match(after))
            or self._acts(node, before, after)
        ):
            node.part = Part.NOT_MEANT
        elif node.road is not None and node.then is None:
            node.part = Part.HERE
        elif say.HOME.search(before) or (self._is_peopled(node, after) and not node.is_built):
            node.part = Part.HOME
        elif say.PASSED.search(before):
            node.part = Part.PASSED
        elif (
            (following is not None and node.how != "stretch" and self._is_trip(node, following))
            or (
                previous is not None
                and previous.part is Part.ON_THE_WAY
                and self._is_trip(previous, node)
                and self.words[previous.end : node.start]
            )
            or (say.GOING.search(before) and say.ON_THE_WAY.match(after))
            or (say.SET_OUT.search(before) and not node.is_related)
            or (say.RIDE.search(before) and not node.is_built)
            or (following is not None and say.ORIGIN.search(before) and say.SET_OFF.match(after))
            or (say.AT.search(before) and say.OCCUPIED.match(after))
        ):
            node.part = Part.ON_THE_WAY

    def _acts(self, node: _Node, before: str, after: str) -> bool:
        """Whether the name stands for people, who did or are to do something."""
        if node.road is not None or node.how in ("crossing", "stretch"):
            return False
        if node.is_office:
            if node.is_built and node.is_related:
                return False
            named = node.start + len(node.name)
            return bool(say.ACTS.match(after) or say.TO_WHOM.search(before) or say.ACTS.match(self.words, named))
        if node.points[0].kind in ("compound", "gate", "building", "village", "address"):
            return bool(say.PERSON_SAYS.match(after))
        return bool(say.PERSON_SAYS.match(after))

    def _is_peopled(self, node: _Node, after: str) -> bool:
        """ "The pupils of the school": it may be where, if nothing better is named."""
        return node.how == "name" and node.points[0].kind != "crossing" and bool(say.PERSON.match(after))

    def _is_trip(self, node: _Node, following: _Node) -> bool:
        """ "From here to there", "here to there by bus"."""
        gap = self.words[node.end : following.start]
        if len(gap) > 8 or (node.is_related and node.is_built) or following.how == "crossing":
            return False
        going = say.TRIP.match(gap)
        return bool(going) and gap not in ("上",)

    # One place, or several to ask about

    def _choose(self) -> Found:
        meant = [node for node in self.nodes if node.part is not Part.NOT_MEANT]
        if not meant:
            return Found()
        for node in meant:
            node.options = self._narrow(node, meant)
        best = min(node.part for node in meant)
        group = [node for node in meant if node.part is best]
        if best is Part.HERE and not any(self._has_point(node) or node.road for node in group):
            group += [node for node in meant if node.part in (Part.PASSED, Part.HOME)]
        candidates = self._candidates(group, meant)
        for one, other in pairwise(meant):
            if one.road and other.road and say.LISTED.match(self.words[one.end : other.start]):
                # Both roads, or from one to the other: neither of them alone, were it short enough.
                one.is_uncertain = other.is_uncertain = True
        travels = any(node.part is Part.ON_THE_WAY for node in meant)
        if best is Part.ON_THE_WAY or (best is Part.HOME and travels and not say.AT_HOME.search(self.words)):
            return Found(None, candidates)
        certain: list[tuple[_Node, Spot]] = []
        unsure: list[_Node] = []
        for node in group:
            if node.is_context:
                continue
            spots = self._spots(node)
            if len(spots) == 1 and not node.is_uncertain:
                certain.append((node, spots[0]))
            elif spots:
                unsure.append(node)
        if not certain:
            return Found(None, candidates)
        said = [one for one in certain if say.SAID_HERE.search(self.words[max(0, one[0].start - 6) : one[0].start])]
        if len(said) == 1 and not unsure:
            # "After shopping at the store I fell IN FRONT OF the school".
            return self._found(*said[0], candidates)
        node, spot = max(certain, key=lambda one: (_rank(one[0], one[1]), len(one[1].place.name), -one[0].start))
        apart = any(self._is_apart(node, spot, *other) for other in certain)
        doubtful = any(all(point.metres_to(spot.place) > TOGETHER_M for point in one.options) for one in unsure)
        if apart or doubtful:
            others = [other.place for _, other in certain]
            return Found(None, tuple(dict.fromkeys((*others, *candidates)))[:MOST_CANDIDATES])
        return self._found(node, spot, candidates)

    def _found(self, node: _Node, spot: Spot, candidates: Sequence[NamedPoint]) -> Found:
        place, written = spot.place, self.words[node.start : node.end]
        how = node.then_how if node.then is not None else node.how
        confidence = {"sound": 0.75, "slip": 0.65}.get(node.heard, 0.95)
        if how in ("beside", "stretch", "number", "part"):
            confidence = round(confidence - 0.1, 2)
        if node.how in ("sound", "slip") or place not in self.town.rows:
            # Whoever takes the place's names out of the text finds these words too.
            place = replace(place, aliases=tuple(dict.fromkeys((*place.aliases, written))))
        ordered = (place, *(other for other in candidates if other.name != place.name or other.kind != place.kind))
        span = node.start, node.end
        return Found(place, ordered[:MOST_CANDIDATES], how, confidence, round(spot.precision_m, 1), span)

    def _is_apart(self, node: _Node, spot: Spot, other: _Node, second: Spot) -> bool:
        if other is node:
            return False
        metres = spot.place.metres_to(second.place)
        first, last = sorted((node, other), key=lambda one: one.start)
        gap = self.words[first.end : last.start]
        listed = len(gap) <= 2 and gap[:1] in ("和", "与", "跟", "、", "及")
        return metres > (TOGETHER_M if listed else max(CLOSER_M, min(second.precision_m, 400.0)))

    def _has_point(self, node: _Node) -> bool:
        return node.spot is not None or any(self.town.is_point(point) for point in node.points)

    def _spots(self, node: _Node) -> list[Spot]:
        """The places a node may stand for; none where it names nothing small enough."""
        if node.spot is not None:
            return [node.spot]
        if node.is_office and not (node.is_built or self._is_house(node)):
            return []
        points = [point for point in node.options if node.then is not None or self.town.is_point(point)]
        # A name for a house and for all the land about it: which of them is not said.
        is_vague = any(not self.town.is_point(point) for point in node.options) and not node.is_built
        if is_vague and node.road is None and (node.is_office or not node.is_related):
            return []
        found: list[Spot] = []
        for point in points:
            if node.then is not None:
                if node.is_office and not self.town.is_point(point):
                    continue
                spot = node.then(point)
            else:
                spot = Spot(point, min(self.town.radius(point), 400.0))
            if spot is not None:
                found.append(spot)
        return found

    def _is_house(self, node: _Node) -> bool:
        """Whether an office's house is meant: it has no land of the same name, and somebody is at it or passes it."""
        if any(not self.town.is_point(point) for point in node.options):
            return False
        before = self.words[max(0, node.start - 4) : node.start]
        return node.is_related or node.part is Part.PASSED or bool(say.AT.search(before))

    def _narrow(self, node: _Node, meant: Sequence[_Node]) -> tuple[NamedPoint, ...]:
        """Those of a node's places that fit what else the text names; all when none or every one does."""
        points = node.points
        if node.spot is not None:
            return points
        attached = next(
            (
                other.road
                for other in meant
                if other.road is not None
                and other.end <= node.start
                and say.ON_ROAD.match(self.words[other.end : node.start])
            ),
            None,
        )
        small = tuple(point for point in points if self.town.is_point(point)) or points
        if attached is not None and node.road is None and node.how != "crossing":
            fitting = tuple(point for point in small if self.town.is_on(point, attached))
            if not fitting and len(small) > 1:
                fitting = tuple(point for point in small if self.town.is_named_after(point, attached))
            if not fitting and (node.is_common or len(points) > 1):
                node.is_uncertain = True
            points = fitting or points
        if len(points) == 1:
            return points
        address = tuple(p for p in points if p.kind == "address" and plain(p.name) == node.name)
        if address:
            return address
        others = [other for other in meant if other is not node and other.part < Part.ON_THE_WAY]
        if any(not self.town.is_point(point) for point in points) and not node.is_built:
            small = points
        for test in (self._on_named_road, self._in_named_area, self._near_named_place):
            fitting = test(small, others)
            if fitting:
                small = fitting
        return small

    def _on_named_road(self, points: Sequence[NamedPoint], others: Sequence[_Node]) -> tuple[NamedPoint, ...]:
        roads = [other.road for other in others if other.road is not None]
        return tuple(point for point in points if any(self.town.is_on(point, road) for road in roads))

    def _in_named_area(self, points: Sequence[NamedPoint], others: Sequence[_Node]) -> tuple[NamedPoint, ...]:
        named = [point for other in others for point in other.points]
        areas = {point.area_code for point in named if point.kind == "area" and point.area_code}
        communities = {point.community_code for point in named if point.kind == "community" and point.community_code}
        return tuple(point for point in points if point.area_code in areas or point.community_code in communities)

    def _near_named_place(self, points: Sequence[NamedPoint], others: Sequence[_Node]) -> tuple[NamedPoint, ...]:
        """The one nearest to another place named, if it is near and the next is much farther off."""
        places = [
            other.points[0]
            for other in others
            if other.part is Part.HERE and len(other.points) == 1 and self.town.is_point(other.points[0])
        ]
        for place in places:
            ranked = sorted(points, key=lambda point: point.metres_to(place))
            if ranked[0].metres_to(place) <= NEARBY_M and (
                len(ranked) == 1 or ranked[1].metres_to(place) > 2 * ranked[0].metres_to(place) + 50
            ):
                return (ranked[0],)
        return ()

    def _candidates(self, group: Sequence[_Node], meant: Sequence[_Node]) -> tuple[NamedPoint, ...]:
        small = [point for node in group if self._has_point(node) for point in node.options]
        rest = [point for node in meant for point in node.options]
        return tuple(dict.fromkeys((*small, *rest)))[:MOST_CANDIDATES]


def _rank(node: _Node, spot: Spot) -> int:
    """How closely the words say where: a gate or a number more than a crossing, that more than a compound."""
    if node.then is not None or node.how == "stretch" or spot.place.kind in ("gate", "building", "address"):
        return 4
    if spot.place.kind == "crossing":
        return 2
    return 1 if spot.place.kind in ("compound", "park", "village", "road", "river") else 3
