"""`paribus shards make|index|verify|inspect`."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from paribus.commands.shared_options import add_json
from paribus.errors import DataError
from paribus.host.option_types import whole
from paribus.shards.in_place.command import EXAMPLES as INDEX_EXAMPLES
from paribus.shards.in_place.command import add_arguments as add_index_arguments
from paribus.shards.making.named_source import EXAMPLES, add_source_options, named_source

if TYPE_CHECKING:
    from paribus.shards.making.recode import Recoding
    from paribus.shards.sources.source import Source

_MAKE_EXAMPLES = f"""{EXAMPLES}
  paribus shards make photos/ /data/small --short-side 256 --quality 90 --hold-out val=0.02
  paribus shards make photos/ /data/dogs --only-classes dogs.txt

A command that was stopped or killed goes on where it was when it is given again."""
_VERIFY_EXAMPLES = """examples:
  paribus shards verify /data/photos
  paribus shards verify https://example.org/photos --json"""
_INSPECT_EXAMPLES = """examples:
  paribus shards inspect /data/photos --sheet photos.png
  paribus shards inspect /data/photos --sheet test.png --split test"""


class _MixedParser(argparse.ArgumentParser):
    """Lets options stand between SOURCE and FOLDER: argparse alone takes an optional word only next to another."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # The mixed way comes back here, once for the options and once for the words.
        if self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


def register(subparsers: Any) -> None:
    """Add `shards` with its verbs to an argparse subparsers object; each sets `run`, args -> exit code."""
    shards = subparsers.add_parser(
        "shards", help="make, index, verify and inspect data", description="Data as tar shards."
    )
    verbs = shards.add_subparsers(
        dest="shards_verb", metavar="make|index|verify|inspect", required=True, parser_class=_MixedParser
    )
    _add_make(_verb(verbs, "make", "write a dataset as tar shards with a manifest", _MAKE_EXAMPLES))
    add_index_arguments(
        _verb(verbs, "index", "use shards that others wrote where they lie; copies nothing", INDEX_EXAMPLES)
    )
    verify = _verb(verbs, "verify", "read every byte again and name every fault", _VERIFY_EXAMPLES)
    verify.add_argument("--workers", type=whole(1), metavar="N", help="shards read at a time (default: one a core)")
    verify.set_defaults(run=_verify)
    inspect = _verb(
        verbs, "inspect", "show classes, sizes, what does not decode, and a contact sheet", _INSPECT_EXAMPLES
    )
    inspect.add_argument("--sheet", type=Path, metavar="PNG", help="write a picture of images of up to 20 classes")
    inspect.add_argument("--split", metavar="NAME", help="with --sheet: images of this split (default train)")
    inspect.set_defaults(run=_inspect)
    for parser in (verify, inspect):
        parser.add_argument("folder", metavar="FOLDER", help="the shard set: a folder or an address")


def _verb(verbs: Any, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=text, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_json(parser)
    return parser


def _add_make(make: argparse.ArgumentParser) -> None:
    add = make.add_argument
    add_source_options(make)
    add("folder", metavar="FOLDER", nargs="?", type=Path, help="the new folder (default: PARIBUS_HOME/data/NAME)")
    add("--split", action="append", metavar="NAME", help="only this split (may be repeated; train must be among them)")
    add("--shard-size", type=whole(1), default=10_000, metavar="N", help="samples of a shard at most (default 10,000)")
    add("--shard-mib", type=whole(1), default=64, metavar="MIB", help="size of a shard at most (default 64 MiB)")
    add("--short-side", type=whole(1), metavar="PIXELS", help="make larger images smaller, to this short side, as JPEG")
    add(
        "--quality",
        type=whole(1, 100),
        metavar="1-100",
        help="JPEG quality of what was made smaller (default 90)",
    )
    add("--only-classes", type=Path, metavar="FILE", help="these classes in this order: a name or WordNet id a line")
    add("--hold-out", action="append", metavar="NAME=FRACTION", help="move a part of train, by a hash of keys, to NAME")
    add("--keep-undecodable", action="store_true", help="store images that do not decode instead of stopping")
    add("--workers", type=whole(1), metavar="N", help="processes that make shards (default: one a core)")
    add("--restart", action="store_true", help="drop what a stopped command left instead of going on from there")
    make.set_defaults(run=_make)


def _make(args: argparse.Namespace) -> int:
    from paribus.shards.catalog import named_folder
    from paribus.shards.making.in_a_study import in_a_study
    from paribus.shards.making.shards import make_shards

    recoding = _recoding(args)
    source = _chosen(named_source(args), args)
    folder = args.folder or named_folder(source.name)
    for note in () if args.json else source.notes:
        print(f"note: {note}", file=sys.stderr)
    manifest = make_shards(
        source,
        folder,
        shard_size=args.shard_size,
        shard_mib=args.shard_mib,
        recoding=recoding,
        keep_undecodable=args.keep_undecodable,
        workers=_workers(args),
        restart=args.restart,
        quiet=args.json,
    )
    counts = {name: split.samples for name, split in manifest.splits.items()}
    if args.json:
        made = {"folder": str(folder), "digest": manifest.digest, "samples": counts, "notes": source.notes}
        print(json.dumps(made))
    else:
        held = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        print(f"{folder}: {held} samples of {len(manifest.classes)} classes\ndigest {manifest.digest}")
        print("\n".join(in_a_study(manifest, folder)))
    return 0


def _chosen(source: "Source", args: argparse.Namespace) -> "Source":
    from paribus.shards.sources.choose import hold_out, only_classes, only_splits

    if args.split is not None:
        source = only_splits(source, args.split)
    if args.only_classes is not None:
        source = only_classes(source, _lines(args.only_classes))
    for text in args.hold_out or ():
        name, _, fraction = text.partition("=")
        source = hold_out(source, name, fraction)
    return source


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the list of classes {path} cannot be read: {error}") from None


def _recoding(args: argparse.Namespace) -> "Recoding | None":
    from paribus.shards.making.recode import Recoding

    if args.short_side is not None:
        return Recoding(short_side=args.short_side, quality=90 if args.quality is None else args.quality)
    if args.quality is not None:
        raise DataError("--quality without --short-side has no effect: files stay as they are unless made smaller")
    return None


def _workers(args: argparse.Namespace) -> int:
    # The cores that this process may use: a container may have fewer than the machine.
    return len(os.sched_getaffinity(0)) if args.workers is None else int(args.workers)


def _verify(args: argparse.Namespace) -> int:
    from paribus.shards.making.verify import verify
    from paribus.shards.storage.locations import ShardLocation

    report = verify(ShardLocation(args.folder), _workers(args), quiet=args.json)
    if args.json:
        print(json.dumps(asdict(report)))
    else:
        for text in (*report.faults, *(f"warning: {text}" for text in report.warnings)):
            print(text, file=sys.stderr)
        end = f"{len(report.faults)} faults" if report.faults else "sound"
        print(f"{report.name}: {report.samples:,} samples in {report.shards} shards, {report.bytes:,} bytes: {end}")
        print(f"digest {report.digest}")
    return 1 if report.faults else 0


def _inspect(args: argparse.Namespace) -> int:
    from paribus.shards.making.summary import inspect
    from paribus.shards.making.summary_text import summary_lines
    from paribus.shards.storage.locations import ShardLocation

    if args.split is not None and args.sheet is None:
        raise DataError("--split without --sheet has no effect: what is printed is about all splits")
    place = ShardLocation(args.folder)
    summary = inspect(place)
    if args.sheet is not None:
        from paribus.shards.making.contact_sheet import contact_sheet

        contact_sheet(place, args.sheet, args.split or "train")
    if args.json:
        print(json.dumps(asdict(summary)))
    else:
        print("\n".join(summary_lines(summary, get_terminal_size().columns)))
        if args.sheet is not None:
            print(f"\nsheet       {args.sheet}")
    return 0
