"""Further figures and rows of a search: importance in words, the map of two fields, the front, the timeline."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from trial_records import digest, ended

from paribus import Choice, Float, Search
from paribus.analysis.exploratory import importance as rule
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import scheduler_of
from paribus.engine.searches.population import walk_of
from paribus.engine.searches.search_preview import SearchPreview
from paribus.engine.searches.tried import Tried
from paribus.report.drawing.figures.search_figures import history_figure, parallel_figure, rungs_figure, slice_figures
from paribus.report.drawing.figures.search_views import front_figure, importance_figure, map_figure, timeline_figure
from paribus.report.drawing.figures.still import still
from paribus.report.searches.search_importance import (
    importance_data,
    importance_lines,
    importance_rows,
    search_importance,
)
from paribus.report.searches.search_report import SearchReport, search_report
from paribus.study.settings import Settings
from paribus.study.words import Arm
from paribus.tracking.trials.record import Attempt, TrialRecord

RATE, WAY = "optimizer.lr", "optimizer.nesterov"
MINUTE = 60_000


def searched(number: int = 24, records: dict[int, TrialRecord] | None = None, **fields: Any) -> SearchReport:
    """A search of `number` settings: the rate decides; the last is cut, the one before diverged."""
    space = {RATE: Float(1e-3, 1.0, log=True), WAY: Choice(True, False)}
    usual = {"sampler": "random", "scheduler": "asha(eta=3)", "fixed": {"budget": "9 epochs"}}
    made = Search(name="rate", space=space, trials=number, **{**usual, **fields})
    rng = np.random.default_rng(1)
    tried = []
    for at in range(number):
        levels = made.domains.levels_at(list(rng.random(2)))
        value = 90 - 8 * abs(math.log10(float(str(levels[RATE]))) + 1)
        known: dict[str, Any] = {
            "state": "finished",
            "outcome": "finished",
            "seen": {1: value, 3: value, 9: value},
            "metrics": {made.metric: value * made.primary.sign, "num_params": 1000.0 * (at + 1)},
        }
        if at >= number - 2:
            cut = at == number - 1
            known = {"state": "stopped" if cut else "failed", "outcome": "stopped" if cut else "diverged"}
            known["seen"] = {1: 40.0}
        tried.append(Tried(number=at, levels=levels, **known))
    scheduler = scheduler_of(made.scheduler)
    walk = walk_of(made, 9, sampler_of(made), scheduler, tried)
    preview = SearchPreview(
        search=made,
        settings=Settings(),
        walk=walk,
        records=records or {},
        stale=(),
        notes=(),
        power=None,
        digest=digest,
    )
    return search_report(preview)


def test_importance_is_told_with_interval_n_and_chance_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rule.RESAMPLES, "PED-ANOVA", 40)
    report = searched()
    found = search_importance(report, "PED-ANOVA")
    assert found.num_settings == 24
    first = importance_rows(report, found)[0]
    assert first["field"] == "lr"
    assert first["n"] == "24"
    share = first["share of what sets the best apart [95 % interval]"]
    top = found.fields[0]
    assert top.value is not None
    assert top.interval is not None
    assert share == f"{top.value:.2f} [{top.interval.low:.2f}, {top.interval.high:.2f}]"
    text = "\n".join(importance_lines(report, found))
    assert f"optimizer.lr: {share}, n = 24, as much by chance in 0.024 of deals" in text
    assert "note: 1 settings that were cut" not in text
    assert "1 setting that was cut ranks below what came further, by the value at the cut" in text
    told = json.loads(json.dumps(importance_data(found)))
    assert [row["path"] for row in told["fields"]] == [RATE, WAY]
    assert told["fields"][0]["low"] == pytest.approx(top.interval.low)
    figure = importance_figure(report, found)
    assert figure is not None
    above = next(trace for trace in figure.data if trace.name.startswith("above"))
    assert list(above.y) == ["lr"]
    assert above.error_x.array[0] == pytest.approx(top.interval.high - top.value)
    assert list(figure.layout.yaxis.categoryarray) == ["nesterov", "lr"], "the highest is on top"


def test_importance_of_a_short_search_says_why_there_is_none() -> None:
    report = searched(9)
    found = search_importance(report, "PED-ANOVA")
    assert importance_lines(report, found) == [f"PED-ANOVA: none, for {found.refused}"]
    assert importance_figure(report, found) is None
    assert importance_rows(report, found) == []


def test_the_map_shows_settings_where_they_lie_and_draws_nothing_where_none_is_near() -> None:
    report = searched()
    figure = map_figure(report, RATE, WAY)
    assert figure is not None
    heat, points = figure.data
    whole = report.preview.walk.ranked()
    assert list(points.x) == pytest.approx([math.log10(float(str(each.levels[RATE]))) for each in whole])
    assert set(points.y) == {0.0, 1.0}
    assert list(figure.layout.yaxis.ticktext) == ["yes", "no"]
    assert figure.layout.xaxis.ticktext[0] == "0.001"
    grid = np.array(heat.z, dtype=float)
    assert grid.shape == (2, 40)
    own = [each for each in whole if each.levels[WAY] is True]
    far = [
        column
        for column, x in enumerate(heat.x)
        if min(abs(x - math.log10(float(str(each.levels[RATE])))) for each in own) > 1.0
    ]
    assert np.isnan(grid[0, far]).all()
    known = grid[~np.isnan(grid)]
    values = [each.metrics["top1"] for each in whole]
    assert min(values) <= known.min() <= known.max() <= max(values)
    assert map_figure(searched(9), RATE, WAY) is None, "seven settings are too few for a map"


def test_the_front_is_drawn_apart_from_the_other_settings() -> None:
    report = searched(against=("num_params",))
    others, front = front_figure(report, "num_params").data
    assert len(front.x) == len(report.front) > 1
    assert len(front.x) + len(others.x) == 22
    assert list(front.x) == sorted(front.x)
    assert list(front.y) == sorted(front.y), "more parameters, on the front, are better for top-1"
    assert front.line.shape == "hv"


def test_the_timeline_has_a_bar_for_each_attempt_and_what_runs_ends_now() -> None:
    def record(*spans: tuple[int, int]) -> TrialRecord:
        attempts = {at: Attempt(started_ms=a * MINUTE, ended_ms=b * MINUTE) for at, (a, b) in enumerate(spans, 1)}
        return ended(Arm(()), 1, attempts=attempts, ended_ms=0)

    report = searched(9, {0: record((10, 12), (15, 16)), 1: record((11, 0))})
    figure = timeline_figure(report, 20 * MINUTE)
    assert figure is not None
    (bars,) = figure.data
    assert list(bars.x) == [0, 2, None, 5, 6, None, 1, 10, None]
    assert list(bars.y) == [0, 0, None, 0, 0, None, 1, 1, None]
    drawn = ET.fromstring(still(figure)).iter("polyline")
    assert [len(str(each.get("points")).split(" ")) for each in drawn] == [2, 2, 2], "and no line leads across a pause"
    assert timeline_figure(searched(9), 0) is None
    cut = record((10, 12), (30, 30))
    closed = replace(cut.attempts[2], outcome="stopped")
    late = searched(9, {8: replace(cut, attempts={1: cut.attempts[1], 10: closed})})
    (bars,) = timeline_figure(late, 40 * MINUTE).data  # type: ignore[union-attr]
    assert list(bars.x) == [0, 2, None], "who is cut while it waits is written down later, and trains nothing then"


def test_every_figure_of_a_search_is_drawn_without_a_library() -> None:
    """As the page draws them: each setting has its mark, on lines and maps too, and colours follow the metric."""
    report = searched(against=("num_params",))
    whole = report.preview.walk.ranked()
    lines, colours = parallel_figure(report), map_figure(report, RATE, WAY)
    rungs = rungs_figure(report)
    assert lines is not None
    assert colours is not None
    assert rungs is not None
    drawn = {
        name: ET.fromstring(still(figure))
        for name, figure in {
            "history": history_figure(report),
            "parallel": lines,
            "rungs": rungs,
            "map": colours,
            "front": front_figure(report, "num_params"),
            **slice_figures(report),
        }.items()
    }
    told = {name: [each.text or "" for each in page.iter("title")] for name, page in drawn.items()}
    for name in ("history", RATE, WAY):
        assert {text.split(" ")[0] for text in told[name]} >= {f"#{number}" for number in range(24)}, name
    assert len(told["parallel"]) == len(told["map"]) == len(whole) == 22
    assert len(list(drawn["parallel"].iter("polyline"))) == 22
    marked = [each.text for each in drawn["parallel"].iter("text")]
    assert {"lr", "0.001", "1", "nesterov", "yes", "no", "top-1"} <= set(marked)
    # The best setting's line comes last, over the others, at the end of the scale; each is seen on light and on dark.
    strokes = [str(each.get("stroke")) for each in drawn["parallel"].iter("polyline")]
    assert strokes[-1] == "rgb(213, 94, 0)"
    for stroke in strokes:
        # WCAG's relative luminance: 3:1 on white and on the dark page.
        shares = [float(part) / 255 for part in re.findall(r"[\d.]+", stroke)]
        light = float(np.dot([0.2126, 0.7152, 0.0722], [((share + 0.055) / 1.055) ** 2.4 for share in shares]))
        assert 3 * (0.0092 + 0.05) <= light + 0.05 <= 1.05 / 3, stroke
    assert len(list(drawn["map"].iter("rect"))) == np.isfinite(np.array(colours.data[0].z, dtype=float)).sum() > 0
    assert "Pareto front" in "".join(drawn["front"].itertext())


def test_what_runs_and_has_shown_nothing_is_not_drawn_at_a_value() -> None:
    report = searched()
    walk = report.preview.walk
    first = report.tried[0]
    walk.tried.update({each.number: replace(each, state="running", seen={}) for each in report.tried})
    assert history_figure(report) is None
    assert slice_figures(report) == {}
    walk.tried[first.number] = first
    figure = history_figure(report)
    assert figure is not None
    assert {number for trace in figure.data if trace.mode == "markers" for number in trace.x} == {first.number}
