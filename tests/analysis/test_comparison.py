"""Two studies side by side: scipy's Welch interval, Holm over the contrasts, and when the two agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from width_study import Make

from paribus.analysis import StudyAnalysis, analyse
from paribus.analysis.exploratory.comparison import compare
from paribus.study import Study

BASE = [90.0, 90.5, 89.5, 90.2, 89.8]


def judged(study: Study, results_of: Make, two: list[float | str], four: list[float | str]) -> StudyAnalysis:
    return analyse(study, results_of(study, {1.0: BASE, 2.0: two, 4.0: four}), num_eval=10_000)


def plus(*gains: float) -> list[float | str]:
    return [value + gain for value, gain in zip(BASE, gains, strict=False)]


def test_the_difference_has_scipys_welch_interval_and_p_is_corrected_over_the_contrasts(
    study: Study, results_of: Make
) -> None:
    gains = [0.1, 0.3, 0.2, 0.0, 0.4], [3.0, 3.3, 2.9, 3.1, 2.8], [0.2, 0.1, 0.3, 0.25, 0.15]
    first = judged(study, results_of, plus(*gains[0]), plus(*gains[2]))
    second = judged(study, results_of, plus(*gains[1]), plus(*gains[2]))
    two, four = compare(first, second)
    found = stats.ttest_ind(gains[1], gains[0], equal_var=False)
    low, high = found.confidence_interval(0.95)
    assert two.difference == pytest.approx(np.mean(gains[1]) - np.mean(gains[0]))
    assert two.interval is not None
    assert (two.interval.low, two.interval.high) == pytest.approx((low, high))
    assert two.p == pytest.approx(found.pvalue)
    assert two.p_holm == pytest.approx(2 * found.pvalue)
    assert (two.agreement, four.agreement) == ("differ", "agree")
    assert (four.difference, four.p) == (pytest.approx(0.0), pytest.approx(1.0))


def test_wide_spreads_leave_it_open_and_too_few_pairs_tell_nothing(study: Study, results_of: Make) -> None:
    wide = judged(study, results_of, plus(-2.0, 2.0, -1.5, 1.5, 0.0), ["dead", "dead", "dead", 91.0, 91.0])
    calm = judged(study, results_of, plus(0.1, 0.0, 0.2, 0.1, 0.1), plus(1.0, 1.1, 0.9, 1.0, 1.05))
    two, four = compare(calm, wide)
    assert (two.agreement, four.agreement) == ("unresolved", "no data")
    assert four.interval is None
    assert np.isnan(four.p_holm)


def test_only_contrasts_that_both_have_are_compared_and_never_two_metrics(study: Study, results_of: Make) -> None:
    first = judged(study, results_of, plus(*[0.1] * 4, 0.2), plus(*[0.3] * 4, 0.2))
    fewer = replace(first, contrasts=first.contrasts[:1])
    assert [each.first.arm.name for each in compare(first, fewer)] == ["k=2"]
    assert compare(first, replace(first, contrasts=())) == []
    other = replace(first, metric=study.metrics["eval_loss"])
    with pytest.raises(ValueError, match="top1 and eval_loss are different metrics"):
        compare(first, other)
