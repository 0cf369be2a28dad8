"""Figures carry what a reader needs: labels, units, the margin, every replicate, marks for what failed."""

import subprocess
import sys
from dataclasses import replace

import pytest

from paribus.analysis import analyse
from paribus.report.drawing.figures.plots import Curve, effects_figure, learning_curves_figure
from paribus.study import Study
from paribus.study.words import Arm

TABLE = {
    1.0: [90.0, 90.2, 89.8, 90.1, 89.9],
    2.0: [95.0, 95.4, 94.8, 95.2, 95.3],
    4.0: [90.1, "dead", 90.4, 90.0, 90.3],
}


def test_effects_show_every_replicate_the_intervals_and_the_margin(study: Study, results_of) -> None:
    contrasts = analyse(study, results_of(study, TABLE)).contrasts
    figure = effects_figure(contrasts)
    points = [trace for trace in figure.data if trace.name == "one replicate"]
    assert [len(trace.x) for trace in points] == [5, 4]
    assert [tuple(trace.customdata) for trace in points] == [contrast.replicates for contrast in contrasts]
    intervals = [tuple(trace.x) for trace in figure.data if trace.name == "95 % interval"]
    assert intervals == [(c.interval.low, c.interval.high) for c in contrasts if c.interval]
    band = next(shape for shape in figure.layout.shapes if shape.type == "rect")
    assert (band.x0, band.x1) == (-0.5, 0.5)
    assert "points" in figure.layout.xaxis.title.text
    failed = [trace for trace in figure.data if trace.name == "pairs that failed to train"]
    assert [tuple(trace.text) for trace in failed] == [("1/5",)]


def test_effects_of_two_metrics_do_not_share_an_axis(study: Study, results_of) -> None:
    analysis = analyse(study, results_of(study, TABLE))
    with pytest.raises(ValueError, match="one metric"):
        effects_figure([*analysis.contrasts, *analysis.secondary])


def test_figures_without_results_say_so(study: Study) -> None:
    assert "No contrasts" in effects_figure([]).layout.title.text
    assert "No curves" in learning_curves_figure([], "top-1 (%)").layout.title.text
    effects_figure(analyse(study, []).contrasts).to_json()


def _curve(arm: str, replicate: int, values: list[float], outcome: str = "finished") -> Curve:
    return Curve(arm=arm, replicate=replicate, x=range(1, len(values) + 1), y=values, outcome=outcome)


def test_learning_curves_average_only_trials_that_trained() -> None:
    curves = [
        _curve("a", 1, [50.0, 80.0, 90.0]),
        _curve("a", 2, [60.0, 90.0, 92.0], "running"),
        _curve("a", 3, [40.0, float("nan")], "diverged"),
        _curve("b", 1, [10.0, 10.0], "dead"),
    ]
    figure = learning_curves_figure(curves, "top-1 accuracy (%)")
    mean = next(trace for trace in figure.data if trace.name == "a (n = 2)")
    assert tuple(mean.y) == (55.0, 85.0, 91.0)
    marks = {trace.name: (trace.x[0], trace.y[0]) for trace in figure.data if trace.mode == "markers"}
    assert marks == {"diverged": (1, 40.0), "dead": (2, 10.0)}
    assert any(trace.name == "b (none finished)" for trace in figure.data)
    assert figure.layout.yaxis.title.text == "top-1 accuracy (%)"
    assert figure.layout.xaxis.title.text == "epoch"


NAMED = "kind=<b>%{x}</b>&lt;"
SHOWN = "kind=&lt;b&gt;%&#123;x}&lt;/b&gt;&amp;lt;"


def test_names_are_shown_as_they_are_and_are_neither_tags_nor_templates(study: Study, results_of) -> None:
    arm = Arm.of({"model.kind": NAMED.removeprefix("kind=")})
    contrasts = [replace(c, arm=arm, baseline=arm) for c in analyse(study, results_of(study, TABLE)).contrasts]
    effects = effects_figure(contrasts).to_plotly_json()
    curves = learning_curves_figure([_curve(NAMED, 1, [50.0]), _curve(NAMED, 2, [10.0], "dead")], "top-1").data
    assert SHOWN in str(effects["layout"]["title"])
    assert {SHOWN in str(trace["y"]) for trace in effects["data"]} == {True}
    assert [SHOWN in f"{trace.name} {trace.hovertemplate}" for trace in curves] == [True] * 4
    assert not [trace for trace in curves if NAMED in f"{trace.name} {trace.hovertemplate}"]
    assert NAMED not in str(effects)


def test_analysis_starts_without_plotly_pandas_or_rich() -> None:
    heavy = ("plotly", "pandas", "rich", "torch", "ray", "mlflow", "scipy.stats")
    code = (
        f"import sys, paribus.analysis, paribus.report.drawing.tables; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
