"""Random access into tar files: their headers are read once, their files when they are asked for."""

import os
import tarfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.sources.file_type import suffix_of
from paribus.shards.sources.names import Names
from paribus.shards.sources.source import File

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A regular file in a tar: its name, and where its bytes lie in the outermost file."""

    name: str
    offset: int
    length: int


def members(path: Path) -> Iterator[Member]:
    """The regular files of the tar `path` (ustar, GNU or pax); nothing but their headers is read.

    Raises:
        DataError: no tar, or one that is cut or broken; it names the last file that is whole.
    """
    with opened(path) as stream:
        for info, _ in _headers(str(path), stream):
            yield Member(name=info.name, offset=info.offset_data, length=info.size)


def nested_members(path: Path) -> Iterator[tuple[str, list[Member]]]:
    """The name of every tar within the tar `path`, with its regular files; `members` says what may go wrong."""
    with opened(path) as stream:
        for inner, tar in _headers(str(path), stream):
            window = tar.extractfile(inner)
            assert window is not None, "a regular file has contents"
            found = [
                Member(name=info.name, offset=inner.offset_data + info.offset_data, length=info.size)
                for info, _ in _headers(f"{path}: {inner.name}", window)
            ]
            yield inner.name, found


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """`path` for reading, unbuffered, because what is wanted lies far apart; DataError where it cannot be opened."""
    try:
        stream = path.open("rb", buffering=0)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    with stream:
        yield stream


@dataclass(frozen=True, kw_only=True)
class Found:
    """Members of tars, packed: their names, and (N,) the number of the group they came with, offset and length."""

    names: Names
    groups: NDArray[np.int32]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, found: Iterable[tuple[int, Member]]) -> "Found":
        """All of `found`, each with the number of its group."""
        groups, offsets, lengths = array("i"), array("q"), array("q")

        def names() -> Iterator[str]:
            for group, member in found:
                groups.append(group)
                offsets.append(member.offset)
                lengths.append(member.length)
                yield member.name

        packed = Names(names())
        return cls(
            names=packed,
            groups=np.frombuffer(groups, np.int32),
            offsets=np.frombuffer(offsets, np.int64),
            lengths=np.frombuffer(lengths, np.int64),
        )

    def load(self, *paths: Path) -> "TarFiles":
        """The loader of these members, who lie in the path of their group's number, or all in the only one."""
        tar_of = self.groups if len(paths) > 1 else np.zeros_like(self.groups)
        return TarFiles(paths=paths, tar_of=tar_of, offsets=self.offsets, lengths=self.lengths, names=self.names)


@dataclass(frozen=True, kw_only=True)
class TarFiles:
    """Loads the file of a row out of `paths`: `tar_of` (N,) says from which, offsets and lengths (N,) from where.

    The suffix is what a file's first bytes say, else that of `names`.
    """

    paths: tuple[Path, ...]
    tar_of: NDArray[np.int32]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    names: Names

    def __call__(self, row: int) -> File:
        path, length = self.paths[self.tar_of[row]], int(self.lengths[row])
        # Opened for each file, at a hundredth of what decoding it costs: nothing stays open, and threads share nothing.
        with path.open("rb", buffering=0) as stream:
            data = os.pread(stream.fileno(), length, int(self.offsets[row]))
        if len(data) != length:
            raise DataError(f"{path} became shorter while it was read: copy it again and give the command again")
        return File(suffix=suffix_of(data, self.names[row]), data=data)


def _headers(name: str, stream: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    last, end = "its start", 0
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            for info in tar:
                if info.issparse():
                    raise DataError(f"{name}: {info.name} is stored with holes: pack the tar without --sparse")
                if info.isfile():
                    yield info, tar
                last = repr(info.name)
                size = info.size if info.isfile() else 0
                end = info.offset_data + size + -size % tarfile.BLOCKSIZE
            # tarfile takes a header that it cannot read for the end.
            stream.seek(end)
            if any(stream.read(tarfile.BLOCKSIZE)):
                raise DataError(f"{name} is damaged after {last}: copy it again")
    except tarfile.TarError as error:
        stream.seek(0)
        if stream.read(2) == _GZIP:
            raise DataError(
                f"{name} is compressed, and files in it cannot be reached singly: gunzip it first"
            ) from None
        raise DataError(f"{name} is no whole tar ({error}, after {last}): copy it again") from None
