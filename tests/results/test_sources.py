"""The same runs, written by each tracker's own code where it is installed, come to the same verdict."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from tensorboardX import SummaryWriter

from paribus.results.columns import Asked
from paribus.results.comparison import compared
from paribus.results.judgement import Judgement, judge_comparison
from paribus.results.runs import ResultsError
from paribus.results.sources import read_runs
from paribus.results.sources.run_names import said_by
from paribus.tracking import MlflowRest
from paribus.tracking.mlflow.runs import Metric, create_run, ensure_experiment, log_batch, update_run
from paribus.tracking.mlflow.server import ServerProcess

SEEDS = range(6)
ARMS = ("plain", "gelu")


def value(arm: str, seed: int) -> float:
    """A top-1 in percent: `gelu` is better by one point."""
    noise = np.random.default_rng([seed, ARMS.index(arm)]).normal(0, 0.1)
    return round(float(np.random.default_rng(seed).normal(90, 2) + noise + (arm == "gelu")), 3)


RUNS = [(arm, seed, value(arm, seed)) for arm in ARMS for seed in SEEDS]


def judged(place: str | Path, uri: str | None = None, **asked: object) -> Judgement:
    return judge_comparison(compared(read_runs(str(place), uri), Asked(baseline="plain", margin=0.5, **asked)))  # type: ignore[arg-type]


def check(found: Judgement) -> None:
    (contrast,) = found.contrasts
    mean = np.mean([value("gelu", seed) - value("plain", seed) for seed in SEEDS])
    assert (contrast.arm.name, contrast.verdict, contrast.n) == ("gelu", "better", len(SEEDS))
    assert contrast.mean == pytest.approx(mean, abs=1e-5)
    assert found.code == 0


def of_parquet(folder: Path) -> str:
    rows = [{"config": {"act": arm, "seed": seed}, "val_acc": acc} for arm, seed, acc in RUNS]
    pd.json_normalize(rows).to_parquet(folder / "runs.parquet")
    return str(folder / "runs.parquet")


def of_wandb_export(folder: Path) -> str:
    """The columns of its page's *Export CSV*, with a run that crashed and one that still runs."""
    rows = [
        {
            "Name": f"sunny-{seed}", "State": "finished", "Notes": "-", "User": "ann", "Tags": "", "Created": "2026",
            "Runtime": 60 + seed, "Sweep": "", "act": arm, "seed": seed, "val/acc": acc, "train/loss": 0.1 * seed,
        }
        for arm, seed, acc in RUNS
    ]  # fmt: skip
    rows += [
        {**rows[0], "State": state, "seed": seed, "val/acc": ""} for state, seed in (("crashed", 98), ("running", 99))
    ]
    pd.DataFrame(rows).to_csv(folder / "export.csv", index=False)
    return str(folder / "export.csv")


def of_json_files(folder: Path) -> str:
    for arm, seed, acc in RUNS:
        run = folder / f"{arm}-{seed}"
        run.mkdir()
        (run / "config.json").write_text(json.dumps({"model": {"act": arm, "width": 2}, "seed": seed}))
        (run / "metrics.json").write_text(json.dumps({"test_acc": acc, "train_loss": 0.1 * seed}))
    return str(folder)


def of_json_lines(folder: Path) -> str:
    lines = [json.dumps({"act": arm, "seed": seed, "test": {"acc": acc}}) for arm, seed, acc in RUNS]
    (folder / "runs.jsonl").write_text("\n".join(lines))
    return str(folder / "runs.jsonl")


def of_event_files(folder: Path) -> str:
    for arm, seed, acc in RUNS:
        with SummaryWriter(str(folder / f"{arm}_seed{seed}")) as writer:
            for step, behind in ((1, 5.0), (2, 0.0)):
                writer.add_scalar("val/acc", acc - behind, step)
                writer.add_scalar("train/loss", 1 / step, step)
    return str(folder)


def of_optuna(folder: Path) -> str:
    study = optuna.create_study(storage=f"sqlite:///{folder / 'o.db'}", study_name="acts", direction="maximize")
    levels = {"act": optuna.distributions.CategoricalDistribution(ARMS)}
    for arm, seed, acc in RUNS:
        study.add_trial(
            optuna.create_trial(params={"act": arm}, distributions=levels, value=acc, user_attrs={"seed": seed})
        )
    failed = optuna.trial.TrialState.FAIL
    study.add_trial(
        optuna.create_trial(params={"act": "gelu"}, distributions=levels, state=failed, user_attrs={"seed": 99})
    )
    return str(folder / "o.db")


