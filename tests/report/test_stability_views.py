"""Stability on pages: survival by step, the arms that fail, and contrasts with the empty ones folded."""

from __future__ import annotations

import pytest
from width_study import Make

from paribus.analysis import analyse
from paribus.analysis.statistics.proportions import wilson
from paribus.report.drawing.figures.stability_views import (
    arm_rows,
    contrast_rows,
    failing_arms,
    folded_sentence,
    survival_figure,
)
from paribus.study import Study

WHOLE = [90.0, 91.0, 92.0, 90.5, 91.5]


def test_survival_is_drawn_for_arms_that_fail_and_the_others_share_one_line(study: Study, results_of: Make) -> None:
    values = {1.0: WHOLE, 2.0: [90.0, "diverged", 91.0, "dead", "stopped"], 4.0: WHOLE}
    found = analyse(study, results_of(study, values), num_eval=1000)
    (arm,) = failing_arms(found)
    figure = survival_figure([arm], 0.95, others=2)
    assert figure is not None
    curve = next(trace for trace in figure.data if trace.name == "k=2 (n = 5)")
    assert list(curve.x) == [0, 40, 100], "two of five fail after step 40, one is cut off there"
    assert list(curve.y) == pytest.approx([100, 60, 60])
    assert next(trace for trace in figure.data if trace.name == "2 more arms: nothing failed").y[0] == 100
    cut = next(trace for trace in figure.data if trace.name == "cut off there")
    assert (list(cut.x), list(cut.y)) == ([40], pytest.approx([60]))
    band = [trace for trace in figure.data if trace.fill == "tonexty"]
    assert len(band) == 1
    assert 0 <= band[0].y[1] < 60


def test_rows_have_counts_with_intervals_and_fold_what_is_empty(study: Study, results_of: Make) -> None:
    values = {1.0: WHOLE, 2.0: [90.0, "diverged", 91.0, "dead", 92.0], 4.0: WHOLE}
    found = analyse(study, results_of(study, values), num_eval=1000)
    (row,) = arm_rows(found)
    low, high = wilson(3, 5)
    assert row["share (%) [95 % interval]"] == f"60 [{100 * low:.0f}, {100 * high:.0f}]"
    assert row["trained through"] == "3 of 5"
    assert row["which failed"] == "r2 diverged, r4 dead"
    (contrast,) = contrast_rows(found.contrasts)
    assert (contrast["arm failed to train"], contrast["baseline failed to train"]) == ("2 of 5", "0 of 5")
    assert contrast["difference (percentage points)"].startswith("+40 [")
    assert folded_sentence(found) == "In 1 contrast no run failed on either side, in 5 pairs or more: not shown"


def test_a_deficit_has_a_true_minus_and_a_study_that_fails_nowhere_has_nothing_to_fold_into(
    study: Study, results_of: Make
) -> None:
    values = {1.0: ["dead", "dead", *WHOLE[2:]], 2.0: WHOLE, 4.0: WHOLE}
    found = analyse(study, results_of(study, values), num_eval=1000)
    assert {row["difference (percentage points)"].split(" ")[0] for row in contrast_rows(found.contrasts)} == {"−40"}
    assert folded_sentence(found) == ""
    calm = analyse(study, results_of(study, dict.fromkeys((1.0, 2.0, 4.0), WHOLE)), num_eval=1000)
    assert failing_arms(calm) == []
    assert survival_figure([], 0.95) is None
