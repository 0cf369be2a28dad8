"""An adaptive study stops where it is resolved or futile, and whoever asks comes to the same stage."""

from typing import Any

import numpy as np
import pytest
from scipy import special

from paribus import Adaptive, Study
from paribus.analysis import analyse
from paribus.analysis.stages import Stage, judge_at, replicates_asked, stage_of, trials_asked
from paribus.analysis.statistics.spending import nominal_levels
from paribus.analysis.study_data import index_results
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, WORSE
from paribus.metrics.known import METRICS
from paribus.study.words import Arm, TrialResult

LOOKS = (4, 6, 9, 13)
TOP1 = METRICS["top1"]


def study(looks: tuple[int, ...] = LOOKS, *, trials: int | None = None, depths: Any = (16, 22, 28)) -> Study:
    return Study(name="a", factors={"model.depth": depths}, replicates=Adaptive(looks, trials=trials), margin=1.0)


def results(made: Study, effects: dict[int, float], spread: float, seed: int = 0, upto: int = 99) -> list[TrialResult]:
    drawn = np.random.default_rng(seed).standard_normal((len(made.arms), made.replicates))
    return [
        TrialResult(
            trial_id=f"{index}-{r}",
            arm=arm,
            replicate=r,
            outcome="finished",
            metrics={"top1": 80 + effects.get(int(arm.levels[0][1]), 0.0) + spread * float(drawn[index, r - 1])},  # type: ignore[arg-type]
            num_steps=10,
        )
        for index, arm in enumerate(made.arms)
        for r in range(1, min(made.replicates, upto) + 1)
    ]


def stage(made: Study, found: list[TrialResult]) -> Stage:
    assert made.adaptive is not None
    return stage_of(index_results(made, found, 100_000), TOP1, made.adaptive)


def arm(made: Study, depth: int) -> Arm:
    return next(one for one in made.arms if one.levels[0][1] == depth)


def test_a_resolved_arm_gets_no_more_and_its_baseline_goes_on_with_the_others() -> None:
    made = study()
    found = stage(made, results(made, {22: -20.0, 28: 1.5}, spread=1.0, seed=1, upto=6))
    assert found.replicates_of(arm(made, 22)) == 4
    assert found.replicates_of(arm(made, 28)) == 6
    assert found.going == (arm(made, 28),)
    data = index_results(made, results(made, {22: -20.0, 28: 1.5}, spread=1.0, seed=1, upto=6), 100_000)
    assert replicates_asked(data, found) == {arm(made, 16): 9, arm(made, 22): 4, arm(made, 28): 9}
    assert trials_asked(data, found) == 22


def test_a_stage_goes_no_further_than_the_trials_that_have_ended() -> None:
    made = study()
    whole = results(made, {22: 0.5, 28: 0.5}, spread=2.0)
    assert stage(made, []).replicates_of(arm(made, 22)) == 0
    assert stage(made, [r for r in whole if r.replicate <= 3]).at == {arm(made, 22): -1, arm(made, 28): -1}
    part = [r for r in whole if r.replicate <= 5 or (r.replicate == 6 and r.arm == arm(made, 22))]
    assert stage(made, part).replicates_of(arm(made, 22)) == 4, "a look is at all arms that go on, or at none"


def test_replicates_beyond_a_look_change_nothing_of_it() -> None:
    made = study()
    whole = results(made, {22: -20.0, 28: 0.0}, spread=1.0)
    far = [r for r in whole if r.arm != arm(made, 22) or r.replicate <= 4]
    one, two = (analyse(made, found, 100_000).contrasts for found in (whole, far))
    assert [(c.verdict, c.deltas, c.interval) for c in one] == [(c.verdict, c.deltas, c.interval) for c in two]


def test_the_last_look_ends_the_study_whatever_is_unresolved() -> None:
    made = study((4, 6), depths=(16, 22))
    found = stage(made, results(made, {22: 0.8}, spread=0.9, seed=2))
    assert found.ended
    assert found.going == ()
    (contrast,) = analyse(made, results(made, {22: 0.8}, spread=0.9, seed=2), 100_000).contrasts
    assert contrast.verdict == "unresolved"
    assert "judged at the look at 6 replicates, the last" in contrast.notes
    assert contrast.further_replicates is None


