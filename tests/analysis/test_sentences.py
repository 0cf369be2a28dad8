"""What a contrast leaves open: the numbers of further replicates, and when which sentence stands."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, inf, nan

import numpy as np
import pytest

from paribus.analysis import analyse
from paribus.analysis.contrasts import Contrast
from paribus.analysis.sentences import Need, further, interval_note, need_of, stability_note, unresolved_note
from paribus.analysis.statistics.boschloo import replicates_to_settle
from paribus.analysis.statistics.intervals import Interval
from paribus.analysis.statistics.power import replicates_to_resolve
from paribus.analysis.statistics.stability import Stability, largest_excess, stability_of
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, UNRESOLVED, WORSE, judge
from paribus.study import Study

LEVELS = (0.05 / 3, 0.05 / 2)


def failures(arm: int, baseline: int, n: int, p_holm: float = 1.0) -> Stability:
    return stability_of(np.arange(n) < arm, np.arange(n) < baseline, p_holm=p_holm)


def need(n: int, found: Stability, mean: float = 0.4, sd: float = 0.6, alpha: float = 0.05) -> Need:
    return need_of(mean, sd, n, found, 0.5, LEVELS, alpha)


def test_where_all_survive_the_need_is_the_pairs_that_resolve_at_the_familys_two_levels_less_those_there() -> None:
    pairs = replicates_to_resolve(0.4, 0.6, 0.5, LEVELS[0], alpha_equivalence=LEVELS[1])
    assert pairs > 6
    assert need(6, failures(0, 0, 6)) == Need(quality=pairs - 6, stability=None)
    assert need(6, failures(0, 0, 6), mean=0.0, sd=0.5).quality == (
        replicates_to_resolve(0.0, 0.5, 0.5, LEVELS[0], alpha_equivalence=LEVELS[1]) - 6
    )


def test_replicates_are_asked_for_by_the_share_of_pairs_that_survived() -> None:
    pairs = replicates_to_resolve(0.4, 0.6, 0.5, LEVELS[0], alpha_equivalence=LEVELS[1])
    assert need(4, failures(2, 2, 6)).quality == ceil(pairs * 6 / 4) - 6


def test_a_need_is_one_replicate_at_least_and_infinite_where_no_number_resolves() -> None:
    assert need(20, failures(0, 0, 20), mean=3.0, sd=0.1).quality == 1.0
    assert need(5, failures(0, 0, 5), mean=0.0, sd=500.0).quality == inf


@pytest.mark.parametrize(("n", "sd"), [(2, 0.6), (0, 0.6), (5, nan), (5, 0.0)])
def test_below_three_pairs_or_without_spread_nothing_is_known_of_quality(n: int, sd: float) -> None:
    assert need(n, failures(0, 0, 5), sd=sd).quality is None
    assert need(3, failures(0, 0, 5)).quality is not None


def test_unequal_failures_that_are_not_settled_need_what_boschloos_test_needs_at_the_level_of_one_difference() -> None:
    for arm, base in ((3, 0), (1, 4)):
        expected = replicates_to_settle(arm / 8, base / 8, LEVELS[0]) - 8
        assert need(5, failures(arm, base, 8)).stability == expected > 1
    assert need(5, failures(3, 3, 8)).stability is None
    assert need(5, failures(0, 0, 8)).stability is None


def test_failures_are_settled_by_a_p_below_alpha_and_not_by_alpha_itself() -> None:
    assert need(5, failures(5, 0, 8, p_holm=0.049)).stability is None
    assert need(5, failures(5, 0, 8, p_holm=0.05)).stability is not None
    assert need(5, failures(5, 0, 8, p_holm=0.05), alpha=0.06).stability is None
    assert need(3, failures(20, 0, 30, p_holm=0.5)).stability == 1.0, "at least one"
    (at, below) = (stability_note(failures(5, 0, 8, p_holm=p), 3.0, 0.05) for p in (0.05, 0.049))
    assert "not settled" in str(at)
    assert "not settled" not in str(below)
    assert "excluded" not in str(below)


def test_replicates_are_told_with_the_trials_of_both_arms() -> None:
    assert further(1) == "about 1 further replicate (2 trials of the two arms)"
    assert further(12) == "about 12 further replicates (24 trials of the two arms)"
    assert further(inf) == "more than 10,000 further replicates"


def test_the_note_on_failures_has_percentage_points_and_the_excess_that_is_excluded_over_all_contrasts() -> None:
    found = stability_of(np.arange(10) < 1, np.arange(10) < 4, p_holm=0.4)
    assert found.interval is not None
    low, high = 100 * found.interval.low, 100 * found.interval.high
    note = stability_note(found, None, 0.1, num_contrasts=3)
    excess = 100 * largest_excess(1, 4, 10, 3, 0.1)
    assert note == (
        f"failed to train in 1 of 10 against 4 of 10, difference -30 [{low:+.0f}, {high:+.0f}] percentage points "
        f"(Boschloo's p = {found.p:.2g}, 0.4 after Holm's correction); an excess of failures above {excess:.0f} % is "
        "excluded"
    )
    alone = stability_note(found, None, 0.1)
    assert f"above {100 * largest_excess(1, 4, 10, 1, 0.1):.0f} %" in str(alone)
    assert stability_note(failures(0, 0, 5), 3.0, 0.05) is None


@pytest.mark.parametrize(
    ("quality", "word"),
    [
        (BETTER, "better"),
        (WORSE, "worse"),
        (EQUIVALENT, "the same"),
        (SMALL_DIFFERENCE, "the same within the margin, with a small difference,"),
    ],
)
def test_what_the_survivors_say_is_told_beside_both_counts(quality: int, word: str) -> None:
    note = unresolved_note(quality, failures(2, 1, 7), 0.3, "0.5 points", 4.0)
    assert note == (f"unresolved: {word} where it trains; failed to train in 2 of 7 against 1 of 7: not settled")


def test_an_open_quality_is_told_with_half_width_margin_and_need_if_all_three_are_known() -> None:
    calm = unresolved_note(UNRESOLVED, failures(0, 0, 7), 0.6543, "0.5 points", 4.0)
    assert calm == (
        "unresolved: half-width 0.654 against a margin of ±0.5 points; about 4 further replicates (8 trials of the "
        "two arms) would resolve it with 80 % power if the observed mean and sd were the true ones"
    )
    lossy = unresolved_note(UNRESOLVED, failures(1, 1, 7), 0.6543, "0.5 points", 4.0)
    assert "observed mean, sd and failure rate were" in str(lossy)
    assert unresolved_note(UNRESOLVED, failures(0, 0, 7), nan, "0.5 points", 4.0) is None
    assert unresolved_note(UNRESOLVED, failures(0, 0, 7), 0.6, "0.5 points", None) is None


@pytest.fixture
def contrast(study: Study, results_of) -> Contrast:
    return analyse(study, results_of(study, {1.0: [90.0, 90.2, 89.8], 2.0: [95.0, 95.4, 94.8]})).contrasts[0]


def test_a_word_beside_an_interval_that_seems_to_say_something_else_is_explained_and_no_other(contrast) -> None:
    def note(verdict: str, ends: tuple[float, float], simultaneous: tuple[float, float] | None = None) -> str | None:
        wide = None if simultaneous is None else Interval(low=simultaneous[0], high=simultaneous[1], level=0.95)
        interval = Interval(low=ends[0], high=ends[1], level=0.95)
        given = replace(contrast, verdict=verdict, interval=interval, simultaneous=wide, p_superiority_holm=0.0712)
        return interval_note(given, 0.5)

    for verdict in ("better", "worse"):
        assert str(note(verdict, (0.1, 0.9), (-0.1, 1.1))).startswith(f"{verdict} by Holm's correction")
        for clear in ((0.05, 1.1), (-1.1, -0.05), (0.0, 1.0), (-1.0, 0.0), None):
            assert note(verdict, (0.1, 0.9), clear) is None
    for verdict in ("equivalent", "equivalent, with a small difference"):
        for beyond in ((-0.51, 0.2), (-0.2, 0.51)):
            assert str(note(verdict, beyond, (-1.0, 1.0))).startswith("equivalent by two one-sided tests")
        assert note(verdict, (-0.5, 0.5), (-1.0, 1.0)) is None, "an interval that ends at the margin is within it"
    for leaves_out in ((0.01, 0.9), (-0.9, -0.01), (0.0, 0.9), (-0.9, 0.0)):
        assert str(note("unresolved", leaves_out)).endswith("over the study's tests p = 0.071")
    assert note("unresolved", (-0.01, 0.9)) is None
    for other in ("worse (unstable)", "better (stabler)"):
        assert note(other, (0.1, 0.9), (-0.1, 1.1)) is None
    assert interval_note(replace(contrast, interval=None), 0.5) is None


def test_the_need_of_a_study_is_at_alpha_over_the_tests_of_each_family(study: Study, results_of) -> None:
    base, arm = [90.0, 90.2, 89.8, 90.1, 89.9], [90.9, 89.9, 91.4, 89.6, 90.7]
    lossy = ["dead", 90.2, 89.8, 90.1, 89.9]
    found = analyse(study.vary(alpha=0.1), results_of(study, {1.0: base, 2.0: arm, 4.0: lossy}))
    deltas = np.array([np.subtract(arm, base), [nan, *np.zeros(4)]])
    judged = judge(deltas, margin=0.5, alpha=0.1, arm_failed=[0, 1], ended=5)
    assert (int(judged.num_difference), int(judged.num_equivalence)) == (3, 2)
    mean, sd = float(judged.moments.mean[0]), float(judged.moments.sd[0])
    pairs = replicates_to_resolve(mean, sd, 0.5, 0.1 / 3, alpha_equivalence=0.1 / 2)
    assert found.contrasts[0].verdict == "unresolved"
    assert found.contrasts[0].further_replicates == pairs - 5
    assert found.contrasts[1].further_for_stability == replicates_to_settle(1 / 5, 0, 0.1 / 3) - 5


@pytest.mark.parametrize("num_contrasts", [1, 2])
def test_the_need_of_an_arm_without_effect_is_at_alpha_over_the_equivalences(study, results_of, num_contrasts) -> None:
    base, arm = [90.0, 90.2, 89.8, 90.1, 89.9], [90.6, 89.4, 90.5, 89.4, 90.1]
    table = {1.0: base, 2.0: arm, 4.0: arm[::-1]} if num_contrasts == 2 else {1.0: base, 2.0: arm}
    found = analyse(study, results_of(study, table)).contrasts[0]
    pairs = replicates_to_resolve(found.mean, found.sd, 0.5, 0.05 / num_contrasts)
    assert found.verdict == "unresolved"
    assert found.further_replicates == pairs - 5 > 1


def test_the_need_of_one_contrast_with_an_effect_is_at_alpha_itself(study: Study, results_of) -> None:
    table = {1.0: [90.0, 90.2, 89.8, 90.1, 89.9], 2.0: [91.3, 90.3, 91.8, 90.0, 91.1]}
    found = analyse(study, results_of(study, table)).contrasts[0]
    assert found.verdict == "unresolved"
    assert found.mean > 0.5
    assert found.further_replicates == replicates_to_resolve(found.mean, found.sd, 0.5, 0.05) - 5


def test_a_large_difference_in_failures_is_told_in_whole_percentage_points() -> None:
    """Newcombe's interval of 8 of 10 against 0 of 10 ends at 38.4 and 94.3; an excess above 97.5 is excluded."""
    note = str(stability_note(failures(8, 0, 10), None, 0.05))
    assert "difference +80 [+38, +94] percentage points" in note
    assert "above 97 % is excluded" in note
    assert "above 94 % is excluded" in str(stability_note(failures(9, 1, 12), None, 0.05))
