"""Looks that nobody planned: what the error rates of a verdict become when replicates are added after it.

A person who looks, and adds replicates where the answer does not please, gives chance another throw each time
(Armitage, McPherson and Rowe 1969). The rates here are those of whoever would have stopped at the first look with a
false verdict; they come from simulated studies that go through `judge`, the rule that judges real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.statistics.intervals import MIN_PAIRS
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, WORSE, judge
from paribus.study.words import CLAIM, TRAINED

# Simulated studies: a rate of 14 % is then known to 0.35 points (0.8 where contrasts or replicates are so many that
# fewer must do), which is closer than it is printed.
_STUDIES, _FEWEST, _MOST_NUMBERS, _AT_ONCE = 10_000, 2_000, 40_000_000, 2_000_000
_MOST_LISTED = 4


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Chances, family-wise over a study's contrasts, of at least one false verdict at any of the looks or the last.

    `difference`: a `better` or `worse` where no arm differs; `equivalence`: an `equivalent` where every arm differs by
    the margin. Each is alpha where nobody looked.
    """

    difference: float
    equivalence: float


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a verdict rests on `was` otherwise when verdicts on `pairs` pairs could be had; or it was trained again."""

    what: str
    was: str
    now: str
    pairs: int

    def sentence(self) -> str:
        """For people, with what follows from it."""
        if self.what == TRAINED:
            return (
                f"trials that had ended when verdicts on {self.pairs} pairs could be had were trained again by other "
                "code: these numbers come after a look at the first ones, and take their place"
            )
        verb, now = ("were", "they are now") if self.what in ("arms", "planned looks") else ("was", "it is now")
        rests = "for the claim's outcome" if self.what == CLAIM else "for the verdicts"
        return (
            f"the {self.what} {verb} {self.was} when verdicts on {self.pairs} pairs could be had; {now} {self.now}: "
            f"chosen after looking, and {rests} no error rate holds (--fresh judges on replicates added since, alone)"
        )


@dataclass(frozen=True, kw_only=True)
class Looks:
    """The pairs that had ended at each earlier look, rising: `own` at the study's seed, `elsewhere` per other seed.

    `chosen` is what a person has chosen otherwise since a look, whose verdicts have no error rate that could be told.
    """

    own: tuple[int, ...] = ()
    elsewhere: tuple[tuple[int, ...], ...] = ()
    chosen: tuple[Chosen, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.own or self.elsewhere or self.chosen)

    def before(self, num_pairs: int) -> Looks:
        """Those that came before a verdict on `num_pairs` pairs, and at which one could be had."""
        own = tuple(sorted({pairs for pairs in self.own if MIN_PAIRS <= pairs < num_pairs}))
        return replace(self, own=own) if num_pairs >= MIN_PAIRS else Looks()

    def phrase(self) -> str:
        """`after a look at 6`, `after looks at 3 and 5; margin chosen after a look at 5`; "" without any.

        A claim is chosen too, but no verdict depends on it.
        """
        terms = self.changed_terms
        what = f"{_listed([each.what for each in terms])} chosen" if terms else ""
        choice = f"{what} after a look at {max(each.pairs for each in terms)}" if terms else ""
        return "; ".join(filter(None, (self._thrown_again(), choice)))

    @property
    def changed_terms(self) -> tuple[Chosen, ...]:
        """Of what was chosen, that by which verdicts are judged: no error rate could be told of them."""
        return tuple(each for each in self.chosen if each.what not in (CLAIM, TRAINED))

    @property
    def _trained_again(self) -> tuple[int, ...]:
        return tuple(each.pairs for each in self.chosen if each.what == TRAINED)

    def _thrown_again(self) -> str:
        again = [f"trained again after a look at {pairs}" for pairs in self._trained_again]
        return "; ".join(filter(None, (self._added(), *again)))

    def _added(self) -> str:
        others = [pairs for series in self.elsewhere for pairs in series]
        parts = [_listed(self.own)] if self.own else []
        whose = "another seed" if len(self.elsewhere) == 1 else "other seeds"
        parts += [f"{_listed(others)} of {whose}"] if others else []
        if not parts:
            return ""
        return f"after {'a look' if len(self.own) + len(others) == 1 else 'looks'} at {' and at '.join(parts)}"

    def rates(self, num_pairs: int, num_contrasts: int, alpha: float) -> Rates:
        """The error rates of verdicts on `num_pairs` pairs after these looks.

        Seeds are independent of one another. What was trained again counts like another seed: the two results of one
        seed are alike, if anything, so that the rate is at most this.
        """
        series = [(*self.own, num_pairs), *self.elsewhere, *((pairs,) for pairs in self._trained_again)]
        found = [error_rates(pairs, num_contrasts, alpha) for pairs in series]
        return Rates(
            difference=_any([rate.difference for rate in found]),
            equivalence=_any([rate.equivalence for rate in found]),
        )

    def sentences(self, num_pairs: int, num_contrasts: int, alpha: float) -> tuple[str, ...]:
        """What the looks cost, and what was chosen after them, for people."""
        cost = (self._cost(num_pairs, num_contrasts, alpha),) if self._thrown_again() else ()
        return (*cost, *(each.sentence() for each in self.chosen))

    def _cost(self, num_pairs: int, num_contrasts: int, alpha: float) -> str:
        rates = self.rates(num_pairs, num_contrasts, alpha)
        added = ["replicates or a seed were added"] if self._added() else []
        again = ["trials were trained again"] if self._trained_again else []
        what = " and ".join([*added, *again])
        over = f"any of {num_contrasts} contrasts" if num_contrasts > 1 else "the contrast"
        return (
            f"{self._thrown_again()}: {what} when verdicts could be had already, so that a false "
            f"better or worse in {over} has a chance of {percent(rates.difference)} and a false equivalent of "
            f"{percent(rates.equivalence)}, where one look has {100 * alpha:g} %; --fresh judges on what was added "
            f"since, alone, at {100 * alpha:g} %"
        )


@cache
def error_rates(pairs: tuple[int, ...], num_contrasts: int, alpha: float) -> Rates:
    """The rates of a study that is judged at each number of `pairs` until a false verdict comes. Deterministic.

    Runs are normal and of equal spread, and the contrasts share one baseline. The spread and the margin cancel: of
    differences the margin is taken as nothing, of equivalences as so wide that only its near side can be met.
    """
    most = max(pairs)
    studies = num_studies(num_contrasts=num_contrasts, num_pairs=most)
    rng = np.random.default_rng([num_contrasts, *pairs])
    false = np.zeros(2)
    left = studies
    while left:
        some = min(left, max(1, _AT_ONCE // ((num_contrasts + 1) * most)))
        false += _false(rng.standard_normal((some, num_contrasts + 1, most)), pairs, alpha)
        left -= some
    return Rates(difference=float(false[0]) / studies, equivalence=float(false[1]) / studies)


def num_studies(*, num_contrasts: int, num_pairs: int) -> int:
    """How many studies are simulated: fewer where each takes so many numbers that all would take minutes."""
    return int(np.clip(_MOST_NUMBERS // ((num_contrasts + 1) * num_pairs), _FEWEST, _STUDIES))


def _false(runs: NDArray[np.float64], pairs: Sequence[int], alpha: float) -> NDArray[np.int64]:
    """How many of the studies `runs` (S, A + 1, R), baseline first, come to a false difference and equivalence (2,)."""
    deltas = runs[:, 1:] - runs[:, :1]
    wide = 100.0
    found = np.zeros((2, len(runs)), dtype=bool)
    for n in pairs:
        differs = judge(deltas[..., :n], margin=1e-9, alpha=alpha).codes
        same = judge(deltas[..., :n] + wide, margin=wide, alpha=alpha).codes
        found[0] |= np.isin(differs, (BETTER, WORSE)).any(axis=-1)
        found[1] |= np.isin(same, (EQUIVALENT, SMALL_DIFFERENCE)).any(axis=-1)
    return np.asarray(found.sum(axis=-1))


def percent(rate: float) -> str:
    """A rate for people: `14 %`."""
    return f"{100 * rate:.0f} %"


def _any(rates: Sequence[float]) -> float:
    return 1 - prod(1 - rate for rate in rates)


def _listed(pairs: Sequence[int | str]) -> str:
    if len(pairs) > _MOST_LISTED:
        return f"{len(pairs)} numbers of replicates from {pairs[0]} to {pairs[-1]}"
    *first, last = map(str, pairs)
    return f"{', '.join(first)} and {last}" if first else last
