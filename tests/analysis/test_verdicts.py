"""The rule from deltas and failures to a verdict, case by case."""

import numpy as np
import pytest
from scipy import stats

from paribus.analysis.statistics.boschloo import boschloo
from paribus.analysis.verdicts import VERDICTS, judge


def _verdict(deltas: list[float], **counts: int) -> str:
    return judge([deltas], margin=0.5, **counts).words()[0]


def test_every_verdict_by_example() -> None:
    noisy = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    quiet = noisy / 20
    assert _verdict([*(noisy + 3)]) == "better"
    assert _verdict([*(noisy - 3)]) == "worse"
    assert _verdict([*quiet]) == "equivalent"
    assert _verdict([*(quiet + 0.2)]) == "equivalent, with a small difference"
    assert _verdict([*noisy]) == "unresolved"


QUIET = [-0.05, -0.02, 0.0, 0.02, 0.05]
LOST = [np.nan] * 8


def test_stability_comes_before_quality() -> None:
    better = [*(np.array([-0.1, 0.0, 0.1]) + 3), *LOST]
    assert _verdict(better, arm_failed=8, ended=11) == "worse (unstable)"
    assert _verdict([-d for d in better], baseline_failed=8, ended=11) == "better (stabler)"


def test_five_failures_of_five_settle_one_contrast_and_four_of_four_do_not_settle_three() -> None:
    assert _verdict([np.nan] * 5, arm_failed=5, ended=5) == "worse (unstable)"
    assert _verdict([np.nan] * 5, baseline_failed=5, ended=5) == "better (stabler)"
    three = judge(np.full((3, 3), np.nan), margin=0.5, arm_failed=3, ended=3)
    assert three.p_stability.tolist() == pytest.approx([2 * 0.5**6] * 3)
    assert three.words() == ["unresolved"] * 3


@pytest.mark.parametrize(("failed", "expected"), [(0, "equivalent"), (1, "unresolved"), (3, "unresolved")])
def test_an_excess_of_failures_is_never_equivalent_even_by_one(failed: int, expected: str) -> None:
    pairs = [*QUIET, *[np.nan] * failed]
    assert _verdict(pairs, arm_failed=failed, ended=5 + failed) == expected
    assert _verdict([*(np.array(QUIET) + 0.2), *[np.nan] * failed], arm_failed=failed, ended=5 + failed) == (
        "equivalent, with a small difference" if not failed else "unresolved"
    )


def test_an_excess_of_failures_is_never_better_and_does_not_save_from_worse() -> None:
    above, below = [*(np.array(QUIET) + 3), np.nan], [*(np.array(QUIET) - 3), np.nan]
    assert _verdict(above, arm_failed=1, ended=6) == "unresolved"
    assert _verdict(below, arm_failed=1, ended=6) == "worse"


def test_a_deficit_of_failures_is_never_worse_and_takes_nothing_from_better_or_equivalent() -> None:
    for shift, expected in ((3.0, "better"), (-3.0, "unresolved"), (0.0, "equivalent")):
        assert _verdict([*(np.array(QUIET) + shift), np.nan], baseline_failed=1, ended=6) == expected


def test_as_many_failures_on_both_sides_leave_the_verdict_to_the_survivors() -> None:
    for shift, expected in ((3.0, "better"), (-3.0, "worse"), (0.0, "equivalent")):
        pairs = [*(np.array(QUIET) + shift), np.nan, np.nan]
        assert _verdict(pairs, arm_failed=1, baseline_failed=1, ended=7) == expected


def test_what_the_survivors_alone_would_have_said_is_kept() -> None:
    found = judge([[*QUIET, np.nan]], margin=0.5, arm_failed=1, ended=6)
    assert VERDICTS[found.quality[0]] == "equivalent"


def test_the_family_is_the_quality_tests_of_three_pairs_and_the_stability_tests_where_a_run_failed() -> None:
    deltas = np.array([QUIET, [0.1, 0.2, np.nan, np.nan, np.nan], QUIET]) + 3
    calm = judge(deltas[:1], margin=0.5)
    assert (int(calm.num_difference), int(calm.num_equivalence)) == (1, 1)
    found = judge(deltas, margin=0.5, arm_failed=[0, 3, 0], baseline_failed=[0, 0, 0], ended=5)
    assert (int(found.num_difference), int(found.num_equivalence)) == (3, 2)
    # Both quality p are equal and the smallest of three: 3 p, then no less.
    assert found.p_superiority_holm[[0, 2]] == pytest.approx(3 * found.p_superiority[[0, 2]])
    assert found.p_stability_holm[1] == pytest.approx(found.p_stability[1])
    assert found.p_stability_holm[[0, 2]].tolist() == [1.0, 1.0]
    assert found.p_superiority_holm[1] == 1.0


