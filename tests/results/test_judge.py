"""`paribus judge` on tables: what is found, what is refused in words, and what a script reads off."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paribus.commands.main import main

KEYS = {"arm", "baseline", "verdict", "n", "mean", "low", "high", "p", "failed", "baseline_failed", "notes"}
Write = Callable[..., Path]
Judged = tuple[int, Any, str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def table(rows: Sequence[Mapping[str, object]], name: str = "runs.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, dict.fromkeys(key for row in rows for key in row))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return table


@pytest.fixture
def judge(capsys: pytest.CaptureFixture[str]) -> Callable[..., Judged]:
    def run(*words: object) -> Judged:
        code = main(["judge", *map(str, words), "--json"])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else None, said.err

    return run


def runs(effects: Mapping[str, float], seeds: int = 10, spread: float = 0.2, **more: object) -> list[dict[str, object]]:
    """Paired runs: what a seed brings is the same in every arm, and ten times the spread of their differences."""
    draw = np.random.default_rng(7)
    common = draw.normal(90, 10 * spread, seeds)
    return [
        {"act": arm, "seed": seed, "acc": round(common[seed] + effect + draw.normal(0, spread), 4), **more}
        for arm, effect in effects.items()
        for seed in range(seeds)
    ]


@pytest.mark.parametrize(
    ("effect", "verdict", "code"), [(1.0, "better", 0), (-1.0, "worse", 1), (0.0, "equivalent", 1)]
)
def test_the_answer_is_a_word_a_number_with_its_interval_and_an_exit_code(
    write: Write, judge: Callable[..., Judged], effect: float, verdict: str, code: int
) -> None:
    table = write(runs({"relu": 0.0, "gelu": effect}))
    asked = ("--arm", "act", "--seed", "seed", "--metric", "acc", "--baseline", "relu", "--margin", 0.5)
    found_code, found, _ = judge(table, *asked)
    assert found_code == code
    assert {key: found[key] for key in ("metric", "margin", "alpha")} == {"metric": "acc", "margin": 0.5, "alpha": 0.05}
    (contrast,) = found["contrasts"]
    assert set(contrast) == KEYS
    assert (contrast["arm"], contrast["baseline"], contrast["verdict"], contrast["n"]) == ("gelu", "relu", verdict, 10)
    assert contrast["low"] < effect < contrast["high"]
    assert contrast["low"] < contrast["mean"] < contrast["high"]
    assert contrast["high"] - contrast["low"] < 1, "pairs take away what seeds share"
    found_code, found, _ = judge(table, "--baseline", "relu", "--margin", 0.5)
    assert found_code == code, "without names of columns too"
    assert found["contrasts"][0]["mean"] == contrast["mean"]
    assert any("arm: act; seed: seed; metric: acc" in note for note in found["contrasts"][0]["notes"])


def test_one_better_arm_is_kept_among_others_and_all_share_one_correction(
    write: Write, judge: Callable[..., Judged]
) -> None:
    table = write(runs({"relu": 0.0, "a": 0.4, "b": 0.0, "c": 0.0}, seeds=6, spread=0.1))
    alone = judge(write([*runs({"relu": 0.0, "a": 0.4}, seeds=6, spread=0.1)], "two.csv"), "--baseline", "relu")[1]
    code, found, _ = judge(table, "--baseline", "relu")
    assert [contrast["arm"] for contrast in found["contrasts"]] == ["a", "b", "c"]
    assert code == 0
    assert found["contrasts"][0]["p"] > alone["contrasts"][0]["p"]
    assert found["margin"] is None
    assert any("nothing can be called equivalent" in note for note in found["contrasts"][1]["notes"])
    assert found["contrasts"][1]["verdict"] == "unresolved"


def test_smaller_is_better_where_the_metric_or_somebody_says_so(write: Write, judge: Callable[..., Judged]) -> None:
    rows = [{"act": row["act"], "seed": row["seed"], "test_loss": row["acc"]} for row in runs({"relu": 0, "gelu": -1})]
    code, found, _ = judge(write(rows), "--baseline", "relu", "--margin", 0.5)
    assert (code, found["contrasts"][0]["verdict"]) == (0, "better")
    assert found["contrasts"][0]["mean"] < 0, "a difference keeps the metric's own sign"
    assert judge(write(rows), "--baseline", "relu", "--margin", 0.5, "--higher-is-better")[0] == 1


def test_runs_that_failed_to_train_are_judged_and_those_without_a_result_are_in_no_pair(
    write: Write, judge: Callable[..., Judged]
) -> None:
    rows = [{**row, "outcome": "finished"} for row in runs({"relu": 0.0, "wild": 0.0}, seeds=12)]
    for row in rows[12:20]:
        row |= {"acc": "", "outcome": "diverged"}
    rows[0] |= {"acc": "", "outcome": "failed"}
    code, found, _ = judge(write(rows), "--baseline", "relu", "--margin", 0.5, "--outcome", "outcome")
    (contrast,) = found["contrasts"]
    assert (code, contrast["verdict"]) == (1, "worse (unstable)")
    assert (contrast["n"], contrast["failed"], contrast["baseline_failed"]) == (4, 7, 0)
    for row in rows:
        del row["outcome"]
    found = judge(write(rows), "--baseline", "relu", "--margin", 0.5)[1]
    assert found["contrasts"][0]["failed"] == 0, "nobody said that they diverged"
    assert any("9 runs have no acc and tell no outcome" in note for note in found["contrasts"][0]["notes"])
    rows[12]["acc"] = "nan"
    found = judge(write(rows), "--baseline", "relu", "--margin", 0.5)[1]
    assert any("1 runs have a acc that is not finite" in note for note in found["contrasts"][0]["notes"])


def test_one_run_an_arm_is_unresolved_and_told_what_would_do(write: Write, judge: Callable[..., Judged]) -> None:
    code, found, _ = judge(write(runs({"relu": 0.0, "gelu": 5.0}, seeds=1)), "--baseline", "relu", "--margin", 0.5)
    (contrast,) = found["contrasts"]
    assert (code, contrast["verdict"], contrast["n"]) == (2, "unresolved", 1)
    assert (contrast["low"], contrast["high"], contrast["p"]) == (None, None, None)
    assert any("at least 3 seeds that both arms have" in note for note in contrast["notes"])
    few = judge(write(runs({"relu": 0.0, "gelu": 0.3}, seeds=4, spread=0.8)), "--baseline", "relu", "--margin", 0.5)[1]
    assert any("further replicate" in note for note in few["contrasts"][0]["notes"])


def test_arms_of_several_columns_rows_that_are_chosen_and_seeds_that_only_one_arm_has(
    write: Write, judge: Callable[..., Judged]
) -> None:
    rows = [{**row, "width": width} for width in (1, 2) for row in runs({"relu": 0.0, "gelu": 1.0}, seeds=5)]
    rows.append({"act": "gelu", "seed": 99, "acc": 50.0, "width": 2})
    code, found, _ = judge(write(rows), "--arm", "act,width", "--baseline", "act=relu,width=1", "--margin", 0.5)
    assert code == 0
    assert [each["arm"] for each in found["contrasts"]] == [
        "act=gelu · width=1",
        "act=relu · width=2",
        "act=gelu · width=2",
    ]
    assert found["contrasts"][2]["n"] == 5, "the seed 99 has no pair"
    assert any("1 of its seeds are not the baseline's" in note for note in found["contrasts"][0]["notes"])
    found = judge(write(rows), "--where", "width=2.0", "--arm", "act", "--baseline", "relu")[1]
    assert [each["arm"] for each in found["contrasts"]] == ["gelu"]


REFUSED: dict[str, tuple[Callable[[], list[dict[str, object]]], tuple[object, ...], str]] = {
    "no seed": (lambda: [{"act": "a", "acc": 1.5}, {"act": "b", "acc": 2.5}], (), "tells the seed"),
    "no baseline": (lambda: runs({"a": 0, "b": 0}), (), "which arm are the others compared with? Name it by --base"),
    "another baseline": (lambda: runs({"a": 0, "b": 0}), ("--baseline", "c"), "no arm is called so; there are a, b"),
    "one arm": (lambda: runs({"a": 0}), ("--arm", "act", "--baseline", "a"), "there is one, a"),
    "a column that is not there": (lambda: runs({"a": 0, "b": 0}), ("--arm", "x"), "--arm x: runs.csv has no such col"),
    "two runs at one place": (
        lambda: runs({"a": 0, "b": 0}) * 2,
        ("--arm", "act", "--baseline", "a"),
        "two runs of a at seed 0 (rows 1",
    ),
    "unequal budgets": (
        lambda: [*runs({"a": 0}, epochs=10), *runs({"b": 0}, epochs=20)],
        ("--arm", "act", "--baseline", "a"),
        "budgets are unequal: epochs is 10, 20",
    ),
    "no number": (lambda: [{**row, "acc": "high"} for row in runs({"a": 0, "b": 0})], ("--metric", "acc"), "'high'"),
    "no outcome": (
        lambda: runs({"a": 0, "b": 0}, how="exploded"),
        ("--outcome", "how"),
        "the outcome 'exploded' is none of finished, diverged, dead, stuck, stopped, failed",
    ),
    "two metrics": (lambda: runs({"a": 0, "b": 0}, f1=0.5), (), "acc, f1 could each be the metric"),
    "a margin of nothing": (lambda: runs({"a": 0, "b": 0}), ("--margin", 0), "--margin 0: the smallest effect"),
    "a margin below one example": (
        lambda: runs({"a": 0, "b": 0}),
        ("--baseline", "a", "--margin", 0.5, "--examples", 100),
        "below one of the 100 evaluation examples",
    ),
    "a level above one half": (lambda: runs({"a": 0, "b": 0}), ("--alpha", 5), "--alpha 5: the share of false verdict"),
    "no such rows": (lambda: runs({"a": 0, "b": 0}), ("--where", "act=c"), "--where act=c leaves no run: act is a, b"),
    "half a condition": (lambda: runs({"a": 0, "b": 0}), ("--where", "act"), "it takes COLUMN=VALUE"),
    "a run without a seed": (
        lambda: [*runs({"a": 0, "b": 0}), {"act": "b", "seed": "", "acc": 1}],
        ("--arm", "act", "--baseline", "a"),
        "row 21 of runs.csv has no seed",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_judged_is_refused_in_words(write: Write, judge: Callable[..., Judged], case: str) -> None:
    rows, words, said = REFUSED[case]
    code, found, err = judge(write(rows()), *words)
    assert (code, found) == (2, None)
    assert said in err


def test_people_read_the_answer_last_and_a_pull_request_first(
    write: Write, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, text = write(runs({"relu": 0.0, "gelu": 1.0})), tmp_path / "verdict.md"
    assert main(["judge", str(table), "--baseline", "relu", "--margin", "0.5", "--markdown", str(text)]) == 0
    out = capsys.readouterr().out.strip().splitlines()
    assert out[0] == "runs.csv: 1 arm against relu on acc, 10 seeds, 20 runs; margin ±0.5 points, 95 % intervals"
    assert out[-1] == "keep: gelu is better"
    assert text.read_text().startswith("**keep: gelu is better**")
    assert "| gelu |" in text.read_text()
