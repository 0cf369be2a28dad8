"""What a plan promises before launch: what it can detect with the very correction that the verdict will use.

Over A contrasts the verdict corrects by Holm (1979), whose first and hardest step asks p < alpha / A. One effect among
A contrasts without any has to take that step alone, so that is what is promised; where several contrasts have effects,
each is found more often.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_REPLICATES = 10_000
_MOST_TABLES = 60


@dataclass(frozen=True, kw_only=True)
class Power:
    """What a study of `num_contrasts` contrasts can tell with 80 % probability.

    `detectable` is the smallest true effect found, in the metric's unit; None below three replicates. `equivalent` is
    the chance that an arm without any effect is called equivalent, `enough` the replicates that make it 80 % (None
    beyond 10,000). `failures` are the fewest, of all replicates against none of the baseline's, that tell an arm apart
    (None: no number does), and `failure_rate` the true rate from which on that happens with 80 % probability.
    """

    detectable: float | None
    sd: float
    source: str
    num_contrasts: int
    equivalent: float
    enough: int | None
    failures: int | None
    failure_rate: float | None
    effects: "EffectPower | None" = None


@dataclass(frozen=True, kw_only=True)
class EffectPower:
    """The smallest main effect of `num_effects` effects that is found with 80 % power, each over `num_backgrounds`.

    It takes the backgrounds' chances for independent: what they share, a mean over them does not narrow.
    """

    detectable: float
    num_effects: int
    num_backgrounds: int


def power_of_effects(
    sd: float, *, replicates: int, num_effects: int, num_backgrounds: int, alpha: float
) -> EffectPower | None:
    """The power of a main effect that averages as many differences of the sd `sd`; None where R < 3 tells nothing."""
    found = detectable(sd / num_backgrounds**0.5, replicates, alpha / num_effects)
    return (
        found
        if found is None
        else EffectPower(detectable=found, num_effects=num_effects, num_backgrounds=num_backgrounds)
    )


def power_of(effect: float, sd: float, replicates: int, alpha: float = 0.05) -> float:
    """Probability that a two-sided paired t test finds a true mean delta `effect` whose sd is `sd`.

    Raises:
        ValueError: fewer than two replicates, or no positive sd.
    """
    from scipy.special import nctdtr, stdtrit

    if replicates < 2 or not sd > 0:
        raise ValueError(f"power of {replicates} replicates with sd {sd:g}: it takes at least 2, and a positive sd")
    df = replicates - 1
    critical = float(stdtrit(df, 1 - alpha / 2))
    noncentrality = abs(effect) / sd * replicates**0.5
    # The other tail, P(t < -critical), is below alpha / 2 and falls with the effect; scipy's noncentral t is nan there.
    return 1 - float(nctdtr(df, noncentrality, critical))


@cache
def detectable(sd: float, replicates: int, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """The smallest effect with that power, by bisection on the noncentral t; None where R < 3 gives no verdict.

    With sd 0, as where a ledger's deltas are all the same, any effect at all is found.
    """
    if replicates < 3:
        return None
    if sd == 0:
        return 0.0
    low, high = 0.0, sd
    while power_of(high, sd, replicates, alpha) < power:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if power_of(middle, sd, replicates, alpha) >= power else (middle, high)
    return high


def power_of_study(
    sd: float, source: str, *, replicates: int, num_contrasts: int, alpha: float, margin: float, step: float
) -> Power:
    """What a study can tell whose deltas have the sd `sd`; `step` is the metric's smallest (100 / n_eval points)."""
    # The verdict's own test never believes in a spread below one step of the metric.
    spread, level = max(sd, step), alpha / max(num_contrasts, 1)
    failures = failures_needed(replicates, num_contrasts, alpha)
    return Power(
        detectable=detectable(spread, replicates, level),
        sd=spread,
        source=source,
        num_contrasts=num_contrasts,
        equivalent=equivalence_power(spread, replicates, level, margin, step),
        enough=replicates_for_equivalence(spread, level, margin, step),
        failures=failures,
        failure_rate=None if failures is None else rate_found(failures, replicates),
    )


