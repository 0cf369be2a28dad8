"""What a contrast comes to over evaluation examples: which pairs tell it, and the same as rows for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paribus.analysis.exploratory.classes import (
    Bin,
    ClassDelta,
    Pair,
    class_deltas,
    confusion,
    num_classes,
    reliability,
)
from paribus.analysis.exploratory.flips import CONSISTENT, Flip, Flips, flips
from paribus.report.drawing.tables import show_p
from paribus.report.numbers import with_interval

if TYPE_CHECKING:
    from paribus.metrics.examples import Examples
    from paribus.report.study_report import StudyReport
    from paribus.study.words import Arm

__all__ = [
    "ExamplePairs",
    "Pair",
    "bin_rows",
    "class_deltas",
    "class_rows",
    "confusion",
    "example_pairs",
    "flip_rows",
    "flips",
    "flips_sentence",
    "num_classes",
    "reliability",
]
_NEEDED = ("label", "predicted", "top_probability")


@dataclass(frozen=True, kw_only=True)
class ExamplePairs:
    """The nets of an arm and its baseline by replicate, over the same examples; none where `refused` says why.

    `run_id` is of one of them: its keys are those of all.
    """

    pairs: tuple[Pair, ...] = ()
    replicates: tuple[int, ...] = ()
    run_id: str = ""
    refused: str = ""


def example_pairs(
    report: StudyReport, arm: Arm, baseline: Arm, examples: Callable[[str], Examples | None]
) -> ExamplePairs:
    """The pairs in which both trained to their end and kept what each example came to; `examples` reads it by run."""
    runs = {
        (row.arm, row.replicate): row.record.run_id for row in report.begun if row.state == "finished" and row.record
    }
    both = [replicate for one, replicate in runs if one == arm and (baseline, replicate) in runs]
    if not both:
        return ExamplePairs(refused="in no replicate did both the arm and its baseline train to their end")
    found: list[tuple[int, Pair]] = []
    lacking = ""
    for replicate in sorted(both):
        pair = tuple(examples(runs[side, replicate]) for side in (arm, baseline))
        if any(each is None or not each.n for each in pair):
            lacking = "their trials kept no results per example"
        elif any(name not in each.columns for each in pair if each for name in _NEEDED):
            lacking = (
                "their trials were recorded by a release that kept no predicted classes: train them again for these"
            )
        else:
            found.append((replicate, pair))  # type: ignore[arg-type]
    if not found:
        return ExamplePairs(refused=lacking)
    if len({each.keys_digest for _, pair in found for each in pair}) > 1:
        return ExamplePairs(refused="their trials were judged on different lists of examples, which cannot be paired")
    first = runs[arm, found[0][0]]
    return ExamplePairs(
        pairs=tuple(pair for _, pair in found), replicates=tuple(replicate for replicate, _ in found), run_id=first
    )


def class_rows(found: Sequence[ClassDelta]) -> list[dict[str, str]]:
    """The classes, those that moved most first."""
    return [
        {
            "class": str(each.label),
            "difference (points) [95 % interval]": with_interval(each.delta, each.interval, "+.1f"),
            "arm (%)": f"{each.arm:.1f}",
            "baseline (%)": f"{each.baseline:.1f}",
            "n": str(each.n),
            "images": str(each.num_examples),
            "p differs (Holm)": show_p(each.p_holm),
        }
        for each in sorted(found, key=lambda each: (each.p_holm, -abs(each.delta), each.label))
    ]


def flip_rows(found: Sequence[Flip], n: int, keys: Sequence[str]) -> list[dict[str, str]]:
    """Examples that flip, by key where keys were kept, else by their place."""
    return [
        {
            "image": keys[each.place] if len(keys) else f"number {each.place + 1}",
            "class": str(each.label),
            "arm is right": f"{each.arm_right} of {n}",
            "arm mostly says": str(each.arm_says),
            "baseline is right": f"{each.baseline_right} of {n}",
            "baseline mostly says": str(each.baseline_says),
        }
        for each in found
    ]


def flips_sentence(found: Flips) -> str:
    """How many flip, and how many would by chance."""
    count = len(found.gained) + len(found.lost)
    text = (
        f"{count} of {found.num_examples:,} images change sides in at least {100 * CONSISTENT:.0f} % of {found.n} "
        f"replicates: the arm gains {len(found.gained)} and loses {len(found.lost)}"
    )
    if found.by_chance is None or found.p is None:
        return f"{text}. From three replicates on it can be told how many would do so by chance"
    return f"{text}. Were the sides dealt out by a coin, {found.by_chance:.1f} would (p: {show_p(found.p)})"


def bin_rows(found: Sequence[Bin]) -> list[dict[str, str]]:
    """The bins of a reliability diagram."""
    return [
        {
            "probability of the predicted class (%)": f"{100 * each.low:.0f} to {100 * each.high:.0f}",
            "mean probability (%)": f"{each.confidence:.1f}",
            "right (%) [95 % interval]": with_interval(each.accuracy, each.interval, ".1f"),
            "n": str(each.n),
            "images a replicate": f"{each.num_examples:.0f}",
        }
        for each in found
    ]
