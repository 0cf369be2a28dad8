"""A whole study on a real cluster and a real ledger: run, repeated, grown, judged, exported."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from sandbox import Sandbox, Stack

from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster
Done = subprocess.CompletedProcess[str]
# Runs a study file, and tells at its end how often this process opened a manifest.
COUNTED = """
import runpy, sys
opened = []
def note(event, args):
    if event == "open" and args[1] and str(args[0]).endswith("manifest.json"):  # without a mode: an opener, once more
        opened.append(args[0])
sys.addaudithook(note)
del sys.argv[0]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print(f"manifests opened: {len(opened)}", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def study(office: Sandbox) -> Path:
    """One whole trial per worker at a time: each asks for both CPUs of the cluster."""
    return office.study(replicates=2, resources__cpus=2)


@pytest.fixture(scope="module")
def first(office: Sandbox, study: Path) -> Done:
    return office.run(study)


@pytest.fixture(scope="module")
def grown(office: Sandbox, study: Path, first: Done) -> Done:
    return office.run(study, "--replicates", 3)


def test_a_study_file_trains_every_trial_and_prints_verdicts(office: Sandbox, study: Path, first: Done) -> None:
    assert first.returncode == 0, first.stderr
    assert "4 to start" in first.stdout
    assert "[4/4]" in first.stdout
    assert "http" in first.stdout
    for noise in ("Traceback", "Warning", "WARNING", "(raylet)", "INFO"):
        assert noise not in first.stdout + first.stderr


def test_more_replicates_train_the_new_ones_alone(office: Sandbox, study: Path, first: Done, grown: Done) -> None:
    assert grown.returncode == 0, grown.stderr
    assert "4 done, skipped" in grown.stdout
    assert "[2/2]" in grown.stdout
    trials = office.trials(study)
    assert [(trial.replicate, trial.attempt) for trial in trials] == [(1, 1), (1, 1), (2, 1), (2, 1), (3, 1), (3, 1)]
    assert len({trial.run_id for trial in trials}) == len({trial.trial_id for trial in trials}) == 6


def test_a_second_run_trains_nothing(office: Sandbox, study: Path, grown: Done) -> None:
    before = [(trial.run_id, trial.started_ms) for trial in office.trials(study)]
    again = office.run("paribus", "run", study, "--replicates", 3)
    assert again.returncode == 0, again.stderr
    assert "6 done, skipped" in again.stdout
    assert "on the Ray cluster" not in again.stdout
    assert [(trial.run_id, trial.started_ms) for trial in office.trials(study)] == before


def test_replicates_come_first_and_one_warm_worker_does_all(office: Sandbox, study: Path, grown: Done) -> None:
    first_four = [trial for trial in office.trials(study) if trial.replicate < 3]
    by_start = sorted(first_four, key=lambda trial: trial.started_ms)
    assert [trial.replicate for trial in by_start] == [1, 1, 2, 2]
    pids = {facts.pid for trial in first_four for facts in trial.attempts.values()}
    assert len(pids) == 1, "each trial asks for both CPUs, so there is room for one worker, and it stays"


def test_plan_and_status_as_text_and_as_data(office: Sandbox, study: Path, grown: Done) -> None:
    plan = office.run(study, "plan", "--replicates", 4, "--json")
    counts = json.loads(plan.stdout)["counts"]
    assert counts == {"skip": 6, "start": 2}
    assert "2 to start" in office.run("paribus", "plan", study, "--replicates", 4).stdout
    status = office.run(study, "status", "--replicates", 3)
    assert "6 of 6 trials have ended" in status.stdout
    rows = json.loads(office.run(study, "status", "--json").stdout)
    assert [row["outcome"] for row in rows] == ["finished"] * 4


def test_report_in_four_forms(office: Sandbox, study: Path, grown: Done) -> None:
    page, text = office.folder / "report.html", office.folder / "report.md"
    shown = office.run(study, "report", "--replicates", 3, "--html", page, "--markdown", text)
    assert shown.returncode == 0, shown.stderr
    assert "k=0.5" in shown.stdout
    assert page.read_text().startswith("<!doctype html>")
    assert not re.search(r"<(script|img|link)[^>]+(src|href)=", page.read_text()), "one file, and no network"
    assert "k=0.5" in text.read_text()
    data = json.loads(office.run(study, "report", "--replicates", 3, "--json").stdout)
    assert data["outcomes"] == {"finished": 6}
    assert {row["n"] for row in data["verdicts"]} == {3}
    assert [row["metric"] for row in data["verdicts"] if row["verdict"]] == ["top1"]


def test_export_gives_one_row_per_trial(office: Sandbox, study: Path, grown: Done) -> None:
    exported = office.run(study, "export", "--replicates", 3)
    rows = list(csv.DictReader(io.StringIO(exported.stdout)))
    assert len(rows) == 6
    assert {row["model.width"] for row in rows} == {"0.25", "0.5"}
    assert all(0 <= float(row["top1"]) <= 100 for row in rows)


def test_paired_arms_saw_one_stream(office: Sandbox, study: Path, grown: Done) -> None:
    by_replicate: dict[int, set[str]] = {}
    for trial in office.trials(study):
        by_replicate.setdefault(trial.replicate, set()).add(trial.stream_hashes)
    assert [len(hashes) for hashes in by_replicate.values()] == [1, 1, 1]
    assert len(set.union(*by_replicate.values())) == 3
    assert "data streams" not in office.run(study, "report").stdout


def test_every_trial_says_what_made_it_and_belongs_to_the_studys_own_run(
    office: Sandbox, study: Path, grown: Done
) -> None:
    with Ledger(office.env["MLFLOW_TRACKING_URI"]) as ledger:
        parent = ledger.study(study.stem)
    assert parent is not None
    assert parent.settings.digest
    for trial in office.trials(study):
        assert trial.parent == parent.run_id
        assert trial.cpu == trial.attempts[1].cpu != ""
        assert trial.versions["torch"]
    row = json.loads(office.run(study, "export", "--json").stdout)[0]
    assert "torch" in row["versions"]
    assert row["device"] == "cpu"


def test_retry_with_nothing_failed_trains_nothing(office: Sandbox, study: Path, grown: Done) -> None:
    retried = office.run(study, "retry", "--replicates", 3)
    assert retried.returncode == 0, retried.stderr
    assert "on the Ray cluster" not in retried.stdout


def test_results_of_other_code_are_not_reused_silently(office: Sandbox, study: Path, grown: Done, stack: Stack) -> None:
    changed = office.folder / "other" / "platform"
    shutil.copytree(stack.checkout / "platform", changed)
    sources = changed / "paribus" / "training" / "progress.py"
    other = {"PYTHONPATH": str(changed)}
    sources.write_text(sources.read_text() + "\n# Another comment is no other code.\n")
    assert json.loads(office.run(study, "plan", "--json", **other).stdout)["counts"] == {"skip": 4}
    assert sources.read_text().count("DEAD_STEPS = 20") == 1
    sources.write_text(sources.read_text().replace("DEAD_STEPS = 20", "DEAD_STEPS = 21"))
    refused = office.run(study, **other)
    assert refused.returncode == 3
    assert "--accept-code" in refused.stderr
    assert "on the Ray cluster" not in refused.stdout
    assert json.loads(office.run(study, "plan", "--json", **other).stdout)["counts"] == {"stale": 4}
    accepted = office.run(study, "--accept-code", **other)
    assert accepted.returncode == 0, accepted.stderr
    assert "4 done, skipped" in accepted.stdout
    assert json.loads(office.run(study, "plan", "--json", "--redo", **other).stdout)["counts"] == {"retry": 4}


def test_a_command_reads_the_manifest_of_its_data_once(office: Sandbox, study: Path, grown: Done) -> None:
    counted = office.folder / "counted.py"
    counted.write_text(COUNTED)
    asked = [("plan", "--replicates", 4), ("run", "--replicates", 4), ("status",), ("report",), ("export",)]
    for verb in asked:
        done = office.run("python", counted, study, *verb)
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1] == "manifests opened: 1", (verb, done.stderr)


