"""From results to an analysis: pairs, outcomes, censoring, strata, partial results and bad input."""

import numpy as np
import pytest

from paribus.analysis import AnalysisError, analyse
from paribus.analysis.intervals import t_interval
from paribus.analysis.verdicts import judge
from paribus.study import Study, TrialResult

BASE = [90.0, 90.2, 89.8, 90.1, 89.9]
WIDE = [95.0, 95.4, 94.8, 95.2, 95.3]


def test_contrasts_are_what_judge_makes_of_the_paired_deltas(study: Study, results_of) -> None:
    other = [90.3, 90.1, 90.4, 89.7, 90.5]
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: other}), num_eval=10_000)
    deltas = np.array([WIDE, other]) - np.array(BASE)
    judged = judge(deltas, margin=0.5, resolution=0.01)
    assert [contrast.verdict for contrast in found.contrasts] == judged.words()
    assert np.allclose([contrast.deltas for contrast in found.contrasts], deltas)
    assert [contrast.p_superiority_holm for contrast in found.contrasts] == pytest.approx(judged.p_superiority_holm)
    assert found.contrasts[0].interval == t_interval(deltas[0])
    assert found.verdict_counts() == {"unresolved": 1, "better": 1}


def test_every_interval_is_there_and_the_simultaneous_one_is_wider(study: Study, results_of) -> None:
    contrast = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE})).contrasts[0]
    assert contrast.interval is not None
    assert contrast.simultaneous is not None
    assert contrast.bootstrap is not None
    assert contrast.simultaneous.half_width > contrast.interval.half_width
    assert contrast.both_chances is None  # no per-example arrays


def test_a_dead_trial_is_never_averaged_in(study: Study, results_of) -> None:
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: [95.0, "diverged", 94.8, "dead", 95.3]}))
    contrast = found.contrasts[0]
    assert contrast.replicates == (1, 3, 5)
    assert contrast.mean == pytest.approx(np.mean([5.0, 5.0, 5.4]))
    assert (contrast.stability.arm_failed_alone, contrast.stability.n) == (2, 5)
    assert any("survivors are a selected group" in note and "3 of 5" in note for note in contrast.notes)
    arm = found.arms[1]
    assert arm.means["top1"].n == 3
    assert arm.failed_replicates == {2: "diverged", 4: "dead"}
    assert arm.survival is not None
    assert arm.survival.survival.tolist() == pytest.approx([3 / 5])


def test_an_unstable_arm_is_worse_whatever_its_survivors_do(study: Study, results_of) -> None:
    wide = [*["diverged"] * 9, 99.0, 99.2, 99.1]
    table = {1.0: [90.0 + r / 10 for r in range(12)], 2.0: wide, 4.0: [90.1 + r / 9 for r in range(12)]}
    found = analyse(study.vary(replicates=12), results_of(study, table))
    assert found.contrasts[0].verdict == "worse (unstable)"
    assert found.contrasts[0].stability.log_rank_p is not None
    assert found.contrasts[0].stability.log_rank_p < 0.05
    swapped = analyse(study.vary(replicates=12), results_of(study, {**table, 1.0: wide, 2.0: table[1.0]}))
    assert swapped.contrasts[0].verdict == "better (stabler)"


def test_five_of_five_failures_are_unresolved_and_say_why(study: Study, results_of) -> None:
    contrast = analyse(study, results_of(study, {1.0: BASE, 2.0: ["diverged"] * 5})).contrasts[0]
    assert contrast.verdict == "unresolved"
    assert contrast.n == 0
    assert any("at least 6 replicates, 7 to be safe over 2 contrasts" in note for note in contrast.notes)


def test_stopped_trials_are_in_no_mean_and_make_the_study_exploratory(study: Study, results_of) -> None:
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: [95.0, 95.4, "stopped", "failed", 95.3]}))
    assert found.exploratory
    assert found.contrasts[0].n == found.contrasts[0].stability.n == 3
    assert found.outcomes == {"finished": 8, "stopped": 1, "failed": 1}
    assert any(note.startswith("exploratory") for note in found.notes)
    assert not analyse(study, results_of(study, {1.0: BASE})).exploratory


def test_partial_results_give_partial_answers(study: Study, results_of) -> None:
    assert [contrast.verdict for contrast in analyse(study, []).contrasts] == ["unresolved", "unresolved"]
    two = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE[:2]}))
    assert two.contrasts[0].interval is None
    assert two.contrasts[0].verdict == "unresolved"
    assert any("below 3" in note for note in two.contrasts[0].notes)
    assert any(note.startswith("7 of 15 trials have ended") for note in two.notes)
    three = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE[:3]}))
    assert three.contrasts[0].interval is not None
    assert any("only large effects" in note for note in three.contrasts[0].notes)


def test_an_unresolved_contrast_says_what_would_resolve_it(study: Study, results_of) -> None:
    contrast = analyse(study, results_of(study, {1.0: BASE, 2.0: [90.9, 89.9, 91.4, 89.6, 90.7]})).contrasts[0]
    assert contrast.verdict == "unresolved"
    assert contrast.further_replicates is not None
    assert contrast.further_replicates >= 1
    assert any("half-width" in note and "80 % power" in note and "margin of 0.5" in note for note in contrast.notes)


def test_secondary_metrics_get_intervals_and_no_verdicts(study: Study, results_of) -> None:
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE}))
    assert {contrast.metric.name for contrast in found.secondary} == {"log_likelihood", "eval_loss"}
    assert all(contrast.verdict is None and contrast.interval is not None for contrast in found.secondary)
    assert all(np.isnan(contrast.p_equivalence) for contrast in found.secondary)


