"""From results to an analysis: pairs, outcomes, censoring, strata, partial results and bad input."""

from dataclasses import replace

import numpy as np
import pytest

from paribus.analysis import AnalysisError, analyse
from paribus.analysis.rule_notes import two_groups
from paribus.analysis.statistics.intervals import t_interval
from paribus.analysis.verdicts import judge
from paribus.metrics.examples import Examples
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
    assert contrast.crossed is None  # no per-example arrays


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


def test_five_of_five_failures_are_a_verdict(study: Study, results_of) -> None:
    contrast = analyse(study, results_of(study, {1.0: BASE, 2.0: ["diverged"] * 5})).contrasts[0]
    assert contrast.verdict == "worse (unstable)"
    assert contrast.n == 0
    assert any(
        note.startswith("failed to train in 5 of 5 against 0 of 5, difference +100 [") for note in contrast.notes
    )


@pytest.mark.parametrize("outcome", ["diverged", "dead", "stuck"])
def test_a_run_that_failed_to_train_is_in_no_mean_whatever_metrics_it_has(study: Study, results_of, outcome) -> None:
    results = results_of(study, {1.0: [10.0, *BASE], 2.0: [95.1, *WIDE]})
    lost = [replace(r, outcome=outcome) if (r.arm.name, r.replicate) == ("k=1", 1) else r for r in results]
    found = analyse(study.vary(replicates=6), lost).contrasts[0]
    assert lost[0].metrics["top1"] == 10.0, "it has a number, and one that would turn the mean"
    assert (found.n, found.replicates) == (5, (2, 3, 4, 5, 6))
    assert found.mean == pytest.approx(5.14)
    assert (found.stability.arm_failed, found.stability.baseline_failed, found.stability.n) == (0, 1, 6)
    (base, *_) = analyse(study.vary(replicates=6), lost).arms
    assert base.means["top1"].n == 5
    assert base.failed_replicates == {1: outcome}


def test_a_baseline_at_chance_in_half_its_replicates_makes_no_arm_better_by_forty_points(study, results_of) -> None:
    base = [96.0, 96.2, 95.9, 96.1, *["stuck"] * 4]
    wide = [96.1, 96.1, 96.0, 96.0, 96.2, 95.9, 96.0, 96.1]
    found = analyse(study.vary(replicates=8), results_of(study, {1.0: base, 2.0: wide})).contrasts[0]
    assert abs(found.mean) < 0.2
    assert found.verdict in ("equivalent", "better (stabler)")
    assert (found.stability.arm_failed, found.stability.baseline_failed) == (0, 4)


def test_an_arm_that_fails_more_often_is_not_equivalent_and_the_sentence_has_both_counts(study, results_of) -> None:
    same = [90.1, 90.1, 89.9, 90.0, 90.0, *["diverged"] * 3]
    base = [90.0, 90.2, 89.8, 90.1, 89.9, 90.0, 90.1, 89.9]
    found = analyse(study.vary(replicates=8), results_of(study, {1.0: base, 2.0: same})).contrasts[0]
    assert found.verdict == "unresolved"
    assert found.further_replicates is None, "the quality is settled; what is open is the stability"
    assert found.further_for_stability is not None
    assert "unresolved: the same where it trains; failed to train in 3 of 8 against 0 of 8: not settled" in found.notes
    (note,) = (note for note in found.notes if note.startswith("failed to train in 3 of 8"))
    assert f"about {found.further_for_stability:.0f} further replicates" in note


def test_further_replicates_count_those_that_will_fail(study: Study, results_of) -> None:
    arm, base = [90.9, 89.9, 91.4, 89.6, 90.7, 90.2], [90.0, 90.2, 89.8, 90.1, 89.9, 90.0]
    calm = analyse(study.vary(replicates=6), results_of(study, {1.0: base, 2.0: arm})).contrasts[0]
    lossy = analyse(
        study.vary(replicates=12), results_of(study, {1.0: [*base, *["dead"] * 6], 2.0: [*arm, *["dead"] * 6]})
    ).contrasts[0]
    assert calm.verdict == lossy.verdict == "unresolved"
    assert calm.sd == lossy.sd
    assert calm.further_replicates is not None
    assert lossy.further_replicates is not None
    # Half of the pairs fail, and one test more is paid for: at least twice as many in all.
    assert lossy.further_replicates + 12 >= 2 * (calm.further_replicates + 6)


