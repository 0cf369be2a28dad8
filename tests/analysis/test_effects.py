"""Effects of factors: equal to what others compute, right where cells fail, and their intervals cover."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.anova import AnovaRM

from paribus import Study
from paribus.analysis import analyse
from paribus.analysis.effects import Effect, effects_on
from paribus.analysis.study_data import index_results
from paribus.metrics.known import METRICS
from paribus.study.designs.effects import line_weights, questions_of
from paribus.study.words import Arm, Outcome, TrialResult

GRID: dict[str, tuple[Any, ...]] = {"model.depth": (16, 10, 22), "model.width": (1.0, 2.0, 4.0)}
TWO: dict[str, tuple[Any, ...]] = {
    "model.depth": (16, 10),
    "model.width": (1.0, 2.0),
    "model.dropout": (0.0, 0.3),
    "optimizer.nesterov": (True, False),
}
LINES: dict[str, tuple[Any, ...]] = {
    "optimizer.lr": (0.1, 0.2, 0.3),
    "optimizer.weight_decay": (0.0005, 0.001, 0.002),
    "optimizer.momentum": (0.9, 0.8, 0.7),
    "model.width": (1.0, 2.0, 3.0),
    "model.depth": (16, 22, 28),
    "model.dropout": (0.0, 0.1, 0.2),
    "model.residual_scale": (1.0, 0.5, 0.2),
    "training.label_smoothing": (0.0, 0.1, 0.2),
    "data.batch_size": (64, 32, 128),
    "data.train_fraction": (1.0, 0.5, 0.25),
    "schedule.warmup_epochs": (0.0, 1.0, 2.0),
    "budget.amount": (6.0, 8.0, 10.0),
}
Value = Callable[[Arm, int], float]


def results(study: Study, value: Value, outcome: Callable[[Arm, int], Outcome] | None = None) -> list[TrialResult]:
    found = []
    for index, arm in enumerate(study.arms):
        for replicate in range(1, study.replicates + 1):
            ended = outcome(arm, replicate) if outcome else "finished"
            found.append(
                TrialResult(
                    trial_id=f"{index}-{replicate}",
                    arm=arm,
                    replicate=replicate,
                    outcome=ended,
                    metrics={} if ended in ("diverged", "failed") else {"top1": value(arm, replicate)},
                    outcome_step=5 if ended == "diverged" else None,
                    num_steps=10,
                )
            )
    return found


def effects(study: Study, value: Value, outcome: Callable[[Arm, int], Outcome] | None = None) -> dict[str, Effect]:
    return {effect.name: effect for effect in analyse(study, results(study, value, outcome), 10_000).effects}


def noisy(seed: int, spread: float = 1.0) -> Value:
    drawn = np.random.default_rng(seed)
    known: dict[tuple[Arm, int], float] = {}
    return lambda arm, replicate: known.setdefault((arm, replicate), 80 + spread * float(drawn.normal()))


def test_two_level_effects_have_the_p_of_a_repeated_measures_anova() -> None:
    study = Study(name="s", factors=dict(list(TWO.items())[:2]), replicates=6)
    value = noisy(1)
    found = effects(study, value)
    rows = [
        {"r": r, "y": value(arm, r), **{path.rpartition(".")[2]: str(level) for path, level in arm.levels}}
        for arm in study.arms
        for r in range(1, 7)
    ]
    table = AnovaRM(pd.DataFrame(rows), "y", "r", within=["depth", "width"]).fit().anova_table
    names = {
        "depth": "depth: 10 against 16",
        "width": "k: 2 against 1",
        "depth:width": "depth=10 with k=2",
    }
    for theirs, ours in names.items():
        assert found[ours].p == pytest.approx(table.loc[theirs, "Pr > F"], rel=1e-8)
        assert (found[ours].mean / (found[ours].sd / 6**0.5)) ** 2 == pytest.approx(table.loc[theirs, "F Value"])


def test_a_main_effect_is_the_difference_of_marginal_means_and_an_interaction_a_difference_of_differences() -> None:
    study = Study(name="s", factors=GRID, replicates=4)
    value = noisy(2)
    found = effects(study, value)
    cell = {
        (d, k): np.array([value(Arm.of({"model.depth": d, "model.width": k}), r) for r in range(1, 5)])
        for d in GRID["model.depth"]
        for k in GRID["model.width"]
    }
    main = sum(cell[22, k] - cell[16, k] for k in (1.0, 2.0, 4.0)) / 3
    both = cell[10, 4.0] - cell[10, 1.0] - cell[16, 4.0] + cell[16, 1.0]
    assert found["depth: 22 against 16"].values == pytest.approx(main)
    assert found["depth=10 with k=4"].values == pytest.approx(both)
    interval = found["depth: 22 against 16"].interval
    assert interval is not None
    low, high = stats.t.interval(0.95, 3, main.mean(), stats.sem(main))
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert found["depth=10 with k=4"].p == pytest.approx(stats.ttest_1samp(both, 0).pvalue)
    middle = np.median([cell[22, k] - cell[16, k] for k in (1.0, 2.0, 4.0)], axis=0)
    assert found["depth: 22 against 16"].robust_mean == pytest.approx(middle.mean())
    assert found["depth: 22 against 16"].num_backgrounds == 3


def test_p_is_corrected_over_the_effects_of_the_study() -> None:
    from statsmodels.stats.multitest import multipletests

    found = effects(Study(name="s", factors=GRID, replicates=4), noisy(3)).values()
    theirs = multipletests([effect.p for effect in found], method="holm")[1]
    assert [effect.p_holm for effect in found] == pytest.approx(theirs)


def test_a_trend_is_the_rise_of_the_least_squares_line_over_the_levels_or_their_logarithm() -> None:
    study = Study(name="s", factors=GRID, replicates=3)
    value = noisy(4)
    found = effects(study, value)
    slopes = [
        np.mean(
            [
                np.polyfit([0, 1, 2], [value(Arm.of({"model.depth": d, "model.width": k}), r) for k in (1, 2, 4)], 1)[0]
                for d in GRID["model.depth"]
            ]
        )
        for r in (1, 2, 3)
    ]
    assert found["k: line from 1 to 4 (over log2)"].values == pytest.approx([2 * slope for slope in slopes])
    depth = found["depth: line from 10 to 22"]
    assert depth.mean == pytest.approx(
        12
        * np.mean(
            [
                np.polyfit(
                    [16, 10, 22], [value(Arm.of({"model.depth": d, "model.width": k}), r) for d in (16, 10, 22)], 1
                )[0]
                for k in (1.0, 2.0, 4.0)
                for r in (1, 2, 3)
            ]
        )
    )


@pytest.mark.parametrize("levels", [(1, 2), (True, False, 3), ("a", "b", "c"), (1.0, None, 3.0)])
def test_there_is_no_line_through_what_is_no_order(levels: tuple[Any, ...]) -> None:
    assert line_weights(levels) is None


def test_one_factor_at_a_time_has_trends_and_nothing_that_its_contrasts_say_already() -> None:
    study = Study(name="s", factors=GRID, design="one_at_a_time")
    assert [effect.kind for effect in effects(study, noisy(5)).values()] == ["trend", "trend"]


def test_a_design_whose_arms_say_it_all_has_no_effects() -> None:
    assert effects(Study(name="s", factors={"model.depth": (16, 10)}), noisy(6)) == {}


def test_effects_leave_out_the_backgrounds_that_fail_to_train_and_count_the_failures() -> None:
    study = Study(name="s", factors=GRID, replicates=5)

    def outcome(arm: Arm, replicate: int) -> Outcome:
        return "diverged" if arm.as_dict() == {"model.depth": 22, "model.width": 4.0} and replicate > 3 else "finished"

    value = noisy(7)
    found = effects(study, value, outcome)
    main = found["depth: 22 against 16"]
    assert (main.num_backgrounds, main.n, main.failed) == (2, 5, (2, 0, 15))
    assert main.robust is None  # two backgrounds have no middle
    lost = found["depth=22 with k=4"]
    assert lost.interval is None
    assert "fail to train" in lost.note
    notes = analyse(study, results(study, value, outcome), 10_000).notes
    assert any("1 of 9 do not (depth=22 · k=4)" in note for note in notes)


def test_a_replicate_without_a_result_in_one_cell_is_left_out_of_the_effects_over_it() -> None:
    study = Study(name="s", factors=GRID, replicates=5)

    def outcome(arm: Arm, replicate: int) -> Outcome:
        return "failed" if arm.as_dict() == {"model.depth": 22, "model.width": 4.0} and replicate == 2 else "finished"

    found = effects(study, noisy(8), outcome)
    assert found["depth: 22 against 16"].replicates == (1, 3, 4, 5)
    assert found["depth: 10 against 16"].n == 5


def test_a_fraction_tells_main_effects_as_differences_of_halves() -> None:
    study = Study(name="s", factors=TWO, design="fractional", replicates=4)
    truth = {"model.depth": 1.0, "model.width": -2.0, "model.dropout": 0.0, "optimizer.nesterov": 0.5}

    def value(arm: Arm, replicate: int) -> float:
        changed = [path for path, level in arm.levels if level != TWO[path][0]]
        both = 4.0 if {"model.depth", "model.width"} <= set(changed) else 0.0
        return 80 + replicate + sum(truth[path] for path in changed) + both + 1e-3 * float(noise(arm, replicate))

    noise = noisy(9)
    found = effects(study, value)
    # Resolution 4: an interaction of two factors stays out of every main effect, but for its half that is one.
    assert found["depth: 10 against 16"].mean == pytest.approx(1.0 + 2.0, abs=0.01)
    assert found["dropout: 0.3 against 0"].mean == pytest.approx(0.0, abs=0.01)
    assert found["depth:k"].mean == pytest.approx(4.0, abs=0.01)
    assert found["depth:k"].mixed_with == "dropout:nesterov"
    assert len([effect for effect in found.values() if effect.kind == "interaction"]) == 3


def test_a_fraction_with_an_unstable_cell_tells_nothing() -> None:
    study = Study(name="s", factors=TWO, design="fractional", replicates=4)
    found = effects(study, noisy(10), lambda arm, r: "diverged" if arm == study.arms[3] and r == 1 else "finished")
    assert len(found) == 7
    assert all(effect.interval is None for effect in found.values())


def test_what_a_fraction_mixes_is_said() -> None:
    study = Study(name="s", factors=TWO, design="fractional", resolution=3, replicates=3)
    three = Study(name="s", factors=dict(list(TWO.items())[:3]), design="fractional", resolution=3, replicates=3)
    assert effects(study, noisy(11))["k: 2 against 1"].mixed_with == ""  # four factors need eight arms, and get IV
    assert effects(three, noisy(11))["k: 2 against 1"].mixed_with == "depth:dropout"
    notes = analyse(three, results(three, noisy(11)), 10_000).notes
    assert any(note.startswith("3 of 3 effects are mixed") for note in notes)


def test_a_square_tells_differences_between_the_means_of_its_levels() -> None:
    factors = {**GRID, "optimizer.lr": (0.1, 0.05, 0.2)}
    study = Study(name="s", factors=factors, design="latin_square", replicates=3)
    value = noisy(12)
    found = effects(study, value)["k: 4 against 1"]

    def mean(level: float, replicate: int) -> float:
        return float(np.mean([value(arm, replicate) for arm in study.arms if arm.as_dict()["model.width"] == level]))

    assert found.values == pytest.approx([mean(4.0, r) - mean(1.0, r) for r in (1, 2, 3)])


def test_a_square_tells_the_line_through_the_means_of_its_levels() -> None:
    factors = {**GRID, "optimizer.lr": (0.1, 0.05, 0.2)}
    study = Study(name="s", factors=factors, design="latin_square", replicates=4)
    value = noisy(12)
    found = effects(study, value)
    trends = {name: effect for name, effect in found.items() if effect.kind == "trend"}
    assert set(trends) == {
        "depth: line from 10 to 22",
        "k: line from 1 to 4 (over log2)",
        "lr: line from 0.05 to 0.2 (over log2)",
    }
    trend = trends["depth: line from 10 to 22"]
    assert (trend.num_backgrounds, trend.mixed_with) == (1, "interactions of the other factors")
    for replicate, rise in zip(trend.replicates, trend.values, strict=True):
        pairs = [(arm.as_dict()["model.depth"], value(arm, replicate)) for arm in study.arms]
        slope = np.polyfit([float(depth) for depth, _ in pairs], [top1 for _, top1 in pairs], 1)[0]
        assert rise == pytest.approx(12 * slope)
    unordered = {**factors, "model.norm": ("batch", "none", "group")}
    del unordered["optimizer.lr"]
    square = Study(name="s", factors=unordered, design="latin_square", replicates=3)
    assert not any("norm: line" in name for name in effects(square, noisy(12)))


def test_two_components_that_do_the_same_work_interact() -> None:
    study = Study(
        name="s",
        ablate={"optimizer.nesterov": False, "model.width": 2.0},
        design="leave_two_out",
        replicates=3,
    )
    loss = {"full": 0.0, "without nesterov": -1.0, "without k": -1.0, "without nesterov and k": -5.0}
    noise = noisy(13, 0.01)
    found = effects(study, lambda arm, r: loss[arm.name] + noise(arm, r))
    assert [effect.name for effect in found.values()] == ["nesterov with k, both away"]
    assert next(iter(found.values())).mean == pytest.approx(-3.0, abs=0.1)


def test_a_baseline_beside_the_grid_takes_no_part_in_effects() -> None:
    study = Study(name="s", factors={"model.width": (2.0, 4.0), "model.depth": (10, 22)}, replicates=3)
    assert len(study.arms) == 5
    found = effects(study, noisy(14))
    assert set(found) == {"k: 4 against 2", "depth: 22 against 10", "k=4 with depth=22"}


def test_a_coarse_metric_floors_the_sd_of_a_mean_by_as_many_differences_as_it_averages() -> None:
    study = Study(name="s", factors=TWO, design="fractional", replicates=5)
    step = 100 / 360
    noise = noisy(16, 0.25)
    found = analyse(study, results(study, lambda arm, r: step * round(noise(arm, r) / step)), 360).effects
    for effect in found:
        assert effect.sd == pytest.approx(np.std(effect.values, ddof=1))
    assert min(effect.sd for effect in found) < step, "a whole example as the floor would be seen"


def test_many_factors_one_at_a_time_are_no_product_of_their_levels() -> None:
    study = Study(name="s", factors=LINES, design="one_at_a_time", replicates=3)
    assert len(questions_of(study, lambda arm: True)) == len(LINES)  # 3 ** 11 backgrounds each would take half a minute


def test_effects_over_unlike_backgrounds_are_said_and_those_of_a_whole_factorial_are_not() -> None:
    gone = ({"model.depth": (10, 22), "model.width": (2.0,)},)
    whole, part = (Study(name="s", factors=GRID, exclude=out, replicates=3) for out in ((), gone))
    told = [analyse(study, results(study, noisy(18)), 10_000).notes for study in (whole, part)]
    assert not any("backgrounds" in note for note in told[0])
    assert sum("the main effects of k rest on 1 to 3 backgrounds" in note for note in told[1]) == 1
    wide = Study(name="s", factors={**GRID, "model.dropout": (0.0, 0.3)}, replicates=3)
    assert not any("backgrounds" in note for note in analyse(wide, results(wide, noisy(19)), 10_000).notes)


def test_a_factor_of_one_level_crosses_nothing() -> None:
    study = Study(name="s", factors={"model.depth": (16,), "model.width": (1.0, 2.0)}, replicates=3)
    assert effects(study, noisy(17)) == {}


def test_intervals_of_effects_cover_whatever_the_cells_spreads_and_their_correlation() -> None:
    study = Study(name="s", factors=GRID, replicates=5)
    drawn, missed, tested = np.random.default_rng(15), 0, 0
    spreads = {arm: 0.1 * 3**index for index, arm in enumerate(study.arms[:5])}
    for _ in range(400):
        common = drawn.normal(size=6)

        def value(arm: Arm, replicate: int, common: Any = common) -> float:
            return 80 + common[replicate] + spreads.get(arm, 0.3) * float(drawn.normal())

        data = index_results(study, results(study, value), 10_000)
        for effect in effects_on(study, data, METRICS["top1"]):
            assert effect.interval is not None
            missed += not effect.interval.low <= 0 <= effect.interval.high
            tested += 1
    # 400 studies of 10 effects, which are not independent of each other: 5 % with a standard error of about 0.7.
    assert 0.03 < missed / tested < 0.07
