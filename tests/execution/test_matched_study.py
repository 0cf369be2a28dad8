"""Arms of equal size on a real cluster: what their trials measured is what was asked for."""

from __future__ import annotations

import json

import pytest
from sandbox import LEARNS, Sandbox

from paribus.commands.main import main

pytestmark = pytest.mark.cluster

STUDY = '''#!/usr/bin/env python
"""Is a deeper net better where it has no more parameters?"""

from paribus import Study, main

study = Study(
    name="matched",
    base="synthetic",
    factors={{"model.depth": (10, 16)}},
    fixed={fixed!r},
    match="params",
    free="model.width",
    match_tolerance=0.9,
    replicates=2,
    margin=20.0,
)

if __name__ == "__main__":
    main(study)
'''


def test_trials_measure_what_their_arms_were_matched_on(
    office: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = office.write("matched", STUDY.format(fixed={**LEARNS, "budget": "8 steps"}))
    done = office.run(file)
    assert done.returncode == 0, done.stderr
    for variable in ("PARIBUS_HOME", "RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(variable, office.env[variable])
    assert main(["plan", str(file), "--json"]) == 0
    (match,) = json.loads(capsys.readouterr().out)["matched"]
    trials = office.trials(file)
    measured = {trial.arm_name: trial.metrics["num_params"] for trial in trials}
    assert measured == {"depth=10": match["target"], "depth=16": match["figure"]}
    assert {trial.params["model.width"] for trial in trials if trial.arm_name == "depth=16"} == {str(match["value"])}
    assert "the arms were matched on params by model.width: depth=16: k = " in done.stdout
    assert "is not matched" not in done.stdout
