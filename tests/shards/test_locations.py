"""Folders and addresses: what a place is, what it may not hold, what it costs to name one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from data_servers import Nginx

from paribus.errors import DataError
from paribus.shards.storage.locations import ShardLocation


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a place")
    (folder / "manifest.json").write_bytes(b"{}")
    return folder


def test_one_file_under_every_kind_of_root(web: Nginx, folder: Path, tmp_path: Path) -> None:
    for root in (
        str(folder),
        f"{folder}/",
        folder.as_uri(),
        f"file://localhost{folder}",
        web.address + web.path(folder),
    ):
        assert ShardLocation(root, tmp_path).read("manifest.json") == b"{}"
    assert ShardLocation(f"{web.address}{web.path(folder)}/").read("manifest.json") == b"{}"


def test_a_folder_is_one_and_an_address_is_none(folder: Path) -> None:
    assert ShardLocation(str(folder)).folder == ShardLocation(folder.as_uri()).folder == folder
    assert ShardLocation("~/set").folder == Path.home() / "set"
    assert [ShardLocation(f"{scheme}://host/set").folder for scheme in ("http", "https", "s3", "gs")] == [None] * 4


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_missing_file_of_a_folder_is_named(folder: Path, scheme: str) -> None:
    place = ShardLocation(f"{scheme}{folder}")
    for read in (lambda: place.read("train.tar"), lambda: place.open("train.tar", 1, "0" * 64)):
        with pytest.raises(DataError, match=r"a place0/train\.tar is missing: restore it or make the shards again"):
            read()


def test_what_is_no_file_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read: Is a directory"):
        ShardLocation(str(folder.parent)).read(folder.name)


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ("ftp://host/set", "begins with file, http, https, s3, gs"),
        ("pipe://cat", "begins with file"),
        ("https://me:secret@host/set", "https://host/set came with a user or password in it: put them into ~/.netrc"),
        ("https://secret@host/set", "https://host/set came with a user"),
        ("https://host/set?X-Signature=secret", "https://host/set came with a query"),
        ("s3://bucket/set#secret", "s3://bucket/set came with a query or fragment"),
        ("file://elsewhere/set", "file on another host: file:///FOLDER"),
        ("s3:///set", "has no bucket"),
        ("https:///set", "has no host"),
        ("http://[::1/secret", "is no address (Invalid IPv6 URL)"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_secrets(root: str, words: str) -> None:
    with pytest.raises(DataError) as error:
        ShardLocation(root)
    assert words in str(error.value)
    assert "secret" not in str(error.value)


def test_naming_a_place_loads_no_client_and_reading_one_no_torch(web: Nginx, folder: Path) -> None:
    code = """
import sys
from paribus.shards.storage.locations import ShardLocation
place = ShardLocation(sys.argv[1])
print([name for name in ("obstore", "torch", "boto3") if name in sys.modules])
place.read("manifest.json")
print([name for name in ("torch", "boto3") if name in sys.modules])
"""
    command = [sys.executable, "-W", "error", "-c", code, web.address + web.path(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
