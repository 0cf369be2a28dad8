"""Index shards where they lie: one pass over their bytes, from which studies then train; nothing is copied."""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from paribus.errors import DataError
from paribus.host.atomic import lock, new_file
from paribus.host.plain_files import read_document
from paribus.host.progress_bar import ByteMeter
from paribus.shards.in_place.found import Shards, find_shards
from paribus.shards.in_place.layout import MAX_LEFT_OUT, Layout, is_text, layout_of
from paribus.shards.in_place.roll import Roll
from paribus.shards.in_place.scan import HoldOut, Note, Scan, ShardJob
from paribus.shards.in_place.tar_stream import Forward, Sample, read_samples
from paribus.shards.making.workers import write_all
from paribus.shards.manifest import MANIFEST, Manifest, read_manifest
from paribus.shards.shard_places import IN_PLACE, MADE, PLACES, in_place, places_bytes
from paribus.shards.sources.class_names import ClassNumbers, Numbered
from paribus.shards.storage.locations import ShardLocation

TRAIN = "train"
LEFT_OUT = "left_out.txt"
_WORK, _PLAN, _NOTES = ".paribus-index", "plan.json", "notes"
_LOOKED_AT, _LOOKS = 200, 32


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What shards hold and how it is taken: `image` and `label` name a sample's files where that is not plain.

    `classes` are the names of the classes in order; `class_numbers` keeps or maps whole numbers (None: keeps). A split
    `hold_out` of that share is taken from train. At most `max_left_out` of a split's samples may be unusable.
    """

    image: str | None = None
    label: str | None = None
    classes: Sequence[str] | None = None
    class_numbers: ClassNumbers | None = None
    hold_out: tuple[str, str] | None = None
    max_left_out: float = MAX_LEFT_OUT

    @property
    def held(self) -> HoldOut | None:
        """How samples are held out; DataError for what is no share."""
        if self.hold_out is None:
            return None
        split, text = self.hold_out
        try:
            share = Fraction(text)
        except (ValueError, ZeroDivisionError):
            share = Fraction(0)
        if not 0 < share < 1:
            raise DataError(f"--hold-out {split}={text}: it takes a fraction between 0 and 1, such as {split}=0.02")
        return HoldOut(split=split, below=int(share * 2**64))


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """The set that was indexed, what there is to say of it, and how many samples were left out."""

    manifest: Manifest
    notes: tuple[str, ...]
    left_out: int


def index_shards(
    words: Mapping[str, str],
    folder: Path,
    asked: Asked,
    *,
    workers: int = 1,
    restart: bool = False,
    quiet: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Indexed:
    """Write the manifest and the indexes of the shards that `words` name by split into `folder`, which may be theirs.

    Each shard is read once from front to back, `workers` at a time; what is known of a finished one stays in
    `folder`/.paribus-index, and the same call goes on from there. `say` is told what was found out.

    Raises:
        DataError: shards that are missing, damaged, compressed or changed meanwhile; a layout that has to be asked for;
            classes that cannot be numbered; too many unusable samples; a set of another kind in `folder`.
    """
    if TRAIN not in words:
        raise DataError(
            f"no split is called {TRAIN!r} ({', '.join(words)}): training needs one, so give --split {TRAIN}"
        )
    if workers < 1:
        raise DataError(f"{workers} workers: at least 1 must do the work")
    _ = asked.held  # what is wrong with it is said before anything is read
    shards = {split: find_shards(word) for split, word in words.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock(folder / MANIFEST, lambda: say(f"another process is indexing into {folder}: waiting for it")):
            return _Indexing(folder, asked, shards).run(workers, restart, quiet, say)
    except OSError as error:
        raise DataError(f"{folder} was not written: {error}; what was read is kept, give the command again") from error


class _Indexing:
    """One index in the making."""

    def __init__(self, folder: Path, asked: Asked, shards: Mapping[str, Shards]) -> None:
        self._folder, self._asked, self._shards = folder, asked, shards
        self._work = folder / _WORK

    def run(self, workers: int, restart: bool, quiet: bool, say: Callable[[str], None]) -> Indexed:
        jobs, versions = self._jobs()
        self._check_target(restart)
        if restart:
            shutil.rmtree(self._work, ignore_errors=True)
        layout = self._layout(jobs)
        say(f"{len(jobs):,} shards, {sum(job.num_bytes for job in jobs) / 2**30:,.2f} GiB: {layout.words}")
        notes = self._begin(layout, versions)
        scan = Scan(notes=notes, layout=layout, hold_out=self._asked.held)
        left = [job for job in jobs if not (notes / job.note).is_file()]
        done = sum(job.num_bytes for job in jobs) - sum(job.num_bytes for job in left)
        if done:
            say(f"{len(jobs) - len(left):,} shards were read before")
        with ByteMeter(
            f"{self._folder.name}: shards read", done + _total(left), done=done, quiet=quiet
        ) as progress_bar:
            write_all(iter(left), scan, max(1, min(workers, len(left))), progress_bar)
        return self._finish(jobs, layout, notes)

    def _jobs(self) -> tuple[list[ShardJob], dict[str, str]]:
        """The shards in order, and a word a shard that changes with its content."""
        listed = [(split, shards.root, file) for split, shards in self._shards.items() for file in shards.files]
        with ThreadPoolExecutor(_LOOKS, thread_name_prefix="paribus-look") as pool:
            looks = list(pool.map(lambda each: ShardLocation(each[1]).look(each[2]), listed))
        jobs = [
            ShardJob(split=split, root=root, file=file, num_bytes=look[0], train=split == TRAIN)
            for (split, root, file), look in zip(listed, looks, strict=True)
        ]
        for job in jobs:
            if not job.num_bytes:
                raise DataError(f"{ShardLocation(job.root).name(job.file)} is empty: copy it again, or leave it out")
        return jobs, {job.note: f"{look[0]} {look[1]}" for job, look in zip(jobs, looks, strict=True)}

    def _check_target(self, restart: bool) -> None:
        """DataError where another set lies in the folder."""
        if not (self._folder / MANIFEST).exists():
            return
        found = read_manifest(ShardLocation(str(self._folder)))
        if not in_place(found):
            raise DataError(f"{self._folder} holds a set of its own ({found.name}): name another folder for the index")
        if not restart:
            raise DataError(
                f"{self._folder} holds an index already (digest {found.digest[:12]}): name another folder, "
                "or replace it with --restart, which changes the digest if the shards or the options changed"
            )

    def _layout(self, jobs: Sequence[ShardJob]) -> Layout:
        """Found out from the first samples of the first shard."""
        job = jobs[0]
        place, samples = ShardLocation(job.root), list[Sample]()
        pieces = place.stream(job.file, job.num_bytes)
        for sample in read_samples(place.name(job.file), Forward(pieces), is_text):
            samples.append(sample)
            if len(samples) == _LOOKED_AT:
                break
        return layout_of(samples, place.name(job.file), self._asked.image, self._asked.label)

    def _begin(self, layout: Layout, versions: Mapping[str, str]) -> Path:
        """The folder of notes; those of shards that changed, or that were read in another way, are dropped."""
        notes, plan = self._work / _NOTES, self._work / _PLAN
        begun = _document(plan)
        wanted: dict[str, Any] = {
            "layout": layout.words,
            "hold_out": self._asked.hold_out and list(self._asked.hold_out),
        }
        if begun and {name: begun.get(name) for name in wanted} != wanted:
            raise DataError(
                f"{self._work} holds a half-made index that was begun in another way ({begun.get('layout')}; hold-out "
                f"{begun.get('hold_out')}): give the command that it was begun with, or --restart to drop it"
            )
        notes.mkdir(parents=True, exist_ok=True)
        before = begun.get("versions", {})
        for path in notes.iterdir():
            if before.get(path.name) != versions.get(path.name) or Note.read(path) is None:
                path.unlink()
        with new_file(plan) as handle:
            handle.write(json.dumps({**wanted, "versions": versions}).encode())
        return notes

    def _finish(self, jobs: Sequence[ShardJob], layout: Layout, notes: Path) -> Indexed:
        roll = Roll()
        for job in jobs:
            note = Note.read(notes / job.note)
            if note is None:
                raise DataError(f"{notes / job.note} was lost: give the command again")
            roll.add(job, note, self._asked.hold_out and self._asked.hold_out[0])
        names = [name for listed in roll.left_out.values() for name in listed]
        with new_file(self._work / LEFT_OUT) as handle:
            handle.write("".join(f"{name}\n" for name in names).encode())
        roll.check_left_out(self._asked.max_left_out)
        empty = [split for split, each in roll.splits.items() if not each.keys]
        wanted = {*self._shards, *([self._asked.hold_out[0]] if self._asked.hold_out else [])}
        if empty or wanted - roll.splits.keys():
            split = [*empty, *sorted(wanted - roll.splits.keys())][0]
            raise DataError(f"split {split!r} has no sample: see that its shards are the right ones, or leave it out")
        numbered = roll.numbered(layout, self._asked.class_numbers, self._asked.classes)
        return self._publish(roll, numbered, layout, names)

    def _publish(self, roll: Roll, numbered: Numbered, layout: Layout, left_out: Sequence[str]) -> Indexed:
        """Write the files, the manifest last: then the set is there."""
        survey = roll.survey
        if survey.smallest is None or survey.largest is None or not survey.pixels:
            raise DataError(f"no training image of {self._folder} decodes")
        channels = 1 if survey.grey else 3
        mean, sd = survey.mean_and_sd(channels)
        entries = {}
        for split, entry, files in roll.files(numbered):
            entries[split] = entry
            for name, data in files.items():
                _write(self._folder / name, data)
        held = {} if self._asked.hold_out is None else {f"held_out.{self._asked.hold_out[0]}": self._asked.hold_out[1]}
        manifest = Manifest(
            name=self._folder.resolve().name,
            classes=numbered.classes,
            channels=channels,
            smallest=survey.smallest,
            largest=survey.largest,
            mean=mean,
            sd=sd,
            splits=entries,
            made={"source": "webdataset", MADE: IN_PLACE, "layout": layout.words, "left_out": len(left_out), **held},
        )
        _write(self._folder / PLACES, places_bytes(self._roots()))
        if left_out:
            _write(self._folder / LEFT_OUT, "".join(f"{name}\n" for name in left_out).encode())
        _write(self._folder / MANIFEST, manifest.write().encode())
        shutil.rmtree(self._work, ignore_errors=True)
        return Indexed(manifest=manifest, notes=numbered.notes, left_out=len(left_out))

    def _roots(self) -> dict[str, str]:
        roots = {split: _relative(shards.root, self._folder) for split, shards in self._shards.items()}
        return roots if self._asked.hold_out is None else {**roots, self._asked.hold_out[0]: roots[TRAIN]}


def _relative(root: str, folder: Path) -> str:
    """A root below the folder as seen from there, so that both can be moved, or served, together."""
    if "://" in root:
        return root
    path, base = Path(os.path.realpath(root)), Path(os.path.realpath(folder))
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def _total(jobs: Sequence[ShardJob]) -> int:
    return sum(job.num_bytes for job in jobs)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = read_document(path)
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _write(path: Path, data: bytes) -> None:
    with new_file(path) as handle:
        handle.write(data)
