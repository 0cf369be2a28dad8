"""Paribus: ablation studies on convolutional image classifiers that end in a number, an interval and a verdict."""

from paribus.recipe import Recipe, preset
from paribus.study import Claim, Study

__all__ = ["Claim", "Recipe", "Study", "preset"]
