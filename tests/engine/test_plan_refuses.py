"""What `run` would refuse, hours in or on its first worker, `plan` refuses: before anything is started."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from data_sources import changed

from paribus.commands.main import main
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.source import File
from paribus.shards.sources.synthetic.builtin import synthetic

STUDY = """from paribus import Study
study = Study(name="wide", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0)
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "sound"
    make_shards(synthetic(), folder, shard_size=16)
    return folder


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "PARIBUS_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path / "home"))
    path = tmp_path / "wide.py"
    path.write_text(STUDY)

    def command(*settings: str, verb: str = "plan") -> int:
        return main([verb, str(path), *(word for text in settings for word in ("--set", text))])

    return command


REFUSED = {
    "a batch larger than the set": (["data.batch_size=65"], "64 training samples"),
    "a batch larger than the fraction": (["data.batch_size=33", "data.train_fraction=0.5"], "lower it to 32 or less"),
    "a batch larger than what holding out leaves": (
        ["data.batch_size=49", "data.holdout=0.25"],
        "48 training samples (data.train_fraction = 1.0 of 64 after data.holdout = 0.25), fewer than a batch",
    ),
    "padding as wide as the image": (["augment.crop=pad", "augment.pad=16"], "augment.pad = 16"),
    "a cutout wider than the image": (["augment.cutout=17"], "augment.cutout = 17"),
    "one split for both": (["data.eval_split=train"], "they must differ"),
    "a split that is not there": (["data.eval_split=val"], "no split 'val': it has train, test"),
    "a training split that is not there": (["data.train_split=trian"], "no split 'trian'"),
}


@pytest.mark.parametrize(("settings", "says"), REFUSED.values(), ids=REFUSED)
def test_plan_refuses_what_training_would(
    settings: list[str], says: str, plan: Callable[..., int], sound: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan(f"data.shards={sound}", *settings) == 1
    assert says in capsys.readouterr().err
    assert plan(f"data.shards={sound}", "data.batch_size=64") == 0


def test_plan_refuses_a_margin_that_the_evaluation_split_cannot_show(
    plan: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wide.py").write_text(STUDY.replace("4.0", "0.5"))
    assert plan() == 2
    assert "margin 0.5" in capsys.readouterr().err
    (tmp_path / "wide.py").write_text(STUDY)  # 4 points are one of the 32 test images, and none of 16 held-out ones
    assert plan("data.holdout=0.25") == 2
    assert "below one of the 16 evaluation examples (6.25 points)" in capsys.readouterr().err
    assert plan("data.holdout=0.5") == 0


def test_plan_refuses_a_set_whose_shards_are_missing_or_cut(
    plan: Callable[..., int], sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "set"))
    shard = folder / "test-000001.tar"
    data = shard.read_bytes()
    shard.write_bytes(data[:-512])
    assert plan(f"data.shards={folder}") == 1
    assert "is truncated" in capsys.readouterr().err
    shard.unlink()
    assert plan(f"data.shards={folder}") == 1
    assert "test-000001.tar" in capsys.readouterr().err


def test_plan_refuses_evaluation_images_that_do_not_decode(
    plan: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(name: str, row: int, file: File) -> File:
        return replace(file, data=b"no image", pixels=None) if (name, row) == ("test", 3) else file

    make_shards(changed(synthetic(), change), tmp_path / "set", shard_size=5, keep_undecodable=True)
    assert plan(f"data.shards={tmp_path / 'set'}") == 1
    assert "1 evaluation samples of" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["PARIBUS_CHECKPOINT_S", "PARIBUS_DRAIN_S"])
@pytest.mark.parametrize("value", ["abc", "nan", "inf", "-1", "0", ""])
def test_seconds_that_are_none_are_refused_before_training(
    variable: str,
    value: str,
    plan: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv(variable, value)
    assert plan(verb="run") == 2
    said = capsys.readouterr()
    assert f"{variable}={value!r}: give a number of seconds" in said.err
    assert "trials" not in said.out


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PARIBUS_BASE", "nonsense", "no preset 'nonsense'"),
        ("PARIBUS_HOME", "/dev/null", "is no folder"),
        ("PARIBUS_HOME", "/proc/none", "cannot be"),
        ("PARIBUS_HOME", "x" * 300, "File name too long"),
    ],
)
def test_other_settings_of_the_shell_that_make_no_sense_are_sentences(
    variable: str,
    value: str,
    says: str,
    plan: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    assert plan() in (1, 2)
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1


def test_settings_that_are_not_utf_8_are_sentences(
    plan: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan("data.shards=/data/\udcff") == 2
    assert "is not UTF-8" in capsys.readouterr().err


def test_a_study_name_too_long_for_a_folder_is_refused_with_the_limit(
    plan: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, num in (("w" * 300, 300), ("é" * 61, 122)):
        (tmp_path / "wide.py").write_text(STUDY.replace('"wide"', repr(name)))
        assert plan() == 2
        said = capsys.readouterr().err
        assert f"has {num} bytes: at most 120" in said
        assert "<string>" not in said
    (tmp_path / "wide.py").write_text(STUDY.replace('"wide"', repr("w" * 120)))
    assert plan() == 0
