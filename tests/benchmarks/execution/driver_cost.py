"""CPU time that a trial costs driver, workers, Ray and MLflow, on Ray, beside another checkout such as c72fe33.

    git worktree add ../old COMMIT && make -C ../old env
    .venv/bin/python tests/benchmarks/execution/driver_cost.py ../old [ROUNDS [TRIALS]]

Each run is one study of trivial trials, with a ledger and a Ray of its own, in a process that this one watches: five
times a second it notes the CPU time of that process and its descendants. What a trial costs is the difference between
a study of many trials and one of FEW, each until the end of its last trial, over the trials that it has more: so start
and report are left out, and what is done ahead is not (c72fe33 asks Ray for the places of 200 trials before the first
one ends). What the driver took for the few is told apart, as its start. Checkouts take turns in random order.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import psutil

HERE = Path(__file__).resolve()
ARMS, FEW, EVERY_S = 20, 40, 0.2
PARTS = ("driver", "workers", "ray", "mlflow", "driver's start")


def names_of_this_checkout() -> tuple[Any, ...]:
    """`drive`, `Options`, `home`, `ledger_at` and `Ledger`; of this program, or of c72fe33 by its names."""
    try:
        places = ["execution.driver", "engine.options", "host.home", "tracking.address", "tracking.ledger"]
        modules = [import_module(f"paribus.{place}") for place in places]
    except ModuleNotFoundError:
        places = ["orchestration.driver", "orchestration.options", "recipe.home", "orchestration.ledger_address"]
        modules = [import_module(f"paribus.{place}") for place in [*places, "tracking.ledger"]]
    names = ("drive", "Options", "home", "ledger_at", "Ledger")
    return tuple(getattr(module, name) for module, name in zip(modules, names, strict=True))


def study(num_trials: int) -> None:
    """Run one study; print when its trials ended, in seconds of the clock."""
    from paribus import Study

    drive, options, home, ledger_at, ledger = names_of_this_checkout()
    levels = tuple(round(0.05 * (number + 1), 2) for number in range(ARMS))
    made = Study(
        name="driver_cost",
        base="synthetic",
        factors={"model.residual_scale": levels},
        replicates=num_trials // ARMS,
        margin=10.0,
    )
    with ledger_at(home(), None, start=True) as uri:
        assert drive(made, options(), uri) == 0
        trials = ledger(uri).trials("driver_cost")
    print(json.dumps(sorted(trial.ended_ms / 1000 for trial in trials)))


def measured(checkout: Path, num_trials: int) -> dict[str, float]:
    """CPU milliseconds per trial of each of PARTS; of the driver's start, in all."""
    few, many = watched(checkout, FEW), watched(checkout, num_trials)
    found = {part: 1000 * (many[part] - few[part]) / (num_trials - FEW) for part in PARTS[:-1]}
    return found | {PARTS[-1]: 1000 * few["driver"]}


def watched(checkout: Path, num_trials: int) -> dict[str, float]:
    """CPU seconds of each part of one run until its last trial ended."""
    with (
        tempfile.TemporaryDirectory(prefix="paribus-bench-") as folder,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as said,
    ):
        env = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI")}
        running = subprocess.Popen(
            [str(checkout / ".venv/bin/python"), str(HERE), "study", str(num_trials)],
            env={**env, "PARIBUS_HOME": folder},
            stdout=out,
            stderr=said,
        )
        samples, seen = [], dict[int, tuple[str, float]]()
        root = psutil.Process(running.pid)
        while running.poll() is None:
            samples.append((time.time(), looked_at(root, seen)))
            time.sleep(EVERY_S)
        out.seek(0)
        said.seek(0)
        assert running.returncode == 0, said.read()[-3000:]
        end = json.loads(out.read().splitlines()[-1])[-1]
    after = next(number for number, (at, _) in enumerate(samples) if at >= end)
    (begun, before), (at, then) = samples[after - 1], samples[after]
    return {part: before[part] + (then[part] - before[part]) * (end - begun) / (at - begun) for part in before}


def looked_at(root: psutil.Process, seen: dict[int, tuple[str, float]]) -> dict[str, float]:
    """CPU seconds of each part until now; `seen` keeps what processes took that have ended since."""
    for process in (root, *root.children(recursive=True)):
        try:
            words = " ".join(process.cmdline())
            seen[process.pid] = _part(process.pid == root.pid, words), sum(process.cpu_times()[:2])
        except psutil.Error:
            continue
    found = dict.fromkeys(PARTS, 0.0)
    for part, seconds in seen.values():
        found[part] += seconds
    return found


def _part(is_root: bool, words: str) -> str:
    if is_root:
        return "driver"
    if words.startswith("ray::") or "default_worker.py" in words:
        return "workers"
    return "mlflow" if "mlflow" in words else "ray"


def main(other: Path, rounds: int, num_trials: int) -> None:
    """Print both checkouts' medians, and the ratio of each part, with every round's."""
    checkouts = {"here": HERE.parents[3], "there": other}
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for who in random.sample(list(checkouts), len(checkouts)):
            found[who].append(measured(checkouts[who], num_trials))
            print(who, {part: round(value, 1) for part, value in found[who][-1].items()}, flush=True)
    for part in PARTS:
        here, there = ([each[part] for each in found[who]] for who in checkouts)
        pairs = ", ".join(f"{a / b:.2f}" for a, b in zip(here, there, strict=True) if b)
        print(f"{part:15} here {median(here):8.1f} ms  there {median(there):8.1f} ms  here / there {pairs}")


if __name__ == "__main__":
    if sys.argv[1] == "study":
        study(int(sys.argv[2]))
    else:
        number = [int(text) for text in sys.argv[2:]]
        main(Path(sys.argv[1]).resolve(), *(number + [2, 200][len(number) :]))
