"""What must be said with a claim's outcome: that somebody looked before, or that its pairs are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from paribus.analysis.claims import WITHIN_MARGIN, ClaimOutcome, Outcome
from paribus.analysis.looks import Looks

_AFTER: Final[dict[Outcome, Outcome]] = {
    "reproduced": "reproduced, after looking",
    "contradicted": "contradicted, after looking",
    WITHIN_MARGIN: "not reproduced: within the margin, after looking",
}


def conditioned(found: ClaimOutcome | None, looks: Looks, broken: Sequence[str]) -> ClaimOutcome | None:
    """The claim's outcome under these conditions.

    `broken` are sentences on pairs whose arms saw different data: a difference between them is not the factor's, so
    the claim is `unresolved`, whatever the verdicts. After `looks` an outcome says so, for its error rate is another.
    """
    if found is None:
        return None
    if broken:
        return replace(found, outcome="unresolved", reasons=(f"the pairing is broken: {broken[0]}", *found.reasons))
    return replace(found, outcome=_AFTER.get(found.outcome, found.outcome)) if looks else found
