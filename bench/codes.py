"""How well printed codes are read when they are damaged, and what printing many labels costs.

The codes are those of our own label sheets, 2 cm wide, rendered from the PDF at 300 dots an inch, then spoilt and
given to two decoders that know nothing of each other. Every label is spoilt in its own way; the draw is always the
same one.
"""

from __future__ import annotations

import io
import math
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.system import ROOT

LABELS = 210
LAYOUT = "sheet21"
PATCH_SHARE = 0.15
AIM_PATCH, AIM_OTHER = 0.90, 0.95
HOST = "HTTPS://CHENGGUAN.EXAMPLE.GOV.CN"
FEW = 1000
# Memory may grow by what a longer run's rows in flight need, not with the run.
AIM_MEMORY_GROWTH_MB = 40


def measure(folder: Path, kind: str, count: int) -> dict[str, Any]:
    """The table of damages, and runs of `FEW` and `count` labels on SQLite in a process of their own."""
    return {"decoded": _decode(), "runs": _runs(folder / "codes", count), "labels": LABELS}


# ---------------------------------------------------------------- damages


def _decode() -> dict[str, dict[str, float]]:
    import numpy as np

    draw = random.Random(20261126)
    printed = _printed(draw)
    damages: dict[str, tuple[Callable[..., Any], ...]] = {
        "as printed": (),
        "patch missing, white": (_patch(255),),
        "patch missing, black": (_patch(20),),
        "patch missing, grey dirt": (_dirt,),
        "blurred": (_blurred,),
        "rotated and tilted": (_turned,),
        "poor light": (_dark,),
        "blurred, rotated, poor light": (_turned, _blurred, _dark),
        "patch and blurred": (_patch(255), _blurred),
        "patch and rotated": (_patch(255), _turned),
        "patch and poor light": (_patch(255), _dark),
    }
    found = {}
    for name, spoils in damages.items():
        right = {"zxing": 0, "opencv": 0, "either": 0}
        for text, picture, place in printed:
            spoilt = np.array(picture)
            for spoil in spoils:
                spoilt = spoil(spoilt, place, draw)
            read = {"zxing": _by_zxing(spoilt) == text, "opencv": _by_opencv(spoilt) == text}
            for decoder, is_right in read.items():
                right[decoder] += is_right
            right["either"] += any(read.values())
        found[name] = {decoder: round(count / len(printed), 3) for decoder, count in right.items()}
    return found


def _printed(draw: random.Random) -> list[tuple[str, Any, tuple[float, float, float]]]:
    """Labels from a rendered PDF: what each code holds, its picture, and where the code is on it (x, y, side)."""
    from district.facilities.codes import TOKEN_LENGTH, TOKEN_LETTERS
    from district.labels.composing import Label, compose
    from district.labels.layouts import OURS, read
    from district.labels.pdf import Document
    from district.labels.shapes import Code
    from district.labels.squares import Maker
    from district.labels.typeface import typeface
    from tests.support.labels import DOTS_AN_INCH, MM_AN_INCH, label_of, pictures_of

    layout, face, maker = read(OURS)[LAYOUT], typeface(), Maker()
    file, texts = io.BytesIO(), []
    document = Document(file, face, title="")
    place = (0.0, 0.0, 0.0)
    for start in range(0, LABELS, layout.per_page):
        shapes = []
        for number in range(layout.per_page):
            token = "".join(draw.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))
            text = f"{HOST}/F/{token}"
            label = Label(
                name=f"路灯{start + number}", code="23276101037000001", token=token,
                address=text.partition("://")[2], site="加区闭环", hotline="12345", square=maker.square(text),
            )  # fmt: skip
            composed = compose(layout, label, face)
            code = next(shape for shape in composed if isinstance(shape, Code))
            dots = DOTS_AN_INCH / MM_AN_INCH
            place = (code.x * dots, code.y * dots, code.size * dots)
            x, y = layout.place(number)
            shapes += [(x, y, shape) for shape in composed]
            texts.append(text)
        document.page(layout.page_width, layout.page_height, shapes)
    document.close()
    pictures = [
        label_of(page, layout, number) for page in pictures_of(file.getvalue()) for number in range(layout.per_page)
    ]
    return [(text, picture, place) for text, picture in zip(texts, pictures, strict=True)]


