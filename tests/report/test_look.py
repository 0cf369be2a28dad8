"""Colours of figures have contrast on a light and on a dark page, and more arms than colours are still told apart."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from paribus.report.drawing.figures.look import COLOURS, look_of, wrapped

THEME = tomllib.loads((Path(__file__).parents[2] / "dashboards/.streamlit/config.toml").read_text())["theme"]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ground", ["light", "dark"])
def test_every_colour_has_the_contrast_of_graphics_on_the_pages_ground(ground: str) -> None:
    paper = luminance(THEME[ground]["backgroundColor"])
    for colour in COLOURS:
        low, high = sorted((luminance(colour), paper))
        assert (high + 0.05) / (low + 0.05) >= 3.0, colour


def test_many_arms_have_a_look_of_their_own_each() -> None:
    assert len({look_of(at) for at in range(40)}) == 40


def test_a_long_label_is_broken_between_words_and_shown_as_it_is() -> None:
    assert wrapped("residual_scale=0.1 · depth=16 (n = 6)") == "residual_scale=0.1 ·<br>depth=16 (n = 6)"
    assert wrapped("a<b") == "a&lt;b"
