"""What a plan promises and costs: from its own trials alone, and with the very correction of the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from paribus.analysis import AnalysisError
from paribus.data.catalog import data_digest
from paribus.orchestration.options import Options
from paribus.orchestration.planning import Outlook, look_out
from paribus.orchestration.texts import plan_text
from paribus.study import Study
from paribus.study.plan import Trial, trials
from paribus.study.power import power_of_study
from paribus.tracking.ledger_records import TrialRecord

STUDY = Study(name="plan", base="synthetic", factors={"model.width": (0.25, 0.5, 1.0)}, replicates=5, margin=4.0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def drawn(study: Study, home: Path) -> tuple[Trial, ...]:
    return trials(study, lambda recipe: data_digest(recipe, home))


def ended(trial: Trial, top1: float, total_s: float) -> TrialRecord:
    return TrialRecord(
        run_id="run",
        trial_id=trial.id,
        study="plan",
        arm=trial.arm,
        arm_name=trial.arm.name,
        replicate=trial.replicate,
        outcome="finished",
        interrupted=False,
        status="FINISHED",
        attempt=1,
        attempts={},
        metrics={"top1": top1, "total_s": total_s},
        latest={},
        params={},
        outcome_step=None,
        num_steps=8,
        total_steps=8,
        reason="",
        started_ms=0,
        ended_ms=1,
        url="",
        tags={},
    )


def outlook(study: Study, home: Path, records: Sequence[TrialRecord] | None = ()) -> Outlook:
    return look_out(study, home, records, Options())


def test_trials_of_other_settings_price_and_power_nothing(home: Path) -> None:
    look = STUDY.vary(fixed={"budget": "1 epochs", "model.depth": 16})
    records = [ended(trial, 50 + trial.replicate**2, 0.01) for trial in drawn(look, home)]
    found = outlook(STUDY, home, records)
    assert found.seconds is None
    assert found.power.source.startswith("assumed")
    assert "15 trials; none of this plan has been timed yet" in plan_text(found)


def test_trials_of_this_plan_price_their_own_arm_and_the_untimed_arms_are_said_to_be_priced_by_others(
    home: Path,
) -> None:
    first, second, _ = STUDY.arms
    seconds = {first: 10.0, second: 30.0}
    records = [
        ended(trial, 50.0, seconds[trial.arm])
        for trial in drawn(STUDY, home)
        if trial.replicate < 3 and trial.arm in seconds
    ]
    records = [replace(record, tags={"paribus.code": "other"}) for record in records]
    found = look_out(STUDY, home, records, Options(accept_code=True))
    assert found.seconds == pytest.approx(3 * 10 + 3 * 30 + 5 * 20)
    assert found.num_untimed == 5
    assert "11 trials, 3.7 worker-minutes by this plan's own timings, 5 of them by those of other arms" in plan_text(
        found
    )


def test_the_spread_is_the_median_of_this_plans_own_contrasts(home: Path) -> None:
    scale = dict(zip(STUDY.arms, (0.0, 2.0, 6.0), strict=True))
    records = [ended(trial, 50 + scale[trial.arm] * trial.replicate, 1.0) for trial in drawn(STUDY, home)]
    found = outlook(STUDY, home, [*records, ended(drawn(STUDY.vary(fixed={"budget": 1}), home)[1], 9999.0, 1.0)])
    baseline = next(iter(STUDY.baselines))
    slopes = sorted(abs(scale[arm] - scale[baseline]) for arm in STUDY.arms if arm != baseline)
    assert found.power.sd == pytest.approx(slopes[1] * 2.5**0.5)
    assert found.power.source == "the median over 2 contrasts in the ledger"


@pytest.mark.parametrize("replicates", [3, 5, 14])
def test_the_promise_counts_every_contrast_of_the_study(home: Path, replicates: int) -> None:
    found = outlook(replace(STUDY, replicates=replicates), home).power
    assert found == power_of_study(
        found.sd, found.source, replicates=replicates, num_contrasts=2, alpha=0.05, margin=4.0, step=100 / 32
    )


@pytest.mark.parametrize(
    ("replicates", "said"),
    [
        (5, "an arm that fails to train in 4 or more of 5 against 0 as unstable"),
        (3, "no instability: even an arm that fails to train in 3 of 3 against 0 is unresolved"),
        (2, "nothing of quality: a verdict needs 3 replicates or more (5 is the default), not 2"),
    ],
)
def test_the_text_says_what_can_and_cannot_be_told(home: Path, replicates: int, said: str) -> None:
    text = plan_text(outlook(replace(STUDY, replicates=replicates), home))
    assert said in text
    assert ("one effect among 2 contrasts, Holm-corrected" in text) == (replicates > 2)


def test_a_margin_below_one_evaluation_example_is_refused_by_the_plan(home: Path) -> None:
    with pytest.raises(AnalysisError, match="below one of the 32 evaluation examples"):
        outlook(replace(STUDY, margin=3.0), home)
    outlook(replace(STUDY, margin=3.2), home)


def test_a_plan_without_a_contrast_promises_nothing(home: Path) -> None:
    alone = Study(name="plan", base="synthetic", factors={"model.width": (0.25,)}, baseline={"model.width": 0.25})
    assert "detects nothing: there is no arm beside the baseline" in plan_text(
        outlook(replace(alone, margin=4.0), home)
    )
