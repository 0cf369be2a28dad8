"""`paribus shards make|verify|inspect`."""

import argparse
import json
import sys
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.data.errors import DataError
from paribus.recipe.home import home

if TYPE_CHECKING:
    from paribus.data.sources.source import Source

_MAKE_EXAMPLES = """examples:
  paribus shards make digits /data/digits
  paribus shards make fashion_mnist               # from Debian's package dataset-fashion-mnist, to PARIBUS_HOME/data
  paribus shards make cifar10 --download
  paribus shards make cifar100 --root ~/torchvision
  paribus shards make photos/ /data/photos        # photos/train/CLASS/*.jpg, photos/test/CLASS/*.jpg"""
_VERIFY_EXAMPLES = """examples:
  paribus shards verify /data/photos
  paribus shards verify https://example.org/photos --json"""
_INSPECT_EXAMPLES = """examples:
  paribus shards inspect /data/photos --sheet photos.png"""


def register(subparsers: Any) -> None:
    """Add `shards` with its three verbs to an argparse subparsers object; each sets `run`, args -> exit code."""
    shards = subparsers.add_parser("shards", help="make, verify and inspect data", description="Data as tar shards.")
    verbs = shards.add_subparsers(dest="shards_verb", metavar="make|verify|inspect", required=True)
    _add_make(_verb(verbs, "make", "write a dataset as tar shards with a manifest", _MAKE_EXAMPLES))
    verify = _verb(verbs, "verify", "read every byte again and name every fault", _VERIFY_EXAMPLES)
    verify.set_defaults(run=_verify)
    inspect = _verb(verbs, "inspect", "show classes, sizes, first keys and a contact sheet", _INSPECT_EXAMPLES)
    inspect.add_argument("--sheet", type=Path, metavar="PNG", help="write a picture of the first images of each class")
    inspect.set_defaults(run=_inspect)
    for parser in (verify, inspect):
        parser.add_argument("folder", metavar="FOLDER", help="the shard set: a folder or an address")


def _verb(verbs: Any, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=text, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print data instead of text")
    return parser


def _add_make(make: argparse.ArgumentParser) -> None:
    add = make.add_argument
    add("source", metavar="SOURCE", help="digits, synthetic, fashion_mnist, cifar10, cifar100, or a folder of images")
    add("folder", metavar="FOLDER", nargs="?", type=Path, help="the new folder (default: PARIBUS_HOME/data/NAME)")
    add("--root", type=Path, metavar="FOLDER", help="where torchvision's copy lies, or is downloaded to")
    add("--download", action="store_true", help="let torchvision fetch the set if it is not there")
    add("--split", action="append", metavar="NAME", help="only this split (may be repeated; train must be among them)")
    add("--shard-size", type=int, default=10_000, metavar="N", help="samples of a shard at most (default 10,000)")
    add("--shard-mib", type=int, default=64, metavar="MIB", help="size of a shard at most (default 64 MiB)")
    add("--keep-undecodable", action="store_true", help="store images that do not decode instead of stopping")
    make.set_defaults(run=_make)


def _make(args: argparse.Namespace) -> int:
    from paribus.data.catalog import named_folder
    from paribus.data.shards import make_shards

    source = _only(_source(args), args.split)
    folder = args.folder or named_folder(source.name)
    manifest = make_shards(
        source,
        folder,
        shard_size=args.shard_size,
        shard_mib=args.shard_mib,
        keep_undecodable=args.keep_undecodable,
        quiet=args.json,
    )
    counts = {name: split.samples for name, split in manifest.splits.items()}
    if args.json:
        print(json.dumps({"folder": str(folder), "digest": manifest.digest, "samples": counts}))
    else:
        held = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        print(f"{folder}: {held} samples of {len(manifest.classes)} classes\ndigest {manifest.digest}")
    return 0


def _source(args: argparse.Namespace) -> "Source":
    from paribus.data.catalog import BUILTIN, DOWNLOADABLE

    if args.source in BUILTIN:
        _refuse(args, f"{args.source} needs neither --root nor --download")
        from paribus.data.sources import builtin

        return builtin.digits() if args.source == "digits" else builtin.synthetic()
    if args.source in DOWNLOADABLE:
        from paribus.data.sources.torchvision_sets import torchvision_source

        root = args.root
        if root is None and args.download:
            root = home() / "downloads"
        return torchvision_source(args.source, root, args.download)
    _refuse(args, "a folder of images needs neither --root nor --download")
    if not Path(args.source).is_dir():
        known = ", ".join([*BUILTIN, *DOWNLOADABLE])
        close = get_close_matches(args.source, [*BUILTIN, *DOWNLOADABLE], n=1, cutoff=0.6)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(f"{args.source!r} is neither a known set ({known}) nor a folder of images{guess}")
    from paribus.data.sources.image_folder import image_folder

    return image_folder(Path(args.source))


def _refuse(args: argparse.Namespace, text: str) -> None:
    if args.root is not None or args.download:
        raise DataError(f"{text}: leave them out")


def _only(source: "Source", splits: list[str] | None) -> "Source":
    if splits is None:
        return source
    for name in splits:
        if name not in source.splits:
            raise DataError(f"{source.name} has no split {name!r}: it has {', '.join(source.splits)}")
    return replace(source, splits={name: listing for name, listing in source.splits.items() if name in splits})


def _verify(args: argparse.Namespace) -> int:
    from paribus.data.places import Place
    from paribus.data.verify import verify

    report = verify(Place(args.folder), quiet=args.json)
    if args.json:
        print(json.dumps(asdict(report)))
    else:
        for fault in report.faults:
            print(fault, file=sys.stderr)
        end = f"{len(report.faults)} faults" if report.faults else "sound"
        print(f"{report.name}: {report.samples:,} samples in {report.shards} shards, {report.bytes:,} bytes: {end}")
        print(f"digest {report.digest}")
    return 1 if report.faults else 0


def _inspect(args: argparse.Namespace) -> int:
    from paribus.data.places import Place
    from paribus.data.verify import contact_sheet, inspect

    place = Place(args.folder)
    summary = asdict(inspect(place))
    if args.sheet is not None:
        contact_sheet(place, args.sheet)
    if args.json:
        print(json.dumps(summary))
        return 0
    histogram = summary.pop("histogram")
    for name, value in summary.items():
        print(f"{name:10} {value}")
    print("samples    " + "".join(f"{split:>10}" for split in histogram))
    for label in next(iter(histogram.values())):
        print(f"  {label:20}" + "".join(f"{counts[label]:>8}" for counts in histogram.values()))
    return 0
