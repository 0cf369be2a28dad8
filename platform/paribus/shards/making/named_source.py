"""Which source the words after `paribus shards make` mean."""

import argparse
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import DataError
from paribus.host.home import home
from paribus.host.option_types import whole

if TYPE_CHECKING:
    from paribus.shards.sources.source import Source

KINDS = (
    "digits, synthetic, fashion_mnist, cifar10, cifar100, imagenet, torchvision:CLASS, webdataset:SHARDS, a table "
    "(.csv, .tsv, .txt, .parquet), or a folder of images"
)
EXAMPLES = """examples:
  paribus shards make digits /data/digits
  paribus shards make fashion_mnist               # from Debian's package dataset-fashion-mnist, to PARIBUS_HOME/data
  paribus shards make cifar10 --download
  paribus shards make cifar100 --root ~/torchvision
  paribus shards make photos/ /data/photos        # photos/train/CLASS/*.jpg, photos/test/CLASS/*.jpg
  paribus shards make imagenet --root ~/ilsvrc2012 /data/imagenet    # the tars and the devkit as distributed
  paribus shards make birds.csv --root ~/birds --columns path=file,label=species --hold-out test=0.1
  paribus shards make synthetic                   # 96 tiny stripes, for tests
  paribus shards make synthetic --classes 1000 --size 500x375 --images 50    # textured JPEGs as large as ImageNet's
  paribus shards make torchvision:Flowers102 --root ~/torchvision --download
  paribus shards make torchvision:DTD,partition=2 --root ~/torchvision /data/dtd2
  paribus shards make 'webdataset:/data/train-{0000..0009}.tar' --add-split 'test=/data/test-{0..1}.tar' /data/mine"""
TABLES = (".csv", ".tsv", ".txt", ".lst", ".parquet")
_SYNTHETIC = ("classes", "size", "images", "test_images", "seed")
_OPTIONS = (
    "root",
    "download",
    "blacklist",
    "columns",
    "add_split",
    "label_field",
    "image",
    "label",
    "max_left_out",
    "class_numbers",
    *_SYNTHETIC,
)


def add_source_options(make: argparse.ArgumentParser) -> None:
    """The word SOURCE and the options that choose and read it."""
    make.add_argument("source", metavar="SOURCE", help=KINDS)
    group = make.add_argument_group("what the source is")
    add = group.add_argument
    add(
        "--root",
        type=Path,
        metavar="FOLDER",
        help="where ImageNet's files or torchvision's copy lie, or a table's paths",
    )
    add("--download", action="store_true", default=None, help="let torchvision fetch the set if it is not there")
    add(
        "--blacklist",
        type=Path,
        metavar="FILE",
        help="imagenet: numbers of validation images to leave out, a line each",
    )
    add("--columns", metavar="ROLE=NAME,...", help="a table's columns path, label, split where they have other names")
    add(
        "--add-split", action="append", metavar="NAME=SHARDS", help="webdataset: the shards of another split than train"
    )
    add("--image", metavar="SUFFIX", help="webdataset: a sample's image, where it has several: input.jpg")
    add("--label", metavar="WHAT", help="webdataset: what tells the class: a file (txt) or a field of .json (meta.id)")
    add("--label-field", metavar="NAME", help="webdataset: the same as --label json:NAME")
    add("--max-left-out", type=float, metavar="FRACTION", help="webdataset: samples without image or class (0.01)")
    add(
        "--class-numbers",
        choices=("keep", "map"),
        help="webdataset, table: keep class numbers, or number anew (default)",
    )
    add(
        "--classes",
        type=whole(1),
        metavar="N",
        help="synthetic: textured pictures of N classes, not tiny stripes",
    )
    add("--size", metavar="WxH[,WxH]", help="synthetic, with --classes: the pictures' sizes in pixels")
    add(
        "--images",
        type=whole(1),
        metavar="N",
        help="synthetic, with --classes: training pictures a class (default 50)",
    )
    add("--test-images", type=whole(1), metavar="N", help="synthetic, with --classes: test pictures (default a fifth)")
    add("--seed", type=whole(0), metavar="N", help="synthetic, with --classes: other pictures (default 0)")


def _path(text: str) -> Path:
    # No shell expands ~ in --root=~/data.
    return Path(text).expanduser()


def named_source(args: argparse.Namespace) -> "Source":
    """The source that `args` asks for.

    Raises:
        DataError: a word that is no source (with the nearest), an option that this one has no use for, and what the
            source itself raises.
    """
    word = args.source
    kind, separator, rest = word.partition(":")
    if separator and kind in _WITH_REST:
        return _WITH_REST[kind](rest, args)
    if word in _NAMED:
        return _NAMED[word](args)
    path = Path(word).expanduser()
    if path.suffix.lower() in TABLES and not path.is_dir():
        return _table(path, args)
    if path.is_dir():
        from paribus.shards.sources.image_folder import image_folder

        _takes(args)
        return image_folder(path)
    if ".tar" in word and not separator:
        close = [f"webdataset:{word}"]
    else:
        close = get_close_matches(word, [*_NAMED, *_WITH_REST], n=1, cutoff=0.6)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    raise DataError(f"{word!r} is neither a known set nor a folder of images{guess} (sources: {KINDS})")


