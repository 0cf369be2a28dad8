"""`paribus data hash`: what a trial would log, without the trial."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paribus.commands.main import main
from paribus.data import hash_keys, open_feed
from paribus.recipe import preset
from paribus.recipe.seeds import Seeds
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder

SMALL = ("--base", "synthetic", "--set", "budget=2 epochs")
STUDY = '''"""Does it?"""
from paribus import Study
study = Study(name="few", base="synthetic", factors={"data.batch_size": (8, 16)}, replicates=2, seed=5)
'''


@pytest.fixture(autouse=True)
def _home(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(data_home))
    monkeypatch.delenv("PARIBUS_BASE", raising=False)


def hashed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main(["data", "hash", *words, "--json"]) == 0
    records: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return records


def keys_of(records: list[dict[str, Any]], number: int = 0) -> list[str]:
    return [epoch["keys"] for epoch in records[number]["epochs"]]


@pytest.mark.parametrize("budget", ["2 epochs", "1.5 epochs", "3 steps"])
def test_the_hash_is_what_a_trial_logs(capsys: pytest.CaptureFixture[str], data_home: Path, budget: str) -> None:
    from paribus.training import fit

    recipe = preset("synthetic").replace({"budget": budget})
    result = fit(recipe, Seeds.draw(7, 2), open_feed(recipe, data_home))
    words = ("--base", "synthetic", "--set", f"budget={budget}", "--study-seed", "7", "--replicate", "2")
    assert keys_of(hashed(capsys, *words)) == list(result.stream_hashes)
    assert keys_of(hashed(capsys, *words, "--pixels")) == list(result.stream_hashes)
    assert main(["data", "hash", *words]) == 0
    assert result.stream_hashes[-1][:12] in capsys.readouterr().out, "as the ledger shows it"


@pytest.mark.parametrize("changes", [(), ("--set", "augment.crop=random_resized", "--set", "augment.flip=True")])
def test_ranks_threads_and_cache_change_no_pixel(capsys: pytest.CaptureFixture[str], changes: tuple[str]) -> None:
    words = (*SMALL, *changes, "--pixels")
    plain = hashed(capsys, *words, "--threads", "0")
    assert all(len(epoch["pixels"]) == 8 for epoch in plain[0]["epochs"])
    for ranks in ("3", "4", "20"):  # as many as share a batch evenly, unevenly, or find none of it for some
        assert hashed(capsys, *words, "--ranks", ranks, "--threads", "2") == plain
    assert hashed(capsys, *words, "--set", "data.cache=never", "--ranks", "2", "--threads", "1") == plain


def test_pixels_follow_the_augment_seed_and_keys_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    words = (*SMALL, "--set", "augment.flip=True", "--order-seed", "1", "--pixels", "--augment-seed")
    one, other = hashed(capsys, *words, "2"), hashed(capsys, *words, "3")
    assert keys_of(one) == keys_of(other)
    assert [epoch["pixels"] for epoch in one[0]["epochs"]] != [epoch["pixels"] for epoch in other[0]["epochs"]]
    assert keys_of(one) != keys_of(hashed(capsys, *SMALL, "--order-seed", "2"))


def test_an_image_that_does_not_decode_is_left_out_as_in_training(
    capsys: pytest.CaptureFixture[str], photo_folder: Path, tmp_path: Path
) -> None:
    from shutil import copytree

    folder = copytree(photo_folder, tmp_path / "images")
    (folder / "train" / "china" / "crop.03.jpg").write_bytes(b"no image")
    make_shards(image_folder(folder), tmp_path / "set", shard_size=3, keep_undecodable=True)
    settings = {
        "data.name": "photos",
        "data.shards": str(tmp_path / "set"),
        "data.size": 32,
        "data.batch_size": 4,
        "data.max_undecodable": 0.1,
        "data.cache": "never",
    }
    words = [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]
    words += [*SMALL, "--order-seed", "1"]
    running, hashes = hash_keys("", []), []
    feed = open_feed(preset("synthetic").replace(settings), tmp_path)
    for epoch in (0, 1):
        for batch in feed.batches(1, 2, epoch):
            running = hash_keys(running, batch.keys)
        hashes.append(running)
    assert feed.undecodable_keys
    assert keys_of(hashed(capsys, *words)) == keys_of(hashed(capsys, *words, "--pixels")) == hashes


def test_a_study_file_gives_the_streams_of_its_replicates(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "few.py"
    file.write_text(STUDY)
    records = hashed(capsys, str(file))
    titles = [record["stream"] for record in records]
    assert titles == [f"few · r{replicate} · batch_size={size}" for replicate in (1, 2) for size in (8, 16)]
    assert len({keys[-1] for keys in (keys_of(records, number) for number in range(4))}) == 4
    alone = hashed(capsys, "--base", "synthetic", "--study-seed", "5", "--replicate", "2", "--set", "data.batch_size=8")
    assert keys_of(records, 2) == keys_of(alone)
    same = hashed(capsys, str(file), "--replicate", "2", "--set", "data.train_fraction=0.5")
    assert [record["stream"] for record in same] == titles[2:]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--ranks", "2"], "add --pixels"),
        (["--threads", "0"], "add --pixels"),
        (["--augment-seed", "1"], "add --pixels"),
        ([*SMALL, "--epochs", "3"], "the budget ends after 2"),
        (["--base", "digit"], "digits"),
        (["--set", "data.batch_sise=3"], "data.batch_size"),
        (["--set", "data.batch_size=5000"], "fewer than a batch"),
    ],
)
def test_what_is_wrong_is_a_sentence(capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    assert main(["data", "hash", *words]) in (1, 2)
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.startswith("paribus: ")
    assert len(said.err.splitlines()) == 1


def test_keys_need_no_torch() -> None:
    code = (
        "import sys\nfrom paribus.commands.main import main\n"
        "assert main(['data', 'hash', '--base', 'synthetic']) == 0\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
