"""How long the rest of some work will take, and seconds as a person says them."""

from __future__ import annotations

from collections.abc import Sequence


def time_left(spent_s: float, done: float, left: float) -> float | None:
    """`left * spent_s / done`: the seconds that `left` pieces take if each takes what one of `done` took.

    `spent_s` is what those took together. None where none was done, or no time has passed: nothing is known yet.
    """
    return max(0.0, left) * spent_s / done if done > 0 and spent_s > 0 else None


# The latest pieces tell best how long the next ones take: machines and arms change on the way.
_NUM_TIMED = 20


def rest_of(took_s: Sequence[float], spent_s: Sequence[float], num_left: int) -> float | None:
    """`(num_left * each - sum(min(spent, each))) / number that run`: the seconds until the last of `num_left` ends.

    `each` is the mean of the latest of `took_s`, what those took that have ended; `spent_s` is what those have had that
    run, which are among the left. None where nothing was timed or nothing runs; and where all that is left is overdue,
    which says that the estimate is wrong and not that all is done.
    """
    latest = took_s[-_NUM_TIMED:]
    each = time_left(sum(latest), len(latest), 1)
    if each is None or not spent_s:
        return None
    left_s = each * num_left - sum(min(spent, each) for spent in spent_s)
    return left_s / len(spent_s) if left_s >= 1 else None


def duration(seconds: float) -> str:
    """Seconds as a person says them: 40 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
