#!/usr/bin/env python
"""How many files of ours a reader opens: those of which a function runs in a training step, a trial and a verdict.

    .venv/bin/python tests/benchmarks/walks.py [-v] [STUDY.py ...]

A step is from one optimizer step to the next within an epoch; a trial, from its shards to its result, without Ray and
ledger; a verdict, `analyse` of three arms with four replicates. Modules that are only imported are not counted, nor
`errors.py`.

Whether a walk enters each room once on its way down: with a study file, and options of `paribus run`, the study is run
on a Ray and a ledger of its own, and every call of its driver that comes back to a room from a lower one is printed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np

import paribus
from paribus import Study
from paribus.analysis.study_analysis import analyse
from paribus.data import data_digest, open_feed
from paribus.recipe import Recipe, Seeds, preset
from paribus.study import TrialResult
from paribus.training import epochs

ROOT = f"{Path(paribus.__file__).parent}{os.sep}"
SEEDS = Seeds.draw(0, 1)


@contextmanager
def walked(marks: list[int] | None = None) -> Iterator[list[str]]:
    """The files of ours whose functions run meanwhile, in order; `marks` receives where each optimizer step begins."""
    files: list[str] = []

    def note(frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(ROOT) and code.co_name != "<module>":
            if marks is not None and code.co_qualname == "TrainState.step":
                marks.append(len(files))
            files.append(code.co_filename.removeprefix(ROOT))

    threading.setprofile(note)  # the loader's threads begin with an epoch
    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


@contextmanager
def rooms_walked() -> Iterator[Counter[str]]:
    """The calls that come back to a room which a caller further up is in: `engine > study > engine: who -> whom`."""
    back: Counter[str] = Counter()
    threads = threading.local()

    def note(frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(ROOT) or code.co_name == "<module>" or event not in ("call", "return"):
            return
        stack: list[tuple[str, str]] = threads.__dict__.setdefault("stack", [])
        if event == "return":
            del stack[-1:]
            return
        file = code.co_filename.removeprefix(ROOT)
        room, name = file.partition(os.sep)[0], f"{file}:{code.co_qualname}"
        last = max((place for place, (above, _) in enumerate(stack) if above == room), default=len(stack) - 1)
        if last < len(stack) - 1:
            between = [each for each, _ in stack[last:]]
            path = [each for place, each in enumerate(between) if place == 0 or each != between[place - 1]]
            back[f"{' > '.join([*path, room])}: {stack[-1][1]} -> {name}"] += 1
        stack.append((room, name))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield back
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def run_of(words: list[str]) -> Counter[str]:
    """The calls of `paribus run` that come back to a room, in a home and on a Ray of its own."""
    from paribus.commands.main import main as paribus_main

    with tempfile.TemporaryDirectory(prefix="paribus-walks-") as home:
        os.environ |= {"PARIBUS_HOME": home, "RAY_ADDRESS": "local"}
        with rooms_walked() as back:
            paribus_main(["run", *words])
    return back


def step_of(recipe: Recipe, home: Path) -> list[str]:
    """The files of one step in the middle of the second epoch."""
    running = epochs(recipe, SEEDS, open_feed(recipe, home, threads=1))
    next(running)
    marks: list[int] = []
    with walked(marks) as files:
        next(running)
    running.close()
    return files[marks[5] : marks[6]]


def trial_of(recipe: Recipe, home: Path) -> list[str]:
    """The files of a trial in this process."""
    with walked() as files:
        for _ in epochs(recipe, SEEDS, open_feed(recipe, home, threads=1)):
            pass
    return files


def verdict() -> list[str]:
    """The files of a judgement of three arms on top-1."""
    study = Study(name="walk", base="digits", factors={"model.width": (0.25, 0.5, 1.0)}, replicates=4)
    draw = np.random.default_rng(0)
    results = [
        TrialResult(
            trial_id=f"{place}-{number}",
            arm=arm,
            replicate=number,
            outcome="finished",
            metrics={"top1": 90 + place + draw.normal()},
        )
        for place, arm in enumerate(study.arms)
        for number in range(1, 5)
    ]
    with walked() as files:
        analyse(study, results, num_eval=10_000)
    return files


def main(words: list[str], *, verbose: bool) -> None:
    """Print the counts, and with `verbose` the files; or, of a study, what comes back to a room."""
    if words:
        for way, times in run_of(words).most_common():
            print(f"{times:4} {way}")
        return
    recipe = preset("digits").replace({"budget.amount": 2})
    with tempfile.TemporaryDirectory(prefix="paribus-walks-") as folder:
        home = Path(folder)
        data_digest(recipe, home)
        walks = {
            "a step, pixels in memory": step_of(recipe, home),
            "a step, pixels streamed": step_of(recipe.replace({"data.cache": "never"}), home),
            "a trial, without Ray and ledger": trial_of(recipe, home),
            "a verdict": verdict(),
        }
    for name, files in walks.items():
        opened = sorted({file for file in files if not file.endswith("errors.py")})
        print(f"{len(opened):4} {name}{': ' + ' '.join(opened) if verbose else ''}")


if __name__ == "__main__":
    main([word for word in sys.argv[1:] if word != "-v"], verbose="-v" in sys.argv[1:])
