"""Whether a net that came to its end learned anything: its top-1 against guessing the most frequent class.

Imports no torch: readers of a ledger judge by it too.
"""

from functools import lru_cache

import numpy as np
from scipy import special

# How sure guessing is to stay at or below the bound. One net in a thousand that guesses well is still called trained.
SURE = 0.999


@lru_cache(maxsize=256)
def most_by_guessing(num_examples: int, most_frequent: int) -> int:
    """The most examples that guessing gets right: the 99.9 % point of Binomial(n, `most_frequent` / n), one-sided.

    `most_frequent` counts the examples of the most frequent class. Raises ValueError for counts that no split has.
    """
    if not 0 < most_frequent <= num_examples:
        raise ValueError(f"{most_frequent} of {num_examples} examples cannot be of the most frequent class")
    right = np.arange(num_examples + 1, dtype=np.float64)
    below = special.bdtr(right, num_examples, most_frequent / num_examples)
    return int(np.flatnonzero(below >= SURE)[0])


def is_stuck(top1: float, num_examples: int, most_frequent: int) -> bool:
    """Whether a final `top1` (percent) over `num_examples` is not above what guessing gives."""
    return round(top1 * num_examples / 100) <= most_by_guessing(num_examples, most_frequent)


def stuck_reason(top1: float, num_examples: int, most_frequent: int) -> str:
    """What a person reads of a trial that is stuck."""
    bound = 100 * most_by_guessing(num_examples, most_frequent) / num_examples
    return (
        f"top-1 {top1:.2f} % of {num_examples} examples is at chance: guessing the most frequent class "
        f"({100 * most_frequent / num_examples:.3g} % of them) gives up to {bound:.2f} % (one-sided 99.9 % bound)"
    )
