"""All contrasts of a study: what each takes from the rule, at the study's own alpha, margin and number of examples."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pytest
from scipy import stats

from paribus.analysis import analyse
from paribus.analysis.contrasts import Contrast
from paribus.analysis.same_training import SENTENCE
from paribus.analysis.statistics.intervals import Interval, bootstrap_interval, hedges_g, moments, t_interval
from paribus.analysis.statistics.pairing import pairing_of
from paribus.analysis.statistics.power import replicates_to_resolve
from paribus.analysis.statistics.simultaneous import critical_value
from paribus.analysis.verdicts import judge
from paribus.metrics.examples import Examples
from paribus.recipe.seeds import key
from paribus.study import Study, TrialResult

BASE, WIDE, FOUR = (
    [90.0, 90.2, 89.8, 90.1, 89.9, 90.3],
    [90.9, 89.9, 91.4, 89.6, 90.7, 90.2],
    [90.3, 90.1, nan, 89.7, 90.5, 90.0],
)
TABLE = {1.0: BASE, 2.0: WIDE, 4.0: FOUR}
DELTAS = np.array([WIDE, FOUR]) - np.array(BASE)


@pytest.fixture
def found(study: Study, results_of):
    study = study.vary(alpha=0.1, margin=0.8, replicates=6)
    return analyse(study, results_of(study, TABLE), num_eval=200)


def test_every_number_is_judges_at_the_studys_alpha_margin_and_step(found) -> None:
    judged = judge(DELTAS, margin=0.8, alpha=0.1, resolution=0.5)
    for i, contrast in enumerate(found.contrasts):
        assert contrast.verdict == judged.words()[i]
        for name in ("p_superiority", "p_superiority_holm", "p_equivalence", "p_equivalence_holm"):
            assert getattr(contrast, name) == pytest.approx(getattr(judged, name)[i])
        assert (contrast.mean, contrast.sd) == pytest.approx((judged.moments.mean[i], judged.moments.sd[i]))
        assert contrast.half_width == pytest.approx(judged.half_width[i])
        assert (contrast.margin, contrast.n) == (0.8, int(judged.moments.n[i]))


def test_every_interval_is_at_one_less_alpha_over_the_pairs_that_are_there(found, study: Study) -> None:
    for contrast, deltas in zip(found.contrasts, DELTAS, strict=True):
        assert contrast.interval == t_interval(deltas, 0.5, 0.9)
        seed = key("analysis", "bootstrap", "width", contrast.arm.name, "top1")
        assert contrast.bootstrap == bootstrap_interval(deltas, seed, 0.5, 0.9)
        own = moments(deltas, 0.5)
        half = critical_value(2, int(own.n), 0.9) * float(own.se)
        mean = float(own.mean)
        assert contrast.simultaneous is not None
        assert (contrast.simultaneous.low, contrast.simultaneous.high) == pytest.approx((mean - half, mean + half))
        assert contrast.simultaneous.level == 0.9
        assert contrast.hedges_g == pytest.approx(float(hedges_g(own.mean, own.sd, own.n)))


def test_replicates_and_deltas_are_those_in_which_both_have_the_metric(found) -> None:
    wide, four = found.contrasts
    assert (wide.replicates, four.replicates) == ((1, 2, 3, 4, 5, 6), (1, 2, 4, 5, 6))
    assert four.deltas == pytest.approx(DELTAS[1][~np.isnan(DELTAS[1])])
    expected = pairing_of(np.array([FOUR, BASE])[:, [0, 1, 3, 4, 5]])
    assert four.pairing is not None
    assert expected is not None
    assert four.pairing.rho == pytest.approx(expected.rho)


def test_a_contrast_without_an_interval_shares_nothing_of_the_simultaneous_correction(study, results_of) -> None:
    study = study.vary(replicates=6)
    results = results_of(study, {**TABLE, 4.0: BASE[:2]})
    alone = analyse(study, results).contrasts
    assert alone[0].simultaneous is not None
    assert alone[0].simultaneous.half_width == pytest.approx(alone[0].half_width), "it is the only one of its baseline"
    assert alone[1].simultaneous is None
    three = analyse(study, results_of(study, {**TABLE, 4.0: FOUR[:2] + FOUR[3:4]})).contrasts
    assert three[1].n == 3
    assert three[1].simultaneous is not None
    assert three[0].simultaneous is not None
    assert three[0].simultaneous.half_width > three[0].half_width


def test_secondary_metrics_have_their_own_sign_and_step_and_no_p_of_the_family(found) -> None:
    loss = next(c for c in found.secondary if c.metric.name == "eval_loss" and c.arm.name == "k=2")
    assert loss.mean == pytest.approx(-DELTAS[0].mean() / 100)
    assert loss.sd == pytest.approx(DELTAS[0].std(ddof=1) / 100), "a loss has no smallest step"
    assert loss.hedges_g == pytest.approx(float(hedges_g(loss.mean, loss.sd, 6)))
    assert loss.interval is not None
    assert (loss.interval.low + loss.interval.high) / 2 == pytest.approx(loss.mean)
    assert all(np.isnan([loss.p_superiority_holm, loss.p_equivalence, loss.p_equivalence_holm]))
    assert (loss.verdict, loss.margin, loss.further_replicates, loss.further_for_stability) == (None,) * 4
    assert not any("unresolved" in note for note in loss.notes)


def test_failures_are_tested_on_the_counts_of_the_pairs_that_ended(study: Study, results_of) -> None:
    table = {1.0: ["dead", *BASE[1:]], 2.0: [*WIDE[:3], "diverged", "stuck", "stopped"], 4.0: BASE}
    both = analyse(study.vary(replicates=6, alpha=0.1), results_of(study, table))
    found = both.contrasts[0]
    assert all(contrast.further_for_stability is None for contrast in both.secondary), "it is told once"
    judged = judge(
        [[nan, *DELTAS[0][1:3], nan, nan, nan], [nan, *np.zeros(5)]],
        margin=0.5,
        alpha=0.1,
        arm_failed=[2, 0],
        baseline_failed=[1, 1],
        ended=[5, 6],
    )
    assert (found.stability.arm_failed, found.stability.baseline_failed, found.stability.n) == (2, 1, 5)
    assert found.further_for_stability is not None
    assert found.stability.p == pytest.approx(judged.p_stability[0])
    assert found.stability.p_holm == pytest.approx(judged.p_stability_holm[0])
    assert found.stability.interval is not None
    assert found.stability.interval.level == 0.9


def test_the_interval_for_another_test_set_is_never_narrower_than_the_one_beside_it(study, results_of, rng) -> None:
    study = study.vary(replicates=6, alpha=0.1)
    results = [
        replace(r, examples=Examples(correct=np.arange(200) < round(2 * r.metrics["top1"])))
        for r in results_of(study, {1.0: BASE, 2.0: WIDE})
    ]
    # Judged on 200 examples the paired sd is floored at one example, and the crossed interval keeps at least that.
    contrast = analyse(study, results).contrasts[0]
    assert contrast.crossed is not None
    assert contrast.crossed.half_width >= contrast.half_width
    assert contrast.crossed.level == 0.9
    assert isinstance(contrast.interval, Interval)
    alone = analyse(study, [r for r in results if r.replicate < 3]).contrasts[0]
    assert alone.crossed is None


def one_contrast(study: Study, results_of, arm: list, base: list, margin: float = 0.5) -> Contrast:
    table = {1.0: base, 2.0: arm}
    narrow = study.vary(factors={"model.width": (1.0, 2.0)}, margin=margin, replicates=len(base))
    return analyse(narrow, results_of(narrow, table)).contrasts[0]


def test_one_contrast_needs_what_its_own_two_tests_need_at_the_full_level(study: Study, results_of) -> None:
    for shift, margin in ((0.0, 0.5), (0.6, 0.3)):
        arm = [value + shift + extra for value, extra in zip(BASE, (0.9, -0.8, 0.5, -0.6, 0.7, -0.5), strict=True)]
        found = one_contrast(study, results_of, arm, BASE, margin)
        assert found.verdict == "unresolved"
        pairs = replicates_to_resolve(found.mean, found.sd, margin, 0.05, alpha_equivalence=0.05)
        assert pairs != replicates_to_resolve(found.mean, found.sd, margin, 0.025, alpha_equivalence=0.025)
        assert found.further_replicates == pairs - 6


def test_several_contrasts_need_more_by_the_tests_of_each_family(study: Study, results_of) -> None:
    """A failure puts a third test among those of a difference, and none among those of equivalence."""
    for shift, margin in ((0.0, 0.5), (0.6, 0.3)):
        arm = [value + shift + extra for value, extra in zip(BASE, (0.9, -0.8, 0.5, -0.6, 0.7, -0.5), strict=True)]
        varied = study.vary(margin=margin, replicates=6)
        found = analyse(varied, results_of(varied, {1.0: BASE, 2.0: arm, 4.0: ["dead", *WIDE[1:]]})).contrasts[0]
        assert found.verdict == "unresolved"
        pairs = replicates_to_resolve(found.mean, found.sd, margin, 0.05 / 3, alpha_equivalence=0.05 / 2)
        assert found.further_replicates == pairs - 6


def test_replicates_that_will_fail_are_counted_among_those_that_are_needed(study: Study, results_of) -> None:
    arm = [value + extra for value, extra in zip(BASE, (0.9, -0.8, 0.5, -0.6, 0.7, -0.5), strict=True)]
    found = one_contrast(study, results_of, ["dead", *arm[1:]], ["dead", *BASE[1:]])
    pairs = replicates_to_resolve(found.mean, found.sd, 0.5, 0.05 / 2, alpha_equivalence=0.05)
    assert found.further_replicates == np.ceil(pairs * 6 / 5) - 6


def test_what_the_survivors_settle_needs_no_more_of_them_though_failures_are_open(study: Study, results_of) -> None:
    quiet = [value + extra for value, extra in zip(BASE, (0.01, -0.02, 0.03, 0.0, -0.01, 0.02), strict=True)]
    found = one_contrast(study, results_of, ["dead", *quiet[1:]], BASE)
    assert found.verdict == "unresolved"
    assert found.further_replicates is None
    assert found.further_for_stability is not None
    assert any("the same where it trains" in note for note in found.notes)


def test_what_failures_settle_needs_no_more_survivors_though_their_mean_is_open(study: Study, results_of) -> None:
    base = [90.0 + r / 10 for r in range(12)]
    found = one_contrast(study, results_of, [*["dead"] * 9, 91.9, 90.0, 91.8], base)
    assert (found.verdict, found.n) == ("worse (unstable)", 3)
    assert (found.further_replicates, found.further_for_stability) == (None, None)


def test_one_training_has_no_interval_of_any_kind_and_needs_nothing(study: Study, results_of) -> None:
    results = results_of(study.vary(replicates=6), {1.0: BASE, 2.0: BASE})
    found = analyse(study.vary(replicates=6), results, num_eval=1000).contrasts[0]
    assert found.verdict == "same training"
    assert np.isnan(found.half_width)
    assert (found.interval, found.bootstrap, found.simultaneous, found.crossed, found.pairing) == (None,) * 5
    assert (found.further_replicates, found.further_for_stability) == (None, None)


def test_the_interval_for_another_test_set_keeps_the_floor_of_one_example(study: Study, results_of) -> None:
    """In each replicate the arm is right in one example more, in the last in two, always others."""
    right = {1.0: np.zeros(200, bool), 2.0: np.zeros(200, bool)}
    gained = {(2.0, r): list(range(2 * r, 2 * r + (2 if r == 6 else 1))) for r in range(1, 7)}

    def judged(result: TrialResult) -> TrialResult:
        width = result.arm.as_dict()["model.width"]
        correct = right[width].copy()
        correct[gained.get((width, result.replicate), [])] = True
        return replace(result, examples=Examples(correct=correct))

    results = [judged(r) for r in results_of(study, {1.0: [90.0] * 6, 2.0: [90.5] * 5 + [91.0]})]
    found = analyse(study.vary(replicates=6), results).contrasts[0]
    assert found.sd == 0.5, "0.2, and floored at one of 200 examples"
    assert found.crossed is not None
    assert found.crossed.half_width == pytest.approx(found.half_width)
    assert found.half_width == pytest.approx(stats.t.ppf(0.975, 5) * 0.5 / 6**0.5)


def test_what_failures_and_open_verdicts_mean_is_told_once_beside_the_primary_metric(study, results_of) -> None:
    table = {1.0: BASE, 2.0: ["dead", *WIDE[1:]], 4.0: BASE}
    found = analyse(study.vary(replicates=6), results_of(study, table))
    primary, same = found.contrasts
    assert primary.verdict == "unresolved"
    told = [note for note in primary.notes if note.startswith("unresolved: half-width")]
    assert len(told) == 1
    assert sum(note.startswith("failed to train in 1 of 6") for note in primary.notes) == 1
    assert same.notes[0] == SENTENCE
    for contrast in found.secondary:
        assert not any(note.startswith(("failed to train", "unresolved", "these arms")) for note in contrast.notes)
