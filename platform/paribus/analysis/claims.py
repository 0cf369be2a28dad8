"""Claims: what a study says about a published statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from paribus.analysis.contrasts import Contrast
from paribus.analysis.verdicts import EQUIVALENTS, ON_THE_BETTER_SIDE, ON_THE_WORSE_SIDE, Verdict
from paribus.study.words import Claim, Direction, show_level

WITHIN_MARGIN: Final = "not reproduced: within the margin"
Outcome = Literal[
    "reproduced",
    "contradicted",
    "not reproduced: within the margin",
    "unresolved",
    "reproduced, after looking",
    "contradicted, after looking",
    "not reproduced: within the margin, after looking",
]

_SUPPORTING: dict[Direction, frozenset[Verdict]] = {
    "better": ON_THE_BETTER_SIDE,
    "worse": ON_THE_WORSE_SIDE,
    "no harm": EQUIVALENTS | {"better"},
    "stabler": frozenset({"better (stabler)"}),
}
_AGAINST: dict[Direction, frozenset[Verdict]] = {
    "better": ON_THE_WORSE_SIDE,
    "worse": ON_THE_BETTER_SIDE,
    "no harm": ON_THE_WORSE_SIDE,
    "stabler": frozenset({"worse (unstable)"}),
}


@dataclass(frozen=True, kw_only=True)
class ClaimOutcome:
    """What became of a claim, why, and in what the study differs from the paper's setting."""

    claim: Claim
    outcome: Outcome
    reasons: tuple[str, ...]
    differences: tuple[str, ...]


def outcome_of(direction: Direction, verdict: Verdict | None) -> Outcome:
    """What one verdict says of a claim of that direction.

    "No harm" is reproduced by the quality of arms that fail no more often than their baseline; that an arm is stabler
    alone says nothing of it.
    """
    if verdict in _SUPPORTING[direction]:
        return "reproduced"
    if verdict in _AGAINST[direction]:
        return "contradicted"
    return WITHIN_MARGIN if direction in ("better", "worse") and verdict in EQUIVALENTS else "unresolved"


def judge_claim(claim: Claim, contrasts: Sequence[Contrast], setting: str = "") -> ClaimOutcome:
    """The outcome of a claim over the primary contrasts of the arms that it concerns.

    A claim speaks of all its arms: `contradicted` if any contrast lies on the other side, else not reproduced if any is
    equivalent where it claims a difference, `reproduced` if every one lies on the claimed side (or is equivalent, for
    "no harm"), else `unresolved`.
    """
    concerned = [contrast for contrast in contrasts if contrast.primary and claim.concerns(contrast.arm)]
    outcome, reasons = _weigh(claim, concerned)
    return ClaimOutcome(
        claim=claim,
        outcome=outcome,
        reasons=reasons,
        differences=(f"source: {claim.setting or 'setting not stated'}", f"this study: {setting or 'not described'}"),
    )


def _weigh(claim: Claim, concerned: Sequence[Contrast]) -> tuple[Outcome, tuple[str, ...]]:
    if not concerned:
        return "unresolved", ("no arm of the study is one that the claim is about",)
    studied = concerned[0].metric.name
    if claim.direction != "stabler" and studied != claim.metric:
        return "unresolved", (f"the claim is about {claim.metric}, the study's verdicts are about {studied}",)
    outcomes = [outcome_of(claim.direction, contrast.verdict) for contrast in concerned]
    reasons = [_reason(contrast, outcome, claim) for contrast, outcome in zip(concerned, outcomes, strict=True)]
    return _overall(outcomes), (_count(outcomes), *reasons)


def _overall(outcomes: Sequence[Outcome]) -> Outcome:
    if "contradicted" in outcomes:
        return "contradicted"
    if WITHIN_MARGIN in outcomes:
        return WITHIN_MARGIN
    return "reproduced" if all(outcome == "reproduced" for outcome in outcomes) else "unresolved"


def _count(outcomes: Sequence[Outcome]) -> str:
    words: tuple[Outcome, ...] = get_args(Outcome)
    counts = ", ".join(f"{word} in {outcomes.count(word)}" for word in words if word in outcomes)
    return f"over {len(outcomes)} contrast{'s' if len(outcomes) != 1 else ''}: {counts}"


def _reason(contrast: Contrast, outcome: Outcome, claim: Claim) -> str:
    return f"{contrast.arm.name}: {contrast.verdict} (n = {contrast.n}), so {outcome}{_size(contrast, claim)}"


def _size(contrast: Contrast, claim: Claim) -> str:
    """Where the claimed size of the effect lies: in the contrast's interval, and within the margin."""
    if claim.effect is None or contrast.interval is None:
        return ""
    effect = claim.effect * contrast.metric.sign * (1 if claim.direction == "better" else -1)
    low, high = contrast.interval.low, contrast.interval.high
    where = "in" if low <= effect <= high else "outside"
    text = f"; the claimed {effect:+g} {contrast.metric.unit} lie {where} its interval [{low:+.3g}, {high:+.3g}]"
    if contrast.margin is not None and abs(effect) < contrast.margin:
        text += f" and within the margin of ±{contrast.margin:g}, so that this study cannot tell them from nothing"
    return text


def describe_setting(caveats: dict[str, Any], num_eval: int | None, *replicates: int) -> str:
    """The study's own setting in a line, from its fixed fields by path; what a factor varies is not in it.

    `replicates` are those that its contrasts are judged on: planned looks end one sooner than another.
    """
    parts = []
    if (name := caveats.get("data.name")) is not None:
        fraction = caveats.get("data.train_fraction", 1.0)
        parts.append(f"{name}" if fraction == 1.0 else f"{name} ({100 * fraction:g} % of its training images)")
    model = [f"{key} {show_level(caveats[path])}" for key, path in _MODEL_FIELDS if path in caveats]
    parts += [f"{caveats.get('model.family', 'model')} of {', '.join(model)}"] if model else []
    if "budget.amount" in caveats:
        parts.append(f"{caveats['budget.amount']:g} {caveats.get('budget.unit', '')}".strip())
    held_out = " held out of training" if caveats.get("data.holdout") else ""
    parts += [f"{num_eval} evaluation images{held_out}"] if num_eval else []
    fewest, most = min(replicates), max(replicates)
    return ", ".join([*parts, f"{most} replicates" if fewest == most else f"{fewest} to {most} replicates"])


_MODEL_FIELDS = (("depth", "model.depth"), ("width", "model.width"))
