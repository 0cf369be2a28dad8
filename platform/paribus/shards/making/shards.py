"""Write a source as tar shards, indexes and a manifest: all at once or not at all, and always the same bytes."""

import sys
from collections.abc import Callable
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np

from paribus.errors import DataError
from paribus.host.atomic import lock, require_disk
from paribus.host.progress_bar import ProgressBar
from paribus.shards.index import index_bytes, index_files, keys_bytes
from paribus.shards.making.plan import SHARD_MIB, SHARD_SIZE, Options, ShardPlan, SplitPlan, plan_shards
from paribus.shards.making.recode import Recoding
from paribus.shards.making.staging import Staging
from paribus.shards.making.survey import Survey
from paribus.shards.making.workers import write_all
from paribus.shards.making.writing import Writing
from paribus.shards.manifest import Manifest, Split, read_manifest
from paribus.shards.sources.source import Source
from paribus.shards.storage.locations import ShardLocation

_NAMED = 20


def make_shards(
    source: Source,
    folder: Path,
    *,
    shard_size: int = SHARD_SIZE,
    shard_mib: int = SHARD_MIB,
    recoding: Recoding | None = None,
    keep_undecodable: bool = False,
    workers: int = 1,
    restart: bool = False,
    quiet: bool = True,
) -> Manifest:
    """Write `source` to `folder`; equal sources and options give equal bytes, so equal digests.

    A shard ends at `shard_size` samples or `shard_mib` MiB of files, whichever comes first. More than one of `workers`
    are spawned processes. Not `quiet`: progress on stderr. A maker that is stopped or killed leaves its finished shards
    beside `folder`, and the next one with the same source and options goes on from there; `restart` drops them. Makers
    of one folder wait for each other, and a set that is what this call would make is returned as it is.

    Raises:
        DataError: `folder` exists and is another set, a half-made one is of another plan, no train split, too little
            disk, or images that do not decode (all are named; with `keep_undecodable` they are stored as they are, and
            training skips them up to its limit).
    """
    plan = plan_shards(source, Options(shard_size=shard_size, shard_mib=shard_mib, recoding=recoding))
    if workers < 1:
        raise DataError(f"{workers} workers: at least 1 must do the work")
    say = _silent if quiet else _say
    try:
        with lock(folder, lambda: say(f"another process is making {folder}: waiting for it")) as record:
            staging = Staging(folder, plan)
            if folder.exists():
                return _found(folder, staging, record, say)
            staging.open(restart)
            _write_shards(plan, staging, recoding, workers, quiet)
            manifest = _finish(plan, staging, keep_undecodable)
            staging.publish(manifest, record)
            return manifest
    except OSError as error:
        raise DataError(
            f"{folder} was not written: {error}; what is done is kept, and the same command goes on from there"
        ) from error


def _found(folder: Path, staging: Staging, record: IO[str], say: Callable[[str], None]) -> Manifest:
    """The manifest of the set that lies at `folder`, if it is the one that is wanted."""
    try:
        manifest = read_manifest(ShardLocation(str(folder)))
    except DataError as error:
        raise DataError(f"{folder} exists and is no sound set ({error}): remove it, or name another folder") from None
    if staging.was_published(manifest.digest, record):
        say(f"{folder} was made already, by another process or an earlier command like this one")
        return manifest
    raise DataError(f"{folder} exists and holds another set: remove it, or name another folder")


def _write_shards(plan: ShardPlan, staging: Staging, recoding: Recoding | None, workers: int, quiet: bool) -> None:
    done = {file for split in plan.splits for file in split.files if staging.is_done(file)}
    finished = sum(split.samples_of(done) for split in plan.splits)
    require_disk(staging.folders.target, round(plan.num_bytes * (1 - finished / plan.num_samples)))
    num_left = sum(len(split.files) for split in plan.splits) - len(done)
    loads = {split.name: split.listing.load for split in plan.splits}
    writing = Writing(folders=staging.folders, loads=loads, recoding=recoding)
    jobs = chain.from_iterable(split.jobs(done) for split in plan.splits)
    with ProgressBar(f"{plan.name}: samples written", plan.num_samples, done=finished, quiet=quiet) as progress_bar:
        write_all(jobs, writing, max(1, min(workers, num_left)), progress_bar)


def _finish(plan: ShardPlan, staging: Staging, keep_undecodable: bool) -> Manifest:
    """Add the indexes to the shards that are done; the manifest of all.

    Raises:
        DataError: images that do not decode and are not to be kept, or a train split without any that does.
    """
    survey = Survey()
    splits = {split.name: _finish_split(split, staging, survey) for split in plan.splits}
    if survey.undecodable and not keep_undecodable:
        raise DataError(_undecodable_text(plan.name, survey.undecodable, staging))
    if survey.smallest is None or survey.largest is None or not survey.pixels:
        raise DataError(f"no training image of {plan.name} decodes")
    mean, sd = survey.mean_and_sd(1 if survey.grey else 3)
    return Manifest(
        name=plan.name,
        classes=plan.classes,
        channels=1 if survey.grey else 3,
        smallest=survey.smallest,
        largest=survey.largest,
        mean=mean,
        sd=sd,
        undecodable=len(survey.undecodable),
        splits=splits,
        made=plan.made,
    )


def _finish_split(split: SplitPlan, staging: Staging, survey: Survey) -> Split:
    shards, rows = [], []
    for file in split.files:
        facts = staging.facts(file)
        shards.append(facts.shard)
        rows.append(facts.rows)
        survey.add(facts.survey)
    index, keys = index_files(split.name)
    numbers, names = index_bytes(np.concatenate(rows)), keys_bytes(split.keys)
    staging.add(index, numbers)
    staging.add(keys, names)
    return Split(
        samples=len(split.rows),
        index=index,
        index_sha256=sha256(numbers).hexdigest(),
        keys=keys,
        keys_sha256=sha256(names).hexdigest(),
        shards=tuple(shards),
    )


def _undecodable_text(name: str, names: list[str], staging: Staging) -> str:
    listed = staging.list_undecodable(names)
    more = f"; and {len(names) - _NAMED} more, all in {listed}" if len(names) > _NAMED else ""
    return (
        f"{len(names)} of {name}'s images do not decode: {'; '.join(names[:_NAMED])}{more}. Repair or remove them and "
        "begin again with --restart, or keep them with --keep-undecodable, which goes on from here (training skips at "
        "most data.max_undecodable of its samples, evaluation none)"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _silent(text: str) -> None:
    pass
