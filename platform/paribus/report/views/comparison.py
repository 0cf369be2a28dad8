"""Two studies side by side: rows and a figure for people. What is compared and when two agree is `analysis`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import plotly.graph_objects as go

from paribus.analysis.contrasts import Contrast
from paribus.analysis.exploratory.comparison import Compared
from paribus.analysis.exploratory.comparison import compare as compare
from paribus.analysis.study_analysis import StudyAnalysis
from paribus.report.drawing.figures.look import COLOURS, QUIET, as_plotly, lay_out, wrapped
from paribus.report.drawing.tables import show_p
from paribus.report.numbers import with_interval

_COUNTED: Final[Mapping[str, tuple[str, str]]] = {
    "agree": ("agrees", "agree"),
    "differ": ("differs", "differ"),
    "unresolved": ("is open", "are open"),
    "no data": ("has too few pairs", "have too few pairs"),
}
_WORDS: Final[Mapping[str, str]] = {"agree": "agree within the margin", "differ": "differ"}


def compared_rows(found: Sequence[Compared], first: str, second: str) -> list[dict[str, str]]:
    """Each contrast of both, the difference of the two with its interval, and whether they agree."""
    return [
        {
            "arm": each.first.arm.name,
            "baseline": each.first.baseline.name,
            first: _shown(each.first),
            second: _shown(each.second),
            "second minus first": with_interval(each.difference, each.interval, f"+.{each.first.metric.digits}f"),
            "p differ (Holm)": show_p(each.p_holm),
            "the two": _WORDS.get(each.agreement, each.agreement),
        }
        for each in found
    ]


def _shown(contrast: Contrast) -> str:
    if not contrast.n:
        return f"no pair: {contrast.verdict}"
    value = with_interval(contrast.mean, contrast.interval, f"+.{contrast.metric.digits}f")
    return f"{value}, n = {contrast.n}: {contrast.verdict}"


def compared_sentence(found: Sequence[Compared], margin: float, unit: str) -> str:
    """`Of 6 contrasts that both have 4 agree within ±1 points, 1 differs, 1 is open`."""
    if not found:
        return "The two have no contrast in common: an arm and its baseline have the same names in both"
    counts = {word: sum(each.agreement == word for each in found) for word in _COUNTED}
    told = [f"{count} {_counted(word, count, margin, unit)}" for word, count in counts.items() if count]
    return f"Of {len(found)} contrasts that both have: {', '.join(told)}"


def _counted(word: str, count: int, margin: float, unit: str) -> str:
    one, many = _COUNTED[word]
    return (one if count == 1 else many) + (f" within ±{margin:g} {unit}" if word == "agree" else "")


def compared_figure(found: Sequence[Compared], first: str, second: str) -> go.Figure | None:
    """Both deltas of each contrast with their intervals, one above the other; None where neither has one."""
    if not any(each.n for pair in found for each in (pair.first, pair.second)):
        return None
    figure, metric = go.Figure(), found[0].first.metric
    several = len({each.first.arm for each in found}) < len(found)
    names = [
        wrapped(each.first.arm.name + (f" against {each.first.baseline.name}" if several else "")) for each in found
    ]
    for side, (title, colour, symbol, shift) in enumerate(
        ((first, COLOURS[0], "circle", 0.14), (second, COLOURS[4], "square", -0.14))
    ):
        own = [(at, pair.first if side == 0 else pair.second) for at, pair in enumerate(found)]
        known = [(at, each) for at, each in own if each.n]
        figure.add_scatter(
            x=[each.mean for _, each in known],
            y=[at - shift for at, _ in known],
            mode="markers",
            marker={
                "color": colour,
                "size": 10,
                "symbol": [symbol if each.interval else f"{symbol}-open" for _, each in known],
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [each.interval.high - each.mean if each.interval else 0.0 for _, each in known],
                "arrayminus": [each.mean - each.interval.low if each.interval else 0.0 for _, each in known],
                "color": colour,
                "thickness": 3,
            },
            name=as_plotly(title),
            text=[f"{names[at]}: {as_plotly(_shown(each))}" for at, each in known],
            hovertemplate="%{text}<extra></extra>",
        )
    lay_out(figure, "The same contrasts in both", 150 + 54 * len(found))
    figure.add_vline(x=0, line_width=1, line_color=QUIET)
    figure.update_xaxes(title=f"{metric.label}, arm minus baseline ({metric.unit})")
    return figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed")


def differing_setups(first: StudyAnalysis, second: StudyAnalysis) -> list[dict[str, str]]:
    """What is fixed otherwise in the two, field by field."""
    paths = dict.fromkeys((*first.caveats, *second.caveats))
    rows = []
    for path in paths:
        one, other = (str(each.caveats[path]) if path in each.caveats else "varied" for each in (first, second))
        if one != other:
            rows.append({"field": path, "first": one, "second": other})
    return rows
