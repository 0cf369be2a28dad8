"""The rule on results that were made elsewhere: verdicts, and what a script or an agent does with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from paribus.analysis.contrasts import Contrast
from paribus.analysis.metrics import check_margin
from paribus.analysis.rule_notes import rule_notes
from paribus.analysis.statistics.intervals import MIN_PAIRS
from paribus.analysis.study_contrasts import contrasts_on
from paribus.analysis.study_data import index_results
from paribus.analysis.verdicts import ON_THE_BETTER_SIDE
from paribus.results.comparison import Comparison
from paribus.study.power import detectable
from paribus.study.words import Arm

KEEP, DROP, UNRESOLVED = 0, 1, 2
_OPEN = ("unresolved", "no data")
# Numbers of seeds for which a plan is told what they would show.
_SIZES = (3, 5, 10, 20)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The contrasts of a comparison, each with its verdict, and notes on all of them."""

    comparison: Comparison
    contrasts: tuple[Contrast, ...]
    notes: tuple[str, ...]

    @property
    def kept(self) -> tuple[Arm, ...]:
        """The arms that are better than the baseline."""
        return tuple(contrast.arm for contrast in self.contrasts if contrast.verdict in ON_THE_BETTER_SIDE)

    @property
    def code(self) -> int:
        """0: some arm is better, keep it; 1: none is, drop them; 2: none is, and some are unresolved.

        `equivalent` is no reason to keep an edit: what gains nothing is dropped.
        """
        if self.kept:
            return KEEP
        return UNRESOLVED if any(contrast.verdict in _OPEN for contrast in self.contrasts) else DROP

    def notes_of(self, contrast: Contrast) -> tuple[str, ...]:
        """What is to be known of one contrast."""
        return (*contrast.notes, *self._would_do(contrast))

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for `--json`; each contrast has the notes on all of them too."""
        return {
            "metric": self.comparison.metric.name,
            "margin": self.comparison.margin or None,
            "alpha": self.comparison.alpha,
            "contrasts": [
                {
                    "arm": contrast.arm.name,
                    "baseline": contrast.baseline.name,
                    "verdict": contrast.verdict,
                    "n": contrast.n,
                    "mean": _number(contrast.mean),
                    "low": contrast.interval.low if contrast.interval else None,
                    "high": contrast.interval.high if contrast.interval else None,
                    "p": _number(contrast.p_superiority_holm) if contrast.interval else None,
                    "failed": contrast.stability.arm_failed,
                    "baseline_failed": contrast.stability.baseline_failed,
                    "notes": [*self.notes_of(contrast), *self.notes],
                }
                for contrast in self.contrasts
            ],
        }

    def _would_do(self, contrast: Contrast) -> tuple[str, ...]:
        """How many seeds would do where there are too few to know their spread."""
        if contrast.n >= MIN_PAIRS or contrast.verdict not in _OPEN:
            return ()
        level = self.comparison.alpha / len(self.contrasts)
        shown = ", ".join(f"{size} seeds {detectable(1.0, size, level) or math.inf:.2g}" for size in _SIZES)
        return (
            f"at least {MIN_PAIRS} seeds that both arms have would give an interval. The smallest difference found "
            f"with 80 % power, as a multiple of the spread between pairs: {shown}",
        )


def judge_comparison(comparison: Comparison) -> Judgement:
    """Judge a comparison by the rule that studies are judged by.

    Raises:
        AnalysisError: a margin below one evaluation example.
    """
    metric = comparison.metric
    if comparison.margin:
        check_margin(comparison.margin, metric, comparison.examples)
    data = index_results(comparison, comparison.results, comparison.examples)
    contrasts = contrasts_on(data, metric, primary=True)
    notes = (*comparison.notes, *rule_notes(data, metric, contrasts))
    return Judgement(comparison=comparison, contrasts=tuple(contrasts), notes=notes)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
