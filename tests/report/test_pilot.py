"""A pilot trains the baseline alone, tells its spread with an interval, and says what the study then takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from trial_records import record_of

from paribus.commands.study.study_verbs import pilot
from paribus.engine.code_digest import trial_code
from paribus.engine.options import Options
from paribus.engine.preview import Preview, make_preview
from paribus.report.plan_outlook import pilot_text
from paribus.report.texts import plan_text
from paribus.shards.catalog import data_digest
from paribus.study import Adaptive, Study, StudyError
from paribus.study.plan import trials
from paribus.tracking.trials.record import TrialRecord

WIDTHS = {"factors": {"model.width": (0.25, 0.5, 1.0)}, "baseline": {"model.width": 0.25}}
STUDY = Study(name="plan", base="synthetic", replicates=5, margin=4.0, **WIDTHS)
STRATA = {"factors": {"model.width": (0.25, 0.5), "optimizer.lr": (0.1, 0.2)}, "baseline": {"optimizer.lr": 0.1}}
RUNS, AGAIN = (50.0, 53.0, 58.0), (51.0, 51.0, 60.0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def preview(study: Study, home: Path, records: list[TrialRecord], **options: Any) -> Preview:
    return make_preview(study, home, records, Options(**options))


def ended(study: Study, home: Path, *runs: tuple[float | str, ...]) -> list[TrialRecord]:
    """Trials of the baseline, and of its noise floor, of ten seconds each; a word for one that ended so."""
    rows = dict(zip((*study.baselines, *study.floors), runs, strict=False))
    found = []
    for trial in trials(study, lambda recipe: data_digest(recipe, home)):
        told = rows.get(trial.arm, ())[trial.replicate - 1 : trial.replicate]
        for value in told:
            end = {"outcome": value} if isinstance(value, str) else {"metrics": {"top1": value, "total_s": 10.0}}
            found.append(record_of(trial, code=trial_code(trial.recipe), **end))
    return found


@pytest.mark.parametrize(
    ("study", "asked"),
    [
        (STUDY, 2),
        (replace(STUDY, noise_floor=True), 4),
        (replace(STUDY, replicates=Adaptive((3, 5))), 2),
        (Study(name="plan", base="synthetic", margin=4.0, replicates=3, **STRATA), 4),
    ],
    ids=["plain", "noise floor", "looks", "strata"],
)
def test_a_pilot_asks_for_the_first_replicates_of_what_others_are_compared_with(
    home: Path, study: Study, asked: int
) -> None:
    found = preview(study, home, [], pilot=2)
    assert {step.trial.arm for step in found.plan.todo} == {*study.baselines, *study.floors}
    assert {step.trial.replicate for step in found.plan.todo} == {1, 2}
    assert found.plan.counts() == {"start": asked, "later": len(found.plan.steps) - asked}
    assert f"{len(found.plan.steps) - asked} not of the pilot: `run` trains them" in plan_text(found)
    assert {step.trial.id for step in found.plan.todo} < {s.trial.id for s in preview(study, home, []).plan.steps}


def test_its_spread_is_pooled_over_the_baseline_and_itself_again(home: Path) -> None:
    study = replace(STUDY, noise_floor=True)
    found = preview(study, home, ended(study, home, RUNS, AGAIN))
    sd = ((np.var(RUNS, ddof=1) + np.var(AGAIN, ddof=1)) / 2) ** 0.5
    low, high = (sd * (4 / stats.chi2.ppf(tail, 4)) ** 0.5 for tail in (0.975, 0.025))
    text = pilot_text(found)
    assert text.startswith("pilot of plan: 6 runs of the baseline\n")
    assert f"one run has an sd of {sd:.2g} [{low:.2g}, {high:.2g}] points of top1, over 6 runs" in text
    assert f"the difference of two unpaired ones {2**0.5 * sd:.2g}" in text
    assert "a trial takes 10 s of a worker" in text
    assert "5 replicates see effects of" in text
    assert f"the spread of {2**0.5 * sd:.2g} is of unpaired runs (6 of the baseline)" in text
    assert found.power.sd == pytest.approx(2**0.5 * sd)
    assert text.endswith("these are the study's own trials: `run` goes on from them")


def test_runs_that_fail_to_train_are_told_and_are_in_no_spread(home: Path) -> None:
    text = pilot_text(preview(STUDY, home, ended(STUDY, home, (*RUNS, "diverged"))))
    sd = np.std(RUNS, ddof=1)
    assert f"one run has an sd of {sd:.2g} [" in text
    assert "1 of 4 runs failed to train" in text
    few = pilot_text(preview(STUDY, home, ended(STUDY, home, (50.0, 51.0, "dead"))))
    assert "a spread takes three runs that train to their end" in few


def test_arms_with_pairs_tell_more_than_the_baseline_alone(home: Path) -> None:
    rows = [(*RUNS, 50.0), tuple(value + 3 * r for r, value in enumerate((*RUNS, 50.0)))]
    study = replace(STUDY, factors={"model.width": (0.25, 0.5)})
    base = ended(study, home, rows[0])
    arm = next(arm for arm in study.arms if arm not in study.baselines)
    own = [t for t in trials(study, lambda recipe: data_digest(recipe, home)) if t.arm == arm and t.replicate < 5]
    records = [*base, *[record_of(t, metrics={"top1": rows[1][t.replicate - 1]}) for t in own]]
    assert preview(study, home, records).power.source == "the median over 1 contrasts in the ledger"


@pytest.mark.parametrize("replicates", [0, 6, -1])
def test_a_pilot_of_more_than_the_study_has_is_refused(replicates: int) -> None:
    with pytest.raises(StudyError, match=f"--replicates {replicates}: a pilot trains the first of the study's"):
        pilot(STUDY, Options(pilot=replicates))
