"""An adaptive study stops where it is resolved or futile, and whoever asks comes to the same stage."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import special

from paribus import Adaptive, Claim, Study
from paribus.analysis import analyse
from paribus.analysis.stages import Stage, hours_asked, replicates_asked, stage_of, trials_asked
from paribus.analysis.statistics.spending import PlannedLooks, nominal_levels
from paribus.analysis.study_data import index_results
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, WORSE, judge
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


def test_a_claims_setting_names_the_replicates_that_it_is_judged_on_and_not_those_that_were_never_asked_for() -> None:
    made = replace(study(), claim=Claim("deeper is better", "a paper"))
    found = analyse(made, results(made, {22: -20.0, 28: 1.5}, spread=1.0, seed=1, upto=6), 100_000)
    assert found.claim is not None
    assert found.claim.differences[1].endswith(", 100000 evaluation images, 4 to 6 replicates")
    early = analyse(made, results(made, {22: -20.0, 28: 1.5}, spread=1.0, seed=1, upto=4), 100_000)
    assert early.claim is not None
    assert early.claim.differences[1].endswith(", 4 replicates")


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


def timed(found: list[TrialResult], seconds: dict[int, float], **more: float) -> list[TrialResult]:
    """The results, each trial with the time of its arm."""
    return [
        replace(one, metrics={**one.metrics, "total_s": seconds[int(one.arm.levels[0][1])], **more})  # type: ignore[arg-type]
        for one in found
    ]


# Four replicates of three arms took 80 s each way; the look at 6 takes six of 10, 20 and 30 s, a tenth of an hour.
SECONDS = {16: 10.0, 22: 20.0, 28: 30.0}


@pytest.mark.parametrize(("hours", "spent"), [(0.099, True), (0.101, False)])
def test_a_budget_of_hours_ends_the_study_before_the_look_that_would_pass_it(hours: float, spent: bool) -> None:
    made = replace(study(), replicates=Adaptive(LOOKS, hours=hours))
    whole = timed(results(made, {22: 0.9, 28: 0.9}, spread=1.0), SECONDS)
    first = [r for r in whole if r.replicate <= 4]
    found = stage(made, first)
    assert (found.spent, found.ended) == (spent, spent)
    assert not stage(made, []).spent, "before the first look nothing is known of time"
    notes = analyse(made, first, 100_000).notes
    assert any(f"the budget of {hours:g} hours ends the study" in note for note in notes) == spent


def test_what_a_budget_of_hours_decides_is_the_same_whatever_ended_since() -> None:
    """A driver that is killed and goes on has more results than the one that decided, and other times among them."""
    made = replace(study(), replicates=Adaptive(LOOKS, hours=0.099))
    whole = results(made, {22: 0.9, 28: 0.9}, spread=1.0)
    quick = dict.fromkeys(SECONDS, 0.001)
    seen = timed([r for r in whole if r.replicate <= 4], SECONDS)
    later = timed([r for r in whole if r.replicate > 4], quick)
    assert stage(made, [*seen, *later]) == stage(made, seen)


def test_hours_are_a_gpus_where_there_is_one_and_an_arm_without_a_time_takes_the_others() -> None:
    made = replace(study(), replicates=Adaptive(LOOKS, hours=0.1))
    first = [r for r in results(made, {22: 0.9, 28: 0.9}, spread=1.0) if r.replicate <= 4]
    on_gpu = timed(first, SECONDS, gpu_s=5.0)
    data = index_results(made, on_gpu, 100_000)
    assert hours_asked(data, stage(made, on_gpu)) == pytest.approx(3 * 6 * 5 / 3600)
    some = [
        *timed([r for r in first if r.arm != arm(made, 28)], SECONDS),
        *[r for r in first if r.arm == arm(made, 28)],
    ]
    data = index_results(made, some, 100_000)
    assert hours_asked(data, stage(made, some)) == pytest.approx(6 * (10 + 20 + 15) / 3600)
    assert hours_asked(index_results(made, first, 100_000), stage(made, first)) == 0, "nothing is told, nothing ends"


def test_effects_rest_on_the_first_look_which_every_arm_has() -> None:
    factors = {"model.depth": (16, 22), "model.dropout": (0.0, 0.3)}
    made = Study(name="a", factors=factors, replicates=Adaptive(LOOKS), margin=1.0)
    effects = {22: -20.0}
    whole = results(made, effects, spread=1.0)
    alone = replace(made, replicates=4)
    first = [r for r in whole if r.replicate <= 4]
    found, fixed = analyse(made, whole, 100_000), analyse(alone, first, 100_000)
    assert repr(found.effects) == repr(fixed.effects) != "()"
    assert {effect.n for effect in found.effects} == {4}
    (note,) = [note for note in found.notes if note.startswith("effects rest on")]
    assert note.startswith("effects rest on the 4 replicates of the first look, which every arm has")
    assert not any(note.startswith("effects rest on") for note in fixed.notes)


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


def outcomes(made: Study, ends: Any, values: Any = lambda index, r: 80.0) -> list[TrialResult]:
    """Results whose outcome `ends` tells by the arm's index and the replicate."""
    return [
        TrialResult(
            trial_id=f"{index}-{r}",
            arm=one,
            replicate=r,
            outcome=ends(index, r),
            metrics={"top1": values(index, r)} if ends(index, r) == "finished" else {},
            num_steps=10,
        )
        for index, one in enumerate(made.arms)
        for r in range(1, made.replicates + 1)
    ]


