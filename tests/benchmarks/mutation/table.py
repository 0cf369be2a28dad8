#!/usr/bin/env python
"""The table of tests/README.md from what `run.py` wrote: `table.py RESULTS`; those alive are listed below it.

`equivalent.json` holds, by file, the mutants that a person read and judged to change no number, path or text, each with
its reason; one that a test kills after all is named, for its reason is then wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from changes import mutants

ROOT = Path("platform/paribus")
EQUIVALENT = Path(__file__).with_name("equivalent.json")
KILLED = ("killed", "timeout")


def table(results: Path) -> str:
    """Markdown: a row per file and one over all, then the names of those alive."""
    judged = json.loads(EQUIVALENT.read_text())
    by_file: dict[str, dict[str, str]] = {}
    for row in map(json.loads, results.read_text().splitlines()):
        by_file.setdefault(row["file"], {})[row["name"]] = row["status"]
    lines = ["| file of `paribus` | mutants | tried | killed | equivalent | alive |", "|---|---|---|---|---|---|"]
    total, left = [0] * 5, []
    for file, tried in sorted(by_file.items()):
        now = [mutant.name for mutant in mutants((ROOT / file).read_text())]
        statuses, reasons = {name: tried[name] for name in now if name in tried}, judged.get(file, {})
        killed = [name for name, status in statuses.items() if status in KILLED]
        alive = [name for name in statuses if name not in killed and name not in reasons]
        counts = [len(now), len(statuses), len(killed), len(statuses) - len(killed) - len(alive), len(alive)]
        total = [sum(pair) for pair in zip(total, counts, strict=True)]
        lines.append(f"| `{file}` | {' | '.join(map(str, counts))} |")
        left += [f"alive: {file} {name}" for name in alive]
        left += [f"killed, and judged equivalent: {file} {name}" for name in killed if name in reasons]
    return "\n".join([*lines, f"| all | {' | '.join(map(str, total))} |", "", *left])


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
