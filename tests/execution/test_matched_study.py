"""Arms of equal size on a real cluster: what their trials measured is what was asked for, or the report says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox import LEARNS, Sandbox, Stack, environment

pytestmark = pytest.mark.cluster

STUDY = '''#!/usr/bin/env python
"""Is a deeper net better where it has no more parameters?"""

from paribus import Study, main

study = Study(
    name={name!r},
    base="synthetic",
    factors={{"model.depth": (10, 16)}},
    fixed={fixed!r},
    match="params",
    free="model.width",
    match_tolerance={tolerance},
    replicates=2,
    margin=20.0,
)

if __name__ == "__main__":
    main(study)
'''


@pytest.fixture
def office(stack: Stack, tmp_path: Path) -> Iterator[Sandbox]:
    cluster = {"RAY_ADDRESS": stack.ray, "MLFLOW_TRACKING_URI": stack.uri}
    made = Sandbox(folder=tmp_path, env=environment(stack.checkout, tmp_path / "home", **cluster))
    yield made
    made.end()


def test_trials_measure_what_their_arms_were_matched_on(office: Sandbox) -> None:
    file = office.write("matched", STUDY.format(name="matched", fixed=LEARNS, tolerance=0.9))
    plan = json.loads(office.run("paribus", "plan", file, "--json").stdout)
    (match,) = plan["matched"]
    done = office.run(file)
    assert done.returncode == 0, done.stderr
    trials = office.trials(file)
    measured = {trial.arm_name: trial.metrics["num_params"] for trial in trials}
    assert measured == {"depth=10": match["target"], "depth=16": match["figure"]}
    assert {trial.params["model.width"] for trial in trials if trial.arm_name == "depth=16"} == {str(match["value"])}
    assert "the arms were matched on params by model.width: depth=16: k = " in done.stdout
    assert "is not matched" not in done.stdout
    # The same trials under a tolerance that no width keeps: nothing trains, and the report says by what they miss.
    file.write_text(STUDY.format(name="matched", fixed=LEARNS, tolerance=1e-6))
    told = office.run("paribus", "report", file)
    off = 100 * (match["figure"] / match["target"] - 1)
    assert f"depth=16 is not matched: it has {match['figure']:,} parameters where" in told.stdout, told.stderr
    assert f"({off:+.2g} %, the tolerance is 0.0001 %)" in told.stdout
    assert [trial.attempt for trial in office.trials(file)] == [1] * 4
