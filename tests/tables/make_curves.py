#!/usr/bin/env python
"""Train the trials of `digits_curves.py` that FOLDER does not have yet, and write what it has as digits_curves.parquet.

    make_curves.py FOLDER [--write-only]

A trial is a line of FOLDER/trials.jsonl under its id, so that a killed run goes on where it stopped. The study's own
plan says which trials there are and `paribus.training.epochs` trains them, as a worker does; a ledger and Ray beside
them would take as long again, for trials of a second or two. `digits_curves.py run` gives the same trials with both.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from digits_curves import SPACE, study

from paribus.data import open_feed
from paribus.models.complexity import count
from paribus.study.plan import Trial, trials
from paribus.training import epochs

TABLE = Path(__file__).with_name("digits_curves.parquet")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--write-only", action="store_true", help="train nothing")
    options = arguments.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    digest = open_feed(study.base_recipe).digest
    planned = trials(study, lambda recipe: digest)
    done = read(options.folder / "trials.jsonl")
    left = [] if options.write_only else [trial for trial in planned if trial.id not in done]
    with (options.folder / "trials.jsonl").open("a") as lines:
        for number, trial in enumerate(left, start=1):
            done[trial.id] = trained(trial)
            lines.write(json.dumps({"id": trial.id, **done[trial.id]}) + "\n")
            lines.flush()
            if number % 50 == 0:
                print(f"{len(done)} of {len(planned)} trials", flush=True)
    # A replicate that some settings lack would be compared with nothing.
    lacking = min((trial.replicate for trial in planned if trial.id not in done), default=study.replicates + 1)
    write([(trial, done[trial.id]) for trial in planned if trial.replicate < lacking])


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The trials that were trained, by id; a line that was cut off by a kill is none."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            trial = json.loads(line)
        except ValueError:
            continue
        found[trial.pop("id")] = trial
    return found


def trained(trial: Trial) -> dict[str, Any]:
    """The curve of a trial: for each epoch its metrics and the seconds of this process's CPU."""
    curve: dict[str, list[float]] = {"top1": [], "log_likelihood": [], "seconds": []}
    start = time.process_time()
    running = epochs(trial.recipe, trial.seeds, open_feed(trial.recipe))
    while True:
        try:
            epoch = next(running)
        except StopIteration as end:
            return {"outcome": end.value.outcome, "outcome_step": end.value.outcome_step, **curve}
        now = time.process_time()
        curve["top1"].append(epoch.metrics["top1"])
        curve["log_likelihood"].append(epoch.metrics["log_likelihood"])
        curve["seconds"].append(now - start)
        start = now


def write(results: list[tuple[Trial, dict[str, Any]]]) -> None:
    """A row for each epoch of each trial: its levels, its parameters and multiply-adds, what it came to.

    The epoch in which a trial diverged or died has a row without values.
    """
    sizes = {trial.arm: count(trial.recipe.model, 8, in_channels=1) for trial, _ in results}
    numbers = {arm: number for number, arm in enumerate(study.arms)}
    rows = [
        {
            "setting": numbers[trial.arm],
            "replicate": trial.replicate,
            "epoch": epoch,
            **{path: trial.arm.as_dict()[path] for path in SPACE},
            "params": sizes[trial.arm].params,
            "macs": sizes[trial.arm].macs,
            "outcome": result["outcome"],
            **{name: (*result[name], None)[epoch - 1] for name in ("top1", "log_likelihood", "seconds")},
        }
        for trial, result in results
        for epoch in range(1, len(result["top1"]) + 1 + (result["outcome"] in ("diverged", "dead")))
    ]
    table = pa.Table.from_pylist(rows)
    for name, dtype in _NARROW.items():
        table = table.set_column(table.column_names.index(name), name, table[name].cast(dtype))
    pq.write_table(table, TABLE, compression="zstd", compression_level=19)
    print(f"{len(results)} trials, {len(rows)} epochs: {TABLE.name}, {TABLE.stat().st_size / 2**20:.2f} MiB")


_NARROW = {
    **{name: pa.int16() for name in ("setting", "replicate", "epoch")},
    **{name: pa.float32() for name in ("top1", "log_likelihood", "seconds")},
}

if __name__ == "__main__":
    main()
