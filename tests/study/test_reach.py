"""What each number of replicates tells is what a plan of that number promises; a margin takes the fewest that do."""

from __future__ import annotations

import pytest

from paribus.study.power import boschloo, power_of, power_of_study
from paribus.study.reach import power_curve, replicates_for_effect


def promised(replicates: int, num_contrasts: int = 3, alpha: float = 0.05) -> object:
    return power_of_study(
        1.1, "", replicates=replicates, num_contrasts=num_contrasts, alpha=alpha, margin=0.5, step=0.01
    )


@pytest.mark.parametrize("num_contrasts", [1, 3, 11])
def test_a_point_of_the_curve_is_what_a_plan_of_that_many_replicates_promises(num_contrasts: int) -> None:
    levels = [(2, 0.05), (3, 0.05), (5, 0.02), (12, 0.05), (30, 0.01)]
    points = power_curve(promised(5, num_contrasts), levels, 0.5, 0.01)
    for point, (replicates, alpha) in zip(points, levels, strict=True):
        plan = promised(replicates, num_contrasts, alpha)
        assert point.replicates == replicates
        for field in ("detectable", "equivalent", "failures", "failure_rate"):
            assert getattr(point, field) == getattr(plan, field), field


@pytest.mark.parametrize(("effect", "sd", "alpha"), [(0.5, 1.1, 0.05), (2.0, 1.0, 0.05 / 11), (0.5, 0.1, 0.05)])
def test_the_fewest_replicates_that_find_an_effect_and_one_less_does_not(
    effect: float, sd: float, alpha: float
) -> None:
    found = replicates_for_effect(effect, sd, alpha)
    assert found is not None
    assert power_of(effect, sd, found, alpha) >= 0.8
    assert found == 3 or power_of(effect, sd, found - 1, alpha) < 0.8


def test_what_no_study_can_afford_has_no_number_and_deltas_without_spread_take_a_verdicts_least() -> None:
    assert replicates_for_effect(0.001, 1.0, 0.05) is None
    assert replicates_for_effect(0.5, 0.0, 0.05) == 3


@pytest.mark.parametrize(("failures", "replicates"), [(1, 3), (5, 8), (4, 20), (7, 60)])
def test_a_table_that_is_kept_gives_the_p_that_it_gave(failures: int, replicates: int) -> None:
    first = boschloo.__wrapped__(failures, replicates)
    assert boschloo.__wrapped__(failures, replicates) == first == boschloo(failures, replicates)
