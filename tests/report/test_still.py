"""Figures that are drawn once: every point where its numbers say, words as they are, the same numbers as rows."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import plotly.graph_objects as go
import pytest

from paribus.report.drawing.figures.look import as_plotly, lay_out
from paribus.report.drawing.figures.still import still, still_rows


def drawn(figure: go.Figure) -> ET.Element:
    """The figure's HTML, which is XML too."""
    return ET.fromstring(still(figure))


def test_points_stand_where_their_numbers_say_and_say_what_hovering_said() -> None:
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 10, None],
        y=[1, 3, 2],
        mode="markers",
        marker={"color": "#0072B2", "size": 8},
        error_y={"type": "data", "symmetric": False, "array": [1, 0, 0], "arrayminus": [0.5, 0, 0]},
        name=as_plotly("<b>&{x}"),
        hovertemplate="%{x:.1f} of <br>%{y}<extra></extra>",
        showlegend=True,
    )
    lay_out(figure, "title", 400).update_xaxes(range=[0, 20], title="across").update_yaxes(range=[0, 4])
    page = drawn(figure)
    circles = [each for each in page.iter("circle") if each.find("title") is not None]
    assert [(each.get("cx"), each.get("cy")) for each in circles] == [("0.00%", "75.00%"), ("50.00%", "25.00%")]
    assert [each.findtext("title") for each in circles] == ["0.0 of \n1", "10.0 of \n3"]
    whiskers = [each for each in page.iter("line") if each.get("stroke") == "#0072B2"]
    assert next((each.get("y1"), each.get("y2")) for each in whiskers) == ("87.50%", "50.00%")
    assert [item[-1].tail or item[0].tail for item in page.iter("li")] == [" <b>&{x}"]
    rows = still_rows(figure)
    assert tuple(rows[0][name] for name in ("series", "x", "y", "y low", "y high")) == (
        "<b>&{x}",
        0,
        1,
        0.5,
        2.0,
    )


def test_axes_of_words_and_of_logarithms_and_the_order_from_the_top() -> None:
    figure = go.Figure()
    figure.add_scatter(x=[1, 100], y=["first", "second"], mode="markers", marker={"color": "#000000"})
    lay_out(figure, "t", 400).update_xaxes(type="log", range=[0, 2])
    figure.update_yaxes(categoryorder="array", categoryarray=["second", "first"])
    first, second = drawn(figure).iter("circle")
    assert (first.get("cx"), second.get("cx")) == ("0.00%", "100.00%")
    assert float(first.get("cy", "")[:-1]) < float(second.get("cy", "")[:-1])
    texts = [each.text for each in drawn(figure).iter("text")]
    assert {"first", "second", "1", "10", "100"} <= set(texts)


@pytest.mark.parametrize(("share", "colour"), [(-2, "rgba(0, 0, 255, 1.00)"), (2, "rgba(255, 0, 0, 1.00)")])
def test_cells_have_the_colours_of_their_scale(share: float, colour: str) -> None:
    figure = go.Figure(
        go.Heatmap(
            z=[[share, 0]],
            x=["0", "1"],
            y=["0"],
            zmin=-2,
            zmax=2,
            colorscale=[[0, "#0000ff"], [0.5, "rgba(9, 9, 9, 0.1)"], [1, "#ff0000"]],
            customdata=[[[7], [8]]],
            hovertemplate="%{y} for %{x}: %{customdata[0]:.1f}<extra></extra>",
        )
    )
    cells = list(drawn(lay_out(figure, "t", 400)).iter("rect"))
    assert [each.get("fill") for each in cells] == [colour, "rgba(9, 9, 9, 0.10)"]
    assert cells[0].findtext("title") == "0 for 0: 7.0"
    assert [row["value"] for row in still_rows(figure)] == [share, 0]


def test_a_line_in_steps_goes_along_before_it_goes_up_and_a_band_lies_between_two() -> None:
    figure = go.Figure()
    for y, fill in (([4, 4], None), ([0, 2], "tonexty")):
        line = {"shape": "hv", "width": 0}
        figure.add_scatter(x=[0, 10], y=y, mode="lines", line=line, fill=fill, fillcolor="rgba(1, 2, 3, 0.5)")
    figure.add_scatter(x=[0, 10], y=[0, 2], mode="lines", line={"shape": "hv", "color": "#123456"})
    lay_out(figure, "t", 400).update_xaxes(range=[0, 10]).update_yaxes(range=[0, 4])
    page = drawn(figure)
    (polygon,), (line,) = page.iter("polygon"), page.iter("polyline")
    assert line.get("points") == "0,1000 1000,1000 1000,500"
    assert re.fullmatch(r"0,0 1000,0 1000,0 1000,500 1000,1000 0,1000", polygon.get("points", ""))


def test_nothing_is_marked_between_whole_numbers() -> None:
    figure = go.Figure().add_scatter(x=[0, 1], y=[0.25, 0.75], mode="markers", marker={"color": "#0072B2", "size": 8})
    marked = [each.text for each in drawn(figure).iter("text")]
    assert marked.count("1") == 1
    assert "0.2" not in marked, "of settings there is none between 0 and 1"
    assert "0.5" in marked, "of values there may be"


def test_marks_of_an_axis_are_told_apart() -> None:
    figure = go.Figure().add_scatter(x=[175_002, 175_098], y=[1, 2], mode="markers", marker={"color": "#0072B2"})
    marked = [each.text for each in drawn(figure).iter("text")]
    assert "175,020" in marked
    assert "175 k" not in marked
