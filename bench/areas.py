"""What it costs to find the grid, community and street of a point among ten thousand polygons.

The floor looks at one bounding box after the other and, inside of one, at the polygon's edges. Both answer the same
points, and the answers are compared.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path
from typing import Any

# 100 rows of 100 grids; ten by ten grids make a community, and as many make a street.
SIDE = 100
POINTS = 20_000
SCANNED = 300
STEP = 0.002
WEST, SOUTH = 124.0, 50.3


def measure(folder: Path, kind: str) -> dict[str, Any]:
    """In memory alone; neither the folder nor the database makes a difference."""
    from district.geo.index import Locator, edges_of, is_inside

    shapes = _shapes()
    tracemalloc.start()
    began = time.process_time()
    locator = Locator(shapes)
    build_ms = round((time.process_time() - began) * 1000)
    memory_mb = round(tracemalloc.get_traced_memory()[0] / 1e6, 1)
    tracemalloc.stop()

    draw = random.Random(2)
    width = SIDE * STEP
    points = [(SOUTH + draw.uniform(0, width), WEST + draw.uniform(0, width)) for _ in range(POINTS)]
    for latitude, longitude in points[:1000]:
        locator.locate(latitude, longitude)
    began = time.process_time()
    found = [locator.locate(latitude, longitude).grid_code for latitude, longitude in points]
    ours_us = (time.process_time() - began) / POINTS * 1e6

    boxes = []
    for shape in shapes:
        if shape.level == "grid":
            edges = edges_of(shape.geometry)
            across = [value for edge in edges for value in (edge[0], edge[2])]
            up = [value for edge in edges for value in (edge[1], edge[3])]
            boxes.append((min(across), min(up), max(across), max(up), edges, shape.code))
    began = time.process_time()
    scanned = []
    for latitude, longitude in points[:SCANNED]:
        code = ""
        for west, south, east, north, edges, name in boxes:
            if west <= longitude <= east and south <= latitude <= north and is_inside(edges, longitude, latitude):
                code = name
                break
        scanned.append(code)
    scan_us = (time.process_time() - began) / SCANNED * 1e6
    # A point outside of every polygon, but next to one, is given to that one by the index alone.
    wrong = sum(a != b for a, b in zip(found, scanned, strict=False) if b)
    if wrong:
        raise RuntimeError(f"{wrong} of {SCANNED} points were found in another polygon than by the scan")
    return {
        "polygons": len(boxes),
        "corners": 12,
        "points": POINTS,
        "ours_us": round(ours_us, 1),
        "scan_us": round(scan_us, 1),
        "times_faster": round(scan_us / ours_us),
        "build_ms": build_ms,
        "memory_mb": memory_mb,
    }


def _shapes() -> list[Any]:
    """A plane of crooked grids that share their edges, with the communities and streets around them."""
    from district.geo.index import Shape

    draw = random.Random(1)
    across: dict[tuple[int, int, int], tuple[float, float]] = {}

    def corner(x: int, y: int, part: int = 0) -> tuple[float, float]:
        """A crossing, and (part 1, 2) the two bends of the edge to its east, (3, 4) of the edge to its north."""
        if (x, y, part) not in across:
            right = {0: 0.0, 1: 1 / 3, 2: 2 / 3}.get(part, 0.0)
            up = {3: 1 / 3, 4: 2 / 3}.get(part, 0.0)
            shift = [draw.uniform(-0.15, 0.15) for _ in range(2)]
            across[x, y, part] = (WEST + (x + right + shift[0]) * STEP, SOUTH + (y + up + shift[1]) * STEP)
        return across[x, y, part]

    def around(x: int, y: int, size: int) -> dict[str, Any]:
        south = [corner(n, y, part) for n in range(x, x + size) for part in (0, 1, 2)]
        east = [corner(x + size, n, part) for n in range(y, y + size) for part in (0, 3, 4)]
        north = [corner(n, y + size, part) for n in range(x, x + size) for part in (0, 1, 2)]
        west = [corner(x, n, part) for n in range(y, y + size) for part in (0, 3, 4)]
        top, left = [*north, corner(x + size, y + size)], [*west, corner(x, y + size)]
        ring = [*south, *east, *top[::-1], *left[-2::-1]]
        return {"type": "Polygon", "coordinates": [[list(point) for point in ring]]}

    shapes = []
    for x in range(SIDE):
        for y in range(SIDE):
            street = f"{x // 50 * 2 + y // 50 + 1:09}"
            community = f"{street}{x // 10 * 10 + y // 10:03}"
            shapes.append(Shape("grid", f"{community}{x % 10 * 10 + y % 10:03}", around(x, y, 1), street, community))
            if x % 10 == y % 10 == 0:
                shapes.append(Shape("community", community, around(x, y, 10), street, street))
            if x % 50 == y % 50 == 0:
                shapes.append(Shape("area", street, around(x, y, 50), street, ""))
    return shapes
