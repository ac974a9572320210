"""What it costs to understand one message: processor time, and time and memory for reading the weights.

The floor is the words alone (the lexicon that a district without trained weights uses) on the same messages.
"""

from __future__ import annotations

import csv
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.system import ROOT

MESSAGES = 2000


def measure(folder: Path, kind: str) -> dict[str, Any]:
    """On the demo district's own utterances; `kind` makes no difference to what is measured."""
    from district import loading
    from district.config import Config
    from district.reference import reference
    from district.understanding import understand
    from district.understanding.weights import Weights
    from district.work import unit_of_work
    from wsgi import create_app

    place = folder / "understanding"
    place.mkdir()
    app = create_app(Config.from_env({"VAR_DIR": str(place)}))
    with (ROOT / "demo" / "utterances.csv").open(encoding="utf-8", newline="") as opened:
        texts = [row["text"] for row in csv.DictReader(opened)]
    texts = texts[:: max(1, len(texts) // MESSAGES)]
    with app.app_context():
        from flask_migrate import upgrade

        upgrade(directory=str(ROOT / "migrations"))
        with unit_of_work():
            loading.load_folder(ROOT / "demo")
        ref = reference()
        maps = {name: made for name, made in ref._made.items() if name.startswith("map.")}
        words_alone = replace(ref, settings={**ref.settings, "weights": None}, _made=maps)
        costs = {}
        for name, snapshot in (("ours", ref), ("words", words_alone)):
            understand(texts[0], snapshot)
            began = time.process_time()
            for text in texts:
                understand(text, snapshot)
            costs[name] = round((time.process_time() - began) / len(texts) * 1e6)
    packed = (ROOT / "demo" / "understanding.weights").read_bytes()
    began = time.process_time()
    Weights.unpack(packed)
    load_ms = round((time.process_time() - began) * 1000)
    tracemalloc.start()
    weights = Weights.unpack(packed)
    memory_mb = round(tracemalloc.get_traced_memory()[0] / 1e6, 1)
    tracemalloc.stop()
    return {
        "messages": len(texts),
        "ours_us": costs["ours"],
        "words_us": costs["words"],
        "weights": len(weights),
        "load_ms": load_ms,
        "memory_mb": memory_mb,
    }
