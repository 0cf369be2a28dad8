"""Figures of factors: every effect with interval and replicates, and levels side by side."""

from __future__ import annotations

import pytest

from paribus import Study
from paribus.analysis import StudyAnalysis, analyse
from paribus.report.drawing.figures.effect_figures import cell_rows, cells_of, effects_forest, factors_of, levels_figure
from paribus.study.words import Arm, TrialResult

DEPTH, WIDTH = "model.depth", "model.width"


def judged(dead: tuple[int, ...] = (), **fields: object) -> tuple[Study, StudyAnalysis]:
    """Widths whose gain depends on the depth; every net of a `dead` depth dies."""
    usual = {"name": "grid", "factors": {DEPTH: (16, 10), WIDTH: (1.0, 2.0, 4.0)}, "replicates": 4, "margin": 1.0}
    study = Study(**{**usual, **fields})  # type: ignore[arg-type]

    def one(arm: Arm, replicate: int) -> TrialResult:
        level = arm.as_dict()
        ends = level[DEPTH] in dead
        gain = float(str(level[WIDTH])) * (1.0 if level[DEPTH] == 16 else -0.5)
        metrics = {} if ends else {"top1": 80 + gain + (0.3, -0.2, 0.1, -0.4)[replicate - 1] * float(str(level[WIDTH]))}
        return TrialResult(
            trial_id=f"{arm.name}{replicate}",
            arm=arm,
            replicate=replicate,
            outcome="dead" if ends else "finished",
            metrics=metrics,
            outcome_step=3 if ends else None,
            num_steps=10,
        )

    return study, analyse(study, [one(arm, r) for arm in study.trained for r in range(1, 5)], num_eval=1000)


def test_every_effect_of_a_kind_has_its_interval_its_mean_and_its_replicates() -> None:
    _, found = judged()
    for kind in ("main", "interaction", "trend"):
        own = [each for each in found.effects if each.kind == kind]
        figure = effects_forest(found, kind)
        assert figure is not None
        points, line, mean = figure.data[:3]
        assert list(points.x) == list(own[0].values)
        assert own[0].interval is not None
        assert list(line.x) == [own[0].interval.low, own[0].interval.high]
        assert list(mean.x) == [own[0].mean]
        assert len({trace.y[0] for trace in figure.data}) == len(own)
    assert "95 % intervals" in effects_forest(found, "main").layout.title.text  # type: ignore[union-attr]
    assert "points" in effects_forest(found, "main").layout.xaxis.title.text  # type: ignore[union-attr]


def test_levels_stand_side_by_side_with_intervals_a_line_for_each_level_of_the_second_factor() -> None:
    study, found = judged()
    names = factors_of(study, found)
    assert names == {DEPTH: "depth", WIDTH: "k"}
    figure = levels_figure(study, found, (WIDTH, DEPTH), names)
    assert figure is not None
    assert [trace.name for trace in figure.data] == ["depth=16", "depth=10"]
    assert list(figure.layout.xaxis.ticktext) == ["1", "2", "4"]
    cells = cells_of(study, found, (WIDTH, DEPTH))
    shallow = [cell for cell in cells if cell.levels[1] == 10]
    assert list(figure.data[1].y) == pytest.approx([cell.mean for cell in shallow])
    assert shallow[0].interval is not None
    assert figure.data[1].error_y.array[0] == pytest.approx(shallow[0].interval.high - (shallow[0].mean or 0.0))
    assert not set(figure.data[0].x) & set(figure.data[1].x), "no interval hides another"
    row = cell_rows(study, found, (WIDTH, DEPTH), names)[0]
    assert (row["k"], row["depth"], row["n"], row["failed to train"]) == ("1", "16", "4", "0 of 4")
    assert row["mean top-1 (%)"].startswith("80.95 [")


def test_what_fails_in_every_background_is_drawn_by_no_mean_and_counted_in_the_table() -> None:
    study, found = judged(dead=(10,))
    names = factors_of(study, found)
    depths = levels_figure(study, found, (DEPTH,), names)
    assert depths is not None
    assert list(depths.data[0].x) == [0.0]
    assert [row["failed to train"] for row in cell_rows(study, found, (DEPTH,), names)] == ["0 of 12", "12 of 12"]
    assert cell_rows(study, found, (DEPTH,), names)[1]["mean top-1 (%)"] == "-"
    whole, gone = judged(dead=(16, 10))
    assert levels_figure(whole, gone, (DEPTH,), names) is None
    assert levels_figure(study, found, (WIDTH,), names) is not None, "the other depth has every width"


def test_a_baseline_beside_the_grid_is_no_level_and_a_study_without_factors_has_none() -> None:
    study, found = judged(factors={DEPTH: (16, 10), WIDTH: (2.0, 4.0)})
    assert len(study.arms) == 5, "the preset's own width is none of these: it stands beside them"
    assert {cell.levels for cell in cells_of(study, found, (WIDTH,))} == {(2.0,), (4.0,)}
    assert factors_of(None, found) == {}
    assert effects_forest(judged(dead=(16, 10))[1], "main") is None
