"""The rule from deltas and failures to a verdict, case by case."""

import numpy as np
import pytest

from paribus.analysis.verdicts import VERDICTS, judge


def _verdict(deltas: list[float], **failures: int) -> str:
    return judge([deltas], margin=0.5, **failures).words()[0]


def test_every_verdict_by_example() -> None:
    noisy = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    quiet = noisy / 20
    assert _verdict([*(noisy + 3)]) == "better"
    assert _verdict([*(noisy - 3)]) == "worse"
    assert _verdict([*quiet]) == "equivalent"
    assert _verdict([*(quiet + 0.2)]) == "equivalent, with a small difference"
    assert _verdict([*noisy]) == "unresolved"


def test_stability_comes_before_quality() -> None:
    better = [*(np.array([-0.1, 0.0, 0.1]) + 3), *[np.nan] * 8]
    assert _verdict(better) == "better"
    assert _verdict(better, arm_failed_alone=8) == "worse (unstable)"
    assert _verdict([-d for d in better], baseline_failed_alone=8) == "better (stabler)"


def test_five_failures_of_five_leave_stability_unresolved() -> None:
    assert _verdict([np.nan] * 5, arm_failed_alone=5) == "unresolved"
    assert _verdict([np.nan] * 6, arm_failed_alone=6) == "unresolved"  # with its superiority test: 2 x 0.03125
    assert _verdict([np.nan] * 7, arm_failed_alone=7) == "worse (unstable)"


def test_only_stability_tests_that_could_be_significant_are_paid_for() -> None:
    deltas = np.array([[3.0, 3.4, 2.7, 3.1, 2.9, 3.2]])
    alone = judge(deltas, margin=0.5)
    assert judge(deltas, margin=0.5, arm_failed_alone=5).p_superiority_holm == pytest.approx(alone.p_superiority_holm)
    paid = judge(deltas, margin=0.5, arm_failed_alone=6, baseline_failed_alone=6)
    assert paid.p_superiority_holm == pytest.approx(2 * alone.p_superiority_holm)


def test_fewer_than_three_pairs_have_no_verdict_however_large_the_effect() -> None:
    assert _verdict([50.0, 50.1]) == "unresolved"
    assert _verdict([]) == "unresolved"


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
    failures = rng.integers(0, 8, (200, 3))
    together = judge(deltas, margin=0.5, arm_failed_alone=failures)
    singly = [judge(d, margin=0.5, arm_failed_alone=f).codes for d, f in zip(deltas, failures, strict=True)]
    assert np.array_equal(together.codes, np.stack(singly))
    assert len({VERDICTS[code] for code in together.codes.ravel()}) >= 5
