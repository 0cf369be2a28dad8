"""What commands and trials of this checkout cost beside those of another one, such as the last release.

    git worktree add ../old COMMIT && make -C ../old env
    .venv/bin/python tests/benchmarks/execution/beside_release.py ../old [ROUNDS [TRIALS]]

Commands: CPU seconds of `--help` and of `plan` with no ledger, which other work on the machine changes less than the
clock's. Trials: seconds of the clock per trivial trial with its whole ledger (the checkout's own `bench_overhead.py`),
so that nothing else should run. All take turns in random order. What is printed is the median over rounds of (there)
/ (here), above 1 where this checkout is faster, with quartiles; and the same of this checkout against itself.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

HERE = Path(__file__).resolve().parents[3]


def cpu_of_command(checkout: Path, *arguments: str) -> float:
    """CPU seconds of one command of a checkout, in a home of its own and with no ledger."""
    with tempfile.TemporaryDirectory(prefix="paribus-bench-") as home:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [str(checkout / ".venv/bin/python"), *arguments],
            env={**os.environ, "PARIBUS_HOME": home, "MLFLOW_TRACKING_URI": ""},
            cwd=checkout,
            check=True,
            capture_output=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def per_trial(checkout: Path, num_trials: int) -> float:
    """Seconds of a trivial trial, by the checkout's own benchmark, whose folder had another name once."""
    file = next(checkout.glob("tests/benchmarks/*/bench_overhead.py"))
    command = [str(checkout / ".venv/bin/python"), str(file), str(num_trials)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["trial_s"])


def turns(other: Path, measure: Callable[[Path], float], rounds: int) -> dict[str, list[float]]:
    """What each contestant took in each round; the file cache is warmed by a round before."""
    contestants = {"mine": HERE, "old": other, "again": HERE}
    taken: dict[str, list[float]] = {who: [] for who in contestants}
    for turn in range(rounds + 1):
        for who in random.sample(list(contestants), len(contestants)):
            seconds = measure(contestants[who])
            if turn:
                taken[who].append(seconds)
    return taken


def main(other: Path, rounds: int, num_trials: int) -> None:
    """Print the ratios."""
    ways: dict[str, tuple[Callable[[Path], float], int]] = {
        "paribus --help": (lambda at: cpu_of_command(at, "-m", "paribus", "--help"), rounds),
        "studies/width.py plan": (lambda at: cpu_of_command(at, "studies/width.py", "plan"), rounds),
        f"a trial of {num_trials}": (lambda at: per_trial(at, num_trials), max(3, rounds // 4)),
    }
    print(f"{'':24} here, s   there / here (quartiles)      here / here (quartiles)")
    for name, (measure, times) in ways.items():
        taken = turns(other, measure, times)
        print(
            f"{name:24} {median(taken['mine']):7.3f}   {_ratio(taken, 'old')}      {_ratio(taken, 'again')}", flush=True
        )


def _ratio(taken: dict[str, list[float]], who: str) -> str:
    low, middle, high = quantiles([a / b for a, b in zip(taken[who], taken["mine"], strict=True)], n=4)
    return f"x{middle:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    number = [int(text) for text in sys.argv[2:]]
    main(Path(sys.argv[1]).resolve(), *(number + [12, 200][len(number) :]))
