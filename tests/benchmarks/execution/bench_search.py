"""What a trial of a search costs beyond its training, with TPE and ASHA, beside a fixed design's in the same run; and a
search whose driver is killed again and again.

make bench                                                               all benchmarks
cd tests/benchmarks/execution
python bench_search.py cost 60                                           the cost alone, any number of trials
python bench_search.py killed 20                                         the kills alone, any number of them
python bench_search.py killed 6 20 "ray.tune.schedulers:ASHAScheduler"   of so many trials, by another scheduler

With MLFLOW_TRACKING_URI and RAY_ADDRESS that server and that cluster are used; else each run starts its own, which on a
crowded machine may take longer than the two minutes that are waited for it.
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
ASHA = "asha(eta=3)"
SMALL: dict[str, Any] = {
    "model.depth": 10,
    "model.width": 0.25,
    "data.train_fraction": 0.1,
    "data.batch_size": 16,
    "budget": "9 epochs",
}


def _in_a_home(folder: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PARIBUS_HOME": folder}
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
        name=f"fixed_{Path(os.environ['PARIBUS_HOME']).name}",
        factors={"optimizer.lr": levels},
        fixed=SMALL,
        replicates=num_trials // 20,
        margin=10.0,
        question="What does a trial cost beyond its training?",
    )
    with ledger_at(home(), None, start=True) as uri:
        assert uri is not None
        assert drive(study, Options(), uri) == 0
        print(json.dumps(_figures(Ledger(uri).trials(study.name))))


def _search(num_trials: int) -> None:
    from paribus.engine.options import Options
    from paribus.execution.searches.search_driver import drive_search
    from paribus.host.home import home
    from paribus.tracking.address import ledger_at
    from paribus.tracking.ledger import Ledger

    with ledger_at(home(), None, start=True) as uri:
        assert uri is not None
        search = _made(num_trials, "tpe")
        assert drive_search(search, Options(), uri) == 0
        print(json.dumps(_figures(Ledger(uri).trials(search.name))))


def _made(num_trials: int, sampler: str, scheduler: str = ASHA) -> Any:
    from paribus import Float, Search

    return Search(
        name=f"searched_{Path(os.environ['PARIBUS_HOME']).name}",  # on a server with others it is alone
        fixed=SMALL,
        space={"optimizer.lr": Float(0.01, 1.0, log=True)},
        trials=num_trials,
        sampler=sampler,
        scheduler=scheduler,
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


def killed(kills: int, trials: int = 60, scheduler: str = ASHA) -> dict[str, Any]:
    """A search whose driver is killed `kills` times, beside one that is left alone.

    A kill comes after a random number of trials paused or ended since the start before, and up to two seconds more, so
    that kills are spread over the search however slow the machine is.
    """
    words = ("walk", str(trials), scheduler)
    with tempfile.TemporaryDirectory(prefix="paribus-kill-") as folder, tempfile.TemporaryDirectory() as other:
        drawn, hit = random.Random(0), 0
        # Of 60 trials about 87 pause or end.
        most = max(1, round(2 * 1.45 * trials / (kills + 2)))
        for _ in range(kills):
            hit += _run_until(folder, words, drawn.randint(0, most), drawn.uniform(0.0, 2.0))
            print(f"killed {hit} times", file=sys.stderr, flush=True)
        done = _in_a_home(folder, *words)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        left_alone = _in_a_home(other, *words)
        assert left_alone.returncode == 0, left_alone.stderr[-4000:]
        mine, theirs = (json.loads(each.stdout.splitlines()[-1]) for each in (done, left_alone))
    return {"kills": hit, **_compared(mine, theirs)}


def _compared(mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Two searches by trial id: [outcome, step, top1, runs, whether the scheduler says so again of the ledger]."""
    both = [name for name in mine if name in theirs and mine[name][:2] == theirs[name][:2]]
    same = [name for name in both if mine[name][2] == theirs[name][2]]
    return {
        "trials": len(mine),
        "runs": sum(each[3] for each in mine.values()),
        "same settings as undisturbed": len(set(mine) & set(theirs)),
        "same outcome and step": len(both),
        "of these the same result to the bit": len(same),
        "the ledger's order leads to the same decision": sum(each[4] for each in mine.values()),
        "outcomes": Counter(each[0] for each in mine.values()),
        "outcomes undisturbed": Counter(each[0] for each in theirs.values()),
    }


def _run_until(folder: str, words: tuple[str, ...], events: int, more_s: float) -> bool:
    """Kill the driver so many seconds after so many trials paused or ended; whether it had not ended before."""
    env = {**os.environ, "PARIBUS_HOME": folder, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(HERE), *words]
    running = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert running.stdout is not None
    begun = False
    for line in running.stdout:
        begun |= line.startswith("searching on")
        events -= line.startswith("[")
        if begun and events <= 0:
            break
    try:
        running.wait(timeout=more_s)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return True


def _walk(num_trials: int, scheduler: str) -> None:
    """Random settings, so that what is tried does not hang on who came first."""
    from paribus.engine.options import Options
    from paribus.execution.searches.search_driver import drive_search
    from paribus.host.home import home
    from paribus.tracking.address import ledger_at
    from paribus.tracking.ledger import Ledger

    search = _made(num_trials, "random", scheduler)
    with ledger_at(home(), None, start=True) as uri:
        assert uri is not None
        assert drive_search(search, Options(), uri) == 0
        trials = Ledger(uri).trials(search.name)
        again = _decided_again(search, uri)
    counts = Counter(trial.trial_id for trial in trials)
    found = {
        t.trial_id: (t.outcome, t.step, t.metrics.get("top1"), counts[t.trial_id], again[t.trial_id]) for t in trials
    }
    print(json.dumps(found))


def _decided_again(search: Any, uri: str) -> dict[str, bool]:
    """Of each trial whether the scheduler, told what the ledger has and not whom it cut, cuts whom it cut."""
    from dataclasses import replace

    from paribus.engine.options import Options
    from paribus.engine.searches.search_preview import make_search_preview
    from paribus.execution.searches.search_ledger import SearchLedger
    from paribus.execution.workers.trial_spec import outbox_of
    from paribus.host.home import home
    from paribus.study.searches.search_document import DESIGN
    from paribus.study.settings import settings_of

    settings = settings_of(search, None)
    ledger = SearchLedger(search, uri, outbox_of(home(), search.name, settings), home(), settings, DESIGN)
    try:
        preview = make_search_preview(search, home(), ledger.known(), ledger.curves, Options())
    finally:
        ledger.close()
    tried = preview.walk.tried
    walk = type(preview.walk)(search, preview.walk.sampler, preview.walk.scheduler, preview.walk.epochs)
    walk.restore(
        replace(
            each,
            state="paused" if each.state == "stopped" else each.state,
            outcome=None if each.state == "stopped" else each.outcome,
            when={place: at for place, at in each.when.items() if place >= 0 or each.state != "stopped"},
        )
        for each in tried.values()
    )
    cut = walk.hopeless()
    return {
        preview.records[number].trial_id: (each.state == "stopped") == (number in cut) for number, each in tried.items()
    }


if __name__ == "__main__":
    word, number = sys.argv[1], int(sys.argv[2])
    if word == "cost":
        print(json.dumps({kind: cost(kind, number) for kind in ("fixed", "search")}, indent=2))
    elif word == "killed":
        print(json.dumps(killed(number, int((sys.argv[3:] or ["60"])[0]), (sys.argv[4:] or [ASHA])[0]), indent=2))
    elif word == "walk":
        _walk(number, sys.argv[3])
    else:
        {"fixed": _fixed, "search": _search}[word](number)
