"""Where a shard set lies: a folder, or an address that is read through the node cache."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from paribus.errors import DataError
from paribus.host.plain_files import open_plain
from paribus.shards.storage.node_cache import node_cache
from paribus.shards.storage.remote import Remote, RetryPolicy

SCHEMES = ("http", "https", "s3", "gs")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ShardLocation:
    """A folder or an address prefix (file, http, https, s3, gs) under which `manifest.json` and the shards lie.

    Copies of what lies behind an address are kept under `home` (None: the default one), unless PARIBUS_CACHE names
    another folder. Credentials come from where the service's own tools look for them, never from the address.

    Raises:
        DataError: an address of another kind, or one with credentials or a query in it.
    """

    root: str
    home: Path | None = None
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if "://" not in self.root:
            return
        try:
            parts = urlsplit(self.root)
        except ValueError as error:
            raise DataError(f"data.shards is no address ({error}): it should be SCHEME://HOST/FOLDER") from None
        # Without what is refused: an address ends in messages, the ledger and the logs.
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        if parts.scheme not in (*SCHEMES, "file"):
            raise DataError(
                f"data.shards = {shown}: an address begins with file, {', '.join(SCHEMES)}; else name a folder"
            )
        if parts.username is not None or parts.password is not None:
            raise DataError(f"data.shards = {shown} came with a user or password in it: put them into ~/.netrc instead")
        if parts.query or parts.fragment:
            raise DataError(
                f"data.shards = {shown} came with a query or fragment, and a signature fits one file: leave it out, "
                "and give credentials by the environment, or make the prefix readable"
            )
        if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
            raise DataError(f"data.shards = {shown} names a file on another host: file:///FOLDER names one on this")
        if parts.scheme != "file" and not parts.netloc:
            raise DataError(f"data.shards = {shown} has no {'host' if 'http' in parts.scheme else 'bucket'} after ://")

    @property
    def folder(self) -> Path | None:
        """The folder, or None for an address."""
        if self.root.startswith("file://"):
            return Path(url2pathname(urlsplit(self.root).path))
        return None if "://" in self.root else Path(self.root).expanduser()

    def name(self, file: str) -> str:
        """`file` as a message names it."""
        return f"{self.root.rstrip('/')}/{file}"

    def read(self, file: str) -> bytes:
        """All bytes of the small `file`; DataError if it cannot be read."""
        folder = self.folder
        if folder is None:
            return self._remote.read(file)
        with self._local(folder, file) as opened:
            return opened.read()

    def open(self, file: str, num_bytes: int, sha256: str, cancelled: threading.Event | None = None) -> BinaryIO:
        """`file` on this machine, open for reading: in a folder as it lies there, from an address its verified copy.

        Holding it open keeps it readable, whatever the node cache drops meanwhile.

        Raises:
            DataError: missing, or not to be had from the address, or no room for the copy.
            CancelledError: `cancelled` was set during the download.
        """
        folder = self.folder
        if folder is not None:
            return self._local(folder, file)
        remote = self._remote
        return node_cache(self.home).open(
            sha256, num_bytes, lambda sink: remote.download(file, sink, num_bytes, sha256, cancelled), cancelled
        )

    def look(self, file: str) -> tuple[int, str]:
        """Bytes of `file`, and a word that changes when its content does; DataError if it is not there."""
        folder = self.folder
        if folder is None:
            return self._remote.look(file)
        with self._local(folder, file) as opened:
            status = os.fstat(opened.fileno())
        return status.st_size, str(status.st_mtime_ns)

    def stream(self, file: str, num_bytes: int) -> Iterator[bytes]:
        """The bytes of `file`, which has `num_bytes`, piece by piece, once; DataError where they do not come."""
        folder = self.folder
        if folder is None:
            yield from self._remote.stream(file, num_bytes)
            return
        with self._local(folder, file) as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                yield chunk

    def files(self, prefix: str) -> list[str]:
        """The names of all files of an address, of s3 or gs, that lie in the folders of `prefix`, in order."""
        return sorted(self._remote.files(prefix))

    def fetch(self, file: str, num_bytes: int, sha256: str) -> Path:
        """Where `open` finds `file` on this machine; a copy may be dropped from there before a reader opens it."""
        with self.open(file, num_bytes, sha256) as opened:
            return Path(opened.name)

    def forget(self, opened: BinaryIO, sha256: str) -> bool:
        """Drop the copy `opened` of the file `sha256`, whose bytes have changed on disk.

        False if this is a folder and there is nothing to fetch again from.
        """
        if self.folder is not None:
            return False
        node_cache(self.home).forget(sha256, opened)
        return True

    def _local(self, folder: Path, file: str) -> BinaryIO:
        try:
            return open_plain(folder / file)
        except FileNotFoundError:
            if not folder.is_dir():
                raise DataError(
                    f"there is no folder {self.root}"
                    f"{'' if folder.is_absolute() else f', which from this folder is {folder.absolute()}'}"
                    ": name one with a shard set"
                ) from None
            raise DataError(f"{self.name(file)} is missing: restore it or make the shards again") from None
        except OSError as error:
            raise DataError(f"{self.name(file)} cannot be read: {error.strerror}") from None

    @property
    def _remote(self) -> Remote:
        return _remote(self.root.rstrip("/"), self.retry_policy)


@cache
def _remote(root: str, retry_policy: RetryPolicy) -> Remote:
    """One client, and so one pool of connections, an address and process."""
    return Remote(root, retry_policy)
