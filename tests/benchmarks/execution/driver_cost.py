"""CPU time that a trial costs driver, workers, Ray and MLflow, on Ray, beside another checkout such as c72fe33.

    git worktree add ../old COMMIT && make -C ../old env
    .venv/bin/python tests/benchmarks/execution/driver_cost.py ../old [ROUNDS [TRIALS]]

Each run is one study of trivial trials, with a ledger and a Ray of its own, in a process that this one watches: twice a
second it notes the CPU time of that process and its descendants. A trial's cost is what these took from the end of the
trial at a tenth of the study to the end of the last, over the trials between: start and report are left out. What the
driver took until then is told apart, as its start. Checkouts take turns in random order.
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
ARMS, EVERY_S = 20, 0.5
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
    with tempfile.TemporaryDirectory(prefix="paribus-bench-") as folder:
        env = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI")}
        running = subprocess.Popen(
            [str(checkout / ".venv/bin/python"), str(HERE), "study", str(num_trials)],
            env={**env, "PARIBUS_HOME": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        samples, seen = [], dict[int, tuple[str, float]]()
        root = psutil.Process(running.pid)
        while running.poll() is None:
            samples.append((time.time(), looked_at(root, seen)))
            time.sleep(EVERY_S)
        out, said = running.communicate()
        assert running.returncode == 0, said[-3000:]
    ends = json.loads(out.splitlines()[-1])
    first = next(cpu for at, cpu in samples if at >= ends[len(ends) // 10])
    last = next((cpu for at, cpu in samples if at >= ends[-1]), samples[-1][1])
    between = len(ends) - len(ends) // 10 - 1
    found = {part: 1000 * (last[part] - first[part]) / between for part in PARTS[:-1]}
    return found | {PARTS[-1]: 1000 * first["driver"]}


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
