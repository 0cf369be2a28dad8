"""From the notes of all shards to the files of a set: keys, classes, index, manifest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.in_place.layout import NAMED, Layout, left_out_text, may_leave_out
from paribus.shards.in_place.scan import Note, ShardJob
from paribus.shards.index import Rows, index_bytes, index_files, keys_bytes
from paribus.shards.making.plan import checked_ids
from paribus.shards.making.survey import Survey
from paribus.shards.manifest import Shard, Split
from paribus.shards.sources.class_names import ClassNumbers, Numbered, class_numbers, named_numbers
from paribus.shards.sources.source import tidy_key

# Texts that nearly all differ are captions.
_MOST_DIFFERENT, _FEW = 0.5, 20


@dataclass(kw_only=True)
class SplitRoll:
    """The samples of one split so far, in the order of its shards."""

    keys: list[str] = field(default_factory=list)
    stems: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)

    def add(self, job: ShardJob, note: Note, chosen: NDArray[np.int64]) -> None:
        """Add the samples `chosen` of a shard."""
        if not len(chosen):
            return
        self.keys += [note.keys[row] for row in chosen.tolist()]
        self.labels += [note.labels[row] for row in chosen.tolist()]
        self.stems += [tidy_key(str(PurePosixPath(job.file).with_suffix("")))] * len(chosen)
        self.rows.append(note.rows[chosen])
        self.shards.append(Shard(file=job.file, samples=len(chosen), bytes=note.num_bytes, sha256=note.sha256))

    def unique_keys(self) -> list[str]:
        """The keys, with their shards' names where they would not be unique."""
        if len(set(self.keys)) == len(self.keys):
            return self.keys
        return [f"{stem}/{key}" for stem, key in zip(self.stems, self.keys, strict=True)]


@dataclass(kw_only=True)
class Roll:
    """All splits, the sums over their pixels, and the samples that were left out."""

    splits: dict[str, SplitRoll] = field(default_factory=dict)
    survey: Survey = field(default_factory=Survey)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def add(self, job: ShardJob, note: Note, held_to: str | None) -> None:
        """Add a shard; its held samples go to the split `held_to`."""
        held = np.array(note.held, bool)
        self.splits.setdefault(job.split, SplitRoll()).add(job, note, np.flatnonzero(~held))
        if held_to is not None and held.any():
            self.splits.setdefault(held_to, SplitRoll()).add(job, note, np.flatnonzero(held))
        self.left_out.setdefault(job.split, []).extend(note.left_out)
        self.survey.add(note.survey)

    def check_left_out(self, share: float) -> None:
        """DataError where more of a split was left out than `share` of its samples; one is always allowed."""
        for split, names in self.left_out.items():
            num = len(names) + len(self.splits[split].keys)
            if len(names) > may_leave_out(num, share):
                raise DataError(
                    f"{left_out_text(split, names, num, share)}{' ...' if len(names) > NAMED else ''}. If --image and "
                    "--label name the right files, mend the shards, or allow more: what was read is kept"
                )

    def numbered(self, layout: Layout, how: ClassNumbers | None, names: Sequence[str] | None) -> Numbered:
        """The classes: of the file `names`, else as written; whole numbers from 0 on are kept, unless `how` is map."""
        written = {split: roll.labels for split, roll in self.splits.items()}
        if names is not None:
            return named_numbers(written, names)
        met = {label for labels in written.values() for label in labels}
        num = sum(map(len, written.values()))
        if len(met) > max(_FEW, _MOST_DIFFERENT * num):
            raise DataError(
                f"{layout.where} says {len(met):,} different things of {num:,} samples, as captions and keys do and "
                "classes do not: say with --label what tells the class"
            )
        whole = all(label.isdecimal() and str(int(label)) == label for label in met)
        return class_numbers(written, how or ("keep" if whole else "map"))

    def files(self, numbered: Numbered) -> Iterator[tuple[str, Split, Mapping[str, bytes]]]:
        """Name, entry in the manifest, and the two files of each split."""
        for split, roll in self.splits.items():
            keys = roll.unique_keys()
            rows = np.concatenate(roll.rows)
            rows["id"], rows["label"] = checked_ids(split, keys), numbered.numbers[split]
            index, names = index_files(split)
            numbers, listed = index_bytes(rows), keys_bytes(keys)
            entry = Split(
                samples=len(keys),
                index=index,
                index_sha256=sha256(numbers).hexdigest(),
                keys=names,
                keys_sha256=sha256(listed).hexdigest(),
                shards=tuple(roll.shards),
            )
            yield split, entry, {index: numbers, names: listed}