def test_arms_that_are_the_same_training_are_withheld_and_nobody_pays_for_them() -> None:
    deltas = np.array([[0.0] * 5, np.array(QUIET) + 0.2])
    found = judge(deltas, margin=0.5, resolution=0.01, same_training=[True, False])
    assert found.words() == ["same training", "equivalent, with a small difference"]
    assert (int(found.num_difference), int(found.num_equivalence)) == (1, 1)
    assert judge(deltas, margin=0.5, resolution=0.01).words()[0] == "equivalent"


def test_no_data_is_not_called_unresolved() -> None:
    assert _verdict([np.nan] * 5) == "no data"
    assert _verdict([np.nan] * 5, ended=0) == "no data"
    assert _verdict([np.nan] * 5, arm_failed=1, baseline_failed=1, ended=1) == "unresolved"


def test_fewer_than_three_pairs_have_no_verdict_however_large_the_effect() -> None:
    assert _verdict([50.0, 50.1]) == "unresolved"


def test_three_lucky_draws_on_few_examples_are_no_verdict() -> None:
    step = 0.25
    assert judge([[step, step, step]], margin=0.5, resolution=step).words() == ["unresolved"]
    assert judge([[step] * 3], margin=0.5, resolution=0.0).words() == ["unresolved"]


def test_more_contrasts_make_each_harder_to_call() -> None:
    one = np.array([0.2, 0.9, 0.6, 1.2, 0.7]) + 0.2
    rest = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    assert judge([one], margin=0.1).words() == ["better"]
    assert judge([one, *[rest] * 14], margin=0.1).words() == ["unresolved"] * 15


def test_many_studies_are_judged_as_one_by_one(rng: np.random.Generator) -> None:
    deltas = rng.normal(0.4, [[0.02], [0.2], [0.6]], (200, 3, 6))
    deltas[rng.random(deltas.shape) < 0.2] = np.nan
    failed = rng.integers(0, 3, (200, 3)) * rng.integers(0, 5, (200, 3))
    ended = np.isfinite(deltas).sum(axis=-1) + failed
    together = judge(deltas, margin=0.5, arm_failed=failed, ended=ended)
    each = zip(deltas, failed, ended, strict=True)
    singly = [judge(d, margin=0.5, arm_failed=f, ended=e).codes for d, f, e in each]
    assert np.array_equal(together.codes, np.stack(singly))
    assert len({VERDICTS[code] for code in together.codes.ravel()}) >= 5


def test_a_p_of_exactly_alpha_is_no_verdict() -> None:
    counts = {"arm_failed": 5, "ended": 5}
    for deltas, name, given, word in (
        ([np.nan] * 5, "p_stability_holm", counts, "worse (unstable)"),
        ([0.9, 1.3, 0.4, 1.1, 0.6], "p_superiority_holm", {}, "better"),
        ([0.1, -0.2, 0.15, -0.1, 0.02], "p_equivalence_holm", {}, "equivalent"),
    ):
        p = float(getattr(judge([deltas], margin=0.5, **given), name)[0])
        assert 0 < p < 0.05
        at, above = (judge([deltas], margin=0.5, alpha=alpha, **given).words() for alpha in (p, np.nextafter(p, 1)))
        assert (at, above) == (["unresolved"], [word])


def test_three_pairs_can_be_judged_in_both_families_and_two_pay_for_nothing() -> None:
    found = judge([[1.0, 1.1, 0.9, np.nan], [1.0, 1.1, np.nan, np.nan]], margin=0.5)
    assert (int(found.num_difference), int(found.num_equivalence)) == (1, 1)
    assert found.words() == ["better", "unresolved"]
    assert found.p_superiority_holm[0] == found.p_superiority[0] < 0.05
    assert judge([[0.1, 0.0, -0.1, np.nan]], margin=0.5).words() == ["equivalent"]


