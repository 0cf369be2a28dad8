"""What a contrast's numbers leave open, in sentences: what would resolve it, and why intervals and words may differ."""

from dataclasses import dataclass
from math import ceil, inf, isnan

from paribus.analysis.contrasts import Contrast
from paribus.analysis.statistics.boschloo import replicates_to_settle
from paribus.analysis.statistics.intervals import MIN_PAIRS
from paribus.analysis.statistics.power import replicates_to_resolve
from paribus.analysis.statistics.stability import Stability, counts_in_words, largest_excess
from paribus.analysis.verdicts import EQUIVALENTS, VERDICTS, Verdict

_WHERE_IT_TRAINS: dict[Verdict, str] = {
    "better": "better",
    "worse": "worse",
    "equivalent": "the same",
    "equivalent, with a small difference": "the same within the margin, with a small difference,",
}


@dataclass(frozen=True, kw_only=True)
class Need:
    """Further replicates that would resolve a contrast with 80 % power if what was seen is true; inf beyond 10,000.

    `quality` counts the pairs that will fail to train as those did that ended. None: nothing is open, or unknown.
    """

    quality: float | None
    stability: float | None


def need_of(
    mean: float,
    sd: float,
    n: int,
    found: Stability,
    margin: float,
    levels: tuple[float, float],
    alpha: float,
) -> Need:
    """What is open, from `n` surviving pairs of `found.n`; `levels` are those of one difference and one equivalence."""
    quality = stability = None
    if n >= MIN_PAIRS and sd > 0:  # which nan is not
        pairs = replicates_to_resolve(mean, sd, margin, levels[0], alpha_equivalence=levels[1])
        quality = inf if pairs == inf else max(float(ceil(pairs * found.n / n) - found.n), 1.0)
    if found.arm_failed != found.baseline_failed and found.p_holm >= alpha:
        needed = replicates_to_settle(found.arm_failed / found.n, found.baseline_failed / found.n, levels[0])
        stability = max(needed - found.n, 1.0)
    return Need(quality=quality, stability=stability)


def further(replicates: float) -> str:
    """`about 12 further replicates (24 trials of the two arms)`."""
    if replicates == inf:
        return "more than 10,000 further replicates"
    plural = "s" if replicates != 1 else ""
    return f"about {replicates:.0f} further replicate{plural} ({2 * replicates:.0f} trials of the two arms)"


def stability_note(found: Stability, need: float | None, alpha: float, num_contrasts: int = 1) -> str | None:
    """How often each failed to train, with interval and p, which excess that excludes, and what would settle it."""
    if not found.any_failed or found.interval is None:
        return None
    low, high = (f"{100 * end:+.0f}" for end in (found.interval.low, found.interval.high))
    text = (
        f"{counts_in_words(found)}, difference {100 * found.difference:+.0f} [{low}, {high}] percentage points "
        f"(Boschloo's p = {found.p:.2g}, {found.p_holm:.2g} after Holm's correction)"
    )
    if found.p_holm < alpha:
        return text
    excess = largest_excess(found.arm_failed, found.baseline_failed, found.n, num_contrasts, alpha)
    text += f"; an excess of failures above {100 * excess:.0f} % is excluded"
    if need is None:
        return text
    return f"{text}: not settled; {further(need)} would settle it with 80 % power at these failure rates"


def unresolved_note(quality: int, found: Stability, half_width: float, margin: str, need: float | None) -> str | None:
    """Why a contrast is unresolved; `quality` is the verdict's code that its surviving pairs alone would have had."""
    word = VERDICTS[quality]
    if word in _WHERE_IT_TRAINS:
        return f"unresolved: {_WHERE_IT_TRAINS[word]} where it trains; {counts_in_words(found)}: not settled"
    if isnan(half_width) or need is None:
        return None
    failing = "mean, sd and failure rate" if found.any_failed else "mean and sd"
    against = f" against a margin of ±{margin}" if margin else ""
    return (
        f"unresolved: half-width {half_width:.3g}{against}; {further(need)} would resolve it with 80 % power if the "
        f"observed {failing} were the true ones"
    )


def interval_note(contrast: Contrast, margin: float) -> str | None:
    """Why a verdict may stand beside an interval that seems to say something else."""
    verdict, interval, simultaneous = contrast.verdict, contrast.interval, contrast.simultaneous
    if interval is None:
        return None
    if verdict in ("better", "worse") and simultaneous is not None and simultaneous.low < 0 < simultaneous.high:
        return (
            f"{verdict} by Holm's correction, which goes step by step and finds more; the simultaneous interval, which "
            "holds for all contrasts in one step, covers 0"
        )
    if verdict in EQUIVALENTS and max(-interval.low, interval.high) > margin:
        return (
            "equivalent by two one-sided tests, each at the full level; the two-sided interval is wider than they "
            "need and reaches beyond the margin"
        )
    if verdict == "unresolved" and not interval.low < 0 < interval.high:
        return (
            f"its interval leaves 0 out, but is for one contrast alone: over the study's tests "
            f"p = {contrast.p_superiority_holm:.2g}"
        )
    return None