def test_a_smaller_loss_is_better_and_deltas_keep_the_metrics_sign(study: Study, results_of) -> None:
    found = analyse(study.vary(metric="eval_loss", margin=0.01), results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE}))
    assert found.contrasts[0].verdict == "better"
    assert found.contrasts[0].mean < 0
    assert found.contrasts[0].interval is not None
    assert found.contrasts[0].interval.high < 0
    assert found.contrasts[0].standardised < 0


def test_a_factor_that_the_baseline_does_not_name_stratifies() -> None:
    study = Study(
        name="s",
        factors={"model.depth": (16, 40), "model.residual_scale": (0.1, 1.0)},
        baseline={"model.residual_scale": 1.0},
        replicates=3,
    )
    results = [
        TrialResult(
            trial_id=f"{i}{r}",
            arm=arm,
            replicate=r,
            outcome="finished",
            metrics={"top1": 90.0 + i + ((i + 1) * r % 5) / 10},
            num_steps=9,
        )
        for i, arm in enumerate(study.arms)
        for r in (1, 2, 3)
    ]
    found = analyse(study, results)
    assert [(c.arm.as_dict()["model.depth"], c.baseline.as_dict()["model.depth"]) for c in found.contrasts] == [
        (16, 16),
        (40, 40),
    ]
    # Each stratum has one contrast, so nothing is to be corrected for.
    for contrast in found.contrasts:
        assert contrast.interval is not None
        assert contrast.simultaneous is not None
        assert contrast.simultaneous.half_width == pytest.approx(contrast.interval.half_width)


def test_per_example_arrays_give_the_second_interval_and_check_the_margin(rng: np.random.Generator) -> None:
    study = Study(name="s", factors={"model.width": (1.0, 2.0)}, baseline={"model.width": 1.0}, replicates=4)
    hard = rng.random(400) < 0.2
    results = []
    for i, arm in enumerate(study.arms):
        for r in range(1, 5):
            right = ~hard | (rng.random(400) < 0.5 + 0.2 * i)
            likelihood = np.log(rng.uniform(0.5, 1, 400)).astype(np.float32)
            metrics = {"top1": 100 * right.mean(), "log_likelihood": float(likelihood.mean())}
            results.append(
                TrialResult(
                    trial_id=f"{i}{r}",
                    arm=arm,
                    replicate=r,
                    outcome="finished",
                    metrics=metrics,
                    num_steps=9,
                    correct=right,
                    log_likelihood=likelihood,
                )
            )
    found = analyse(study, results)
    assert found.num_eval == 400
    for contrast in (*found.contrasts, *found.secondary):
        assert contrast.interval is not None
        assert contrast.both_chances is not None
        middle = (contrast.both_chances.low + contrast.both_chances.high) / 2
        assert middle == pytest.approx(contrast.mean, abs=1e-6)
        assert contrast.pairing is not None
    with pytest.raises(AnalysisError, match="below one of the 400 evaluation examples"):
        analyse(study.vary(margin=0.2), results)
    with pytest.raises(AnalysisError, match="different sizes"):
        analyse(study, results, num_eval=397)


def test_a_margin_of_one_example_written_in_few_digits_is_accepted(study: Study) -> None:
    analyse(study.vary(margin=0.2519), [], num_eval=397)
    with pytest.raises(AnalysisError, match=r"at least 0\.252"):
        analyse(study.vary(margin=0.25), [], num_eval=397)


def test_two_results_at_one_place_raise(study: Study, results_of) -> None:
    results = results_of(study, {1.0: BASE})
    with pytest.raises(AnalysisError, match="two results for k=1, replicate 1"):
        analyse(study, [*results, results[0]])


def test_identical_deltas_do_not_crash_and_are_said_to_be_no_evidence(study: Study, results_of) -> None:
    contrast = analyse(study, results_of(study, {1.0: BASE, 2.0: BASE, 4.0: WIDE})).contrasts[0]
    assert contrast.verdict == "unresolved"
    assert contrast.interval is None
    assert any("identical" in note for note in contrast.notes)
    known = analyse(study, results_of(study, {1.0: BASE, 2.0: BASE, 4.0: WIDE}), num_eval=10_000).contrasts[0]
    assert known.verdict == "equivalent"  # at a known resolution, the sd is at least one example
    assert any("spread by less than one evaluation example" in note for note in known.notes)


def test_a_nan_that_a_finished_trial_reports_makes_no_pair(study: Study, results_of) -> None:
    contrast = analyse(study, results_of(study, {1.0: BASE, 2.0: [float("nan"), *WIDE[1:]]})).contrasts[0]
    assert contrast.replicates == (2, 3, 4, 5)
    assert "1 surviving pairs did not report the metric as a finite number" in contrast.notes


def test_a_study_of_baselines_alone_has_no_contrasts(results_of) -> None:
    study = Study(name="s", factors={"model.width": (1.0,)}, baseline={"model.width": 1.0})
    found = analyse(study, results_of(study, {1.0: BASE}))
    assert found.contrasts == found.secondary == ()
    assert found.pairing is None
    assert found.arms[0].means["top1"].interval == t_interval(BASE)


def test_pairing_is_reported_over_the_stable_arms(study: Study, results_of) -> None:
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: ["dead", *WIDE[1:]]}))
    assert found.pairing is not None
    assert (found.pairing.num_arms, found.pairing.num_replicates) == (2, 5)
