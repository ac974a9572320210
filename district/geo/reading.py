"""What a sentence says about where: names tied together by words, and which of them is where the problem is.

A sentence is read in passes over the names found in it, left to right: pairs of roads that cross; stretches between
two ends; then what stands behind each name (a number, a gate, a side, a distance, "opposite"); then the part each
plays: where it is, where the resident lives, where they were going, who said something. Only the first kind asserts
a place, and only when what is named comes down to one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from district.geo import phrases as say
from district.geo.choosing import choose
from district.geo.names import Mention, NamedPoint, plain, stands_alone
from district.geo.nodes import CLOSER_M, LONGEST_GAP, Found, Node, Part, number_of
from district.geo.town import Spot, Town

# "Between the school and the store": only of places that are neighbours.
BETWEEN_M = 700.0
# A common name longer than this cannot begin another word: only what stands left of it can make it one.
LONGEST_EVERYDAY = 3
# Whoever names more places than this is not saying where one thing is; each is held against every other.
MOST_NAMES = 24


def read(town: Town, words: str) -> Found:
    """The place that `words` (as `plain` writes them) name."""
    return _Reader(town, words).read()


class _Reader:
    def __init__(self, town: Town, words: str) -> None:
        self.town = town
        self.words = words
        self.nodes: list[Node] = []

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
        return choose(self.town, self.words, self.nodes)

    # Names

    def _node(self, mention: Mention, mentions: Sequence[Mention]) -> Node | None:
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
        node = Node(start, end, points, mention.how, written, mention.how, mention.is_common, is_office)
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
                self.nodes[at] = Node(second.start, second.start + road.end, road.points)

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
                self.nodes[at - 1] = Node(stop - 2, stop, tuple(roads))
            else:
                self.nodes.insert(at, Node(stop - 2, stop, tuple(roads)))
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

    def _pair(self, first: Node, second: Node, *, needs_word: bool) -> Node | None:
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
        return Node(first.start, end, crossings, "crossing", heard=how) if crossings else None

    def _at_the_water(self, first: Node, second: Node, gap: str, word: re.Match[str] | None) -> Node | None:
        """A road and a river: the bridge there."""
        places = [node.points[0] for node in (first, second) if all(p.kind in ("road", "river") for p in node.points)]
        if sorted(place.kind for place in places) != ["river", "road"]:
            return None
        if not (say.JOINER.match(gap) or say.ON_ROAD.match(gap)):
            return None
        road, river = sorted(places, key=lambda place: place.kind == "river")
        bridge = self.town.bridge(road, river)
        end = second.end + (word.end() if word else 0)
        return Node(first.start, end, (bridge,), "crossing") if bridge else None

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

    def _stretch(self, some: Sequence[Node]) -> Node | None:
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
        return Node(some[0].start, end, (found.place,), "stretch", spot=found)

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

    def _behind(self, node: Node) -> None:
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

    def _behind_road(self, node: Node) -> None:
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

    def _beside(self, node: Node) -> None:
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

    def _is_road_side(self, node: Node) -> bool:
        return node.road is not None and node.then is None

    def _then(self, node: Node, step: Callable[[NamedPoint], Spot | None], end: int) -> None:
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
            up_to = say.UP_TO.match(gap)
            if up_to and second.how == "crossing" and len(first.points) == 1 and first.road is None:
                reached = self.town.first_that_way(first.points[0], up_to[1], second.points)
                if reached is not None:
                    second.points, first.is_context = (reached,), True

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

    def _acts(self, node: Node, before: str, after: str) -> bool:
        """Whether the name stands for people, who did or are to do something."""
        if node.road is not None or node.how in ("crossing", "stretch"):
            return False
        if node.is_office:
            if node.is_built and node.is_related:
                return False
            named = node.start + len(node.name)
            return bool(say.ACTS.match(after) or say.TO_WHOM.search(before) or say.ACTS.match(self.words, named))
        return bool(say.PERSON_SAYS.match(after))

    def _is_peopled(self, node: Node, after: str) -> bool:
        """ "The pupils of the school": it may be where, if nothing better is named."""
        return node.how == "name" and node.points[0].kind != "crossing" and bool(say.PERSON.match(after))

    def _is_trip(self, node: Node, following: Node) -> bool:
        """ "From here to there", "here to there by bus"."""
        gap = self.words[node.end : following.start]
        if len(gap) > 8 or (node.is_related and node.is_built) or following.how == "crossing":
            return False
        going = say.TRIP.match(gap)
        return bool(going) and gap not in ("上",)
