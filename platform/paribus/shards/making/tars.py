"""Whole shards through WebDataset's tar iterators: what others would read in them. Training reads by the index."""

from io import BytesIO
from typing import Any

from paribus.errors import DataError
from paribus.shards.manifest import Shard
from paribus.shards.open_shards import fault


def tar_samples(data: bytes, shard: Shard, name: str) -> list[dict[str, Any]]:
    """WebDataset's samples in the bytes of a shard of the set `name`: `__key__`, and one entry per file suffix.

    Raises:
        DataError: the bytes are no tar of samples.
    """
    # Imported here: WebDataset brings torch.
    from webdataset.tariterators import group_by_keys, tar_file_expander

    try:
        return list(group_by_keys(tar_file_expander([{"url": shard.file, "stream": BytesIO(data)}])))
    except Exception as error:  # tarfile and WebDataset raise errors of many kinds on broken bytes
        raise DataError(fault(shard, name, f"is no tar of samples ({error})")) from error


def image_of(sample: dict[str, Any]) -> bytes:
    """The bytes of a sample's image file: what is neither its class nor WebDataset's own."""
    images = [data for suffix, data in sample.items() if suffix != "cls" and not suffix.startswith("__")]
    if len(images) != 1:
        raise DataError(
            f"sample {sample['__key__']!r} has {len(images)} files beside its class: it should have one image"
        )
    data: bytes = images[0]
    return data