def test_an_arm_that_the_last_look_would_hardly_resolve_stops_as_futile() -> None:
    made = study((4, 6, 9), depths=(16, 22))
    found = stage(made, results(made, {22: 0.0}, spread=30.0, seed=1))
    assert found.futile == {arm(made, 22)}
    assert found.replicates_of(arm(made, 22)) == 4
    (contrast,) = analyse(made, results(made, {22: 0.0}, spread=30.0, seed=1), 100_000).contrasts
    assert any("futile: less than 10 % chance of any verdict by 9" in note for note in contrast.notes)


def test_a_budget_of_trials_ends_the_study_before_the_look_that_would_pass_it() -> None:
    whole = results(study(), {22: 0.9, 28: 0.9}, spread=1.0)
    assert not stage(study(trials=18), [r for r in whole if r.replicate <= 4]).spent
    made = study(trials=17)  # the look at 6 takes 18
    found = stage(made, whole)
    assert found.spent
    assert found.ended
    assert [found.replicates_of(arm(made, depth)) for depth in (22, 28)] == [4, 4]
    assert any("the budget of 17 trials ends the study" in note for note in analyse(made, whole, 100_000).notes)


def test_a_trial_without_a_result_does_not_hold_up_a_look() -> None:
    made = study()
    whole = results(made, {}, spread=1.0, upto=4)
    lost = TrialResult(trial_id="lost", arm=arm(made, 22), replicate=4, outcome="failed")
    found = [r for r in whole if (r.arm, r.replicate) != (lost.arm, 4)]
    assert stage(made, found).replicates_of(arm(made, 28)) == 0
    assert stage(made, [*found, lost]).replicates_of(arm(made, 28)) == 4


def test_an_arm_that_fails_every_time_is_unstable_by_the_looks_that_the_exact_test_takes() -> None:
    made = study(depths=(16, 22))
    alive = [r for r in results(made, {}, spread=0.1) if r.arm == arm(made, 16)]
    dead = [TrialResult(trial_id=f"d{r}", arm=arm(made, 22), replicate=r, outcome="diverged") for r in range(1, 14)]
    found = stage(made, [*alive, *dead])
    assert found.replicates_of(arm(made, 22)) == 6  # 4 against 0: p = 0.008, more than the first look may spend
    (contrast,) = analyse(made, [*alive, *dead], 100_000).contrasts
    assert contrast.verdict == "worse (unstable)"


def test_intervals_are_those_of_the_look() -> None:
    made = study((4, 6), depths=(16, 22))
    (contrast,) = analyse(made, results(made, {22: -20.0}, spread=1.0), 100_000).contrasts
    level = 1 - nominal_levels((4, 6), 0.045, sides=2)[0]
    half = special.stdtrit(3, 0.5 + level / 2) * contrast.sd / 2
    assert contrast.interval is not None
    assert contrast.interval.level == pytest.approx(level)
    assert contrast.half_width == pytest.approx(half)


def test_what_is_expected_is_what_the_looks_have_asked_for() -> None:
    made = study()
    found = analyse(made, results(made, {22: -20.0, 28: 1.5}, spread=1.0, seed=1, upto=6), 100_000)
    assert found.num_expected == 22
    assert any(note == "the next look is at 9 replicates, for depth=28" for note in found.notes)


@pytest.mark.parametrize(("effect", "false"), [(0.0, (BETTER, WORSE)), (1.0, (EQUIVALENT, SMALL_DIFFERENCE))])
def test_the_real_stopping_rule_holds_its_error(effect: float, false: tuple[int, ...]) -> None:
    made = study((4, 6, 9), depths=(16, 22, 28))
    wrong = 0
    for seed in range(300):
        drawn = results(made, {22: effect, 28: effect}, spread=0.5, seed=seed)
        data = index_results(made, drawn, 100_000)
        assert made.adaptive is not None
        at = stage_of(data, TOP1, made.adaptive)
        assert at.ended
        wrong += bool(np.isin(judge_at(data, TOP1, at)[2].codes, false).any())
    # 5 % of 300 is 15, with a standard error of 3.8.
    assert wrong <= 26