def _spot(place: tuple[float, float, float], draw: random.Random) -> tuple[int, int, int]:
    """A square of 15 % of the code's area, clear of the three corner patterns: x, y, side in dots."""
    left, top, size = place
    side = math.sqrt(PATCH_SHARE) * size
    # The smallest code we print has 37 modules a side; the patterns with their light edge are 8 of them.
    corner = size * 8 / 37
    while True:
        x, y = draw.uniform(0, size - side), draw.uniform(0, size - side)
        is_left, is_right = x < corner, x + side > size - corner
        is_top, is_bottom = y < corner, y + side > size - corner
        if not ((is_top and (is_left or is_right)) or (is_bottom and is_left)):
            return round(left + x), round(top + y), round(side)


def _patch(grey: int) -> Callable[..., Any]:
    def spoil(picture: Any, place: tuple[float, float, float], draw: random.Random) -> Any:
        x, y, side = _spot(place, draw)
        spoilt = picture.copy()
        spoilt[y : y + side, x : x + side] = grey
        return spoilt

    return spoil


def _dirt(picture: Any, place: tuple[float, float, float], draw: random.Random) -> Any:
    """A patch of mud, neither dark nor light."""
    import numpy as np

    x, y, side = _spot(place, draw)
    spoilt = picture.copy()
    grains = np.random.default_rng(draw.getrandbits(32)).normal(120, 45, (side, side))
    spoilt[y : y + side, x : x + side] = np.clip(grains, 0, 255)
    return spoilt


def _blurred(picture: Any, place: tuple[float, float, float], draw: random.Random) -> Any:
    """Out of focus by about 0.4 of a module, and moved by half a module in some direction."""
    import cv2
    import numpy as np

    soft = cv2.GaussianBlur(picture, (0, 0), draw.uniform(2.0, 2.6))
    length, angle = 4, draw.uniform(0, math.pi)
    kernel = np.zeros((9, 9), np.float32)
    for step in range(-length, length + 1):
        across, down = step / length * 2 * math.cos(angle), step / length * 2 * math.sin(angle)
        kernel[4 + round(down), 4 + round(across)] = 1
    return cv2.filter2D(soft, -1, kernel / kernel.sum())


