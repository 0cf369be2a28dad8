"""What all studies of a ledger came to, side by side: their claims, the paper beside ours, and what each cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paribus.analysis.statistics.intervals import Interval
from paribus.metrics.known import METRICS
from paribus.report.drawing.cost_tables import show_hours
from paribus.report.numbers import show_number, with_interval

_OUTCOMES = ("reproduced", "contradicted", "not reproduced", "unresolved")
_NOT_JUDGED = "waits for results"
_MOST_TOLD = 3


@dataclass(frozen=True, kw_only=True)
class Concluded:
    """A study of the ledger: its claim as it was declared, and what `StudyReport.as_dict` says of it.

    `document` is None where it was not judged; `why` says so in words.
    """

    title: str
    address: str
    claim: Mapping[str, Any] | None
    document: Mapping[str, Any] | None
    why: str = ""


def claim_rows(studies: Sequence[Concluded]) -> list[dict[str, str]]:
    """The studies that claim something: what the source says, and what was found, each contrast with interval and n."""
    return [
        {
            "outcome": outcome_of(each),
            "study": each.title,
            "the source says": str(each.claim.get("text", "")),
            "source": source_of(each.claim),
            "found": "; ".join(found_lines(each)),
            "page": each.address,
        }
        for each in studies
        if each.claim
    ]


def claims_sentence(studies: Sequence[Concluded]) -> str:
    """`5 claims: 2 reproduced, 1 contradicted, 2 unresolved`; "" where no study claims anything."""
    outcomes = Counter(outcome_of(each) for each in studies if each.claim)
    if not outcomes:
        return ""
    order = sorted(outcomes, key=lambda word: next((at for at, one in enumerate(_OUTCOMES) if word.startswith(one)), 9))
    count = sum(outcomes.values())
    told = ", ".join(f"{outcomes[word]} {word}" for word in order)
    return f"{count} claim{'s' if count > 1 else ''}: {told}"


def outcome_of(each: Concluded) -> str:
    """What became of its claim, as its analysis says it."""
    found = (each.document or {}).get("claim") or {}
    return str(found.get("outcome") or _NOT_JUDGED)


def source_of(claim: Mapping[str, Any]) -> str:
    """Where the claim stands, and in what setting the source had it."""
    setting = claim.get("setting") or ""
    return f"{claim.get('source', '')}" + (f" ({setting})" if setting else "")


def found_lines(each: Concluded) -> list[str]:
    """What was found, a contrast a line, what is resolved first; or why nothing was."""
    if each.document is None:
        return [each.why or _NOT_JUDGED]
    rows = [row for row in each.document.get("verdicts", ()) if row.get("verdict") not in (None, "noise floor")]
    rows.sort(key=lambda row: str(row["verdict"]).startswith(("unresolved", "no data")))
    told = [f"{row['arm']}: {_contrast(row)}" for row in rows[:_MOST_TOLD]]
    more = [f"{len(rows) - _MOST_TOLD} more on its page"] if len(rows) > _MOST_TOLD else []
    return [*told, *more] or ["no contrast"]


def _contrast(row: Mapping[str, Any]) -> str:
    failed = ""
    if row.get("arm_failed") or row.get("baseline_failed"):
        failed = f", failed to train {row['arm_failed']} against {row['baseline_failed']} of {row['pairs_ended']}"
    mean = row.get("mean_delta")
    if mean is None:
        return f"no pair trained{failed}: {row['verdict']}"
    metric = METRICS.get(str(row.get("metric")))
    interval = None
    if row.get("low") is not None and row.get("high") is not None:
        interval = Interval(low=row["low"], high=row["high"], level=0.95)
    form, unit = f"+.{metric.digits if metric else 3}f", row.get("unit", "")
    shown = (
        f"{with_interval(mean, interval, form)} {unit}"
        if interval
        else f"{show_number(mean, form)} {unit}, no interval"
    )
    return f"{shown}, n = {row['n']}{failed}: {row['verdict']}"


def cost_rows(studies: Sequence[Concluded]) -> list[dict[str, str]]:
    """Every judged study by what it cost, the dearest first; hours are of GPUs where there were any."""
    known = [(each, each.document["cost"]) for each in studies if each.document and each.document.get("cost")]
    known = [(each, cost) for each, cost in known if cost.get("rows")]
    money = any(cost.get("money") is not None for _, cost in known)
    known.sort(key=lambda pair: (pair[1]["unit"] != "GPU-hours", -pair[1]["hours"]))
    return [
        {
            "study": each.title,
            "conclusions": str(cost["conclusions"]),
            "cost": show_hours(cost["hours"], cost["unit"]),
            "for each conclusion": _per_conclusion(cost),
            "to find what is compared": _share(cost, "hours_before"),
            "came to nothing": _share(cost, "lost_hours"),
            **({"money": _money(cost)} if money else {}),
            "page": each.address,
        }
        for each, cost in known
    ]


def costs_sentence(studies: Sequence[Concluded]) -> str:
    """The whole of it: what all conclusions took together, by unit; "" where no study tells a cost."""
    costs = [
        each.document["cost"] for each in studies if each.document and (each.document.get("cost") or {}).get("rows")
    ]
    parts = []
    for unit in ("GPU-hours", "worker-hours"):
        own = [cost for cost in costs if cost["unit"] == unit]
        hours, conclusions = sum(cost["hours"] for cost in own), sum(cost["conclusions"] for cost in own)
        if own:
            each = f", {show_hours(hours / conclusions, unit)} for each" if conclusions else ""
            many = f"{len(own)} stud{'y' if len(own) == 1 else 'ies'}"
            some = f"{conclusions} conclusion{'' if conclusions == 1 else 's'} of {many}"
            parts.append(f"{some}: {show_hours(hours, unit)}{each}")
    return "; ".join(parts)


def _per_conclusion(cost: Mapping[str, Any]) -> str:
    each = cost.get("hours_per_conclusion")
    return "nothing is resolved" if each is None else show_hours(each, cost["unit"])


def _share(cost: Mapping[str, Any], name: str) -> str:
    hours = cost.get(name) or 0.0
    return f"{show_number(100 * hours / cost['hours'], '.0f')} %" if hours and cost["hours"] else "-"


def _money(cost: Mapping[str, Any]) -> str:
    return "-" if cost.get("money") is None else f"{cost['money']:.2f} {cost.get('currency') or ''}".strip()
