"""One shard, read through WebDataset's tar iterators and checked against the manifest."""

from hashlib import sha256
from io import BytesIO
from typing import Any

from paribus.data.errors import DataError
from paribus.data.manifest import Index, Manifest, Shard
from paribus.data.places import Place


class ShardReader:
    """Reads the shards of one split; each is checked against its SHA-256 the first time."""

    def __init__(self, place: Place, manifest: Manifest, split: str, index: Index) -> None:
        self._place, self._set, self._index = place, manifest.name, index
        self._shards = manifest.split(split).shards
        self._checked: set[int] = set()

    def read(self, number: int) -> list[bytes]:
        """The image files of shard `number`, in the order of the index.

        Raises:
            DataError: the shard is missing, empty, truncated, altered, or holds other samples than the index says.
        """
        shard = self._shards[number]
        data = self._place.read(shard.file)
        check_length(shard, len(data), self._set)
        if number not in self._checked:
            if sha256(data).hexdigest() != shard.sha256:
                raise DataError(_fault(shard, self._set, "was altered: its SHA-256 is not the manifest's"))
            self._checked.add(number)
        return self._images(shard, number, data)

    def _images(self, shard: Shard, number: int, data: bytes) -> list[bytes]:
        start = int(self._index.starts[number])
        expected = self._index.keys[start : start + shard.samples]
        samples = tar_samples(shard, data, self._set)
        if [sample["__key__"] for sample in samples] != list(expected):
            raise DataError(_fault(shard, self._set, "holds other samples than the index says"))
        return [image_of(sample) for sample in samples]


def check_length(shard: Shard, length: int, name: str) -> None:
    """DataError if a shard's length is not the manifest's."""
    if length != shard.bytes:
        what = "is empty" if length == 0 else "is truncated" if length < shard.bytes else "has grown"
        raise DataError(_fault(shard, name, f"{what}: {length:,} bytes where the manifest says {shard.bytes:,}"))


def tar_samples(shard: Shard, data: bytes, name: str) -> list[dict[str, Any]]:
    """WebDataset's samples of a shard's bytes: `__key__`, and one entry per file suffix."""
    # Imported here: a trial on a resident set whose cache exists never reads a shard.
    from webdataset.tariterators import group_by_keys, tar_file_expander

    try:
        return list(group_by_keys(tar_file_expander([{"url": shard.file, "stream": BytesIO(data)}])))
    except Exception as error:  # tarfile and WebDataset raise errors of many kinds on broken bytes
        raise DataError(_fault(shard, name, f"is no tar of samples ({error})")) from error


def image_of(sample: dict[str, Any]) -> bytes:
    """The bytes of a sample's image file: what is neither its class nor WebDataset's own."""
    images = [data for suffix, data in sample.items() if suffix != "cls" and not suffix.startswith("__")]
    if len(images) != 1:
        raise DataError(
            f"sample {sample['__key__']!r} has {len(images)} files beside its class: it should have one image"
        )
    data: bytes = images[0]
    return data


def _fault(shard: Shard, name: str, what: str) -> str:
    return f"shard {shard.file} of {name!r} {what}: restore it or make the shards again"
