"""How long the rest of some work will take, and seconds as a person says them."""


def time_left(spent_s: float, done: float, left: float) -> float | None:
    """`left * spent_s / done`: the seconds that `left` pieces take if each takes what one of `done` took.

    `spent_s` is what those took together. None where none was done, or no time has passed: nothing is known yet.
    """
    return max(0.0, left) * spent_s / done if done > 0 and spent_s > 0 else None


def duration(seconds: float) -> str:
    """Seconds as a person says them: 40 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
