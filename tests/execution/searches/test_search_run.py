"""A search on a real cluster and a real ledger: walked, killed and resumed, and confirmed by a study."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sandbox import Sandbox

from paribus.commands.main import main
from paribus.tracking.ledger import Ledger
from paribus.tracking.trials.record import TrialRecord

pytestmark = pytest.mark.cluster

SEARCH = '''#!/usr/bin/env python
"""Which rate suits a tiny net on a tenth of digits best?"""

from paribus import Choice, Float, Search, main

search = Search(
    name={name!r},
    fixed={{**{small!r}, **{fixed!r}}},
    space={{"optimizer.lr": Float(0.05, 1.0, log=True), "optimizer.nesterov": Choice(True, False)}},
    holdout=0.25,
    **{{"margin": 20.0, **{more!r}}},
)

if __name__ == "__main__":
    main(search)
'''
# Half a second, after which every rate of the space has learnt something; one worker takes one after another.
SMALL = {
    "resources.cpus": 1.5,
    "model.depth": 10,
    "model.width": 0.25,
    "data.train_fraction": 0.1,
    "data.batch_size": 16,
    "budget": "9 epochs",
}
ASHA = {"trials": 9, "scheduler": "asha(eta=3)", "confirm": 3, "top": 2, "sampler": "tpe(n_startup_trials=4)"}


def written(office: Sandbox, name: str, fixed: dict[str, object] | None = None, **more: object) -> Path:
    return office.write(name, SEARCH.format(name=name, small=SMALL, fixed=fixed or {}, more=more))


def known(office: Sandbox, name: str) -> list[TrialRecord]:
    with Ledger(office.env["MLFLOW_TRACKING_URI"]) as ledger:
        return sorted(ledger.trials(name), key=lambda record: record.replicate)


def test_a_search_is_walked_to_its_end_and_what_it_found_is_judged_by_a_study(office: Sandbox) -> None:
    file = written(office, "walked", **ASHA)
    plan = office.run("paribus", "plan", file)
    assert "9 settings by tpe(n_startup_trials=4), scheduler asha(eta=3), by top1 of the held-out" in plan.stdout
    assert "rungs after 1, 3, 9 epochs" in plan.stdout
    done = office.run(file)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = known(office, "walked")
    assert [trial.replicate for trial in trials] == [*range(1, 10)]
    outcomes = [trial.outcome for trial in trials]
    assert set(outcomes) <= {"finished", "stopped", "diverged", "dead", "stuck"}
    assert outcomes[0] in ("finished", "stuck"), "the baseline is trained to its end"
    stopped = [trial for trial in trials if trial.outcome == "stopped"]
    assert stopped
    assert all("go" in trial.reason and trial.epoch in (1, 3) for trial in stopped), "censored, with its curve"
    assert not list((office.home / "checkpoints" / "walked").glob("*")), "nobody goes on from these"
    confirmed = known(office, "walked-confirmed")
    assert len(confirmed) == 3 * len({trial.arm_name for trial in confirmed})
    searched = {trial.seeds["order"] for trial in trials}
    assert not searched & {trial.seeds["order"] for trial in confirmed}
    assert all(trial.params["data.holdout"] == "0.0" for trial in confirmed)
    assert "exploratory" in done.stdout
    assert "what the search saw (one run, held-out data) and what stood up" in done.stdout

    again = office.run(file)
    assert again.returncode == 0, again.stderr
    assert [trial.attempt for trial in known(office, "walked")] == [trial.attempt for trial in trials]
    page, text = office.folder / "walked.html", office.folder / "walked.md"
    written_to = ("--html", page, "--markdown", text)
    report = json.loads(office.run("paribus", "report", file, "--json", *written_to).stdout)
    assert "walked-confirmed" in page.read_text()
    assert "the search walked" in page.read_text()
    assert "| the search walked |" in text.read_text()
    assert "| arm |" in text.read_text()
    assert all(each["n"] <= 3 for each in report["confirmed"])
    assert 1 <= len(report["best"]) <= 2
    best = office.run("paribus", "search", "best", file, "--recipe", office.folder / "best.json")
    assert best.returncode == 0, best.stderr
    recipe = json.loads((office.folder / "best.json").read_text())
    assert report["chosen"]["confirmed"] is True
    assert recipe["optimizer"]["lr"] == report["chosen"]["levels"]["optimizer.lr"]
    assert f"the best: {'' if report['chosen']['number'] is None else '#'}" in best.stdout
    assert recipe["data"]["holdout"] == 0.0


def test_a_driver_killed_at_any_moment_goes_on_and_trains_nothing_twice(office: Sandbox) -> None:
    # A scheduler whose decisions do not depend on who comes first: under ASHA others may train to their end.
    more = {**ASHA, "scheduler": "successive_halving(eta=3)", "confirm": 0, "sampler": "random"}
    file = written(office, "search-killed", **more)
    for lines in (2, 4):
        office.kill_after(file, "[", lines)
    done = office.run(file)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = known(office, "search-killed")
    assert [trial.replicate for trial in trials] == [*range(1, 10)], "one run a trial, and none is missing"
    whole = written(office, "search-undisturbed", **more)
    assert office.run(whole).returncode == 0
    undisturbed = known(office, "search-undisturbed")
    # Names are no part of a trial's identity but through its settings' digest, which has no name in it.
    assert [trial.trial_id for trial in trials] == [trial.trial_id for trial in undisturbed]
    assert [trial.outcome for trial in trials] == [trial.outcome for trial in undisturbed]
    finals = {trial.trial_id: trial.metrics.get("top1") for trial in undisturbed if trial.outcome == "finished"}
    both = [trial for trial in trials if trial.outcome == "finished" and trial.trial_id in finals]
    assert both, [[(trial.replicate, trial.outcome, trial.epoch) for trial in each] for each in (trials, undisturbed)]
    assert all(trial.metrics["top1"] == finals[trial.trial_id] for trial in both), "resumed to the bit"


def test_two_drivers_of_one_search_are_refused(office: Sandbox) -> None:
    file = written(office, "twice", trials=4, confirm=0, fixed={"budget": "60 epochs"})
    first = office.start(file, PYTHONUNBUFFERED="1")
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("searching on"):
            break
    second = office.run(file)
    assert second.returncode == 1
    assert "is already being run by process" in second.stderr
    first.terminate()
    _, told = first.communicate(timeout=120)
    assert "the same command goes on from here" in told


def test_where_no_setting_trains_the_search_says_so_and_confirms_nothing(office: Sandbox) -> None:
    file = written(
        office,
        "diverging",
        trials=4,
        confirm=3,
        baseline={"optimizer.lr": 0.5},
        fixed={"training.divergence_loss": 1e-9},
    )
    done = office.run(file)
    assert done.returncode == 1
    assert "nothing found: no setting was trained to its end" in done.stdout
    assert {trial.outcome for trial in known(office, "diverging")} == {"diverged"}
    assert known(office, "diverging-confirmed") == []


def test_a_space_whose_fields_never_fit_each_other_ends_in_a_sentence(office: Sandbox) -> None:
    file = written(office, "misfits", trials=300, confirm=0, sampler="random")
    # Each fits the base recipe, and none the other.
    never = '"data.size": Choice(6), "augment.cutout": Choice(8)'
    file.write_text(file.read_text().replace('"optimizer.nesterov": Choice(True, False)', never))
    done = office.run("paribus", "run", file)
    assert done.returncode == 2, done.stdout
    assert "200 settings in a row cannot be trained" in done.stderr
    assert "augment.cutout = 8 is wider than the input" in done.stderr


def test_what_run_refuses_plan_refuses(
    office: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("PARIBUS_HOME", "RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(variable, office.env[variable])
    for name, more, sentence in (
        ("unknown-sampler", {"sampler": "tpee"}, "no sampler 'tpee': did you mean 'tpe'?"),
        ("unknown-scheduler", {"scheduler": "ashaa"}, "no scheduler 'ashaa'"),
        ("steps", {"scheduler": "asha", "fixed": {"budget": "40 steps"}}, "decides after whole epochs"),
        ("too-few", {"scheduler": "asha", "trials": 5}, "of 5 trials none would train all 9 epochs"),
        ("too-fine", {"margin": 0.1, "confirm": 3}, "margin"),
    ):
        file = written(office, name, **more)  # type: ignore[arg-type]
        for verb in ("plan", "run"):
            code, said = main([verb, str(file)]), capsys.readouterr()
            assert code == 2, (name, verb, said.out, said.err)
            assert sentence in said.err, (name, said.err)
        assert known(office, name) == []


def test_more_trials_go_on_from_those_that_there_are(office: Sandbox) -> None:
    file = written(office, "raised", trials=3, confirm=0, sampler="sobol")
    assert office.run(file).returncode == 0
    first = {trial.trial_id: trial.ended_ms for trial in known(office, "raised")}
    assert len(first) == 3
    assert office.run("paribus", "run", file, "--trials", 5).returncode == 0
    now = {trial.trial_id: trial.ended_ms for trial in known(office, "raised")}
    assert len(now) == 5
    assert all(now[name] == ended for name, ended in first.items())
