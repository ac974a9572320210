"""`make bench`: our figures beside floors measured in the same run. Prints a table, writes VAR_DIR/bench.json."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import (
    areas,
    codes,
    facilities,
    faults,
    filling,
    messages,
    numbers,
    pace,
    routing,
    stored,
    storm,
    understanding,
)
from bench.system import postgres_answers, save

AIMS = {"messages": 1.5, "routing": 0.7}
PARTS = (
    "messages", "routing", "pace", "storm", "faults", "understanding", "areas", "codes", "stored", "numbers",
    "facilities",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--conversations", type=int, default=600, help="residents; each sends 3 or 4 messages")
    parser.add_argument("--reports", type=int, default=3000, help="reports to route")
    parser.add_argument("--seconds", type=int, default=30, help="how long reports come in at a steady pace")
    parser.add_argument("--storm", type=int, default=5000, help="reports of the storm, three in five about one thing")
    parser.add_argument("--over", type=int, default=0, help="seconds the storm is spread over; 0: as fast as it goes")
    parser.add_argument("--counted", type=int, default=10_000, help="reports stored when the figures are counted")
    parser.add_argument("--labels", type=int, default=10_000, help="labels of the long print run")
    parser.add_argument("--facilities", type=int, default=200_000, help="rows of the file of facilities")
    parser.add_argument("--stored", type=int, default=1_000_000, help="reports stored for the panel (PostgreSQL)")
    parser.add_argument("--fresh", action="store_true", help="fill the districts of `stored` anew")
    parser.add_argument("--drop", action="store_true", help="take the kept districts of `stored` away, and do no more")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the measurement, with its logs")
    given = parser.parse_args()
    if given.drop:
        print("dropped:", ", ".join(filling.drop()) or "there was none")
        return 0
    wanted = given.only or PARTS
    kinds = given.database or ["sqlite"] + (["postgresql"] if postgres_answers() else [])
    if given.database is None and "postgresql" not in kinds:
        print("PostgreSQL does not answer (BENCH_DATABASE_URL): only SQLite is measured.")
    var_dir = Path(os.environ.get("VAR_DIR") or "var").absolute()
    # In the system's temporary folder: the queue server's socket needs a short path.
    folder = Path(tempfile.mkdtemp(prefix="bihuan-bench-"))
    began = time.monotonic()
    figures: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load_before": os.getloadavg()[0]},
        "aims": {
            "message_processor_ratio_at_most": 1.5,
            "routing_rate_ratio_at_least": 0.7,
            "unit_p95_ms": pace.AIM_P95_MS,
            "facilities_p95_ms": facilities.AIM_P95_MS,
            "facilities_import_minutes_at_most": facilities.AIM_MINUTES,
            "facilities_memory_growth_at_most": facilities.AIM_MEMORY_GROWTH,
            "panel_p95_ms": stored.AIM_P95_MS,
            "panel_growth_at_most": stored.AIM_GROWTH,
        },
    }
    try:
        for kind in kinds:
            if "messages" in wanted:
                figures.setdefault("messages", {})[kind] = _told(messages.measure, folder, kind, given.conversations)
            if "routing" in wanted:
                figures.setdefault("routing", {})[kind] = _told(routing.measure, folder, kind, given.reports)
            if "pace" in wanted:
                figures.setdefault("pace", {})[kind] = _told(pace.measure, folder, kind, given.seconds)
            if "storm" in wanted:
                figures.setdefault("storm", {})[kind] = _told(storm.measure, folder, kind, given.storm, given.over)
            if "numbers" in wanted:
                figures.setdefault("numbers", {})[kind] = _told(numbers.measure, folder, kind, given.counted)
            if "facilities" in wanted:
                figures.setdefault("facilities", {})[kind] = _told(facilities.measure, folder, kind, given.facilities)
        if "faults" in wanted:
            figures["faults"] = {kinds[0]: _told(faults.measure, folder, kinds[0])}
        if "understanding" in wanted:
            figures["understanding"] = _told(understanding.measure, folder, "sqlite")
        if "areas" in wanted:
            figures["areas"] = _told(areas.measure, folder, "sqlite")
        if "codes" in wanted:
            figures["codes"] = _told(codes.measure, folder, "sqlite", given.labels)
        if "stored" in wanted and "postgresql" in kinds:
            figures["stored"] = _told(stored.measure, folder, "postgresql", given.stored, fresh=given.fresh)
    finally:
        if given.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    figures["took_s"] = round(time.monotonic() - began)
    figures["machine"]["load_after"] = os.getloadavg()[0]
    save(var_dir / "bench.json", figures)
    _print(figures)
    print(f"\n{figures['took_s']} s; all figures in {var_dir / 'bench.json'}")
    return 0


def _told(measure: Any, folder: Path, kind: str, *how: Any, **more: Any) -> dict[str, Any]:
    name = measure.__module__.rpartition(".")[2]
    print(f"measuring {name} on {kind} ...", file=sys.stderr, flush=True)
    found: dict[str, Any] = measure(folder, kind, *how, **more)
    return found


def _print(figures: dict[str, Any]) -> None:
    for kind, found in figures.get("messages", {}).items():
        ratio, aim = found["processor_ratio"], AIMS["messages"]
        print(f"\nMessages through /wechat, {kind} (safe mode, text, place and picture, 16 connections)")
        _table(
            ["", "messages/s", "processor ms each", "p50 ms", "p99 ms"],
            [
                [name, *(found[key][value] for value in ("per_second", "processor_ms", "p50_ms", "p99_ms"))]
                for name, key in (("Bihuan", "ours"), ("floor: Flask + crypto + 1 insert", "floor"))
            ],
        )
        print(f"  processor ratio {ratio} (aim: at most {aim}) {_verdict(ratio <= aim)}")
    for kind, found in figures.get("routing", {}).items():
        ratio, aim = found["rate_ratio"], AIMS["routing"]
        print(f"\nReports routed, {kind} (one worker)")
        _table(
            ["", "reports/s", "processor ms each"],
            [
                [name, found[key]["per_second"], found[key]["processor_ms"]]
                for name, key in (("Bihuan's worker", "ours"), ("floor: plain loop, same rows", "floor"))
            ],
        )
        print(f"  rate ratio {ratio} (aim: at least {aim}) {_verdict(ratio >= aim)}")
    for kind, found in figures.get("pace", {}).items():
        print(f"\nFrom filed to routed, {kind} ({pace.PER_SECOND} conversations a second through /wechat)")
        print(
            f"  {found['reports']} reports, {found['reports_per_second']} a second: half within {found['p50_ms']} ms, "
            f"95 of 100 within {found['p95_ms']} ms (aim: {pace.AIM_P95_MS}) "
            f"{_verdict(found['p95_ms'] <= pace.AIM_P95_MS)}, longest {found['longest_ms']} ms"
        )
        print(
            f"  answers' p99 {found['answer_p99_ms']} ms; memory of all processes {found['memory_early_mb']} MB after "
            f"a third, {found['memory_late_mb']} MB at the end"
        )
    for kind, found in figures.get("storm", {}).items():
        spread = f" over {found['over_s']} s" if found["over_s"] else ""
        print(
            f"\nStorm, {kind} ({found['reports']} reports{spread} at {found['filed_per_second']}/s, "
            f"{found['workers']} workers)"
        )
        print(
            f"  filed {found['filed']}, lost {found['lost']}, routed twice {found['routed_twice']}; incidents "
            f"{found['incidents_of_it']} with {found['followers']} followers, so {found['in_it']} of "
            f"{found['about_one_thing']} reports about it"
        )
        print(
            f"  from filed to assigned: p50 {found['assigned_p50_s']} s, p95 {found['assigned_p95_s']} s, longest "
            f"{found['assigned_longest_s']} s; all after {found['seconds_to_all_assigned']} s"
        )
        inbox = found["inbox"]
        print(
            f"  the inbox meanwhile: opened {inbox['opened']} times, {inbox['refused']} refused, p50 "
            f"{inbox['p50_ms']} ms, p95 {inbox['p95_ms']} ms, longest {inbox['longest_ms']} ms"
        )
    for kind, found in figures.get("numbers", {}).items():
        print(f"\nNumbers, {kind} ({found['reports']} reports stored, {found['facts']} facts, {found['sums']} sums)")
        print(
            f"  counted {found['counted_per_second']} reports/s ({found['processor_ms']} processor ms each); "
            f"{found['changed']} that changed in {found['changed_s']} s; differences {found['differences']}"
        )
        slowest = max(page["p95_ms"] for page in found["pages"].values())
        for name, page in found["pages"].items():
            print(f"  {name}: p50 {page['p50_ms']} ms, p95 {page['p95_ms']} ms")
        print(f"  p95 at most {slowest} ms (aim: {numbers.AIM_P95_MS}) {_verdict(slowest <= numbers.AIM_P95_MS)}")
    for kind, found in figures.get("faults", {}).items():
        away, killed = found["queue_away"], found["worker_killed"]
        print(f"\nFaults, {kind}")
        print(
            f"  queue server away: {away['messages']} messages, {away['not_acknowledged']} not acknowledged, slowest "
            f"answer {away['slowest_answer_ms']} ms; {away['reports']} reports routed {away['seconds_to_routed']} s "
            f"after its return, {away['routed_twice']} twice"
        )
        print(
            f"  worker killed with {killed['left_when_killed']} of {killed['reports']} reports left: all routed "
            f"{killed['seconds_to_routed']} s later, {killed['routed_twice']} twice"
        )
    if found := figures.get("understanding"):
        print(f"\nUnderstanding one message ({found['messages']} messages)")
        _table(
            ["", "processor µs each"],
            [["Bihuan, trained weights", found["ours_us"]], ["floor: words alone", found["words_us"]]],
        )
        print(
            f"  {found['weights']} weights, read in {found['load_ms']} ms of processor time, "
            f"{found['memory_mb']} MB kept"
        )

    if found := figures.get("areas"):
        print(f"\nWhere a point lies ({found['polygons']} polygons of {found['corners']} corners)")
        _table(
            ["", "processor µs each"],
            [["Bihuan's index", found["ours_us"]], ["floor: bounding boxes, one after the other", found["scan_us"]]],
        )
        print(
            f"  {found['times_faster']} times faster; index made in {found['build_ms']} ms of processor time, "
            f"{found['memory_mb']} MB kept"
        )

    if found := figures.get("codes"):
        print(f"\nCodes of 2 cm at 300 dots an inch, spoilt ({found['labels']} labels each; share read right)")
        _table(
            ["", "ZXing", "OpenCV", "at least one"],
            [
                [name, *(f"{rates[decoder]:.1%}" for decoder in ("zxing", "opencv", "either"))]
                for name, rates in found["decoded"].items()
            ],
        )
        for one in found["runs"].values():
            print(
                f"  {one['labels']} labels with the crew's list: {one['seconds']} s ({one['per_second']} a second), "
                f"{one['file_mb']} MB, {one['memory_mb']} MB of memory at most"
            )
        for line in codes.tell(found):
            print(f"  {line}")

    for kind, found in figures.get("facilities", {}).items():
        _print_facilities(kind, found)
    if found := figures.get("stored"):
        _print_stored(found)


def _print_facilities(kind: str, found: dict[str, Any]) -> None:
    first, again = found["import"], found["import_again"]
    print(f"\nThe register of facilities, {kind} (a file of {found['rows']:,} rows, one in twenty wrong)")
    print(
        f"  taken over in {first['seconds']} s ({first['processor_s']} s of processor, {first['created']:,} added, "
        f"{first['refused']:,} refused; aim: {facilities.AIM_MINUTES} minutes) "
        f"{_verdict(first['seconds'] <= facilities.AIM_MINUTES * 60)}; again in {again['seconds']} s, "
        f"{again['unchanged']:,} unchanged"
    )
    print(
        f"  memory {first['memory_mb']} MB, {found['memory_growth']} times that of a tenth of the file (aim: at most "
        f"{facilities.AIM_MEMORY_GROWTH}) {_verdict(found['memory_growth'] <= facilities.AIM_MEMORY_GROWTH)}"
    )
    _table(["", "ms, p95"], [[name, took] for name, took in found["pages"].items()])
    print(
        f"  slowest {found['slowest_ms']} ms (aim: under {facilities.AIM_P95_MS}) "
        f"{_verdict(found['slowest_ms'] < facilities.AIM_P95_MS)}"
    )


_EACH = ("p50_ms", "p95_ms", "web_ms", "database_ms")


def _print_stored(found: dict[str, Any]) -> None:
    print(
        f"\nThe panel with {found['small']:,} and with {found['large']:,} reports stored, PostgreSQL (milliseconds; "
        "growth of the 95th of 100)"
    )
    _table(
        ["", "small p50", "p95", "web", "database", "large p50", "p95", "web", "database", "growth"],
        [
            [
                name,
                *(
                    one[size][key]
                    for size in ("small", "large")
                    for key in ("p50_ms", "p95_ms", "web_ms", "database_ms")
                ),
                one["growth"],
            ]
            for name, one in found["pages"].items()
        ],
    )
    print("  (web, database: what one answer costs the processor there)")
    print(
        f"  slowest {found['slowest_ms']} ms (aim: under {stored.AIM_P95_MS}) "
        f"{_verdict(found['slowest_ms'] < stored.AIM_P95_MS)}; most growth {found['most_growth']} (aim: at most "
        f"{stored.AIM_GROWTH}) {_verdict(found['most_growth'] <= stored.AIM_GROWTH)}"
    )
    wall = found["wall_read_anew"]
    print(
        f"  wall's figures read anew, once in ten seconds for all screens: p95 {wall['small']['p95_ms']} and "
        f"{wall['large']['p95_ms']} ms"
    )
    for size in ("small", "large"):
        sums = found["sums"][size]
        print(
            f"  figures brought up to date, {found[size]:,} stored ({sums['sums']:,} sums): {sums['lines']} lines in "
            f"{sums['counted_s']} s, {sums['lines_per_second']} a second ({sums['processor_ms']} processor ms each); a "
            f"turn with nothing new {sums['again_s']} s"
        )
    print(f"  kept for the next time: {', '.join(filling.name_of(found[size]) for size in ('small', 'large'))}")


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def _table(head: list[str], rows: list[list[Any]]) -> None:
    texts = [head, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in texts) for place in range(len(head))]
    for row in texts:
        first, *others = [cell.ljust(width) if place == 0 else cell.rjust(width)
                          for place, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        print("  " + "   ".join([first, *others]))


if __name__ == "__main__":
    if not Path("/proc").is_dir():
        sys.exit("The measurements read /proc: they need Linux.")
    sys.exit(main())
