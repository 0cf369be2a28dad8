"""`paribus models list|describe`."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from paribus.models.named import NAMED, named

_EXAMPLES = """examples:
  paribus models list
  paribus models list --json
  paribus models describe WRN-28-10
  paribus models describe WRN-16-1 --size 8 --channels 1"""


def register(subparsers: Any) -> None:
    """Add `models` to the command line's subparsers; torch is imported when a command runs."""
    models = subparsers.add_parser(
        "models",
        help="the networks that papers name: parameters, FLOPs, stages",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = models.add_subparsers(dest="models_verb", metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="every named network with its cost")
    listing.set_defaults(run=_list)
    describe = verbs.add_parser("describe", help="one network, stage by stage")
    describe.add_argument("name", metavar="NAME", help="as `paribus models list` prints it")
    describe.add_argument("--size", type=_positive, help="side of the input in pixels (else as published)")
    describe.add_argument("--channels", type=_positive, help="channels of the input (else as published)")
    describe.add_argument("--classes", type=_positive, help="classes (else as published)")
    describe.set_defaults(run=_describe)
    for parser in (listing, describe):
        parser.add_argument("--json", action="store_true", help="as data")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number from 1")
    return int(text)


def _list(args: argparse.Namespace) -> int:
    from paribus.models.complexity import count

    rows = []
    for name, entry in NAMED.items():
        cost = count(entry.model, entry.size, entry.channels, entry.num_classes)
        rows.append({"name": name, **asdict(cost), "size": entry.size, "source": entry.source})
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    print(f"{'network':<22} {'parameters':>12} {'GFLOPs':>8} {'activations':>12} {'input':>8}  source")
    for row in rows:
        flops, side = float(row["flops"]) / 1e9, f"{row['size']}x{row['size']}"
        print(
            f"{row['name']:<22} {row['params']:>12,} {flops:>8.3f} {row['activations']:>12,} {side:>8}  {row['source']}"
        )
    print("GFLOPs: of one image forward, two per multiply-add (papers often print half of it).")
    return 0


def _describe(args: argparse.Namespace) -> int:
    from paribus.models.complexity import count, stages

    entry = named(args.name)
    size, channels = args.size or entry.size, args.channels or entry.channels
    classes = args.classes or entry.num_classes
    rows = stages(entry.model, size, channels, classes)
    cost = count(entry.model, size, channels, classes)
    if args.json:
        table = [asdict(row) for row in rows]
        print(json.dumps({"name": args.name, "source": entry.source, **asdict(cost), "stages": table}, indent=2))
        return 0
    print(f"{args.name} ({entry.source}), input {channels}x{size}x{size}, {classes} classes")
    print(f"{'part':<12} {'output':>14} {'parameters':>12}")
    for row in rows:
        print(f"{row.name:<12} {'x'.join(map(str, row.shape)):>14} {row.params:>12,}")
    print(f"{'all':<12} {'':>14} {cost.params:>12,}   {cost.flops / 1e9:.3f} GFLOPs, {cost.activations:,} activations")
    return 0
