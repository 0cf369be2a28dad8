"""`paribus models list|describe`."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paribus.commands.shared_options import add_json
from paribus.host.option_types import whole
from paribus.models.named import NAMED, named
from paribus.recipe.errors import RecipeError, nearest
from paribus.recipe.families.family import Published

_EXAMPLES = """examples:
  paribus models list
  paribus models list --family wide_resnet --sort flops
  paribus models describe WRN-28-10
  paribus models describe WRN-16-1 --size 8 --channels 1
  paribus models describe WRN-50-2-bottleneck --svg wrn.svg"""
_SORTS = ("family", "name", "params", "flops", "activations", "size")


@dataclass(frozen=True)
class Row:
    """One network of the list."""

    family: str
    name: str
    params: int
    flops: int
    activations: int
    size: int  # side of the input in pixels
    source: str


def register(subparsers: Any) -> None:
    """Add `models` to the command line's subparsers; torch is imported when a command runs."""
    models = subparsers.add_parser(
        "models",
        help="the networks that papers name: parameters, FLOPs, stages, pictures",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = models.add_subparsers(dest="models_verb", metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="every named network with its cost")
    listing.add_argument("--family", metavar="NAME", help="only the networks of this family")
    listing.add_argument("--sort", choices=_SORTS, help="by this column (else as the table of families has them)")
    listing.set_defaults(run=_list)
    describe = verbs.add_parser("describe", help="one network, stage by stage")
    describe.add_argument("name", metavar="NAME", help="as `paribus models list` prints it")
    describe.add_argument("--size", type=whole(1), help="side of the input in pixels (else as published)")
    describe.add_argument("--channels", type=whole(1), help="channels of the input (else as published)")
    describe.add_argument("--classes", type=whole(1), help="classes (else as published)")
    describe.add_argument("--svg", type=Path, metavar="FILE", help="also draw the built network into this file")
    describe.add_argument("--expand", action="store_true", help="draw equal units one by one, not once with × N")
    describe.set_defaults(run=_describe)
    for parser in (listing, describe):
        add_json(parser)


def _list(args: argparse.Namespace) -> int:
    families = sorted({_family(entry) for entry in NAMED.values()})
    if args.family is not None and args.family not in families:
        raise RecipeError(f"no family {args.family!r}: {nearest(args.family, families, in_full=True)}")
    names = [name for name, entry in NAMED.items() if args.family in (None, _family(entry))]
    rows: Iterable[Row] = _count(names)
    if args.sort:
        rows = sorted(_with_progress(rows, len(names)), key=lambda row: getattr(row, args.sort))
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return 0
    # A row is printed as soon as it is counted: nets of a thousand layers take seconds.
    wide = max(map(len, names))
    family_wide = max(map(len, families))
    head = f"{'parameters':>12} {'GFLOPs':>8} {'activations':>12} {'input':>8}  source"
    print(f"{'family':<{family_wide}} {'network':<{wide}} {head}")
    for row in rows:
        print(
            f"{row.family:<{family_wide}} {row.name:<{wide}} {row.params:>12,} {row.flops / 1e9:>8.3f} "
            f"{row.activations:>12,} {f'{row.size}x{row.size}':>8}  {row.source}",
            flush=True,
        )
    print("GFLOPs: of one image forward, two per multiply-add (papers often print half of it).")
    return 0


def _family(entry: Published) -> str:
    return str(type(entry.model).model_fields["family"].default)


def _count(names: list[str]) -> Iterator[Row]:
    from paribus.models.complexity import count

    for name in names:
        entry = NAMED[name]
        cost = count(entry.model, entry.size, entry.channels, entry.num_classes)
        yield Row(_family(entry), name, cost.params, cost.flops, cost.activations, entry.size, entry.source)


def _with_progress(rows: Iterable[Row], total: int) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        if sys.stderr.isatty():
            end = "\n" if number == total else ""
            print(f"\rcounted {number} of {total} networks", end=end, file=sys.stderr, flush=True)
        yield row


def _describe(args: argparse.Namespace) -> int:
    from paribus.models.complexity import count, stages

    entry = named(args.name)
    size, channels = args.size or entry.size, args.channels or entry.channels
    classes = args.classes or entry.num_classes
    if args.expand and args.svg is None:
        raise RecipeError("--expand is about the picture: give it a file with --svg")
    try:
        entry.model.check_size(size)
    except ValueError as error:
        raise RecipeError(f"--size {size}: {error}") from error
    rows = stages(entry.model, size, channels, classes)
    cost = count(entry.model, size, channels, classes)
    billions = f"{cost.flops / 1e9:.3f} GFLOPs"
    if args.svg is not None:
        title = f"{args.name}: {cost.params / 1e6:.2f} million parameters, {billions} at {size}×{size}"
        _draw(args, title, channels, size, classes)
    if args.json:
        table = [asdict(row) for row in rows]
        print(json.dumps({"name": args.name, "source": entry.source, **asdict(cost), "stages": table}, indent=2))
        return 0
    print(f"{args.name} ({entry.source}), input {channels}x{size}x{size}, {classes} classes")
    wide = max(12, *(len(row.name) for row in rows))
    print(f"{'part':<{wide}} {'output':>14} {'parameters':>12}")
    for row in rows:
        print(f"{row.name:<{wide}} {'x'.join(map(str, row.shape)):>14} {row.params:>12,}")
    print(f"{'all':<{wide}} {'':>14} {cost.params:>12,}   {billions}, {cost.activations:,} activations")
    return 0


def _draw(args: argparse.Namespace, title: str, channels: int, size: int, classes: int) -> None:
    from paribus.models.build import outline
    from paribus.models.drawing import draw

    picture = draw(outline(NAMED[args.name].model, channels, classes), channels, size, title, expand=args.expand)
    try:
        args.svg.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"cannot write the picture to {args.svg}: {error.strerror}") from error
    print(f"drawn in {args.svg}", file=sys.stderr)
