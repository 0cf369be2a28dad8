"""All that was found, as one table."""

from __future__ import annotations

import argparse
from collections import Counter
from statistics import median
from typing import Any

from cluster import Cluster
from counts import Struck, compared, taken_up_s, useful_s

from paribus.tracking.ledger import Ledger

# How far apart the goal has its faults.
EVERY_S = 300.0


def table(cluster: Cluster, options: argparse.Namespace, state: dict[str, Any]) -> None:
    """One table of all that was found."""
    struck = [Struck(**each) for each in state["struck"]]
    rows: list[tuple[str, object]] = [("faults thrown", len(struck))]
    rows += [(f"  {kind}", count) for kind, count in Counter(each.kind for each in struck).most_common()]
    with Ledger(cluster.uri, budget_s=60) as ledger:
        if state.get("calm") and ledger.study("storm"):
            rows.append(("the study is done", "yes" if state.get("storm") else "no: the same command goes on"))
            rows += compared(ledger, "calm", "storm", options.trials // 2 * 2).items()
            rows += [("drivers", state.get("drivers", 0)), ("their exit codes", state.get("codes", {}))]
            held, calm_held = state["held_s"], state["calm_held_s"]
            useful, calm = useful_s(ledger, "storm"), useful_s(ledger, "calm")
            quiet = calm / calm_held
            lost = (quiet * held - useful) / max(1, len(struck))
            rows += [
                ("useful over held trial-seconds, in quiet", f"{quiet:.3f}"),
                ("useful over held trial-seconds, disturbed", f"{useful / held:.3f} ({useful:.0f} of {held:.0f} s)"),
                ("trial-seconds lost for a fault", f"{lost:.1f}"),
                ("so with one every 5 minutes on two places", f"{1 - lost / (2 * EVERY_S):.3f}"),
            ]
            again = taken_up_s(ledger, "storm", struck)
            rows.append(("node lost until its trial trained again, wait for a place included (s)", _spread(again)))
    if told := state.get("elsewhere_s"):
        rows += [
            (f"node lost until its trial began elsewhere, {len(told)} times (s)", _spread([each[0] for each in told])),
            ("... until its first epoch there had ended (s)", _spread([each[1] for each in told])),
        ]
    print("\n| figure | found |\n|---|---|")
    for name, found in rows:
        print(f"| {name} | {found} |")


def _spread(found: list[float]) -> str:
    if not found:
        return "none"
    return f"median {median(found):.1f}, {min(found):.1f} to {max(found):.1f}, of {len(found)}"
