"""The picture of learning curves: means of what trains alone, marks of what failed, names as they are."""

from __future__ import annotations

import re

from paribus.report.drawing.figures.curve_lines import curve_lines
from paribus.report.views.curves import Curve


def curve(arm: str, replicate: int, values: list[float], outcome: str = "finished") -> Curve:
    return Curve(arm=arm, replicate=replicate, x=range(1, len(values) + 1), y=values, outcome=outcome)


def test_learning_curves_average_only_trials_that_train_and_mark_the_others_ends() -> None:
    html = curve_lines(
        [
            curve("a", 1, [50.0, 80.0, 90.0]),
            curve("a", 2, [60.0, 90.0, 92.0], "running"),
            curve("a", 3, [40.0, float("nan")], "diverged"),
            curve("b", 1, [10.0, 10.0], "dead"),
        ],
        "top-1 accuracy (%)",
        "training steps",
    )
    assert "a (n = 2)" in html
    assert "b (n = 0)" in html
    assert html.count("<polygon") == 1
    means = re.findall(r'<polyline points="([^"]+)"[^>]*stroke-width="2.5"', html)
    assert [len(points.split()) for points in means] == [3]
    assert re.findall(r"×<title>([^<]+)<", html) == ["a · r3: diverged", "b · r1: dead"]
    assert "top-1 accuracy (%) over training steps" in html
    assert curve_lines([curve("a", 1, [float("nan")])], "top-1", "steps") == ""


def test_names_are_no_tags() -> None:
    html = curve_lines([curve("kind=<script>", 1, [1.0, 2.0])], "top-1", "steps")
    assert "<script" not in html
    assert "kind=&lt;script&gt;" in html
