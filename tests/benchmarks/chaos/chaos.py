#!/usr/bin/env python
"""Faults, thrown at a study on a cluster of machines of its own: what it loses, doubles or gets wrong, what it costs.

    make chaos CHAOS="--faults 40 --minutes 60"

First the study is trained in quiet, then the same one while a seeded sequence of faults befalls nodes, head, driver,
MLflow, network and disks; where the driver has died, the same command is typed again. Last, a study of one trial whose
node is lost again and again. All of it lies in `--folder`: the same command goes on where it was cut off, and prints
the table of what there is. Needs root, for namespaces.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cluster import Cluster, is_possible, serve
from counts import Struck, compared, elsewhere_s, taken_up_s, useful_s
from faults import FAULTS, hold, sequence
from sandbox import kill

from paribus.tracking.ledger import Ledger

STUDY = '''#!/usr/bin/env python
"""Does a wider net tell digits better apart?"""

from paribus import Study, main

study = Study(
    name={name!r},
    base="digits",
    factors={{"model.width": {widths}}},
    baseline={{"model.width": 0.5}},
    margin=4.0,
    replicates={replicates},
    fixed={{"budget": "{steps} steps", "resources.cpus": 1.0}},
)

if __name__ == "__main__":
    main(study)
'''
GOAL_S, EVERY_S = 15.0, 300.0


@dataclass
class Run:
    """One study on the cluster, driven by the same command until it is done."""

    cluster: Cluster
    folder: Path
    name: str
    until: float
    driver: subprocess.Popen[bytes] | None = None
    drivers: int = 0
    held_s: float = 0.0  # of all nodes that served
    codes: Counter[int] = field(default_factory=Counter)
    told_drivers: int = 0  # of `drivers`, those that are noted
    _looked: float = 0.0
    _paused: float = 0.0

    @property
    def done(self) -> bool:
        return self.driver is not None and self.driver.poll() == 0

    def look(self) -> None:
        """Look after the machines and the driver."""
        now = time.monotonic()
        for each in self.cluster.machines.values():
            each.supervise()
        if self._looked:
            self.held_s += (now - self._looked) * sum(each.serves for each in self.cluster.nodes)
        self._looked = now
        if self.driver is None:
            self._drive()
        elif (code := self.driver.poll()) not in (None, 0):
            if not self._paused:
                self.codes[code] += 1
                self._paused = now
            elif now - self._paused > 2 and self.cluster.head.serves:
                self._drive()

    def _drive(self) -> None:
        self.drivers += 1
        self._paused = 0.0
        head = self.cluster.head
        with (self.cluster.logs / f"{self.name}-{self.drivers}.log").open("wb") as out:
            self.driver = subprocess.Popen(
                head.enter(self.folder / f"{self.name}.py"),
                cwd=self.folder,
                env=self.cluster.shell(head, PARIBUS_CHAOS="driver"),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def finish(self) -> bool:
        """Until it is done, or its time is up; whether it is."""
        while not self.done and time.monotonic() < self.until:
            hold(0.5, self.look)
        return self.done

    def end(self) -> None:
        """End a driver that still runs."""
        if self.driver is not None and self.driver.poll() is None:
            kill(self.driver.pid)
            self.driver.wait()


def storm(run: Run, options: argparse.Namespace, state: dict[str, Any]) -> None:
    """Throw what is left of the sequence, a fault at a time."""
    draw = random.Random(options.seed + len(state["struck"]))
    for kind in sequence(options.seed, options.faults, options.only)[len(state["struck"]) :]:
        hold(draw.uniform(0.5, 1.5) * options.gap, run.look)
        if run.done or time.monotonic() > run.until:
            return
        fault, node = FAULTS[kind], draw.choice([each for each in run.cluster.nodes if each.wanted])
        driver = psutil.Process(run.driver.pid) if run.driver and run.driver.poll() is None else None
        struck = Struck(kind, node.name if fault.loses else "", time.time(), bool(node.workers()))
        print(f"{len(state['struck']) + 1:3} {time.strftime('%H:%M:%S')} {kind}: {node.name}", flush=True)
        over = fault.strike(run.cluster, node, driver)
        try:
            hold(fault.held_s, run.look)
        finally:
            over()
        state["struck"].append(asdict(struck))
        told(run, state)
        keep(options.folder, state)


def told(run: Run, state: dict[str, Any]) -> None:
    """Note what the run has counted since it was last asked."""
    state["held_s"] += run.held_s
    state["drivers"] = state.get("drivers", 0) + run.drivers - run.told_drivers
    for code, count in run.codes.items():
        state.setdefault("codes", {})[str(code)] = state.get("codes", {}).get(str(code), 0) + count
    run.held_s, run.told_drivers = 0.0, run.drivers
    run.codes.clear()


def keep(folder: Path, state: dict[str, Any]) -> None:
    (folder / "state.json.new").write_text(json.dumps(state, indent=1))
    (folder / "state.json.new").replace(folder / "state.json")


def phases(cluster: Cluster, options: argparse.Namespace, state: dict[str, Any]) -> None:
    """What is not done yet: the quiet study, the disturbed one, the losses of a node."""
    until = time.monotonic() + options.minutes * 60
    for name, steps in {"calm": options.steps, "storm": options.steps, "one": options.steps * 40}.items():
        alone = name == "one"
        text = STUDY.format(
            name=name,
            widths=(0.5,) if alone else (0.25, 0.5),
            replicates=1 if alone else options.trials // 2,
            steps=steps,
        )
        (options.folder / f"{name}.py").write_text(text)
        (options.folder / f"{name}.py").chmod(0o755)
        if state.get(name):
            continue
        run = Run(cluster, options.folder, name, until)
        try:
            cluster.wait()
            print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
            if name == "one":
                state["elsewhere_s"] = lose_one(run, options.losses)
                state[name] = True
                continue
            if name == "storm":
                storm(run, options, state)
            state[name] = run.finish()
            if name == "storm":
                told(run, state)
            else:
                state[f"{name}_held_s"] = state.get(f"{name}_held_s", 0.0) + run.held_s
            if not state[name]:
                return
        finally:
            run.end()
            keep(options.folder, state)


def lose_one(run: Run, losses: int) -> list[tuple[float, float]]:
    run.look()
    return elsewhere_s(run.cluster, run.name, losses)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--trials", type=int, default=60, help="of the study: two arms")
    parser.add_argument("--steps", type=int, default=3000, help="of a trial")
    parser.add_argument("--minutes", type=float, default=180, help="after which the same command is to go on")
    parser.add_argument("--gap", type=float, default=10, help="seconds from one fault's end to the next, on average")
    parser.add_argument("--losses", type=int, default=5, help="of the node of a study's only trial")
    parser.add_argument("--only", default="", help="the kinds of fault that have this in their names")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, default=Path(".paribus/chaos"), help="where records, logs and the ledger lie"
    )
    options = parser.parse_args()
    if why := is_possible():
        raise SystemExit(f"{why}: no machines to throw faults at")
    # Also in the background of a shell, which has it ignore Ctrl-C.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    file, kept = options.folder / "state.json", options.folder / "kept"
    state = json.loads(file.read_text()) if file.is_file() else {"struck": [], "held_s": 0.0}
    with serve(options.folder) as cluster:
        if kept.is_dir():
            shutil.copytree(kept, cluster.shared, dirs_exist_ok=True)
        for name in ("ape", "bee"):
            cluster.add(name)
        try:
            phases(cluster, options, state)
        finally:
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(cluster.shared, kept, ignore=shutil.ignore_patterns("filler"))
        cluster.start_ledger()
        table(cluster, options, state)


if __name__ == "__main__":
    main()
