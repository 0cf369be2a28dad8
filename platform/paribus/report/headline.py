"""A study in one sentence: what is most worth knowing of its verdicts, with interval and n, and how many are open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Final

from paribus.report.numbers import decimals_for, show_number

if TYPE_CHECKING:
    from paribus.analysis.contrasts import Contrast
    from paribus.analysis.study_analysis import StudyAnalysis

# Which verdict the sentence begins with, where there are several: what changes a decision comes first.
_LEADING: Final = (
    "better",
    "better (stabler)",
    "worse",
    "worse (unstable)",
    "equivalent",
    "equivalent, with a small difference",
    "same training",
    "unresolved",
    "no data",
)


def headline(analysis: StudyAnalysis) -> str:
    """The study in one sentence of plain text; of partial results it says that it is partial.

    `k=2 is better than k=1 by 0.61 points of top-1 accuracy [0.20, 1.02], n = 14; 3 of 6 contrasts are unresolved.`
    Where several contrasts share the leading verdict, the one with the largest difference is told, and that it is.
    """
    contrasts = analysis.contrasts
    if not contrasts:
        return "There is no contrast: the study has a baseline and no other arm."
    if not any(contrast.stability.n for contrast in contrasts):
        return _without_pairs(analysis)
    return f"{_condition(analysis)}{lead(contrasts, analysis.looks.phrase())}"


def lead(contrasts: Sequence[Contrast], looks: str = "") -> str:
    """The sentence for these judged contrasts, at least one, whatever they come from; `looks` are those before it."""
    word = next(word for word in _LEADING if any(contrast.verdict == word for contrast in contrasts))
    alike = sorted((contrast for contrast in contrasts if contrast.verdict == word), key=_size, reverse=True)
    counts = Counter(str(contrast.verdict) for contrast in contrasts)
    return f"{_lead(alike)}{f' ({looks})' if looks else ''}{_others(counts, word, len(contrasts))}."


def counts_headline(counts: Mapping[str, int]) -> str:
    """The same from counts of verdicts alone: `Of 6 contrasts 2 are better, 1 is worse and 3 are unresolved.`"""
    whole = sum(counts.values())
    if not whole:
        return ""
    parts = [_are(counts[word], word) for word in _LEADING if counts.get(word)]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {whole} contrast{'s' if whole > 1 else ''} {listed}."


def _without_pairs(analysis: StudyAnalysis) -> str:
    """What is true where no pair of an arm and its baseline has ended by itself."""
    ended, failed = sum(analysis.outcomes.values()), analysis.outcomes.get("failed", 0)
    if not ended:
        return "No trial has ended yet."
    if failed == ended:
        whole = "The only trial that ended" if ended == 1 else f"All {ended} trials that ended"
        return f"{whole} failed without a result, for reasons outside of training: nothing can be judged."
    have = "has" if ended == 1 else "have"
    return f"{ended} of {analysis.num_expected} trials {have} ended, and no pair of an arm and its baseline among them."


def _condition(analysis: StudyAnalysis) -> str:
    """What the sentence holds under: a scheduler cut trials, or some have not ended."""
    ended, words = sum(analysis.outcomes.values()), []
    if analysis.exploratory:
        words.append("exploratory")
    if ended < analysis.num_expected:
        words.append(f"after {ended} of {analysis.num_expected} trials")
    text = ", ".join(words)
    return f"{text[:1].upper()}{text[1:]}: " if text else ""


def _size(contrast: Contrast) -> float:
    """By how much arm and baseline differ: in the metric; of failures and of what is open, by how clearly."""
    if contrast.verdict in ("better (stabler)", "worse (unstable)"):
        return abs(contrast.stability.difference)
    if contrast.verdict == "unresolved":
        return -contrast.p_superiority if isfinite(contrast.p_superiority) else -2.0
    return abs(contrast.mean) if contrast.n else -1.0


def _lead(alike: Sequence[Contrast]) -> str:
    """The first of those with the leading verdict; that it is the first of several."""
    first, several = alike[0], len(alike)
    arm, baseline, word = first.arm.name, first.baseline.name, first.verdict
    most = f", the largest difference of {several}" if several > 1 else ""
    if word in ("better", "worse"):
        return f"{arm} is {word} than {baseline} by {_amount(first)}{most}"
    if word in ("better (stabler)", "worse (unstable)"):
        seldom, stability = "less" if word == "better (stabler)" else "more", first.stability
        return (
            f"{arm} fails to train {seldom} often than {baseline}, in {stability.arm_failed} against "
            f"{stability.baseline_failed} of {stability.n} replicates{most}"
        )
    if word in ("equivalent", "equivalent, with a small difference"):
        small = ", with a small difference" if word != "equivalent" else ""
        within = f" within ±{first.margin:g}{_unit(first)}" if first.margin is not None else ""
        return f"{arm} is equivalent to {baseline}{within}{small}: {_difference(first)}{most}"
    if word == "same training":
        return f"{arm} is the same training as {baseline}"
    if word == "no data":
        return f"In no pair of {arm} and {baseline} did both train to the end"
    if several > 1:
        return (
            f"None of {several} contrasts is resolved; the clearest is {arm} against {baseline}, {_difference(first)}"
        )
    return f"{arm} against {baseline} is unresolved: {_difference(first)}{_further(first)}"


def _amount(contrast: Contrast) -> str:
    """`0.61 points of top-1 accuracy [0.20, 1.02], n = 14`: how much better, or how much worse, above 0."""
    side = contrast.metric.sign * (1 if contrast.verdict == "better" else -1)
    return _numbers(contrast, side, "")


def _difference(contrast: Contrast) -> str:
    """`+0.71 points of top-1 accuracy [−0.45, +1.86], n = 5`, arm minus baseline."""
    return _numbers(contrast, 1, "+")


def _numbers(contrast: Contrast, side: int, sign: str) -> str:
    of, n = f"{_unit(contrast)} of {contrast.metric.label}", f"n = {contrast.n}"
    if not contrast.n:
        return "in no pair did both train"
    if contrast.interval is None:
        return f"{show_number(side * contrast.mean, f'{sign}.3g')}{of}, no interval, {n}"
    low, high = sorted((side * contrast.interval.low, side * contrast.interval.high))
    form = f"{sign}.{decimals_for(contrast.interval.half_width)}f"
    mean, low_text, high_text = (show_number(value, form) for value in (side * contrast.mean, low, high))
    return f"{mean}{of} [{low_text}, {high_text}], {n}"


def _unit(contrast: Contrast) -> str:
    return f" {contrast.metric.unit}" if contrast.metric.unit else ""


def _further(contrast: Contrast) -> str:
    """What would resolve it, where the numbers so far tell."""
    more = contrast.further_replicates
    if more is None or not isfinite(more) or more < 1:
        return ""
    return f"; about {more:.0f} more replicate{'s' if more > 1 else ''} would resolve it"


def _others(counts: Mapping[str, int], word: str, whole: int) -> str:
    """The verdicts that the sentence does not begin with, and how many more share that one."""
    parts = []
    for other in _LEADING:
        left = counts.get(other, 0) - (other == word)
        if left < 1 or (other == word == "unresolved"):
            continue
        if other == word:
            parts.append(f"{left} more {_verb(left)} {other}")
        elif other in ("unresolved", "no data"):
            parts.append(f"{left} of {whole} contrasts {_verb(left)} {_state(other)}")
        else:
            parts.append(_are(left, other))
    return "".join(f"; {part}" for part in parts)


def _verb(count: int) -> str:
    return "is" if count == 1 else "are"


def _are(count: int, word: str) -> str:
    """`2 are worse`."""
    return f"{count} {_verb(count)} {_state(word)}"


def _state(word: str) -> str:
    return "without data" if word == "no data" else "the same training" if word == "same training" else word