SCANS = """
import numpy as np

SHADE = 90


class Stripes:
    def __init__(self, split):
        self.split, self.labels = split, [row % 2 for row in range({"train": 64, "test": 32}[split])]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        draws = np.random.default_rng([row, len(self.split)])
        image = draws.integers(0, 90, (8, 8, 3), dtype=np.uint8)
        image[:: 1 + self.labels[row]] += SHADE
        return image, self.labels[row]
"""


def test_a_dataset_beside_the_study_is_trained_on_by_two_workers_and_its_contents_are_in_the_trials_ids(
    office: Sandbox,
) -> None:
    module = office.write("my_scans", SCANS)
    study = office.study(replicates=2, data__name="my_scans:Stripes", resources__cpus=1)
    done = office.run(study)
    assert done.returncode == 0, done.stderr
    trials = office.trials(study)
    assert [trial.outcome for trial in trials] == ["finished"] * 4
    assert len({facts.pid for trial in trials for facts in trial.attempts.values()}) == 2
    assert len({trial.data for trial in trials}) == 1
    assert len({trial.stream_hashes for trial in trials if trial.replicate == 1}) == 1
    counts = {}
    for text in (SCANS + "# a comment\n", SCANS.replace("SHADE = 90", "SHADE = 91")):
        module.write_text(text)
        counts[text] = json.loads(office.run(study, "plan", "--json").stdout)["counts"]
    assert list(counts.values()) == [{"skip": 4}, {"start": 4}]