def _takes(args: argparse.Namespace, *options: str) -> None:
    """DataError where an option was given that is not among those which the source takes."""
    for option in _OPTIONS:
        if getattr(args, option) is not None and option not in options:
            flags = ", ".join(map(_flag, options)) or "no option of a source"
            raise DataError(f"{args.source} has no use for {_flag(option)}, it takes {flags}: leave it out")


def _flag(option: str) -> str:
    return "--" + option.replace("_", "-")


def _digits(args: argparse.Namespace) -> "Source":
    from paribus.shards.sources.synthetic.builtin import digits

    _takes(args)
    return digits()


def _synthetic(args: argparse.Namespace) -> "Source":
    from paribus.shards.sources.synthetic.builtin import synthetic
    from paribus.shards.sources.synthetic.textured_set import IMAGES, textured_set

    _takes(args, *_SYNTHETIC)
    given = [option for option in _SYNTHETIC if getattr(args, option) is not None]
    if not given:
        return synthetic()
    if args.classes is None or args.size is None:
        raise DataError(
            f"synthetic with {', '.join(map(_flag, given))}: textured pictures need both --classes and --size, such as "
            "--classes 1000 --size 500x375; with no option synthetic is the set of tiny stripes"
        )
    return textured_set(
        classes=args.classes,
        sizes=tuple(_size(text) for text in args.size.split(",")),
        images=IMAGES if args.images is None else args.images,
        test_images=args.test_images,
        seed=args.seed or 0,
    )


def _size(text: str) -> tuple[int, int]:
    width, separator, height = text.partition("x")
    if not (separator and width.isdecimal() and height.isdecimal()):
        raise DataError(f"--size {text!r}: it takes WIDTHxHEIGHT in pixels, such as 500x375, or several with commas")
    return int(width), int(height)


def _torchvision_copy(args: argparse.Namespace) -> "Source":
    from paribus.shards.sources.torchvision.known_sets import torchvision_source

    _takes(args, "root", "download")
    return torchvision_source(args.source, _download_root(args), bool(args.download))


def _download_root(args: argparse.Namespace) -> Path | None:
    root: Path | None = args.root
    return home() / "downloads" if root is None and args.download else root


def _imagenet(args: argparse.Namespace) -> "Source":
    from paribus.shards.sources.imagenet.files import imagenet

    _takes(args, "root", "blacklist")
    if args.root is None:
        raise DataError("imagenet: say with --root which folder holds ILSVRC2012's tars and its development kit")
    return imagenet(args.root, args.blacklist, quiet=args.json)


def _table(path: Path, args: argparse.Namespace) -> "Source":
    from paribus.shards.sources.table import table

    _takes(args, "root", "columns", "class_numbers")
    columns = _pairs("--columns", args.columns.split(",") if args.columns else ())
    return table(path, args.root, columns, args.class_numbers or "map")


def _any_torchvision(spec: str, args: argparse.Namespace) -> "Source":
    from paribus.shards.sources.torchvision.any_set import any_torchvision

    _takes(args, "root", "download")
    return any_torchvision(spec, _download_root(args), bool(args.download), quiet=args.json)


def _webdataset(spec: str, args: argparse.Namespace) -> "Source":
    from paribus.shards.in_place.layout import MAX_LEFT_OUT
    from paribus.shards.sources.webdataset_shards import Taken, webdataset_shards

    _takes(args, "add_split", "label_field", "image", "label", "max_left_out", "class_numbers")
    others = _pairs("--add-split", args.add_split or ())
    if "train" in others:
        raise DataError("--add-split train: the shards of train are those behind webdataset:")
    if args.label and args.label_field:
        raise DataError("--label and --label-field say the same: give one of them")
    taken = Taken(
        image=args.image,
        label=f"json:{args.label_field}" if args.label_field else args.label,
        class_numbers=args.class_numbers or "map",
        max_left_out=MAX_LEFT_OUT if args.max_left_out is None else args.max_left_out,
    )
    return webdataset_shards({"train": spec, **others}, taken, quiet=args.json)


def _pairs(flag: str, texts: "list[str] | tuple[str, ...]") -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not (name and separator and value) or name in pairs:
            raise DataError(f"{flag} {text}: it takes NAME=VALUE, each name once")
        pairs[name] = value
    return pairs


_NAMED: dict[str, Callable[[argparse.Namespace], "Source"]] = {
    "digits": _digits,
    "synthetic": _synthetic,
    "fashion_mnist": _torchvision_copy,
    "cifar10": _torchvision_copy,
    "cifar100": _torchvision_copy,
    "imagenet": _imagenet,
}
_WITH_REST: dict[str, Callable[[str, argparse.Namespace], "Source"]] = {
    "torchvision": _any_torchvision,
    "webdataset": _webdataset,
}
