"""A study's arms by a metric and by what they cost: rows, the figure, and what is said of the front."""

from __future__ import annotations

import pytest
from reports import report_of

from paribus.metrics.known import METRICS
from paribus.report.study_report import StudyReport
from paribus.report.views.tradeoffs import (
    costs_of,
    front_sentence,
    metrics_of,
    trade_off_figure,
    trade_off_rows,
    trade_offs_of,
)
from paribus.study import Study
from paribus.study.plan import Trial

WIDTH = "model.width"
TOP1 = METRICS["top1"]


def reported(replicates: int = 6, dead: float = 0.0) -> StudyReport:
    """Wider is better and dearer; width 2 costs more than 4 and is no better."""
    study = Study(name="wide", factors={WIDTH: (1.0, 2.0, 4.0)}, replicates=replicates, margin=1.0)

    def fate(trial: Trial) -> dict[str, float] | str:
        width = float(str(trial.arm.as_dict()[WIDTH]))
        if width == dead and trial.replicate == 1:
            return "diverged"
        noise = 0.1 * (-1) ** trial.replicate
        costs = {1.0: 1.0, 2.0: 20.0, 4.0: 12.0}[width]
        value = {1.0: 90.0, 2.0: 92.0, 4.0: 93.0}[width]
        return {"top1": value + noise, "eval_loss": 1.0, "num_params": 1e6 * costs, "total_s": costs + noise}

    return report_of(study, fate)


def test_rows_have_every_number_with_interval_and_n_and_say_what_is_on_the_front() -> None:
    report = reported(dead=1.0)
    rows = {row["arm"]: row for row in trade_off_rows(report, TOP1, "num_params")}
    assert [rows[arm]["on the front"] for arm in ("k=1", "k=4", "k=2")] == ["yes", "yes", "no"]
    assert list(rows) == ["k=1", "k=4", "k=2"], "by cost"
    assert rows["k=4"]["parameters"] == "12 M", "the same in every replicate: no chance is in it"
    assert rows["k=4"]["top-1 (%)"].startswith("93.00 [")
    assert (rows["k=1"]["n"], rows["k=1"]["failed to train"]) == ("5", "1")
    assert rows["k=2"]["of resamples"] == "0 %"
    seconds = trade_off_rows(report, TOP1, "total_s")[0]["seconds of a worker"]
    assert "[" in seconds
    assert set(costs_of(report)) == {"num_params", "total_s"}
    assert next(iter(metrics_of(report))) == "top1"
    assert "eval_loss" in metrics_of(report)


def test_the_figure_has_both_intervals_names_and_a_logarithmic_axis_where_costs_are_far_apart() -> None:
    figure = trade_off_figure(reported(), TOP1, "total_s")
    assert figure is not None
    line, *arms = figure.data
    found = trade_offs_of(reported(), TOP1, "total_s")
    assert list(line.x) == [each.cost for each in found if each.on_front]
    assert [arm.name for arm in arms] == ["k=1", "k=4", "k=2"]
    assert [arm.marker.symbol.endswith("-open") for arm in arms] == [False, False, True]
    assert [arm.x[0] for arm in arms] == [each.cost for each in found], "no two cost the same"
    first = found[0]
    assert first.cost_interval is not None
    assert arms[0].error_x.array[0] == pytest.approx(first.cost_interval.high - first.cost)
    assert figure.layout.xaxis.type == "log"
    assert list(figure.layout.xaxis.ticktext)[:5] == ["0.1", "0.2", "0.5", "1", "2"]
    assert figure.layout.xaxis.title.text == "seconds of a worker"


def test_arms_that_cost_the_same_are_drawn_side_by_side() -> None:
    study = Study(name="rates", factors={"optimizer.lr": (0.1, 0.2)}, replicates=3, margin=1.0)
    report = report_of(study, lambda trial: {"top1": 90.0 + trial.replicate, "eval_loss": 1.0, "num_params": 1000.0})
    figure = trade_off_figure(report, TOP1, "num_params")
    assert figure is not None
    places = [trace.x[0] for trace in figure.data[1:]]
    assert places[0] < 1000 < places[1]
    assert all("parameters 1 k" in trace.hovertemplate for trace in figure.data[1:]), "the hover tells the true cost"


def test_how_sure_the_front_is_is_said_or_why_it_cannot_be() -> None:
    sure = front_sentence(trade_offs_of(reported(), TOP1, "num_params"))
    assert sure == "The front is the same in 95 % of the resamples of the replicates, arm by arm"
    few = front_sentence(trade_offs_of(reported(3), TOP1, "num_params"))
    assert "an arm has 3 of the 5 replicates" in few
    assert front_sentence([]) == "A front needs two arms that were trained to their end"
    assert trade_off_figure(reported(), TOP1, "flops") is None
