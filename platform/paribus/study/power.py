"""What a plan promises before launch: the smallest effect that it can detect, and its cost."""

from dataclasses import dataclass
from functools import cache

# Where the ledger knows no spread yet. Top-1: CIFAR-10 ResNets after 4 to 64 epochs have 0.56 to 0.15 points between
# runs (Jordan 2023, section 3); a proxy trial sits at the noisy end, and unpaired deltas have sqrt(2) of that.
DEFAULT_SD = {"top1": 0.8, "top5": 0.8, "log_likelihood": 0.02, "eval_loss": 0.02}


@dataclass(frozen=True, kw_only=True)
class Power:
    """The smallest true effect found with 80 % probability, in the metric's unit; None below three replicates."""

    detectable: float | None
    sd: float
    source: str


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
