"""The one estimate of how long the rest takes, and the one way to say seconds."""

import pytest

from paribus.host.time_left import duration, time_left


@pytest.mark.parametrize(
    ("spent_s", "done", "left", "expected"),
    [(30, 3, 4, 40), (30, 3, 0, 0), (30, 3, -1, 0), (30, 0, 4, None), (0, 3, 4, None)],
)
def test_what_is_left_takes_what_was_done_took_each(
    spent_s: float, done: float, left: float, expected: float | None
) -> None:
    assert time_left(spent_s, done, left) == expected


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3599, "1 h 00 min"), (7500, "2 h 05 min")]
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