def test_where_nobody_failed_the_report_says_what_that_excludes(study: Study, results_of) -> None:
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: [90.3, 90.1, 90.4, 89.7, 90.5]}))
    assert any(
        "over 2 contrasts of 5 replicates that excludes an excess of failures above 52 %" in n for n in found.notes
    )
    some = analyse(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: ["dead", *WIDE[1:]]}))
    assert any(n.startswith("no run failed in 1 contrasts: over 2 contrasts") for n in some.notes)


def test_stuck_trials_are_counted_and_the_first_says_why(study: Study, results_of) -> None:
    results = [*results_of(study, {1.0: BASE, 2.0: [*WIDE[:4], "stuck"]})]
    results[-1] = replace(results[-1], reason="top-1 10.10 % is at chance")
    found = analyse(study, results)
    assert found.outcomes["stuck"] == 1
    assert (
        "1 trials are stuck at chance and count as failures to train; the first: top-1 10.10 % is at chance"
        in found.notes
    )


def test_an_arm_whose_replicates_fall_into_two_groups_gets_a_note(study: Study, results_of) -> None:
    found = analyse(study.vary(replicates=4), results_of(study, {1.0: BASE[:4], 2.0: [25.0, 45.0, 38.0, 96.0]}))
    (note,) = (note for note in found.notes if "two groups" in note)
    assert note == "k=2: its replicates fall into two groups, 3 at 36 and 1 at 96 points; its mean describes neither"


def test_two_groups_need_a_gap_above_five_times_the_spread_within_and_above_what_matters() -> None:
    low, high = two_groups(np.array([1.0, 9.0, 1.2, 9.1, 0.9]))  # type: ignore[misc]
    assert (low.tolist(), high.tolist()) == ([0.9, 1.0, 1.2], [9.0, 9.1])
    assert two_groups(np.array([1.0, 9.0, 1.2, 9.1, 0.9]), least=7.9) is None
    assert two_groups(np.array([0.0, 1.0, 2.0, 3.0, 7.0])) is None
    assert two_groups(np.array([1.0, 1.0, 9.0])) is None
    # A gap of 5.1 and of 4.9 times the pooled spread of 1.
    assert two_groups(np.array([-(0.5**0.5), 0.5**0.5, 0.5**0.5 + 5.1, 3 * 0.5**0.5 + 5.1])) is not None
    assert two_groups(np.array([-(0.5**0.5), 0.5**0.5, 0.5**0.5 + 4.9, 3 * 0.5**0.5 + 4.9])) is None


def test_examples_of_other_lists_are_not_paired_and_that_is_said(study: Study, results_of, rng) -> None:
    def given(digests) -> list[TrialResult]:
        plain = results_of(study, {1.0: BASE, 2.0: WIDE})
        return [
            replace(r, examples=Examples(correct=rng.random(400) < 0.9, keys_digest=d))
            for r, d in zip(plain, digests, strict=True)
        ]

    same = analyse(study, given(["a"] * 10)).contrasts[0]
    assert same.crossed is not None
    assert analyse(study, given([""] * 10)).contrasts[0].crossed is not None, "the last release told no digest"
    for digests in (["a"] * 5 + ["b"] * 5, ["a"] * 9 + ["b"], (["a"] * 4 + ["b"]) * 2):
        other = analyse(study, given(digests)).contrasts[0]
        assert other.crossed is None
        assert any("judged on 2 different lists of evaluation examples" in note for note in other.notes)


def test_better_beside_a_simultaneous_interval_over_0_is_explained(study: Study, results_of) -> None:
    table = {1.0: BASE, 2.0: [90.9, 90.7, 90.5, 90.7, 91.2], 4.0: [96.0, 96.4, 95.8, 96.2, 96.3]}
    found = next(
        contrast
        for shift in np.arange(-0.8, 0.2, 0.02)
        for contrast in analyse(
            study.vary(margin=0.01), results_of(study, {**table, 2.0: [x + shift for x in table[2.0]]})
        ).contrasts[:1]
        if contrast.verdict == "better" and contrast.simultaneous and contrast.simultaneous.low < 0
    )
    assert any(note.startswith("better by Holm's correction") and "covers 0" in note for note in found.notes)


