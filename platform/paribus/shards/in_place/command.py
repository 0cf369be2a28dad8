"""`paribus shards index`."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import DataError
from paribus.host.option_types import whole

if TYPE_CHECKING:
    from paribus.shards.in_place.indexing import Asked, Indexed

EXAMPLES = """examples:
  paribus shards index '/data/train-{0000..0099}.tar' --split train '/data/val-*.tar' --split val /data
  paribus shards index 's3://bucket/imagenet/train-{000000..001023}.tar' --split train \\
                       's3://bucket/imagenet/val-{00..49}.tar' --split val indexes/imagenet
  paribus shards index https://example.org/pets.tar --hold-out test=0.1 --label meta.breed indexes/pets
  paribus shards index shards/ --image input.jpg --label target.cls --hold-out test=0.1

Nothing is copied: studies with data.shards=FOLDER read the shards where they lie. A command that was stopped or killed
goes on from the last whole shard when it is given again."""
_NAMED = 5


def add_arguments(index: argparse.ArgumentParser) -> None:
    """The words and options of `index`."""
    add = index.add_argument
    add(
        "words",
        metavar="SHARDS ... FOLDER",
        nargs="+",
        help="shards of each split, in quotes (braces, a pattern, a folder, one tar; on disk, http(s), s3 or gs), "
        "then the folder for the index (default: where shards on disk lie)",
    )
    add("--split", action="append", metavar="NAME", help="what the SHARDS before it are (default train)")
    add("--hold-out", metavar="NAME=FRACTION", help="a part of train, by a hash of keys, is the split NAME")
    add("--image", metavar="SUFFIX", help="which file of a sample is its image, where there are several: input.jpg")
    add("--label", metavar="WHAT", help="what tells the class: a file (txt, target.cls) or a field of .json (meta.id)")
    add(
        "--classes",
        type=Path,
        metavar="FILE",
        help="the classes' names, a line each; a class's number is its line from 0",
    )
    add("--class-numbers", choices=("keep", "map"), help="keep whole numbers (the default), or number them anew from 0")
    add(
        "--max-left-out",
        type=float,
        metavar="FRACTION",
        help="how many samples without image or class may be left out (default 0.01 of a split, and always one)",
    )
    add("--workers", type=whole(1), metavar="N", help="shards read at a time (default: one a core)")
    add("--restart", action="store_true", help="drop what a stopped command read, or replace an earlier index")
    index.set_defaults(run=_index)


def _index(args: argparse.Namespace) -> int:
    from paribus.shards.in_place.indexing import index_shards

    words, folder = _words(args)
    workers = len(os.sched_getaffinity(0)) if args.workers is None else args.workers
    indexed = index_shards(
        words,
        folder,
        _asked(args),
        workers=workers,
        restart=args.restart,
        quiet=args.json,
        say=lambda text: None if args.json else print(text, file=sys.stderr),
    )
    _print(indexed, folder, args.json)
    return 0


def _words(args: argparse.Namespace) -> tuple[dict[str, str], Path]:
    """The shards' words by split, and the folder."""
    splits = args.split or ["train"]
    if len(set(splits)) < len(splits):
        raise DataError(f"--split {splits[-1]} is given twice: put all shards of a split into one word")
    words = list(args.words)
    if len(words) == len(splits) + 1 and "://" in words[-1]:
        raise DataError(
            f"{words[-1]} is an address, and nothing is written to one: name a FOLDER on this machine last; its files "
            "can be copied beside the shards afterwards"
        )
    if len(words) == len(splits) + 1:
        return dict(zip(splits, words, strict=False)), Path(words[-1]).expanduser()
    if len(words) != len(splits):
        raise DataError(
            f"{len(words)} words for {len(splits)} splits ({', '.join(splits)}): after the SHARDS of each split comes "
            "its --split NAME, and last the FOLDER; put patterns in quotes, or the shell puts all their files there"
        )
    first = words[0]
    if "://" in first:
        raise DataError(f"say last in which FOLDER the index of {first} shall lie: nothing is written to an address")
    from paribus.shards.in_place.found import find_shards

    return dict(zip(splits, words, strict=True)), Path(find_shards(first).root)


def _asked(args: argparse.Namespace) -> "Asked":
    from paribus.shards.in_place.indexing import Asked
    from paribus.shards.in_place.layout import MAX_LEFT_OUT

    hold_out = None
    if args.hold_out is not None:
        name, separator, fraction = args.hold_out.partition("=")
        if not (name and separator):
            raise DataError(f"--hold-out {args.hold_out}: it takes NAME=FRACTION, such as test=0.1")
        if name in (args.split or ["train"]):
            raise DataError(f"--hold-out {name}: shards of that split are given already")
        hold_out = (name, fraction)
    share = MAX_LEFT_OUT if args.max_left_out is None else args.max_left_out
    if not 0 <= share < 1:
        raise DataError(f"--max-left-out {share:g}: it is a share of the samples, from 0 to below 1")
    return Asked(
        image=args.image,
        label=args.label,
        classes=None if args.classes is None else _lines(args.classes),
        class_numbers=args.class_numbers,
        hold_out=hold_out,
        max_left_out=share,
    )


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.expanduser().read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the list of classes {path} cannot be read: {error}") from None
    while lines and not lines[-1]:
        del lines[-1]
    if not lines or not all(lines):
        raise DataError(f"the list of classes {path} has {'an empty line' if lines else 'no line'}: a line is a class")
    return lines


def _print(indexed: "Indexed", folder: Path, as_json: bool) -> None:
    from paribus.shards.in_place.indexing import LEFT_OUT
    from paribus.shards.making.in_a_study import in_a_study

    manifest = indexed.manifest
    counts = {name: split.samples for name, split in manifest.splits.items()}
    if as_json:
        found = {"folder": str(folder), "digest": manifest.digest, "samples": counts, "left_out": indexed.left_out}
        print(json.dumps({**found, "notes": indexed.notes}))
        return
    for note in indexed.notes:
        print(f"note: {note}", file=sys.stderr)
    if indexed.left_out:
        listed = (folder / LEFT_OUT).read_text().splitlines()
        for line in listed[:_NAMED]:
            print(f"left out: {line}", file=sys.stderr)
        print(f"{len(listed)} samples were left out; all are named in {folder / LEFT_OUT}", file=sys.stderr)
    held = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    print(f"{folder}: {held} samples of {len(manifest.classes)} classes\ndigest {manifest.digest}")
    print("\n".join(in_a_study(manifest, folder)), file=sys.stderr)
