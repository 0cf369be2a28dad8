"""Files of results, history cutting and the environment, with no server."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from packed import packed

from paribus.analysis.exploratory.flips import flips
from paribus.metrics.examples import COLUMNS, Examples
from paribus.metrics.known import METRICS
from paribus.metrics.per_class import per_class
from paribus.tracking.environment import environment
from paribus.tracking.history import Point, cut
from paribus.tracking.outbox.artifacts import (
    decode_curves,
    decode_examples,
    encode_curves,
    encode_examples,
    keys_digest,
)


def test_curves_come_back_bit_for_bit_and_small() -> None:
    curves = {
        "step": np.arange(10_000),
        "loss": np.float32(np.cos(np.arange(10_000))),
        "lr": np.full(10_000, np.nan),
    }
    data = encode_curves(curves)
    read = decode_curves(data)
    assert list(read) == list(curves)
    for key, values in curves.items():
        assert read[key].dtype == values.dtype
        assert np.array_equal(read[key], values, equal_nan=key == "lr")
    assert len(data) < 120_000


def test_curves_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="'a': 2, 'b': 3"):
        encode_curves({"a": np.zeros(2), "b": np.zeros(3)})


@pytest.mark.parametrize("count", [0, 1, 8, 397])
def test_examples_come_back_bit_for_bit(count: int) -> None:
    given = drawn(count)
    data = encode_examples(given)
    for read in (decode_examples(data), decode_examples(data, with_keys=True)):
        assert read.columns.keys() == given.columns.keys() == set(COLUMNS)
        for name, column in given.columns.items():
            assert read.column(name).dtype == column.dtype
            assert read.column(name).tobytes() == column.tobytes()
        assert read.keys_digest == (keys_digest(given.keys) if count else "")
    assert list(read.keys) == list(given.keys)


def drawn(count: int) -> Examples:
    """Examples of 1,000 classes with keys as ImageNet's."""
    draw = np.random.default_rng(count)
    label = draw.integers(0, 1000, count).astype(np.int32)
    predicted = np.where(draw.random(count) < 0.7, label, draw.integers(0, 1000, count)).astype(np.int32)
    floats = ("log_likelihood", "top_probability", "brier")
    return Examples(
        label=label,
        predicted=predicted,
        correct=label == predicted,
        among5=draw.random(count) < 0.9,
        **{name: draw.random(count).astype(np.float32) for name in floats},
        keys=[f"n{number:08d}/ILSVRC2012_val_{number:08d}" for number in range(count)],
    )


def test_two_files_alone_tell_classes_calibration_and_which_images_flip() -> None:
    """Read by pandas: whoever has the files needs neither us nor the ledger nor the shards."""
    baseline = drawn(397)
    label, predicted = baseline.column("label"), baseline.column("predicted")
    arm = replace(baseline, predicted=np.where(np.arange(397) % 2, label, np.roll(predicted, 1)))
    arm = replace(arm, correct=arm.column("predicted") == arm.column("label"))
    one, other = (pd.read_parquet(io.BytesIO(encode_examples(each))).set_index("key") for each in (baseline, arm))
    shares = one.assign(right=one.predicted == one.label).groupby("label").right.agg(["sum", "size"])
    assert [(row.label, row.right, row.n) for row in per_class(baseline)] == list(shares.itertuples(name=None))
    bins = np.ceil(one.top_probability.astype(float) * 15).clip(1)
    gaps = (one.correct - one.top_probability.astype(float)).groupby(bins).sum()
    assert 100 * gaps.abs().sum() / 397 == pytest.approx(METRICS["ece"].of(baseline))
    found = flips([(arm, baseline)] * 3)
    for sign, flipped in ((1, found.gained), (-1, found.lost)):
        keys = one.index[other.correct.astype(int) - one.correct.astype(int) == sign]
        assert sorted(baseline.keys[each.place] for each in flipped) == sorted(keys) != []


def test_fifty_thousand_examples_take_a_few_bytes_each() -> None:
    assert len(encode_examples(drawn(50_000))) < 22 * 50_000


def test_anybody_reads_them_as_a_table() -> None:
    given = drawn(40)
    table = pd.read_parquet(io.BytesIO(encode_examples(given)))
    assert list(table.columns) == ["key", *COLUMNS]
    assert (table.groupby("label").correct.mean() >= 0).all()
    assert table.key[7] == "n00000007/ILSVRC2012_val_00000007"


@pytest.mark.parametrize("count", [0, 1, 8, 397])
def test_packed_arrays_of_an_earlier_release_stay_readable(count: int) -> None:
    given = drawn(count)
    read = decode_examples(packed(given.column("correct"), given.column("log_likelihood"), "digest"))
    assert set(read.columns) == {"correct", "log_likelihood"}
    assert np.array_equal(read.column("correct"), given.column("correct"))
    assert read.column("log_likelihood").tobytes() == given.column("log_likelihood").tobytes()
    assert read.keys_digest == "digest"


def test_a_file_that_is_cut_short_or_altered_is_a_value_error() -> None:
    data = encode_examples(drawn(40))
    for broken in (b"", b"PAR1", data[:200], data[:-9], b"PAR1" + bytes(200) + b"PAR1", b"x" * 99):
        with pytest.raises(ValueError, match=r"."):
            decode_examples(broken)


def test_history_is_cut_back_to_each_later_attempts_checkpoint() -> None:
    points = [
        *(Point(step, 1.0, step, 1) for step in (10, 20, 30, 40, 50)),
        *(Point(step, 2.0, step, 2) for step in (30, 40)),
        *(Point(step, 3.0, step, 3) for step in (20, 30)),
    ]
    kept = cut(points, {1: 0, 2: 20, 3: 10})
    assert [(point.step, point.value) for point in kept] == [(10, 1.0), (20, 3.0), (30, 3.0)]


def test_the_environment_names_versions_lock_and_commit_and_imports_none_of_them() -> None:
    code = (
        "import json, sys; from paribus.tracking.environment import environment; found = environment(('H100',));"
        "json.dump([found, [name for name in ('torch', 'ray', 'mlflow') if name in sys.modules]], sys.stdout)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found, imported = json.loads(answer.stdout)
    assert imported == []
    assert found["gpus"] == ["H100"]
    assert found["packages"]["mlflow"].startswith("3.")
    assert len(found["lock"]) == 64
    assert found["num_cpus"] >= 1


def test_the_environment_tells_what_git_would_lose(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True)

    git("init", "-q")
    (tmp_path / "a.txt").write_text("one\n")
    git("add", ".")
    git("commit", "-qm", "one")
    (tmp_path / "a.txt").write_text("two\n")
    (tmp_path / "b.txt").write_text("new\n")
    found = environment(root=tmp_path)["git"]
    assert len(found["commit"]) == 40
    assert found["dirty"]
    assert found["untracked"] == ["b.txt"]
    assert "+two" in found["diff"]


def test_reading_the_ledger_imports_neither_mlflow_nor_anything_slow() -> None:
    code = (
        "import sys, paribus.tracking, paribus.tracking.ledger;"
        "print([name for name in ('mlflow', 'torch', 'ray', 'pandas', 'pyarrow', 'httpx')"
        " if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
