"""Shards fetched ahead: in order, so many and no more, faults in their turn, ended when told."""

import threading
from concurrent.futures import CancelledError
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from data_servers import QUICK, Fault, FaultyLine, Nginx, until

from paribus.errors import DataError
from paribus.shards.storage.locations import ShardLocation
from paribus.shards.storage.prefetch import Entry, Prefetch

SIZE = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ahead")
    for number in range(8):
        (folder / f"{number}.tar").write_bytes(bytes([number]) * SIZE)
    return folder


@pytest.fixture
def files(folder: Path) -> list[Entry]:
    paths = [folder / f"{number}.tar" for number in range(8)]
    return [(path.name, SIZE, sha256(path.read_bytes()).hexdigest()) for path in paths]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("paribus-prefetch")]


def first_bytes(fetched: Prefetch) -> list[int]:
    firsts = []
    for opened in fetched:
        with opened:
            firsts.append(opened.read(1)[0])
    return firsts


@pytest.mark.parametrize("num_ahead", [1, 3, 20])
def test_files_come_in_their_order(
    web: Nginx, folder: Path, files: list[Entry], tmp_path: Path, num_ahead: int
) -> None:
    place = ShardLocation(web.address + web.path(folder), tmp_path)
    order = [files[number] for number in (5, 2, 7, 0, 1)]
    with Prefetch(place, order, num_ahead=num_ahead) as fetched:
        assert first_bytes(fetched) == [5, 2, 7, 0, 1]
    assert threads() == []


def test_files_of_a_folder_come_too(folder: Path, files: list[Entry]) -> None:
    with Prefetch(ShardLocation(str(folder)), files) as fetched:
        assert first_bytes(fetched) == list(range(8))


def test_nothing_to_fetch_is_nothing(folder: Path) -> None:
    with Prefetch(ShardLocation(str(folder)), []) as fetched:
        assert list(fetched) == []


@pytest.mark.parametrize(("num_ahead", "mib_ahead", "expected"), [(3, 100, 3), (8, 2, 2), (8, 0, 1)])
def test_so_many_are_fetched_ahead_and_no_more(
    web: Nginx, folder: Path, files: list[Entry], tmp_path: Path, num_ahead: int, mib_ahead: int, expected: int
) -> None:
    copies = tmp_path / "cache" / "shards"

    def kept() -> int:
        return len(list(copies.glob("[!.]*[!l]")))

    place = ShardLocation(web.address + web.path(folder), tmp_path)
    with Prefetch(place, files, num_ahead=num_ahead, mib_ahead=mib_ahead) as fetched:
        until(lambda: kept() == expected)
        next(fetched).close()
        until(lambda: kept() == expected + 1)
        next(fetched).close()
        until(lambda: kept() == expected + 2)
    assert kept() == expected + 2


def test_a_fault_is_raised_when_its_file_is_due_and_not_before(
    web: Nginx, folder: Path, files: list[Entry], tmp_path: Path
) -> None:
    place = ShardLocation(web.address + web.path(folder), tmp_path, QUICK)
    files[2] = ("gone.tar", SIZE, files[2][2])
    with Prefetch(place, files) as fetched:
        for number in range(2):
            with next(fetched) as opened:
                assert opened.read(1)[0] == number
        for _ in range(2):
            with pytest.raises(DataError, match=r"gone\.tar is missing"):
                next(fetched)
    assert threads() == []


def test_leaving_ends_downloads_and_waits_for_their_threads(
    web: Nginx, folder: Path, files: list[Entry], tmp_path: Path
) -> None:
    retry_policy = replace(QUICK, attempts=1_000_000, total_s=1_000, first_wait_s=60, longest_wait_s=60)
    with FaultyLine(web.port, *[Fault("stall", 200_000)] * 4) as line:
        with Prefetch(ShardLocation(line.address + web.path(folder), tmp_path, retry_policy), files) as fetched:
            until(lambda: len(line.requests) == 4)
        assert threads() == []
        assert len(line.requests) == 4
        assert list((tmp_path / "cache" / "shards").glob("[!.]*")) == []
        with pytest.raises(CancelledError):
            next(fetched)


def test_one_at_a_time_is_the_least(folder: Path) -> None:
    with pytest.raises(ValueError, match="num_ahead = 0: at least 1"):
        Prefetch(ShardLocation(str(folder)), [], num_ahead=0)
