"""`paribus data hash`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.commands.shared_options import add_json
from paribus.host.option_types import whole
from paribus.host.say import say
from paribus.host.secrets import without_secrets
from paribus.recipe.errors import RecipeError

if TYPE_CHECKING:
    from paribus.data.stream_hash import Hasher, StepHash
    from paribus.recipe import Recipe
    from paribus.study import Study

_EXAMPLES = """examples:
  paribus data hash                                     digits, replicate 1 of a study of seed 0
  paribus data hash --base imagenet --epochs 1          the order of an epoch: seconds, nothing is decoded
  paribus data hash studies/width.py --replicate 3      what the ledger should show for that replicate
  paribus data hash --base imagenet --set data.shards=/data/imagenet --pixels --epochs 1 --ranks 4 --threads 2

The hash of keys runs on over the epochs, and its first 12 digits are what a trial logs after each (the tag
paribus.stream_hash). The CRC of pixels is of one epoch: uint8 images, cropped and flipped, before normalisation."""
# As the ledger has them.
_DIGITS = 12


@dataclass(frozen=True)
class _Stream:
    """One stream of a command: whose it is, what it reads, and its two seeds."""

    title: str
    recipe: Recipe
    order_seed: int
    augment_seed: int


def register(subparsers: Any) -> None:
    """Add `data` to the command line's subparsers; torch is imported for pixels alone."""
    data = subparsers.add_parser("data", help="the stream of training batches", description="The data stream.")
    verbs = data.add_subparsers(dest="data_verb", metavar="hash", required=True)
    hashed = verbs.add_parser(
        "hash",
        help="the running hash of a training stream, epoch by epoch, as trials log it",
        description="Print the running hash of a training stream's sample keys, epoch by epoch, without training.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = hashed.add_argument
    add("file", metavar="STUDY", nargs="?", help="a study file: the streams of its replicates")
    base = os.environ.get("PARIBUS_BASE")
    add("--base", metavar="NAME", default=base, help="the preset (also PARIBUS_BASE; default digits, or the study's)")
    add("--set", metavar="PATH=VALUE", action="append", default=[], dest="settings", help="fix any recipe field")
    add("--replicate", metavar="R", type=whole(1), help="of the seeds (default 1; of a study: all of its replicates)")
    add("--study-seed", metavar="S", type=whole(0), help="from which the replicate draws its seeds (default 0)")
    add("--order-seed", metavar="S", type=whole(0), help="instead of the replicate's")
    add("--augment-seed", metavar="S", type=whole(0), help="instead of the replicate's; pixels alone depend on it")
    add("--epochs", metavar="N", type=whole(1), help="the first ones (default: the recipe's budget)")
    add("--pixels", action="store_true", help="also decode, crop and flip every image, and print the pixels' CRC")
    add("--ranks", metavar="N", type=whole(1), help="read the pixels as N ranks would (default 1)")
    add("--threads", metavar="N", type=whole(0), help="read the pixels with N threads a rank (default 1)")
    add_json(hashed)
    hashed.set_defaults(run=_hash)


def _hash(args: argparse.Namespace) -> int:
    from paribus.data.stream_hash import Hasher

    if not args.pixels:
        for name, value in {
            "--ranks": args.ranks,
            "--threads": args.threads,
            "--augment-seed": args.augment_seed,
        }.items():
            if value is not None:
                raise RecipeError(f"{name} bears on reading pixels alone, and keys are not read: add --pixels")
    records = []
    for stream in _streams(args):
        hasher = Hasher(stream.recipe)
        num_epochs = _num_epochs(args.epochs, hasher)
        if not args.json:
            _print_head(stream, hasher, args.pixels)
        epochs = []
        for end in _ends(_steps(args, stream, hasher, num_epochs), hasher, num_epochs, quiet=args.json):
            epochs.append({"epoch": end.epoch, "steps": end.step, "keys": end.keys, "pixels": end.pixels})
            if not args.json:
                pixels = "" if end.pixels is None else f"  {end.pixels}"
                say(f"{end.epoch:>5} {end.step:>7}  {end.keys[:_DIGITS]}{pixels}")
        seeds = {"order_seed": stream.order_seed, "augment_seed": stream.augment_seed}
        records.append({"stream": stream.title, "data": hasher.digest, **seeds, "epochs": epochs})
    if args.json:
        say(json.dumps(records, indent=1))
    return 0


def _streams(args: argparse.Namespace) -> Iterator[_Stream]:
    """Every distinct stream that was asked for."""
    from paribus.recipe import preset
    from paribus.recipe.paths import parse_assignment

    settings = dict(parse_assignment(text) for text in args.settings)
    if args.file is None:
        base = args.base or "digits"
        yield _stream(args, base, preset(base).replace(settings), args.study_seed or 0, args.replicate or 1)
        return
    if args.study_seed is not None:
        raise RecipeError(f"--study-seed: {args.file} has a seed of its own; leave one of the two out")
    from paribus.engine.matched_arms import matched
    from paribus.host.home import home
    from paribus.study.study_file import load_only_study

    study = matched(load_only_study(args.file).vary(base=args.base, fixed=settings), home())
    if args.replicate is not None and args.replicate > study.replicates:
        raise RecipeError(f"--replicate {args.replicate}: {study.name} has {study.replicates} replicates")
    # Its seeds alone tell replicates apart: with both given, all are one.
    given = args.order_seed is not None and (args.augment_seed is not None or not args.pixels)
    for replicate in [args.replicate] if args.replicate else [1] if given else range(1, study.replicates + 1):
        for title, recipe in _distinct(study, args.pixels):
            yield _stream(args, f"{study.name} · r{replicate}{title}", recipe, study.seed, replicate)


def _distinct(study: Study, pixels: bool) -> Iterator[tuple[str, Recipe]]:
    """The arms' recipes that read different streams, each with the arms that share it."""
    groups: dict[str, list[str]] = {}
    recipes: dict[str, Recipe] = {}
    for arm in study.arms:
        recipe = study.recipe_of(arm)
        # The input's side may follow from the model; a budget cuts the last epoch.
        kind = recipe.data.model_dump_json() + recipe.budget.model_dump_json()
        kind += recipe.augment.model_dump_json() if pixels else ""
        groups.setdefault(kind, []).append(arm.name)
        recipes.setdefault(kind, recipe)
    for kind, names in groups.items():
        title = "" if len(groups) == 1 else f" · {names[0]}" + (f" and {len(names) - 1} more" if names[1:] else "")
        yield title, recipes[kind]


def _stream(args: argparse.Namespace, name: str, recipe: Recipe, study_seed: int, replicate: int) -> _Stream:
    from paribus.recipe.seeds import Seeds

    seeds = Seeds.draw(study_seed, replicate)
    order = seeds.order if args.order_seed is None else args.order_seed
    augment = seeds.augment if args.augment_seed is None else args.augment_seed
    return _Stream(name, recipe, order, augment)


def _num_epochs(asked: int | None, hasher: Hasher) -> int:
    if asked is not None and asked > hasher.num_epochs:
        raise RecipeError(
            f"--epochs {asked}: the budget ends after {hasher.num_epochs}; for more add --set budget='{asked} epochs'"
        )
    return asked or hasher.num_epochs


def _steps(args: argparse.Namespace, stream: _Stream, hasher: Hasher, num_epochs: int) -> Iterator[StepHash]:
    if not args.pixels:
        return hasher.keys(stream.order_seed, num_epochs)
    from paribus.data.stream_hash import Readers

    threads = 1 if args.threads is None else args.threads
    return hasher.pixels(
        stream.order_seed, stream.augment_seed, num_epochs, Readers(ranks=args.ranks or 1, threads=threads)
    )


def _ends(steps: Iterator[StepHash], hasher: Hasher, num_epochs: int, *, quiet: bool) -> Iterator[StepHash]:
    """The last step of each epoch; how far it is on stderr meanwhile."""
    from paribus.host.progress_bar import ProgressBar

    total = min(num_epochs * hasher.steps_per_epoch, hasher.num_steps) * hasher.recipe.data.batch_size
    with ProgressBar(
        f"{without_secrets(hasher.name)}: samples hashed", total, quiet=quiet or not sys.stderr.isatty()
    ) as progress_bar:
        for step in steps:
            progress_bar.tick(0, step.num_samples)
            if step.ends_epoch:
                yield step


def _print_head(stream: _Stream, hasher: Hasher, pixels: bool) -> None:
    batch = hasher.recipe.data.batch_size
    say(f"{stream.title}: {hasher.num_train:,} samples of {hasher.name} {hasher.digest[:_DIGITS]}, batches of {batch}")
    say(f"order seed {stream.order_seed}" + (f", augment seed {stream.augment_seed}" if pixels else ""))
    say("epoch   steps  keys" + ("          pixels" if pixels else ""))
