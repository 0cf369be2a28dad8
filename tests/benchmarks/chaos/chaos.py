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
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cluster import Cluster, is_possible, serve
from counts import Struck, elsewhere_s
from faults import FAULTS, hold, sequence
from run import Run
from table import table

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
