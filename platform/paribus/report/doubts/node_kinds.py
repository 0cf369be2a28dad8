"""On which kind of node each arm was trained, and whether what the kind does can be told from what the arm does.

A kind adds what it adds to every trial on it (d_k to a trial on kind k). In a contrast over paired replicates, of which
a share p(k) of the arm's trials and a share q(k) of the baseline's ran on kind k, that comes to

    sum_k (p(k) - q(k)) d_k,  at most  imbalance * (largest d - smallest d),  imbalance = sum_k |p(k) - q(k)| / 2

so that an imbalance of 0 cancels it, however the single pairs lie, and with one of 1 no kind trained both sides:
nothing tells the arm from the machine then. Both shares are of the same replicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paribus.report.doubts.mixtures import UNRECORDED, is_gpu, made_with
from paribus.study.study import Study
from paribus.study.words import Arm
from paribus.tracking.trials.record import TrialRecord

# From here on a contrast is named: half of what tells the kinds apart, or more, is in its difference.
MOST_IMBALANCE: Final = 0.5
_NO_RESULT = (None, "failed", "stopped")


@dataclass(frozen=True, kw_only=True)
class KindRow:
    """How many of an arm's trials ran on each kind; `imbalance` against its baseline, None of a baseline itself."""

    arm: Arm
    counts: tuple[int, ...]
    imbalance: float | None


def kind_of(record: TrialRecord) -> str:
    """The GPU that the net ran on, or the processor where it ran on that; every one of them, where they changed."""
    told = made_with(record)
    return (told["device"] if is_gpu(told["device"]) else told["processor"]) or UNRECORDED


def kind_rows(study: Study, records: Sequence[TrialRecord]) -> tuple[tuple[str, ...], tuple[KindRow, ...]]:
    """The kinds, the commonest first, and a row for each arm that has results; () and () where there is one kind."""
    judged = [record for record in records if record.outcome not in _NO_RESULT]
    kinds = tuple(kind for kind, _ in Counter(map(kind_of, judged)).most_common())
    if len(kinds) < 2:
        return (), ()
    at = {(record.arm, record.replicate): kind_of(record) for record in judged}
    rows = []
    for arm in study.trained:
        counts = Counter(kind for (of, _), kind in at.items() if of == arm)
        if counts:
            against = None if arm in study.baselines else _imbalance(at, arm, study.baseline_of(arm))
            rows.append(KindRow(arm=arm, counts=tuple(counts[kind] for kind in kinds), imbalance=against))
    return kinds, tuple(rows)


def confounded(study: Study, records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """A sentence for each contrast whose arm and baseline ran on different kinds of nodes, half of it or more."""
    kinds, rows = kind_rows(study, records)
    return tuple(_sentence(kinds, row, rows, study) for row in rows if (row.imbalance or 0) >= MOST_IMBALANCE)


def _imbalance(at: dict[tuple[Arm, int], str], arm: Arm, baseline: Arm) -> float | None:
    """Of the replicates that both sides have; None where there is none."""
    pairs = [(kind, at[baseline, r]) for (of, r), kind in at.items() if of == arm and (baseline, r) in at]
    own, other = Counter(kind for kind, _ in pairs), Counter(kind for _, kind in pairs)
    return sum(abs(own[kind] - other[kind]) for kind in own | other) / (2 * len(pairs)) if pairs else None


def _sentence(kinds: Sequence[str], row: KindRow, rows: Sequence[KindRow], study: Study) -> str:
    baseline = study.baseline_of(row.arm)
    sides = [_counted(kinds, each) for arm in (row.arm, baseline) for each in rows if each.arm == arm]
    assert row.imbalance is not None
    means = (
        "no kind of node trained both, so that nothing tells the arm from the machine"
        if row.imbalance == 1
        else f"{100 * row.imbalance:.0f} % of what one kind of node adds is in their difference"
    )
    return (
        f"confounded with the kind of node: {'; '.join(sides)}: {means}. More replicates, whose order is shuffled, "
        "or nodes of one kind part the two"
    )


def _counted(kinds: Sequence[str], row: KindRow) -> str:
    on = ", ".join(f"{count} on {kind}" for kind, count in zip(kinds, row.counts, strict=True) if count)
    return f"{row.arm.name}: {on}"
