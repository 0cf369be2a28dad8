#!/usr/bin/env python
"""Trials' records from many workers at once into an MLflow server on a real PostgreSQL: no error, and at what cost.

Every simulated worker is a `Recorder` with its own outbox, thread and connection, as in a worker of a study; they share
a few processes, `--workers` in all. Each records trials of 5 epochs of 10 values, one file and final results. What the
server bears is the rate at which one worker's trials go through it in CPU time, its processes and PostgreSQL's
together; the ratio says what a trial costs in company against alone, and holds on a busy machine too.
Needs Debian's PostgreSQL (`make browser`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from paribus.study import Arm
from paribus.tracking import MlflowRest, Recorder, StudyHeader, TrialRecord, open_study, waiting
from paribus.tracking.database.choice import choose
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import start_server

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
KEYS = ("train_loss", "top1", "top5", "log_likelihood", "eval_loss", "lr", "grad_norm", "dead_channels", "wait", "rate")


def record(folder: Path, uri: str, study: str, first: int, workers: int, each: int) -> None:
    """`workers` simulated workers of this process, `each` trials of every one, sent to the end."""
    recorders = [Recorder(folder / f"{first + number}", uri, flush_s=1.0) for number in range(workers)]
    values = dict.fromkeys(KEYS, 1.0)
    for index in range(each):
        for number, recorder in enumerate(recorders):
            replicate = (first + number) * each + index
            arm = Arm((("model.width", 1.0),))
            trial = TrialRecord(
                study=study, trial_id=f"{study}-{replicate}", arm=arm, arm_name="k=1", replicate=replicate
            )
            log = recorder.trial(trial.begun(), is_new=True)
            for epoch in range(1, 6):
                log.metrics(values, epoch * 10, epoch)
            log.artifact("curves.parquet", b"x" * 2000)
            log.finish("finished", values)
    for recorder in recorders:
        assert recorder.close(3600), recorder.trouble


def cpu_s(*roots: int) -> float:
    family = [process for root in roots for process in (psutil.Process(root), *psutil.Process(root).children(True))]
    return sum(sum(process.cpu_times()[:4]) for process in family)  # of its children that have ended too


def run(folder: Path, uri: str, study: str, processes: int, workers: int, each: int) -> float:
    """All of it in processes of their own, in a study that is there, as a driver sees to; returns the seconds."""
    with MlflowRest(uri) as rest:
        open_study(rest, StudyHeader(name=study))
    start = time.perf_counter()
    share = workers // processes
    words = [sys.executable, __file__, "--record", str(folder), uri, study, str(share), str(each)]
    running = [subprocess.Popen([*words, str(number * share)]) for number in range(processes)]
    assert [process.wait() for process in running] == [0] * processes
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=500)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--alone", type=int, default=200, help="trials of one worker, for comparison")
    parser.add_argument("--record", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        folder, uri, study, workers, each, first = options.record
        record(Path(folder), uri, study, int(first), int(workers), int(each))
        return
    from postgres import serve

    with serve() as postgres, tempfile.TemporaryDirectory() as temporary:
        os.environ["PGPASSFILE"] = str(postgres.pgpass)
        folder = Path(temporary)
        choose(folder / "mlflow", postgres.create("bench"))
        server = start_server(folder / "mlflow")
        try:
            assert postgres.process is not None
            roots = (server.pid, postgres.process.pid)
            record(folder / "warm", server.uri, "warm", 0, 1, 5)
            before = cpu_s(*roots)
            alone_s = run(folder / "one", server.uri, "one", 1, 1, options.alone)
            between = cpu_s(*roots)
            each = options.trials // options.workers
            wall_s = run(folder / "many", server.uri, "many", options.processes, options.workers, each)
            after = cpu_s(*roots)
            left = [waiting(outbox) for outbox in (folder / "many").iterdir()]
            with Ledger(server.uri, budget_s=120) as ledger:
                trials = ledger.trials("many")
        finally:
            server.stop()
    num = each * options.workers
    figures = {
        "trials": num,
        "workers": options.workers,
        "trials_in_ledger": len({trial.replicate for trial in trials if trial.outcome == "finished"}),
        "runs": len(trials),
        "refused": sum(len(each.rejected) for each in left),
        "unsent": sum(each.num_unsent for each in left),
        "wall_s": wall_s,
        "trials_per_s": num / wall_s,
        "alone_trials_per_s": options.alone / alone_s,
        "server_cpu_ms_per_trial": (after - between) / num * 1e3,
        "alone_server_cpu_ms_per_trial": (between - before) / options.alone * 1e3,
        "cpu_ratio": ((after - between) / num) / ((between - before) / options.alone),
        "cores_used": (after - between) / wall_s,
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
