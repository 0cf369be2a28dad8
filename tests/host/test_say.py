"""What a study's commands print names no password: texts, JSON, lines while it trains, a notebook's cell."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from paribus.commands.answer import Answer
from paribus.execution.progress import Progress
from paribus.host.say import say, warn
from paribus.local import doctor
from paribus.study import Study
from paribus.study.plan import make_plan, trials
from paribus.study.words import Arm

ADDRESS = "https://me:hunter2@host/data?token=hunter2&x=1"


def test_json_stays_json_without_its_secrets_on_either_stream(capsys: pytest.CaptureFixture[str]) -> None:
    say(json.dumps({"at": ADDRESS, "next": 1}))
    warn(ADDRESS)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"at": "https://***@host/data?token=***&x=1", "next": 1}
    assert err == "https://***@host/data?token=***&x=1\n"


def test_lines_and_warnings_while_it_trains_show_no_secret() -> None:
    study = Study(name="s", base="digits", factors={"model.width": (1.0, 2.0)}, replicates=1)
    plan = make_plan(study, trials(study, lambda recipe: "d"), None, code=lambda recipe: "c")
    out = io.StringIO()
    progress = Progress(
        plan, {}, beat=lambda: None, lost=lambda step, reason: None, aside=lambda node, fault: None, out=out
    )
    result = {"trial_key": plan.steps[0].trial.id, "outcome": "failed", "reason": f"data: {ADDRESS}", "spent_s": 1.0}
    progress.on_trial_result(0, [], None, {**result, "warnings": [f"slow: {ADDRESS}"]})  # type: ignore[arg-type]
    assert out.getvalue().count("https://***@host") == 2
    assert "hunter2" not in out.getvalue()


def test_an_arm_named_by_an_address_shows_no_secret_and_is_still_its_own() -> None:
    arm, other = Arm.of({"data.name": ADDRESS}), Arm.of({"data.name": ADDRESS.replace("hunter2", "other")})
    assert arm.name == "name=https://***@host/data?token=***&x=1"
    assert arm != other


def test_a_notebooks_cell_shows_no_secret() -> None:
    answer = Answer(title=ADDRESS, text=ADDRESS, data={}, rows=[{"arm": ADDRESS}], notes=[ADDRESS])
    assert "hunter2" not in f"{answer}{answer._repr_html_()}"


def test_no_look_of_the_doctor_shows_a_secret_of_the_shell_or_of_a_server(tmp_path: Path) -> None:
    """`RAY_ADDRESS` and what a port's holder or a server says are shown as they are, but for that."""
    env = {"RAY_ADDRESS": ADDRESS, "MLFLOW_TRACKING_URI": ADDRESS, "http_proxy": ADDRESS}
    checks = doctor.examine(home=tmp_path, env=env)
    assert any("goes to https://***@host/data?token=***&x=1 (RAY_ADDRESS)" in check.text for check in checks)
    assert "hunter2" not in doctor.render(checks) + json.dumps([asdict(check) for check in checks])
