"""The crew's list of a run of labels, as lengthy work from the panel."""

from __future__ import annotations

from district.errands.kinds.labels import write_list
from district.errands.running import Running
from district.messages import CHINESE, speaking


def do(running: Running) -> None:
    """Write the list of the run `run`, in the language of its labels."""
    run_id = int(running.asked.parameters["run"])
    path = running.result(f"labels-{run_id}-list.pdf", "application/pdf")
    with speaking(CHINESE):
        made = write_list(run_id, path)
    running.outcome = {"labels": made.labels, "pages": made.pages, "run": run_id}
