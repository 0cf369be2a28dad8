"""Where a shard set lies: a folder, or an address that WebDataset's gopen understands."""

import time
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from paribus.data.errors import DataError

TIMEOUT_S = 60
RETRIES = 3


@dataclass(frozen=True)
class Place:
    """A folder or an address prefix under which `manifest.json` and the shards lie."""

    root: str

    @property
    def folder(self) -> Path | None:
        """The folder, or None for an address."""
        return None if "://" in self.root else Path(self.root).expanduser()

    def name(self, file: str) -> str:
        """`file` as a message names it."""
        return f"{self.root.rstrip('/')}/{file}"

    def read(self, file: str) -> bytes:
        """All bytes of `file`; DataError if it cannot be read."""
        folder = self.folder
        try:
            return (folder / file).read_bytes() if folder else _fetch(self.name(file))
        except FileNotFoundError:
            raise DataError(f"{self.name(file)} is missing: restore it or make the shards again") from None
        except (OSError, URLError, HTTPException) as error:
            raise DataError(f"{self.name(file)} cannot be read: {error}") from None


def _fetch(address: str) -> bytes:
    if address.startswith(("http://", "https://")):
        return _download(address)
    # s3, gs, file and pipe addresses: WebDataset knows them, but importing it costs seconds and brings torch.
    from webdataset.gopen import gopen

    with gopen(address) as stream:
        fetched: bytes = stream.read()
    return fetched


def _download(address: str) -> bytes:
    """The bytes behind an http(s) address; what a busy server or a cut connection refuses is asked for again."""
    for attempt in range(RETRIES + 1):
        try:
            with urlopen(address, timeout=TIMEOUT_S) as answer:
                data: bytes = answer.read()
            return data
        except (OSError, HTTPException) as error:
            refused = isinstance(error, HTTPError) and error.code < 500
            if refused or attempt == RETRIES:
                raise
            time.sleep(0.5 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")
