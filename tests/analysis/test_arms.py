"""One arm by itself: whose values are in its mean, when it stopped training, and the log-rank test of its pairs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paribus.analysis import analyse
from paribus.analysis.arms import log_rank_of, mean_of, survival_of
from paribus.analysis.statistics.intervals import t_interval
from paribus.study import Study, TrialResult


def test_a_mean_has_the_n_sd_and_interval_of_the_values_that_are_there() -> None:
    found = mean_of([90.0, float("nan"), 91.0, 92.0], level=0.9)
    assert (found.n, found.mean, found.sd) == (3, 91.0, pytest.approx(1.0))
    assert found.interval == t_interval([90.0, 91.0, 92.0], level=0.9)
    assert mean_of([90.0, 91.0]).interval is None
    assert mean_of([90.0, 91.0, 92.0]).interval == t_interval([90.0, 91.0, 92.0], level=0.95)


def test_an_arm_is_averaged_at_the_level_of_the_study_over_what_trained_to_the_end(study: Study, results_of) -> None:
    table = {1.0: [90.0, "dead", 91.0, "stopped", 92.0], 2.0: [95.0, 95.1, "stuck", "failed", 95.3]}
    base, wide, _ = analyse(study.vary(alpha=0.1), results_of(study, table)).arms
    assert base.means["top1"].interval == t_interval([90.0, 91.0, 92.0], level=0.9)
    assert base.points["top1"] == ((1, 90.0), (3, 91.0), (5, 92.0))
    assert wide.points["top1"] == ((1, 95.0), (2, 95.1), (5, 95.3))
    assert (base.is_baseline, wide.is_baseline) == (True, False)
    assert base.failed_replicates == {2: "dead"}
    assert wide.failed_replicates == {3: "stuck"}, "a trial without a result did not fail to train"
    assert wide.outcomes == {"finished": 3, "stuck": 1, "failed": 1}


def ended(study: Study, side: int, replicate: int, outcome: str, step: int | None, steps: int = 100) -> TrialResult:
    return TrialResult(
        trial_id=f"{side}{replicate}",
        arm=study.arms[side],
        replicate=replicate,
        outcome=outcome,
        outcome_step=step,
        num_steps=steps,
    )


def test_survival_is_over_the_step_of_the_outcome_else_the_last_one_and_not_of_trials_without_a_result(study) -> None:
    trials = [
        ended(study, 1, 1, "diverged", 0),
        ended(study, 1, 2, "dead", 40),
        ended(study, 1, 3, "stuck", None),
        ended(study, 1, 4, "finished", None),
        ended(study, 1, 5, "stopped", 25, steps=0),
        ended(study, 1, 6, "finished", None, steps=1),
        ended(study, 1, 7, "failed", 30),
        ended(study, 1, 8, "finished", None, steps=0),
    ]
    steps, failed = survival_of(trials)
    assert steps.tolist() == [0, 40, 100, 100, 25, 1]
    assert failed.tolist() == [True, True, True, False, False, False]


def log_rank_p(study: Study, trials: list[TrialResult], least: int = 5, replicates: int = 6) -> float | None:
    places = {(trial.arm, trial.replicate): trial for trial in trials}
    return log_rank_of(study.arms[1], study.arms[0], places, range(1, replicates + 1), least)


def test_the_log_rank_test_starts_at_the_least_number_of_informative_replicates(study: Study) -> None:
    def pairs(n: int) -> list[TrialResult]:
        return [
            ended(study, side, r, "dead" if side else "finished", 40 if side else None)
            for r in range(1, n + 1)
            for side in (0, 1)
        ]

    assert log_rank_p(study, pairs(4)) is None
    assert log_rank_p(study, pairs(5)) == pytest.approx(0.0253473)  # chi square 5, one degree of freedom
    assert log_rank_p(study, pairs(4), least=4) is not None


def test_the_log_rank_test_takes_the_pairs_of_both_arms_that_say_when_they_ended(study: Study) -> None:
    trials = [
        ended(study, side, r, "dead" if side else "finished", 40 if side else None)
        for r in range(1, 6)
        for side in (0, 1)
    ]
    expected = log_rank_p(study, trials)
    alone = [ended(study, 1, 6, "dead", 10)]
    assert log_rank_p(study, trials + alone) == expected, "an arm without its baseline is no pair"
    assert log_rank_p(study, [*trials, ended(study, 0, 6, "finished", None)]) == expected
    # A side without a result leaves the other one alone in its stratum, which says nothing.
    assert log_rank_p(study, [*trials, ended(study, 0, 6, "failed", 5), *alone]) == expected
    assert log_rank_p(study, [*trials, ended(study, 0, 6, "finished", None, steps=0), *alone]) == expected
    late = [replace(t, outcome_step=60) if t.replicate == 1 and t.outcome == "dead" else t for t in trials]
    assert log_rank_p(study, late) == expected, "within a replicate only the order counts"


def test_a_trial_of_one_step_says_when_it_ended(study: Study) -> None:
    trials = [
        ended(study, side, r, "dead" if side else "finished", 1 if side else None, 1)
        for r in range(1, 6)
        for side in (0, 1)
    ]
    assert log_rank_p(study, trials) is not None


def test_an_arm_without_any_trial_has_no_survival(study: Study, results_of) -> None:
    base, _, four = analyse(study, results_of(study, {1.0: [90.0]})).arms
    assert four.survival is None
    assert four.means["top1"].n == 0
    assert base.survival is not None


def test_the_log_rank_test_leaves_out_the_same_trials_as_survival_does(study: Study) -> None:
    """A step of the outcome is enough, and a number of steps is; a trial without a result says nothing."""
    arm, baseline = study.arms[1], study.arms[0]
    ends = [(side, r, "dead" if side else "stopped", 10 * r, 0) for side in (0, 1) for r in range(1, 6)]
    told = [ended(study, side, r, outcome, step, steps=steps) for side, r, outcome, step, steps in ends]
    plain = [replace(trial, outcome_step=None, num_steps=trial.outcome_step) for trial in told]
    p = [
        log_rank_of(arm, baseline, {(t.arm, t.replicate): t for t in trials}, range(1, 6), 1)
        for trials in (told, plain, [*told, ended(study, 1, 6, "failed", 3), ended(study, 0, 6, "failed", 9)])
    ]
    assert p[0] is not None
    assert p[0] == p[1]
    assert (
        log_rank_of(arm, baseline, {(t.arm, t.replicate): replace(t, outcome="failed") for t in told}, range(1, 6), 1)
        is None
    )