def of_trackio(folder: Path) -> str:
    """As its release 0.1 lays it out: every project in one file's table."""
    with closing(sqlite3.connect(folder / "t.db")) as database, database:
        database.execute(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, project_name TEXT "
            "NOT NULL, run_name TEXT NOT NULL, step INTEGER NOT NULL, metrics TEXT NOT NULL)"
        )
        rows = [
            (
                "2026-11-30T00:00:00",
                "acts",
                f"act={arm},seed={seed}",
                step,
                json.dumps({"val_acc": acc - 3 * (1 - step)}),
            )
            for arm, seed, acc in RUNS
            for step in (0, 1)
        ]
        add = "INSERT INTO metrics (timestamp, project_name, run_name, step, metrics) VALUES (?, ?, ?, ?, ?)"
        database.executemany(add, rows)
        database.executemany(add, [("2026-11-30T00:00:00", "another", "seed=1", 0, json.dumps({"val_acc": 1.0}))])
    return f"{folder / 't.db'}#acts"


SOURCES = (
    of_parquet, of_wandb_export, of_json_files, of_json_lines, of_event_files, of_optuna, of_trackio,
)  # fmt: skip


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__[3:])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_columns_are_found_and_verdicts_are_the_same_wherever_runs_lie(
    tmp_path: Path, source: Callable[[Path], str]
) -> None:
    found = judged(source(tmp_path))
    check(found)
    said = " ".join(found.notes)
    assert ("1 runs have not ended" in said) == (source is of_wandb_export)
    assert ("a sampler asked for settings" in said) == (source is of_optuna)


def test_what_optuna_minimises_is_better_where_it_is_smaller(tmp_path: Path) -> None:
    study = optuna.create_study(storage=f"sqlite:///{tmp_path / 'o.db'}", study_name="down", direction="minimize")
    levels = {"act": optuna.distributions.CategoricalDistribution(ARMS)}
    for arm, seed, acc in RUNS:
        study.add_trial(
            optuna.create_trial(params={"act": arm}, distributions=levels, value=acc, user_attrs={"seed": seed})
        )
    (contrast,) = judged(tmp_path / "o.db").contrasts
    assert (contrast.verdict, contrast.mean > 0) == ("worse", True)
    optuna.create_study(storage=f"sqlite:///{tmp_path / 'o.db'}", study_name="second")
    with pytest.raises(ResultsError, match=r"has the studies down, second: name one as .*o.db#STUDY"):
        judged(tmp_path / "o.db")
    assert judged(f"{tmp_path / 'o.db'}#down").contrasts


@pytest.mark.cluster
def test_an_experiment_of_anybody_on_mlflow_is_judged(shelf_server: ServerProcess) -> None:
    with MlflowRest(shelf_server.uri) as rest:
        experiment = ensure_experiment(rest, "anybodys")
        for arm, seed, acc in RUNS:
            run = create_run(rest, experiment, f"{arm}-{seed}", {}, 1_000)
            points = [Metric("val_acc", acc - behind, 1_000 + step, step) for step, behind in ((1, 5.0), (2, 0.0))]
            log_batch(rest, run.run_id, points, {"act": arm, "seed": str(seed), "epochs": "30"})
            update_run(rest, run.run_id, "FINISHED")
        create_run(rest, experiment, "still running", {}, 1_000)
    check(judged("mlflow:anybodys", shelf_server.uri))
    with pytest.raises(ResultsError, match="has no experiment 'nothing'"):
        read_runs("mlflow:nothing", shelf_server.uri)


def test_names_and_paths_tell_settings_and_seeds() -> None:
    assert said_by("width=2,seed=3") == {"width": "2", "seed": "3"}
    assert said_by("wd=1e-4_seed=3") == {"wd": "1e-4", "seed": "3"}
    for name in ("gelu/seed3", "gelu_seed_3", "gelu-s3", "gelu/rep-3"):
        assert said_by(name) == {"group": "gelu", "seed": "3"}, name
    assert said_by("resnets5") == {}, "no seed 5 of `resnet`"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.csv", None, "is not there: give a CSV"),
        ("empty.csv", "", "is no table with a header"),
        ("head.csv", "act,seed,acc\n", "holds no runs"),
        ("two.csv", "act,act,seed\na,b,1\n", "two columns called 'act'"),
        ("broken.json", "{", "is no JSON"),
        ("object.json", '{"a": 1}', "is no list of objects"),
        ("lines.jsonl", "[1]\n", "line 1 of"),
        ("image.png", "x", "is none of what can be read"),
        ("folder", "", "neither JSON files nor TensorBoard's"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if name == "folder":
        (tmp_path / name).mkdir()
    elif content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ResultsError, match=said):
        read_runs(str(tmp_path / name))


def test_an_event_file_whose_writer_was_killed_is_read_to_where_it_ends(tmp_path: Path) -> None:
    of_event_files(tmp_path)
    (file,) = (tmp_path / "plain_seed0").iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    (row,) = (row for row in read_runs(str(tmp_path)).rows if row["run"] == "plain_seed0")
    assert float(row["val/acc"]) == pytest.approx(value("plain", 0), abs=1e-4)
    assert row["train/loss"] == "1", "the last one is lost"