def test_intervals_have_the_level_that_the_verdicts_alpha_leaves() -> None:
    deltas = [0.9, 1.3, 0.4, 1.1, 0.6]
    for alpha in (0.05, 0.1):
        expected = stats.t.isf(alpha / 2, 4) * np.std(deltas, ddof=1) / 5**0.5
        assert float(judge([deltas], margin=0.5, alpha=alpha).half_width[0]) == pytest.approx(expected)


def test_a_failure_on_either_side_alone_adds_one_test_to_the_family_and_withheld_ones_add_none() -> None:
    for arm, baseline, paid in ((1, 0, 2), (0, 1, 2), (1, 1, 2), (0, 0, 1)):
        found = judge([[*QUIET, np.nan]], margin=0.5, arm_failed=arm, baseline_failed=baseline, ended=6)
        assert (int(found.num_difference), int(found.num_equivalence)) == (paid, 1)
        withheld = judge([[*QUIET, np.nan]], margin=0.5, arm_failed=arm, ended=6, same_training=[True])
        assert (int(withheld.num_difference), int(withheld.num_equivalence)) == (0, 0)
        assert withheld.words() == ["same training"]


def test_without_counts_the_pairs_are_those_that_have_a_delta() -> None:
    assert judge([[np.nan] * 3, [0.5, np.nan, np.nan]], margin=0.5).words() == ["no data", "unresolved"]
    # Two failures of the three pairs that have a delta, were they all: p is that of 2 of 3, not of 2 of 5.
    found = judge([[0.1, 0.2, 0.3, np.nan, np.nan]], margin=0.5, arm_failed=2)
    assert float(found.p_stability[0]) == pytest.approx(float(boschloo(2, 0, 3)))


def test_the_step_of_a_coarse_metric_moves_equivalence_and_floors_the_spread() -> None:
    deltas = [0.0, 0.25, 0.0, 0.25, 0.0]
    coarse = judge([deltas], margin=0.5, resolution=0.25)
    assert float(coarse.moments.sd[0]) == 0.25
    expected = stats.t.cdf((0.1 + 0.25 / 5 - 0.5) / (0.25 / 5**0.5), 4)
    assert float(coarse.p_equivalence[0]) == pytest.approx(expected)


def test_the_two_families_are_counted_study_by_study() -> None:
    deltas = np.array([[QUIET, QUIET], [QUIET, [0.1, 0.2, np.nan, np.nan, np.nan]], [[np.nan] * 5] * 2])
    found = judge(deltas, margin=0.5, arm_failed=[[0, 0], [0, 3], [5, 5]], ended=5)
    assert found.num_difference.tolist() == [2, 2, 2]
    assert found.num_equivalence.tolist() == [2, 1, 0]


def test_a_contrast_of_two_pairs_is_in_no_family_and_makes_no_other_p_larger() -> None:
    deltas = np.array([[0.01, -0.02, 0.03, 0.02, -0.01], [0.4, 0.5, np.nan, np.nan, np.nan]])
    found, alone = judge(deltas, margin=0.05), judge(deltas[:1], margin=0.05)
    assert found.p_equivalence_holm[0] == found.p_equivalence[0] == alone.p_equivalence_holm[0]
    assert found.p_superiority_holm[0] == found.p_superiority[0] == alone.p_superiority_holm[0]
    assert (int(found.num_equivalence), int(found.num_difference)) == (1, 1)


def test_many_studies_are_judged_each_with_families_of_its_own() -> None:
    generator = np.random.default_rng(3)
    deltas = generator.normal(0.1, 0.2, (2, 3, 6))
    deltas[0, 1, 2:] = np.nan
    arm_failed = np.array([[0, 0, 2], [0, 0, 0]])
    found = judge(deltas, margin=0.5, arm_failed=arm_failed, ended=6)
    assert found.num_equivalence.tolist() == [2, 3]
    assert found.num_difference.tolist() == [3, 3]
    for study in (0, 1):
        alone = judge(deltas[study], margin=0.5, arm_failed=arm_failed[study], ended=6)
        assert found.codes[study].tolist() == alone.codes.tolist()
        for name in ("p_superiority_holm", "p_equivalence_holm", "p_stability_holm", "half_width"):
            assert getattr(found, name)[study] == pytest.approx(getattr(alone, name), nan_ok=True), name
