"""A metric is one file: with it alone a study plans, trains, keeps, judges, shows and evaluates on it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox import environment

REPOSITORY = Path(__file__).resolve().parents[2]

# The median log-likelihood: in no table of ours, smaller for a worse net, in a unit of its own name.
MEDIAN = """
import numpy as np

from paribus.metrics.metric import Metric

METRIC = Metric(
    name="median_nats",
    short="median",
    label="median log-likelihood",
    unit="median nats",
    sd=0.125,
    digits=3,
    needs=("log_likelihood",),
    overall=lambda examples: float(np.median(examples.column("log_likelihood"))),
)
"""
# One process, in the order of a study's life; what it prints is asserted on below.
LIFE = """
import json, sys

sys.path[:0] = [sys.argv[1], sys.argv[2]]
import numpy as np
from ledger_view import StudyView  # noqa: F401

from paribus import Study, plan
from paribus.analysis import analyse
from paribus.data import open_feed
from paribus.evaluation.evaluated import Evaluated
from paribus.execution.workers.worker import _FINAL
from paribus.recipe import Seeds
from paribus.report.drawing.tables import as_markdown, as_text
from paribus.report.export import number_formats
from paribus.report.drawing.figures.forest import forest
from paribus.report.study_report import StudyReport
from paribus.study.words import TrialResult
from paribus.tracking.outbox.artifacts import decode_examples, encode_examples
from paribus.training import fit

study = Study(
    name="one_file",
    base="synthetic",
    factors={"optimizer.lr": (0.01, 0.3)},
    baseline={"optimizer.lr": 0.01},
    fixed={"budget": "8 steps"},
    metric="median_nats",
    margin=0.05,
    replicates=3,
)
planned = plan(study)
results = []
for arm in study.arms:
    for replicate in (1, 2, 3):
        recipe = study.recipe_of(arm)
        result = fit(recipe, Seeds.draw(study.seed, replicate), open_feed(recipe))
        kept = decode_examples(encode_examples(result.examples))
        results.append(
            TrialResult(
                trial_id=f"{arm.name}{replicate}", arm=arm, replicate=replicate, outcome="finished",
                metrics={name: result.metrics[name] for name in _FINAL if name in result.metrics},
                examples=kept, weights=str(len(results)),
            )
        )
judged = analyse(study, results)
forest(judged.contrasts)
shown = Evaluated.of("one", None, kept)
print(json.dumps({
    "plan": planned.text,
    "kept": [r.metrics["median_nats"] for r in results],
    "median": [float(np.median(r.examples.log_likelihood)) for r in results],
    "delta": judged.contrasts[0].mean,
    "table": as_markdown(judged, secondary=True),
    "text": as_text(judged),
    "evaluated": shown.estimates["median_nats"].value,
    "dashboard": number_formats(StudyReport(name="s", url="", study=None, trials=()))["median (median nats)"],
}))
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This code with one file more."""
    folder = tmp_path_factory.mktemp("one_file")
    shutil.copytree(REPOSITORY / "platform", folder / "platform", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "platform" / "paribus" / "metrics" / "median_nats.py").write_text(MEDIAN)
    return folder


def test_a_study_lives_from_plan_to_verdict_on_a_metric_that_is_one_file(checkout: Path) -> None:
    words = [sys.executable, "-c", LIFE, str(REPOSITORY / "dashboards"), str(checkout / "platform")]
    env = environment(checkout, checkout / "home")
    answer = subprocess.run(words, env=env, cwd=checkout, capture_output=True, text=True, timeout=300)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    assert "judged on median_nats, margin 0.05 median nats" in found["plan"]
    assert "sd of paired differences 0.18 median nats: assumed" in found["plan"]
    assert found["kept"] == found["median"]
    assert len(set(found["kept"])) == 6
    low, high = sum(found["kept"][:3]) / 3, sum(found["kept"][3:]) / 3
    assert found["delta"] == pytest.approx(high - low)
    for word in ("median nats median", "points balanced accuracy", "points ECE", "squared probability Brier score"):
        assert word in found["table"]
    assert "median nats" in found["text"]
    assert found["evaluated"] == found["kept"][-1]
    assert found["dashboard"] == "%.3f"


def test_a_file_whose_metric_has_another_name_is_refused_with_both(checkout: Path) -> None:
    wrong = checkout / "platform" / "paribus" / "metrics" / "wrong_name.py"
    wrong.write_text(MEDIAN)
    try:
        answer = subprocess.run(
            [sys.executable, "-c", "import paribus.metrics.known"],
            env=environment(checkout, checkout / "home"),
            capture_output=True,
            text=True,
        )
    finally:
        wrong.unlink()
    assert "metrics/wrong_name.py: its METRIC is" in answer.stderr
    assert "must be a Metric of the name 'wrong_name'" in answer.stderr