def test_stopped_trials_are_in_no_mean_and_make_the_study_exploratory(study: Study, results_of) -> None:
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: [95.0, 95.4, "stopped", "failed", 95.3]}))
    assert found.exploratory
    assert found.contrasts[0].n == found.contrasts[0].stability.n == 3
    assert found.outcomes == {"finished": 8, "stopped": 1, "failed": 1}
    assert any(note.startswith("exploratory") for note in found.notes)
    assert not analyse(study, results_of(study, {1.0: BASE})).exploratory


def test_partial_results_give_partial_answers(study: Study, results_of) -> None:
    assert [contrast.verdict for contrast in analyse(study, []).contrasts] == ["no data", "no data"]
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
    assert any(
        "half-width" in note and "80 % power" in note and "margin of ±0.5 points" in note for note in contrast.notes
    )


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
    assert found.contrasts[0].hedges_g < 0


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
                    examples=Examples(correct=right, log_likelihood=likelihood),
                )
            )
    found = analyse(study, results)
    assert found.num_eval == 400
    for contrast in (*found.contrasts, *found.secondary):
        assert contrast.interval is not None
        assert contrast.crossed is not None
        middle = (contrast.crossed.low + contrast.crossed.high) / 2
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
    results = [replace(r, metrics={"top1": r.metrics["top1"]}) for r in results_of(study, {1.0: BASE, 2.0: BASE})]
    contrast = analyse(study, results).contrasts[0]
    assert contrast.verdict == "unresolved"
    assert contrast.interval is None
    assert any("identical" in note for note in contrast.notes)


def test_arms_that_are_the_same_training_get_no_verdict_and_no_praise_for_pairing(study: Study, results_of) -> None:
    wide = [90.3, 90.1, 90.4, 89.7, 90.5]
    found = analyse(study, results_of(study, {1.0: BASE, 2.0: BASE, 4.0: wide}), num_eval=1000)
    same, other = found.contrasts
    assert same.verdict == "same training"
    assert same.notes[0].startswith("these arms are the same training")
    assert (same.interval, same.simultaneous, same.pairing, same.further_replicates) == (None, None, None, None)
    assert found.claim is not None
    assert found.claim.outcome == "unresolved"
    assert found.pairing is not None
    assert found.pairing.num_arms == 2, "the arm that is its baseline again would correlate by 1"
    alone = analyse(study, results_of(study, {1.0: BASE, 4.0: wide}), num_eval=1000).contrasts[1]
    assert other.p_superiority_holm == alone.p_superiority_holm, "nobody pays for a contrast without a verdict"


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"weights": "w"}, False),
        ({"metrics": {"top1": 90.0, "log_likelihood": -0.1, "eval_loss": 0.1 + 1e-12}}, False),
        ({"outcome": "dead"}, False),
        ({"num_steps": 99}, False),
    ],
)
def test_one_pair_that_differs_is_another_training(study: Study, results_of, changes, same: bool) -> None:
    results = results_of(study, {1.0: BASE, 2.0: BASE})
    if "weights" in changes:  # equal accuracies prove nothing, other weights neither
        results = [replace(r, metrics={"top1": 90.0}, weights=f"{r.arm.name}{r.replicate}") for r in results]
    else:
        results[-1] = replace(results[-1], **changes)
    assert (analyse(study, results).contrasts[0].verdict == "same training") is same


def test_equal_weights_prove_one_training_whatever_else_is_known(study: Study, results_of) -> None:
    results = [
        replace(r, metrics={"top1": r.metrics["top1"]}, weights=f"w{r.replicate}")
        for r in results_of(study, {1.0: BASE, 2.0: BASE})
    ]
    assert analyse(study, results).contrasts[0].verdict == "same training"
    failed = results_of(study, {1.0: ["dead"] * 5, 2.0: ["dead"] * 5})
    assert analyse(study, failed).contrasts[0].verdict == "unresolved", "two deaths at one step prove nothing"


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