def equivalence_power(sd: float, replicates: int, alpha: float, margin: float, step: float = 0.0) -> float:
    """Chance that two one-sided paired t tests at `alpha` call an arm without any effect equivalent.

    E over the observed sd of 2 Phi((room sqrt(R) - t s) / sd) - 1, where that is positive (Owen 1965): both tests
    reject where the mean is within room - t s / sqrt(R) of 0. As in the verdict, the margin is less one `step` over R.
    """
    import numpy as np
    from scipy.special import chdtri, ndtr, stdtrit

    if replicates < 3:
        return 0.0
    df, room = replicates - 1, margin - step / replicates
    if room <= 0:
        return 0.0
    if sd == 0:
        return 1.0
    # The midpoints of 2,000 equal shares of the chi square: good to 1e-4.
    shares = (np.arange(2000) + 0.5) / 2000
    observed = (chdtri(df, shares) / df) ** 0.5
    left = room / sd * replicates**0.5 - float(stdtrit(df, 1 - alpha)) * observed
    return float(np.maximum(2 * ndtr(left) - 1, 0.0).mean())


def replicates_for_equivalence(
    sd: float, alpha: float, margin: float, step: float = 0.0, power: float = 0.8
) -> int | None:
    """The fewest replicates with that power to call an arm without effect equivalent; None beyond 10,000."""
    low = high = 3
    while high <= _MOST_REPLICATES and equivalence_power(sd, high, alpha, margin, step) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if equivalence_power(sd, middle, alpha, margin, step) >= power else (middle, high)
    return high if high <= _MOST_REPLICATES else None


def failures_needed(replicates: int, num_contrasts: int, alpha: float = 0.05) -> int | None:
    """The fewest failed replicates of one arm, none of its baseline's or another's, that are `worse (unstable)`.

    The family in which Holm counts holds the other contrasts' quality tests, this one's where three of its pairs
    survive, and its stability test.
    """
    for failures in range(1, replicates + 1):
        family = num_contrasts - (replicates - failures < 3) + 1
        if boschloo(failures, replicates) * family < alpha:
            return failures
    return None


@lru_cache(maxsize=1024)
def boschloo(failures: int, replicates: int) -> float:
    """Boschloo's (1970) exact two-sided p of `failures` among `replicates` against none of as many.

    Twice the largest chance, over the common rate, of a table whose one-sided Fisher p is at most the observed one's:
    scipy.stats.boschloo_exact's, which takes seconds to import. Beyond 60 replicates Fisher's own p, which bounds it
    from above.
    """
    observed = comb(replicates, failures) / comb(2 * replicates, failures)
    if replicates > _MOST_TABLES:
        return min(1.0, 2 * observed)
    import numpy as np

    weights = np.array([comb(replicates, k) for k in range(replicates + 1)], dtype=np.float64)
    region = _fisher_table(replicates) <= observed * (1 + 1e-7)
    rates = np.linspace(0, 1, 513)[:, None]
    counts = np.arange(replicates + 1)
    chances = weights * rates**counts * (1 - rates) ** (replicates - counts)
    return min(1.0, 2 * float(np.einsum("pi,ij,pj->p", chances, region, chances).max()))


@lru_cache(maxsize=64)
def _fisher_table(replicates: int) -> "NDArray[np.float64]":
    """Fisher's one-sided p of every pair of counts, (R + 1, R + 1): that the first group fails so much more than the
    second. The same for all tables of so many replicates."""
    import numpy as np

    ways = [comb(replicates, failures) for failures in range(replicates + 1)]
    found = np.empty((replicates + 1, replicates + 1))
    for total in range(2 * replicates + 1):
        as_many, of_all = 0, comb(2 * replicates, total)
        for first in range(min(total, replicates), max(0, total - replicates) - 1, -1):
            as_many += ways[first] * ways[total - first]
            found[first, total - first] = as_many / of_all
    return found


def rate_found(failures: int, replicates: int, power: float = 0.8) -> float:
    """The rate at which `failures` or more of `replicates` fail with that probability."""
    from scipy.special import bdtrc

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if bdtrc(failures - 1, replicates, middle) >= power else (middle, high)
    return high
