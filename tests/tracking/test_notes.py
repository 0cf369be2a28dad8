"""What people note on studies and trials: kept with the description that a driver writes, whichever comes first."""

from __future__ import annotations

import pytest

from paribus.tracking.mlflow.limits import TAG_LENGTH
from paribus.tracking.notes import note_in, with_note


@pytest.mark.parametrize("description", ["", "**Why?**\n\nthree verdicts", "x" * TAG_LENGTH])
def test_a_note_stands_below_what_the_driver_wrote_and_outlives_it(description: str) -> None:
    noted = with_note(description, " look at r3\n\nagain ")
    assert note_in(noted) == "look at r3\n\nagain"
    assert len(noted) <= TAG_LENGTH
    assert noted[:100].strip().startswith(description[:100].strip())
    later = with_note("another report", note_in(noted))
    assert later.startswith("another report")
    assert note_in(later) == "look at r3\n\nagain"
    assert with_note(later, "") == "another report"
    assert note_in(with_note(later, "")) == ""
