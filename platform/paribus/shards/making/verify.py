"""Read a whole shard set again: is it what its manifest says?"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from paribus.errors import DataError
from paribus.host.progress_bar import ProgressBar
from paribus.shards.index import read_index
from paribus.shards.making.checks import Described, Expected, shard_faults
from paribus.shards.manifest import MANIFEST, Manifest, read_manifest
from paribus.shards.shard_places import in_place, shards_place
from paribus.shards.storage.locations import ShardLocation


@dataclass
class Report:
    """What `verify` found; the set is sound where `faults` is empty. `warnings`: files that no manifest names."""

    name: str
    digest: str
    shards: int = 0
    samples: int = 0
    bytes: int = 0
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def verify(place: ShardLocation, workers: int = 1, quiet: bool = True) -> Report:
    """Check every file's length and SHA-256, every sample's key, class, place and size, and that every image decodes.

    `workers` shards are read at a time, by threads. Images that do not decode are named as faults though the manifest
    admits them (made with --keep-undecodable).

    Raises:
        DataError: no readable manifest; all else is a fault in the report.
    """
    if workers < 1:
        raise DataError(f"{workers} workers: at least 1 must do the work")
    manifest = read_manifest(place)
    report = Report(manifest.name, manifest.digest, warnings=list(_strangers(place, manifest)))
    expected = [one for split in manifest.splits for one in _expected(place, manifest, split, report)]
    report.shards = len(expected)
    report.samples = sum(one.shard.samples for one in expected)
    report.bytes = sum(one.shard.bytes for one in expected)
    with (
        ProgressBar(f"{manifest.name}: samples checked", report.samples, quiet=quiet) as progress_bar,
        ThreadPoolExecutor(workers, thread_name_prefix="paribus-verify") as pool,
    ):
        try:
            for one, faults in zip(expected, pool.map(shard_faults, expected), strict=True):
                report.faults += faults
                progress_bar.tick(one.shard.bytes, one.shard.samples)
        finally:
            # Interrupted, it should not read first what is left.
            pool.shutdown(cancel_futures=True)
    return report


def _expected(place: ShardLocation, manifest: Manifest, name: str, report: Report) -> Iterator[Expected]:
    """What the manifest says of each shard of a split, and what the index says where there is a sound one."""
    split, lies = manifest.split(name), shards_place(place, manifest, name)
    try:
        index = read_index(place, manifest, name)
    except DataError as error:
        report.faults.append(str(error))
        index = None
    for number, shard in enumerate(split.shards):
        described = None
        if index is not None:
            start = int(index.starts[number])
            described = Described(index.keys, index.rows, start, start + shard.samples)
        yield Expected(manifest, shard, described, lies)


def _strangers(place: ShardLocation, manifest: Manifest) -> Iterator[str]:
    """The files in a folder that the manifest does not name."""
    if place.folder is None:
        return
    if in_place(manifest):
        return  # what else lies there is not ours to judge
    known = {MANIFEST}
    for split in manifest.splits.values():
        known |= {split.index, split.keys, *(shard.file for shard in split.shards)}
    for path in sorted(place.folder.iterdir()):
        if path.name not in known and not path.name.startswith("."):
            yield f"{path} is no file of the set: nothing reads it, so move it away"
