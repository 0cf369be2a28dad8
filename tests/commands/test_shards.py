"""`paribus shards`, as its user types it, and sets behind an address."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from paribus.commands.shards import register
from paribus.data import DataError, data_digest, open_feed
from paribus.recipe import preset
from paribus.shards.manifest import read_manifest
from paribus.shards.storage.locations import ShardLocation


def shards(*arguments: object) -> int:
    parser = argparse.ArgumentParser("paribus")
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["shards", *map(str, arguments)])
    code: int = args.run(args)
    return code


def test_make_verify_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "set"
    assert shards("make", "synthetic", folder, "--shard-size", 7) == 0
    shown = capsys.readouterr()
    assert "64 train, 32 test samples of 4 classes" in shown.out
    assert "96/96" in shown.err
    assert shards("verify", folder) == 0
    assert "96 samples in 15 shards" in capsys.readouterr().out
    assert shards("inspect", folder, "--sheet", tmp_path / "sheet.png") == 0
    shown = capsys.readouterr()
    assert "rising" in shown.out
    assert shown.out.endswith(f"sheet       {tmp_path / 'sheet.png'}\n")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 10 * 64
        assert sheet.height > 4 * 64
        assert len(sheet.getcolors(1 << 20)) > 100


def test_json_is_data_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "set"
    assert shards("make", "synthetic", folder, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["samples"] == {"train": 64, "test": 32}
    assert shards("verify", folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []
    assert shards("inspect", folder, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["histogram"]["train"] == {"columns": 16, "rows": 16, "rising": 16, "falling": 16}
    assert summary["digest"] == made["digest"]
    assert capsys.readouterr().err == ""


def test_a_faulty_set_exits_with_1_and_names_the_shard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards("make", "synthetic", tmp_path / "set", "--json")
    (tmp_path / "set" / "test-000000.tar").unlink()
    assert shards("verify", tmp_path / "set") == 1
    shown = capsys.readouterr()
    assert "test-000000.tar is missing" in shown.err
    assert "1 faults" in shown.out


def test_the_default_folder_is_where_recipes_look(
    tmp_path: Path, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path))
    assert shards("make", photo_folder, "--json") == 0
    recipe = preset("synthetic").replace({"data.name": "photos", "data.size": 16, "data.batch_size": 8})
    assert open_feed(recipe).classes == ("china", "flower")


def test_only_the_named_splits_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shards("make", "synthetic", tmp_path / "set", "--split", "train", "--json") == 0
    assert json.loads(capsys.readouterr().out)["samples"] == {"train": 64}
    with pytest.raises(DataError, match="no split 'val'"):
        shards("make", "synthetic", tmp_path / "set", "--split", "val")


def test_photographs_are_made_smaller_chosen_and_held_out(
    tmp_path: Path, photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "classes.txt").write_text("flower\n\nchina\n")
    options = ["--short-side", 32, "--only-classes", tmp_path / "classes.txt", "--hold-out", "val=1/4", "--workers", 1]
    assert shards("make", photo_folder, tmp_path / "set", *options) == 0
    manifest = read_manifest(ShardLocation(str(tmp_path / "set")))
    assert manifest.classes == ("flower", "china")
    assert {
        "short_side": 32,
        "quality": 90,
        "classes": "2 of 2",
        "held_out.val": "1/4",
    }.items() <= manifest.made.items()
    counts = {name: split.samples for name, split in manifest.splits.items()}
    assert counts["train"] + counts["val"] == 24
    assert min(manifest.largest) < 200
    capsys.readouterr()
    assert shards("make", photo_folder, tmp_path / "set", *options) == 0
    shown = capsys.readouterr()
    assert "was made already" in shown.err
    assert manifest.digest in shown.out
    (tmp_path / "set" / "notes.txt").touch()
    assert shards("verify", tmp_path / "set", "--workers", 2) == 0
    assert f"warning: {tmp_path / 'set' / 'notes.txt'} is no file of the set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["digits", "--quality", "80"], "--quality without --short-side has no effect"),
        (["digits", "--only-classes", "/nowhere.txt"], "list of classes /nowhere.txt cannot be read"),
        (["digits", "--hold-out", "val"], "'val': '' is no fraction"),
        (["digits", "--download"], "digits has no use for --download"),
        (["nowhere"], "neither a known set"),
        (["cifra10"], "did you mean 'cifar10'"),
    ],
)
def test_settings_without_effect_and_unknown_sources_are_refused(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path))
    with pytest.raises(DataError, match=words):
        shards("make", *arguments)


def test_options_may_stand_between_the_source_and_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--classes", 2, "--size", "24x16", "--images", 2, tmp_path / "set", "--json"]
    assert shards("make", "synthetic", *words) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(tmp_path / "set")
    with pytest.raises(DataError, match="--split without --sheet has no effect"):
        shards("inspect", tmp_path / "set", "--split", "test")
    with pytest.raises(SystemExit, match="2"):
        shards("make", "synthetic", "--json", tmp_path / "other", "surplus")


def test_every_verb_has_help_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("make", "verify", "inspect"):
        with pytest.raises(SystemExit, match="0"):
            shards(verb, "--help")
        assert "examples:" in capsys.readouterr().out


def test_a_digest_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from paribus.data import data_digest; from paribus.recipe import preset; "
        "import paribus.commands.shards, paribus.shards.making.shards; "
        "print(data_digest(preset('synthetic'), Path(sys.argv[1]))); "
        "print([name for name in ('torch', 'ray', 'mlflow', 'sklearn', 'webdataset') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    digest, loaded = done.stdout.split("\n")[:2]
    assert digest == data_digest(preset("synthetic"), tmp_path)
    assert loaded == "[]"
