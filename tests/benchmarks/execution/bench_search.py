"""What a trial of a search costs beyond its training, with TPE and ASHA, beside a fixed design's in the same run; and a
search whose driver is killed again and again.

make bench                                                               all benchmarks
.venv/bin/python tests/benchmarks/execution/bench_search.py cost 60       the cost alone, any number of trials
.venv/bin/python tests/benchmarks/execution/bench_search.py killed 20     the kills alone, any number of them
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SMALL: dict[str, Any] = {
    "model.depth": 10,
    "model.width": 0.25,
    "data.train_fraction": 0.1,
    "data.batch_size": 16,
    "budget": "9 epochs",
}


def _in_a_home(folder: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PARIBUS_HOME": folder}
    env.pop("RAY_ADDRESS", None)
    env.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.run([sys.executable, str(HERE), *words], env=env, capture_output=True, text=True, check=False)


def cost(kind: str, num_trials: int) -> dict[str, float]:
    """Worker-seconds beyond training per trial, of a study (`fixed`) or a search (`search`), in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="paribus-bench-") as folder:
        done = _in_a_home(folder, kind, str(num_trials))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_cost_of_a_searched_trial() -> None:
    """Print the figures; the goal is at most 1.5 times the fixed design's."""
    fixed, search = cost("fixed", 60), cost("search", 60)
    ratio = search["beyond_s"] / fixed["beyond_s"]
    print(f"\nbeyond training, 60 trials each: fixed {fixed['beyond_s']:.3f} s, searched {search['beyond_s']:.3f} s")
    print(f"ratio {ratio:.2f}; {search['attempts']:.2f} attempts a trial, for it pauses at its rungs")
    assert ratio > 0


def test_a_search_whose_driver_is_killed() -> None:
    """Print what is the same as in an undisturbed run; no trial is twice in the ledger, and none is missing."""
    found = killed(20)
    print(json.dumps(found, indent=2))
    assert found["trials"] == found["runs"] == 60
    assert found["of these the same result to the bit"] == found["same outcome and step"]


def _fixed(num_trials: int) -> None:
    from paribus import Study
    from paribus.engine.options import Options
    from paribus.execution.driver import drive
    from paribus.host.home import home
    from paribus.tracking.address import ledger_at
    from paribus.tracking.ledger import Ledger

    levels = tuple(round(0.05 * (index + 1), 2) for index in range(20))
    study = Study(
        name="fixed",
        factors={"optimizer.lr": levels},
        fixed=SMALL,
        replicates=num_trials // 20,
        margin=10.0,
        question="What does a trial cost beyond its training?",
    )
    with ledger_at(home(), None, start=True) as uri:
        assert uri is not None
        assert drive(study, Options(), uri) == 0
        print(json.dumps(_figures(Ledger(uri).trials("fixed"))))


def _search(num_trials: int) -> None:
    from paribus.engine.options import Options
    from paribus.execution.searches.search_driver import drive_search
    from paribus.host.home import home
    from paribus.tracking.address import ledger_at
    from paribus.tracking.ledger import Ledger

    with ledger_at(home(), None, start=True) as uri:
        assert uri is not None
        assert drive_search(_made(num_trials, "tpe"), Options(), uri) == 0
        print(json.dumps(_figures(Ledger(uri).trials("searched"))))


def _made(num_trials: int, sampler: str) -> Any:
    from paribus import Float, Search

    return Search(
        name="searched",
        fixed=SMALL,
        space={"optimizer.lr": Float(0.01, 1.0, log=True)},
        trials=num_trials,
        sampler=sampler,
        scheduler="asha(eta=3)",
        confirm=0,
        holdout=0.25,
        question="What does a trial of a search cost beyond its training?",
    )


def _figures(trials: list[Any]) -> dict[str, float]:
    """Two workers' time from the first start to the last end, without what was trained, per trial."""
    begun = min(each.started_ms for trial in trials for each in trial.attempts.values())
    ended = max(each.ended_ms for trial in trials for each in trial.attempts.values() if each.outcome != "stopped")
    trained = [each for trial in trials for each in trial.attempts.values() if each.outcome != "stopped"]
    busy_s = sum((each.ended_ms - each.started_ms) / 1000 for each in trained)
    wall_s = (ended - begun) / 1000
    training_s = sum(trial.metrics.get("total_s", 0.0) for trial in trials)
    # Of a paused trial the training alone is not told: its attempts' own time stands for it.
    untold = [trial for trial in trials if "total_s" not in trial.metrics]
    training_s += sum(
        (each.ended_ms - each.started_ms) / 1000
        for trial in untold
        for each in trial.attempts.values()
        if each.outcome != "stopped"
    )
    return {
        "beyond_s": (2 * wall_s - training_s) / len(trials),
        "busy_s": busy_s / len(trials),
        "attempts": len(trained) / len(trials),
    }


def killed(kills: int) -> dict[str, Any]:
    """A search of 60 settings whose driver is killed `kills` times, beside one that is left alone."""
    with tempfile.TemporaryDirectory(prefix="paribus-kill-") as folder, tempfile.TemporaryDirectory() as other:
        drawn = random.Random(0)
        for _ in range(kills):
            _run_until(folder, drawn.uniform(1.0, 12.0))
        done = _in_a_home(folder, "walk", "60")
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        left_alone = _in_a_home(other, "walk", "60")
        assert left_alone.returncode == 0, left_alone.stderr[-4000:]
        mine, theirs = (json.loads(each.stdout.splitlines()[-1]) for each in (done, left_alone))
    both = [name for name in mine if name in theirs and mine[name][:2] == theirs[name][:2]]
    same = [name for name in both if mine[name][2] == theirs[name][2]]
    return {
        "kills": kills,
        "trials": len(mine),
        "runs": sum(each[3] for each in mine.values()),
        "same settings as undisturbed": len(set(mine) & set(theirs)),
        "same outcome and step": len(both),
        "of these the same result to the bit": len(same),
        "outcomes": Counter(each[0] for each in mine.values()),
        "outcomes undisturbed": Counter(each[0] for each in theirs.values()),
    }


def _run_until(folder: str, after_s: float) -> None:
    """Kill the driver so many seconds after it began to search."""
    env = {**os.environ, "PARIBUS_HOME": folder, "PYTHONUNBUFFERED": "1"}
    env.pop("RAY_ADDRESS", None)
    env.pop("MLFLOW_TRACKING_URI", None)
    words = [sys.executable, str(HERE), "walk", "60"]
    running = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("searching on"):
            break
    try:
        running.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _walk(num_trials: int) -> None:
    """Random settings, so that what is tried does not hang on who came first."""
    from paribus.engine.options import Options
    from paribus.execution.searches.search_driver import drive_search
    from paribus.host.home import home
    from paribus.tracking.address import ledger_at
    from paribus.tracking.ledger import Ledger

    with ledger_at(home(), None, start=True) as uri:
        assert uri is not None
        assert drive_search(_made(num_trials, "random"), Options(), uri) == 0
        trials = Ledger(uri).trials("searched")
    counts = Counter(trial.trial_id for trial in trials)
    found = {t.trial_id: (t.outcome, t.step, t.metrics.get("top1"), counts[t.trial_id]) for t in trials}
    print(json.dumps(found))


if __name__ == "__main__":
    word, number = sys.argv[1], int(sys.argv[2])
    if word == "cost":
        print(json.dumps({kind: cost(kind, number) for kind in ("fixed", "search")}, indent=2))
    elif word == "killed":
        print(json.dumps(killed(number), indent=2))
    else:
        {"fixed": _fixed, "search": _search, "walk": _walk}[word](number)
