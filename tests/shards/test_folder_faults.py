"""Faults of a person's image folder are sentences that name the file, before a shard is written."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from paribus.commands.main import main
from paribus.data import DataError
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of two images in two splits."""
    folder = tmp_path / "photos"
    for split in ("train", "test"):
        for shade, name in enumerate(("cat", "dog")):
            (folder / split / name).mkdir(parents=True)
            for number in range(2):
                Image.new("L", (8, 8), 40 * shade + number).save(folder / split / name / f"{number}.png")
    return folder


def made(photos: Path) -> int:
    """How many samples there are."""
    manifest = make_shards(image_folder(photos), photos.parent / "set", workers=1, quiet=True)
    return sum(split.samples for split in manifest.splits.values())


def test_what_is_hidden_and_folders_called_like_images_are_no_images(photos: Path) -> None:
    cat = photos / "train" / "cat"
    (cat / "._0.png").write_bytes(b"\0\5\26\7 of a Mac")
    (cat / ".thumbnails").mkdir()
    (cat / ".thumbnails" / "0.png").write_bytes(b"small")
    (cat / "deeper.png").mkdir()
    (cat / "deeper.png" / "9.png").write_bytes((cat / "0.png").read_bytes())
    assert made(photos) == 9


def test_each_fault_of_a_file_is_a_sentence_that_names_it(photos: Path) -> None:
    cat = photos / "train" / "cat"
    odd = {
        "gone.png": (lambda path: path.symlink_to("nowhere.png"), r"cat/gone\.png is a link to nothing: mend it"),
        "loop.png": (lambda path: path.symlink_to(path), r"cat/loop\.png is a link to nothing"),
        "pipe.png": (os.mkfifo, r"cat/pipe\.png is no plain file"),
        "0.jpg": (lambda path: path.write_bytes(b"x"), r"cat/0\.jpg and .*cat/0\.png would be one sample, 'cat/0'"),
        "1.webp.png": (lambda path: path.write_bytes(b"x"), None),
        "1_webp.png": (lambda path: path.write_bytes(b"x"), r"1\.webp\.png and .*1_webp\.png would be one sample"),
        os.fsdecode(b"\xff.png"): (lambda path: path.write_bytes(b"x"), r"cat/\\xff\.png' is not UTF-8: rename it"),
    }
    for name, (make, says) in odd.items():
        make(cat / name)  # type: ignore[operator]
        if says is None:
            continue
        with pytest.raises(DataError, match=says):
            image_folder(photos)
        (cat / name).unlink()


def test_a_socket_is_no_image(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos / "train" / "cat")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.png")
    with pytest.raises(DataError, match=r"s\.png is no plain file"):
        image_folder(photos)


@pytest.mark.parametrize("kind", ["class", "split", "emptied class", "emptied split"])
def test_classes_and_splits_that_cannot_be_are_sentences(kind: str, photos: Path) -> None:
    bad = os.fsdecode(b"\xe9t\xe9")
    if kind == "class":
        for split in ("train", "test"):
            (photos / split / "cat").rename(photos / split / bad)
    elif kind == "split":
        (photos / "test").rename(photos / bad)
    else:
        folder = photos / "test" / "cat" if kind == "emptied class" else photos / "test"
        for path in folder.rglob("*.png"):
            path.unlink()
    with pytest.raises(DataError, match=r"not UTF-8|would name files|has no images"):
        made(photos)


def test_a_folder_of_classes_is_told_the_commands_that_make_it_one_of_splits(photos: Path) -> None:
    bare = photos / "train"
    with pytest.raises(DataError, match="its folders hold images \\(cat, dog\\)") as refusal:
        image_folder(bare)
    command = str(refusal.value).partition("classes: ")[2].partition(", and let")[0]
    subprocess.run(["sh", "-ec", command], check=True)
    assert image_folder(bare).classes == ("cat", "dog")
    assert "--hold-out test=0.2" in str(refusal.value)
    with pytest.raises(DataError, match="found: no folders"):
        image_folder(bare / "train" / "cat")


def test_long_names_and_a_folder_that_is_not_utf_8_are_taken(photos: Path) -> None:
    for split in ("train", "test"):
        (photos / split / "cat").rename(photos / split / ("c" * 250))
        (photos / split / ("c" * 250) / "0.png").rename(photos / split / ("c" * 250) / f"{'é' * 120}.png")
    moved = photos.rename(photos.parent / os.fsdecode(b"bilder-\xfc"))
    assert made(moved) == 8
    assert main(["shards", "verify", str(moved.parent / "set")]) == 0


def test_the_command_shows_names_that_no_terminal_takes(photos: Path) -> None:
    target = photos.parent / os.fsdecode(b"set-\xff")
    words = [sys.executable, "-m", "paribus", "shards", "make", photos, target, "--workers", "1"]
    env = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, env=env)
    assert done.returncode == 0, done.stderr
    assert r"set-\udcff: " in done.stdout
