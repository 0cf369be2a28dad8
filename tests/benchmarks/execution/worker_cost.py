"""What a trial costs its worker and MLflow, in CPU time and without Ray, beside another checkout such as c72fe33.

    git worktree add ../old COMMIT && make -C ../old env
    .venv/bin/python tests/benchmarks/execution/worker_cost.py ../old [ROUNDS [TRIALS]]

One worker trains trivial trials in a process of its own, one after another, and sends them to one MLflow server; both
checkouts send to the same, in turns in random order. CPU time of a machine with other work on it still varies by a
quarter (caches and sibling threads are shared); Python's function calls per trial, counted in a run of their own, do
not. Unlike `bench_overhead.py` it starts no Ray, which on a crowded machine does not come up.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil

HERE = Path(__file__).resolve()
ARMS, WARM_UP, FLUSH_S = 20, 10, 8.0


def encoded_and_worker(study: Any, home: Path, uri: str) -> tuple[list[str], Any]:
    """The study's trials as they are handed out, and a worker; of this program, or of c72fe33 by its names."""
    try:
        from paribus.engine.options import Options
        from paribus.engine.preview import make_preview
        from paribus.execution.workers.trial_spec import context_of, encode
        from paribus.execution.workers.worker import TrialWorker
        from paribus.study.settings import settings_of

        plan, context = (
            make_preview(study, home, [], Options()).plan,
            context_of(study.name, home, uri, settings_of(study)),
        )
    except ModuleNotFoundError:
        from importlib import import_module

        at = {name: import_module(f"paribus.orchestration.{name}") for name in ("job", "planning", "options")}
        plan = at["planning"].look_out(study, home, [], at["options"].Options()).plan
        code = import_module("paribus.orchestration.code_digest").code_digest()
        context = at["job"].Context(study=study.name, home=str(home), uri=uri, code=code)
        encode = at["job"].encode
        TrialWorker = import_module("paribus.orchestration.worker").TrialWorker

    class Worker(TrialWorker):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            """Without what Ray Tune prepares for an actor."""

    texts, worker = [encode(step) for step in plan.todo], Worker()
    worker.setup({"trial": texts[0]}, context=context)
    return texts, worker


def measure(uri: str, server: int, num_trials: int, *, counts_calls: bool) -> dict[str, float]:
    """CPU milliseconds per trial of this process and of the server; or Python's calls per trial."""
    import torch

    from paribus import Study

    torch.set_num_threads(1)
    levels = tuple(round(0.05 * (number + 1), 2) for number in range(ARMS))
    with tempfile.TemporaryDirectory(prefix="paribus-bench-") as folder:
        os.environ["PARIBUS_HOME"] = folder
        study = Study(
            name=f"cost{os.getpid()}",
            base="synthetic",
            factors={"model.residual_scale": levels},
            replicates=num_trials // ARMS + 1,
            margin=10.0,
        )
        texts, worker = encoded_and_worker(study, Path(folder), uri)
        train(worker, texts[:WARM_UP])
        time.sleep(FLUSH_S)  # until the server has had what the first ones sent
        calls = 0

        def note(frame: object, event: str, arg: object) -> None:
            nonlocal calls
            calls += event == "call"

        before, served = time.process_time(), cpu_of(server)
        sys.setprofile(note if counts_calls else None)
        train(worker, texts[WARM_UP : WARM_UP + num_trials])
        sys.setprofile(None)
        worker.cleanup()
        own = {"worker_ms": time.process_time() - before, "server_ms": cpu_of(server) - served}
        return {name: 1000 * value / num_trials for name, value in own.items()} | {"calls": calls / num_trials}


def train(worker: Any, texts: list[str]) -> None:
    """One trial after another, to its end."""
    for text in texts:
        worker.reset_config({"trial": text})
        while not (last := worker.step())["done"]:
            pass
        assert last["outcome"] in ("finished", "stuck"), last


def cpu_of(pid: int) -> float:
    """CPU seconds of a server and its workers."""
    root = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in (root, *root.children(recursive=True)))


def main(other: Path, rounds: int, num_trials: int) -> None:
    """Print both checkouts' medians and their ratio."""
    from paribus.tracking.mlflow.server import start_server

    checkouts = {"here": HERE.parents[3], "there": other}
    found: dict[str, list[dict[str, float]]] = {who: [] for who in checkouts}
    with tempfile.TemporaryDirectory(prefix="paribus-bench-") as folder:
        server = start_server(Path(folder))
        try:
            for turn in range(rounds + 1):
                for who in random.sample(list(checkouts), len(checkouts)):
                    python = str(checkouts[who] / ".venv/bin/python")
                    words = [
                        python,
                        str(HERE),
                        "measure",
                        server.uri,
                        str(server.pid),
                        str(num_trials),
                        str(int(not turn)),
                    ]
                    done = subprocess.run(words, capture_output=True, text=True, check=True)
                    found[who].append(json.loads(done.stdout.splitlines()[-1]))
        finally:
            server.stop()
    for name in ("calls", "worker_ms", "server_ms"):
        # The first turn counted calls, which takes time; calls are the same in every turn.
        turns = slice(0, 1) if name == "calls" else slice(1, None)
        here, there = (median(each[name] for each in found[who][turns]) for who in ("here", "there"))
        print(f"{name:10} here {here:9.1f}  there {there:9.1f}  here / there x{here / there:.3f}")


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), counts_calls=sys.argv[5] == "1")))
    else:
        numbers = [int(text) for text in sys.argv[2:]]
        main(Path(sys.argv[1]).resolve(), *(numbers + [4, 100][len(numbers) :]))