def test_an_arm_whose_failures_are_what_is_open_is_never_futile() -> None:
    made = study((4, 6, 9, 13, 20), depths=(16, 22))
    noise = np.random.default_rng(5).normal(0, 2.5, (2, 21))
    drawn = outcomes(
        made,
        lambda index, r: "diverged" if index and r % 2 == 0 else "finished",
        lambda index, r: 80 + float(noise[index, r]),
    )
    found = stage(made, drawn)
    assert found.futile == frozenset()
    (contrast,) = analyse(made, drawn, 100_000).contrasts
    assert contrast.verdict == "worse (unstable)"


def test_an_arm_that_is_resolved_no_more_goes_on_with_the_others() -> None:
    """A failure of another arm adds a test to Holm's family, and the p of an earlier look may then be too large."""
    made = study((4, 6, 9))
    back = 0
    for seed in range(60):
        noise = np.random.default_rng(seed).normal(0, 1.0, (3, 10))
        drawn = outcomes(
            made,
            lambda index, r: "diverged" if (index, r) == (2, 5) else "finished",
            lambda index, r, noise=noise: 80 + (-6.0 if index == 1 else 0.4 * index) + float(noise[index, r]),
        )
        found = stage(made, drawn)
        verdicts = {c.arm: c.verdict for c in analyse(made, drawn, 100_000).contrasts}
        for one in found.at:
            unresolved = verdicts[one] == "unresolved" and one not in found.futile
            assert not unresolved or found.replicates_of(one) == 9, "who is unresolved has come to the last look"
        early = stage(made, [r for r in drawn if r.replicate <= 4])
        back += arm(made, 22) not in early.going and found.replicates_of(arm(made, 22)) > 4
    assert back > 0, "no study of these came back: the test sees nothing"


def test_the_sd_of_deltas_is_that_of_the_look_whatever_lies_beyond_it() -> None:
    made = study()
    whole = results(made, {22: -20.0, 28: 1.5}, spread=1.0, seed=1)
    far = [r for r in whole if r.arm != arm(made, 22) or r.replicate <= 4]
    one, two = (analyse(made, drawn, 100_000).contrasts[0] for drawn in (whole, far))
    assert one.pairing == two.pairing
    assert one.stability == two.stability


@pytest.mark.parametrize(("effect", "false"), [(0.0, (BETTER, WORSE)), (1.0, (EQUIVALENT, SMALL_DIFFERENCE))])
def test_looks_that_are_planned_hold_the_error_that_looks_as_such_do_not(effect: float, false: tuple[int, ...]) -> None:
    looks, spread = (4, 6, 9, 13, 20, 30), 2.0 if effect == 0 else 0.5
    runs = spread * np.random.default_rng(int(effect)).standard_normal((4_000, 2, 30))
    deltas = runs[:, 1:] - runs[:, :1] + effect
    wrong = {True: np.zeros(4_000, dtype=bool), False: np.zeros(4_000, dtype=bool)}
    for index, look in enumerate(looks):
        planned = PlannedLooks(replicates=looks, at=np.full((4_000, 1), index))
        for is_planned in wrong:
            found = judge(deltas[..., :look], margin=1.0, planned=planned if is_planned else None)
            wrong[is_planned] |= np.isin(found.codes, false).any(axis=-1)
    assert wrong[True].mean() < 0.06  # 5 %, with a standard error of 0.3
    assert wrong[False].mean() > 0.09
