"""Which shards a word means: braces, a pattern, a folder, one tar; on this machine, behind http, or in s3 or gs."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path
from urllib.parse import urlsplit

from paribus.errors import DataError
from paribus.shards.storage.locations import ShardLocation

FORMS = (
    "a pattern as WebDataset writes it ('/data/train-{0000..0099}.tar'), as a shell does ('/data/train-*.tar'), a "
    "folder of tars, or one tar; in front of it may stand http(s)://HOST, s3://BUCKET or gs://BUCKET"
)
_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, kw_only=True)
class Shards:
    """The shards of a split: `files` lie under `root`, a folder (absolute) or an address, in this order."""

    root: str
    files: tuple[str, ...]


def find_shards(word: str) -> Shards:
    """The shards that `word` means, each looked for but not opened.

    Raises:
        DataError: none, some that are missing, compressed ones, or a pattern where nothing can be listed.
    """
    if word.startswith("pipe:"):
        raise DataError(f"{word!r} is a command's output, which can't be read out of order: name {FORMS}")
    expanded = _expanded(word)
    names = [name for part in expanded for name in _named(part)]
    names = list(dict.fromkeys(names))
    packed = [name for name in names if name.lower().endswith(_PACKED)]
    if packed:
        raise DataError(compressed_text(packed[0]))
    return _below_one_root(names)


def compressed_text(name: str) -> str:
    """Why a compressed tar is refused, and the two ways out."""
    return (
        f"{name} is compressed: a sample in the middle of it cannot be reached without unpacking all before it, so "
        "it cannot be used in place. Unpack it (`gunzip FILE` leaves a .tar), then name the .tar, to index it where it "
        "lies or to repack it with `paribus shards make webdataset:SHARDS FOLDER`"
    )


def _expanded(word: str) -> list[str]:
    from braceexpand import braceexpand

    # WebDataset's own separator of several patterns.
    try:
        return [name for part in word.split("::") for name in braceexpand(part)]
    except ValueError as error:
        raise DataError(f"{word!r} has braces without their partners: {error}") from None


def _named(part: str) -> Iterable[str]:
    """The shards of one part of a pattern, without braces: whole names."""
    if part.startswith("file://"):
        part = str(ShardLocation(part).folder)
    return _local(part) if "://" not in part else _remote(part)


def _local(part: str) -> list[str]:
    path = Path(part).expanduser().absolute()
    if path.is_dir():
        found = _tars(path.glob("*.*")) or _tars(path.rglob("*.*"))
        if not found:
            raise DataError(f"{path} holds no .tar file: name {FORMS}")
        return found
    if path.exists() or not _WILD.search(part):
        if not path.is_file():
            raise DataError(f"{path} is no file: see that the shards are there, and that the pattern is right")
        return [str(path)]
    found = sorted(name for name in glob(str(path), recursive=True) if os.path.isfile(name))
    if not found:
        raise DataError(f"nothing is called {part!r}: name {FORMS}")
    return found


def _tars(paths: Iterable[Path]) -> list[str]:
    """Tars in order; where there is none, compressed ones, which are refused by name."""
    files = sorted(str(path) for path in paths if path.is_file() and not path.name.startswith("."))
    tars = [name for name in files if name.lower().endswith(".tar")]
    return tars or [name for name in files if name.lower().endswith(_PACKED)]


def _remote(part: str) -> Iterator[str]:
    scheme, _, rest = part.partition("://")
    host, _, path = rest.partition("/")
    root = f"{scheme}://{host}"
    _checked_address(part)
    pattern = bool(_WILD.search(path))
    if not pattern and not path.endswith("/") and "." in path.rpartition("/")[2]:
        yield part
        return
    if scheme in ("http", "https"):
        raise DataError(
            f"{part!r} is {'a pattern' if pattern else 'a folder'}, and a web server lists no files: name them with "
            f"braces, such as {root}/train-{{0000..0099}}.tar"
        )
    prefix = _WILD.split(path, maxsplit=1)[0] if pattern else path.rstrip("/") + "/"
    found = [
        name for name in ShardLocation(root).files(prefix) if fnmatchcase(name, path if pattern else f"{prefix}*.tar")
    ]
    if not found:
        raise DataError(f"nothing in {root} is called {path if pattern else prefix + '*.tar'!r}: name {FORMS}")
    for name in found:
        yield f"{root}/{name}"


def _checked_address(part: str) -> None:
    """DataError for an address with what ends in the ledger, or of a kind that nothing here reads."""
    parts = urlsplit(part)
    try:
        ShardLocation(f"{parts.scheme}://{parts.netloc}{parts.path}" if "?" not in part else part)
    except DataError as error:
        raise DataError(str(error).replace("data.shards = ", "")) from None


def _below_one_root(names: list[str]) -> Shards:
    if "://" not in names[0]:
        root = os.path.commonpath([os.path.dirname(name) for name in names])
        return Shards(root=root, files=tuple(os.path.relpath(name, root) for name in names))
    parents = [name.split("/")[:-1] for name in names]
    depth = min(map(len, parents))
    while any(parent[:depth] != parents[0][:depth] for parent in parents):
        depth -= 1
    if depth < 3:
        raise DataError(
            f"{names[0]} and {names[-1]} lie in different places: the shards of one split come from one host or bucket"
        )
    root = "/".join(parents[0][:depth])
    return Shards(root=root, files=tuple(name[len(root) + 1 :] for name in names))
