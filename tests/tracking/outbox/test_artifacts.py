"""Files of results, history cutting and the environment, with no server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paribus.tracking.environment import environment
from paribus.tracking.history import Point, cut
from paribus.tracking.outbox.artifacts import decode_curves, decode_examples, encode_curves, encode_examples


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
    draw = np.random.default_rng(count)
    correct, nats = draw.random(count) < 0.5, draw.normal(size=count).astype(np.float32)
    read = decode_examples(encode_examples(correct, nats, "digest"))
    assert np.array_equal(read.correct, correct)
    assert read.correct.dtype == bool
    assert np.array_equal(read.log_likelihood, nats)
    assert read.keys_digest == "digest"


def test_examples_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"correct \(2,\)"):
        encode_examples(np.zeros(2, dtype=bool), np.zeros(3, dtype=np.float32))


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