def _turned(picture: Any, place: tuple[float, float, float], draw: random.Random) -> Any:
    """Held at any angle, and tilted so that one side is up to a fifth shorter than the other."""
    import cv2
    import numpy as np

    height, width = picture.shape
    reach = math.hypot(width, height) / 2 + 20
    angle, tilt = draw.uniform(0, 2 * math.pi), draw.uniform(-0.1, 0.1)
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    leant = corners - [width / 2, height / 2]
    leant = leant * (1 + tilt * np.sign(leant[:, :1]))
    turn = np.float32([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = (leant @ turn.T + reach).astype(np.float32)
    change = cv2.getPerspectiveTransform(corners, moved)
    whole = round(2 * reach)
    return cv2.warpPerspective(picture, change, (whole, whole), flags=cv2.INTER_LINEAR, borderValue=200)


def _dark(picture: Any, place: tuple[float, float, float], draw: random.Random) -> Any:
    """A quarter of the contrast, a shadow that falls across, and a noisy sensor."""
    import numpy as np

    height, width = picture.shape
    angle = draw.uniform(0, 2 * math.pi)
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    shade = 1 - 0.35 * (1 + across * math.cos(angle) + down * math.sin(angle)) / 2
    noise = np.random.default_rng(draw.getrandbits(32)).normal(0, 5, picture.shape)
    return np.clip((40 + picture.astype(float) * 0.25) * shade + noise, 0, 255).astype(np.uint8)


def _by_zxing(picture: Any) -> str:
    import zxingcpp

    codes = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    return codes[0].text if codes else ""


def _by_opencv(picture: Any) -> str:
    import cv2

    try:
        return str(cv2.QRCodeDetector().detectAndDecode(picture)[0])
    except cv2.error:
        # It gives up on some pictures in this way.
        return ""


# ---------------------------------------------------------------- runs


_RUN = """
import sys, time
from pathlib import Path
from tests.support import services
from district.errands.kinds.labels import make
from district.labels.service import Order
url, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
with services.application(url, folder):
    began = time.perf_counter()
    made = make(Order("sheet21", street=name), folder / f"{name}.pdf", crew_list=folder / f"{name}-list.pdf")
    took = time.perf_counter() - began
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(made.labels, made.pages, round(took, 1), round(int(peak.split()[1]) / 1000), flush=True)
"""


def _runs(folder: Path, count: int) -> dict[str, dict[str, float]]:
    from tests.support import services

    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'bihuan.db'}"
    services.migrate(url, folder)
    services.load_demo(url, folder)
    with services.application(url, folder):
        _fill("few", FEW)
        _fill("many", count)
    found = {}
    for name in ("few", "many"):
        answer = subprocess.run(
            [sys.executable, "-c", _RUN, url, str(folder), name],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=3600,
        )  # fmt: skip
        labels, pages, seconds, memory = answer.stdout.split()[-4:]
        found[name] = {
            "labels": int(labels), "pages": int(pages), "seconds": float(seconds), "memory_mb": int(memory),
            "per_second": round(int(labels) / float(seconds)),
            "file_mb": round((folder / f"{name}.pdf").stat().st_size / 1e6, 1),
        }  # fmt: skip
    return found


def _fill(name: str, count: int) -> None:
    """Synthetic facilities on streets named after the run."""
    from sqlalchemy import func, insert, select

    from district.extensions import db
    from district.facilities.models import Facility, FacilityType
    from district.work import unit_of_work

    with unit_of_work() as session:
        kind = session.scalars(select(FacilityType.id).limit(1)).one()
        start = int(session.scalar(select(func.max(Facility.id))) or 0)
        rows = [
            {
                "code": f"9{start + number:015d}", "code17": f"9{start + number:016d}", "type_id": kind,
                "name": f"路灯{number:06d}", "address": f"{name}大街{number % 97}段{number // 97 + 1}号",
                "latitude": 50.42, "longitude": 124.12, "grid_code": "", "area_code": f"{number % 8}",
                "state": "intact", "is_smart": False, "source": "bench",
            }
            for number in range(1, count + 1)
        ]  # fmt: skip
        for first in range(0, count, 1000):
            session.execute(insert(Facility), rows[first : first + 1000])
    db.session.remove()


def tell(found: dict[str, Any]) -> list[str]:
    """What the figures say about their aims."""
    decoded, runs = found["decoded"], found["runs"]
    patch = min(rates["either"] for name, rates in decoded.items() if name.startswith("patch missing"))
    other = min(
        rates["either"]
        for name, rates in decoded.items()
        if name in ("as printed", "blurred", "rotated and tilted", "poor light")
    )
    growth = runs["many"]["memory_mb"] - runs["few"]["memory_mb"]
    return [
        f"patch of 15 %: at least one decoder reads {patch:.1%} (aim: at least {AIM_PATCH:.0%}) "
        f"{_verdict(patch >= AIM_PATCH)}",
        f"blurred, rotated, poor light: {other:.1%} (aim: at least {AIM_OTHER:.0%}) {_verdict(other >= AIM_OTHER)}",
        f"memory grows by {growth} MB from {runs['few']['labels']} to {runs['many']['labels']} labels (aim: at most "
        f"{AIM_MEMORY_GROWTH_MB}) {_verdict(growth <= AIM_MEMORY_GROWTH_MB)}",
    ]


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


if __name__ == "__main__":
    began = time.monotonic()
    for damage, rates in _decode().items():
        print(f"{damage:<32}{rates}")
    print(f"{time.monotonic() - began:.0f} s")
