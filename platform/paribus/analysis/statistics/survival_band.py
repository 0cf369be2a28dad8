"""Pointwise intervals of a Kaplan-Meier curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from paribus.analysis.statistics.stability import SurvivalCurve

Floats = NDArray[np.float64]


def survival_band(curve: SurvivalCurve, level: float = 0.95) -> tuple[Floats, Floats]:
    """Low and high (steps,) of the share that still trains, by Greenwood's variance on the scale of log(-log S).

    Kalbfleisch and Prentice (2002), section 1.4: the interval stays within 0 and 1. Where the share is 0 the variance
    is not finite, and the interval is from 0 to what it was a step before.
    """
    before = np.concatenate(([1.0], curve.survival[:-1]))
    failures = np.rint(curve.at_risk * (1 - curve.survival / np.where(before > 0, before, 1.0)))
    left = curve.at_risk - failures
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(np.where(left > 0, failures / (curve.at_risk * left), np.inf))
        spread = special.ndtri(0.5 + level / 2) * np.sqrt(greenwood) / np.log(curve.survival)
        low, high = curve.survival ** np.exp(-spread), curve.survival ** np.exp(spread)
    for at in np.flatnonzero(curve.survival <= 0):
        low[at], high[at] = 0.0, high[at - 1] if at else 1.0
    return low, high
