"""Means at the levels of one or two factors: over the same backgrounds, with the replicate as the block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from paribus import Study
from paribus.analysis import StudyAnalysis, analyse
from paribus.analysis.exploratory.cells import cell_means
from paribus.study.words import Arm, Outcome, TrialResult

DEPTH, WIDTH, DROP = "model.depth", "model.width", "model.dropout"


def judged(outcome: Callable[[Arm, int], Outcome] = lambda arm, r: "finished", **fields: object) -> StudyAnalysis:
    factors = {DEPTH: (16, 10), WIDTH: (1.0, 2.0), DROP: (0.0, 0.3)}
    study = Study(**{"name": "cells", "factors": factors, "replicates": 4, "margin": 1.0, **fields})  # type: ignore[arg-type]
    found = [
        TrialResult(
            trial_id=f"{arm.name}-{r}",
            arm=arm,
            replicate=r,
            outcome=outcome(arm, r),
            metrics={"top1": value(arm, r)} if outcome(arm, r) == "finished" else {},
            num_steps=10,
        )
        for arm in study.trained
        for r in range(1, 5)
    ]
    return analyse(study, found, num_eval=1000)


def value(arm: Arm, replicate: int) -> float:
    """Depth and width interact: the second width gains 4 at depth 16 and loses 2 at depth 10."""
    level = arm.as_dict()
    gain = (4.0 if level[DEPTH] == 16 else -2.0) * (level[WIDTH] == 2.0)
    return 80 + gain - 10 * float(str(level[DROP])) + (1.5, -0.4, 0.3, -1.1)[replicate - 1]


def test_a_cell_is_the_mean_over_backgrounds_and_its_interval_that_of_the_replicates_block_means() -> None:
    found = judged()
    cells = {cell.levels: cell for cell in cell_means(found.arms, found.metric, (DEPTH, WIDTH))}
    assert set(cells) == {(16, 1.0), (16, 2.0), (10, 1.0), (10, 2.0)}
    noise = np.array((1.5, -0.4, 0.3, -1.1))
    for (depth, width), cell in cells.items():
        gain = (4.0 if depth == 16 else -2.0) * (width == 2.0)
        blocks = 80 + gain - 1.5 + noise
        assert (cell.n, cell.num_backgrounds, cell.failed, cell.ended) == (4, 2, 0, 8)
        assert cell.mean == pytest.approx(blocks.mean())
        assert cell.interval is not None
        expected = stats.t.interval(0.95, 3, blocks.mean(), stats.sem(blocks))
        assert (cell.interval.low, cell.interval.high) == pytest.approx(expected)


def test_a_background_in_which_a_cell_fails_is_left_out_for_all_and_its_failures_are_counted() -> None:
    def outcome(arm: Arm, replicate: int) -> Outcome:
        level = arm.as_dict()
        return (
            "diverged" if (level[DEPTH], level[WIDTH], level[DROP]) == (10, 2.0, 0.3) and replicate > 2 else "finished"
        )

    found = judged(outcome)
    cells = {cell.levels: cell for cell in cell_means(found.arms, found.metric, (DEPTH, WIDTH))}
    assert {cell.num_backgrounds for cell in cells.values()} == {1}, "two means side by side are over the same ones"
    assert cells[16, 1.0].mean == pytest.approx(80.075)
    assert (cells[10, 2.0].failed, cells[10, 2.0].ended) == (2, 8)


def test_a_replicate_without_a_result_in_one_cell_is_in_no_mean() -> None:
    found = judged(lambda arm, r: "failed" if r == 1 and arm.as_dict()[DEPTH] == 10 else "finished")
    cells = cell_means(found.arms, found.metric, (WIDTH,))
    assert [cell.n for cell in cells] == [3, 3]
    assert [cell.ended for cell in cells] == [14, 14]


def test_a_cell_that_fails_in_every_background_has_no_mean_and_takes_none_from_the_others() -> None:
    dead = judged(lambda arm, r: "dead" if arm.as_dict()[DEPTH] == 10 else "finished")
    alive, gone = cell_means(dead.arms, dead.metric, (DEPTH,))
    assert (alive.num_backgrounds, alive.n, alive.failed) == (4, 4, 0)
    assert (gone.mean, gone.interval, gone.n, gone.num_backgrounds) == (None, None, 0, 0)
    assert (gone.failed, gone.ended) == (16, 16)


def test_where_no_background_has_every_cell_there_is_no_mean_and_where_replicates_are_few_no_interval() -> None:
    crossed = judged(
        lambda arm, r: "dead" if (arm.as_dict()[DEPTH] == 10) == (arm.as_dict()[WIDTH] == 2.0) else "finished"
    )
    assert [(cell.mean, cell.n) for cell in cell_means(crossed.arms, crossed.metric, (DEPTH,))] == [(None, 0)] * 2
    few = judged(lambda arm, r: "finished" if r <= 2 else "failed")
    assert all(cell.interval is None and cell.n == 2 for cell in cell_means(few.arms, few.metric, (DEPTH,)))


def test_a_baseline_that_is_trained_again_is_no_level() -> None:
    found = judged(noise_floor=True)
    assert any(each.arm.again for each in found.arms)
    assert [cell.ended for cell in cell_means(found.arms, found.metric, (DEPTH,))] == [16, 16]
