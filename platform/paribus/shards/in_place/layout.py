"""Which file of a sample is its image and which tells its class: found out from the first samples, or said."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paribus.errors import DataError
from paribus.host.plain_files import parsed
from paribus.host.shown import shown
from paribus.shards.in_place.tar_stream import Part, Sample
from paribus.shards.sources.file_type import IMAGE_SUFFIXES

# Where classes are told by convention, the likeliest first: WebDataset's own, then what other writers use.
_LABEL_PARTS = (("cls",), ("label", "class", "target"), ("cls.txt", "label.txt", "class.txt"))
_FIELDS = ("label", "cls", "class", "class_id", "label_id", "class_label", "target", "class_name", "label_name")
MAX_LABEL = 200
_LISTED = 12
# The share of a split that may be left out where nobody says another.
MAX_LEFT_OUT = 0.01
# So many of them are named.
NAMED = 3


class SampleError(ValueError):
    """What is wrong with one sample, which is left out."""


def may_leave_out(num: int, share: float) -> int:
    """How many of the `num` samples of a split may be left out: `share` of them, and always one."""
    return max(1, int(share * num))


def left_out_text(split: str, left_out: Sequence[str], num: int, share: float) -> str:
    """That more than `share` of the `num` samples of a split cannot be used, and the first of them."""
    return (
        f"{len(left_out):,} of the {num:,} samples of split {split!r} cannot be used, and --max-left-out "
        f"{share:g} allows {may_leave_out(num, share):,}: {'; '.join(left_out[:NAMED])}"
    )


@dataclass(frozen=True, kw_only=True)
class Layout:
    """`image`: the suffix of the image, or None for the one file that is called as one; `label`: the file of the class.

    `field`: where in a JSON document the class stands, as dotted steps; () where the document, or the text, is it.
    """

    image: str | None
    label: str
    field: tuple[str, ...] | None = None

    @property
    def words(self) -> str:
        """The layout for people."""
        image = "each sample's one image" if self.image is None else f".{self.image}"
        return f"images from {image}, classes from {self.where}"

    @property
    def where(self) -> str:
        """What tells the class, for people."""
        return f".{self.label}" + (f", field {'.'.join(self.field)}" if self.field else "")

    def wants(self, suffix: str) -> bool:
        """Whether the bytes of a file of this suffix are needed."""
        return suffix == self.label or self._is_image(suffix)

    def image_of(self, sample: Sample) -> tuple[str, Part]:
        """Suffix and place of the image; SampleError where there is none, or several."""
        found = [suffix for suffix in sample.parts if self._is_image(suffix)]
        if len(found) != 1:
            what = f"{len(found)} images" if self.image is None else f"no file .{self.image}"
            raise SampleError(f"has {what} among its files ({shown(', '.join(sample.parts))})")
        if sample.repeated is not None:
            raise SampleError(f"has two files .{sample.repeated}: each sample needs its own key")
        return found[0], sample.parts[found[0]]

    def label_of(self, sample: Sample) -> str:
        """What is written for the class; SampleError where that is nothing, or no class."""
        part = sample.parts.get(self.label)
        if part is None or part.data is None:
            raise SampleError(f"has no file .{self.label} for its class ({shown(', '.join(sample.parts))})")
        if self.field is None:
            try:
                return _as_label(part.data.decode())
            except UnicodeDecodeError:
                raise SampleError(f"has a class that is no text: {shown(part.data)}") from None
        return _as_label(_value(part.data, self.field, self.label))

    def _is_image(self, suffix: str) -> bool:
        if self.image is None:
            return is_image(suffix)
        return suffix == self.image or (is_image(suffix) and suffix.rpartition(".")[0] == self.image)


def is_image(suffix: str) -> bool:
    """Whether a file `KEY.suffix` is called as an image: jpg, input.jpg."""
    return suffix.rpartition(".")[2] in IMAGE_SUFFIXES


def is_text(suffix: str) -> bool:
    """Whether a file `KEY.suffix` may tell the class, so that a look at the first samples reads it."""
    return suffix.rpartition(".")[2] in ("json", "cls", "txt", "label", "class", "target")


def layout_of(samples: Sequence[Sample], where: str, image: str | None = None, label: str | None = None) -> Layout:
    """The layout of shards that begin with `samples`, whose files other than images were all read.

    Raises:
        DataError: no image, or several in most samples; no class, or several files or fields that may tell it.
    """
    if not samples:
        raise DataError(
            f"{where} holds no sample: a sample's files are called KEY.SUFFIX, such as 00001.jpg, 00001.cls"
        )
    suffixes = Counter(suffix for sample in samples for suffix in sample.parts)
    image = _image(suffixes, samples, where, image)
    told = [suffix for suffix in suffixes if not is_image(suffix) and suffix != image]
    return _said_label(told, samples, where, image, label) if label else _found_label(told, samples, where, image)


def _image(suffixes: Counter[str], samples: Sequence[Sample], where: str, image: str | None) -> str | None:
    listed = shown(", ".join(suffixes))
    if image is not None:
        image = image.lstrip(".").lower()
        chosen = Layout(image=image, label="")
        if not any(chosen.wants(suffix) for suffix in suffixes):
            raise DataError(f"--image {image}: no sample of {where} has such a file, they have {listed}")
        return image
    images = [[suffix for suffix in sample.parts if is_image(suffix)] for sample in samples]
    if not any(images):
        raise DataError(
            f"the samples of {where} have no image among their files ({listed}): say with --image which file it is, or "
            f"call it KEY.jpg, or another of {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    if 2 * sum(len(found) > 1 for found in images) > len(images):
        several = sorted({suffix for found in images for suffix in found})
        raise DataError(
            f"the samples of {where} have several images ({', '.join(several)}): say which one to train on, with "
            f"--image {several[0]}"
        )
    return None


def _found_label(told: list[str], samples: Sequence[Sample], where: str, image: str | None) -> Layout:
    for words in _LABEL_PARTS:
        exact = [suffix for suffix in told if suffix in words]
        found = exact or [suffix for suffix in told if any(suffix.endswith(f".{word}") for word in words)]
        if len(found) > 1:
            raise DataError(
                f"the samples of {where} have several files that may tell the class ({', '.join(found)}): say which, "
                f"with --label {found[0]}"
            )
        if found:
            return Layout(image=image, label=found[0])
    documents = [suffix for suffix in told if suffix.rpartition(".")[2] == "json"]
    candidates = [(document, path) for document in documents for path in _fields(document, samples)]
    usual = [(document, path) for document, path in candidates if not path or path[-1] in _FIELDS]
    if len(usual) == 1:
        return Layout(image=image, label=usual[0][0], field=usual[0][1])
    if not documents and "txt" in told:
        return Layout(image=image, label="txt")
    others = [suffix for suffix in told if suffix not in documents]
    raise DataError(_ask(where, usual or candidates, others))


def _said_label(told: list[str], samples: Sequence[Sample], where: str, image: str | None, label: str) -> Layout:
    """`label` is a file, a field of the only JSON document, or FILE:FIELD."""
    documents = [suffix for suffix in told if suffix.rpartition(".")[2] == "json"]
    file, separator, field = label.partition(":")
    file = file.lstrip(".").lower() if separator or label.lstrip(".").lower() in told else ""
    if file and file not in documents and not separator and file in told:
        return Layout(image=image, label=file)
    if not file:
        file, field = (documents[0] if len(documents) == 1 else ""), label
    fields = _fields(file, samples) if file in documents else []
    steps = tuple(field.split(".")) if field else ()
    for path in ((field,), steps):
        if path in fields:
            return Layout(image=image, label=file, field=path)
    candidates = [(document, path) for document in documents for path in _fields(document, samples)]
    others = [suffix for suffix in told if suffix not in documents]
    raise DataError(f"--label {label} is nothing that these samples have: {_ask(where, candidates, others)}")


def _ask(where: str, fields: Sequence[tuple[str, tuple[str, ...]]], files: Sequence[str]) -> str:
    several = len({document for document, _ in fields}) > 1
    named = [f"{document}:{'.'.join(path)}" if several else ".".join(path) or document for document, path in fields]
    named += list(files)
    if not named:
        return (
            f"the samples of {where} have nothing beside their images that could tell a class: write a file KEY.cls "
            "with the class into each, or make a table of paths and labels (`paribus shards make TABLE.csv`)"
        )
    more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
    listed = ", ".join(named[:_LISTED]) + more
    return f"what tells the class of a sample of {where}? Say with --label which of these: {listed}"


def _fields(document: str, samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    """The places of names and whole numbers in the JSON documents of `samples`; () is the document itself."""
    found: dict[tuple[str, ...], None] = {}
    for sample in samples:
        part = sample.parts.get(document)
        try:
            content = None if part is None or part.data is None else parsed(part.data)
        except ValueError:
            continue
        found |= dict.fromkeys(_leaves(content, ()))
    return list(found)


def _leaves(content: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if isinstance(content, dict):
        return [leaf for name, value in content.items() for leaf in _leaves(value, (*path, name))]
    if isinstance(content, list):
        return [leaf for number, value in enumerate(content[:_LISTED]) for leaf in _leaves(value, (*path, str(number)))]
    whole = isinstance(content, float) and content.is_integer()
    return [path] if whole or (isinstance(content, str | int) and not isinstance(content, bool)) else []


def _value(data: bytes, field: tuple[str, ...], file: str) -> Any:
    try:
        content = parsed(data)
        for step in field:
            content = content[int(step)] if isinstance(content, list) else content[step]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise SampleError(
            f"has a .{file} that does not tell its class at {'.'.join(field)!r} ({shown(error)})"
        ) from None
    return content


def _as_label(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise SampleError(f"has the class {shown(value)}, which is neither a name nor a whole number")
    text = str(value).strip()
    if not text or len(text) > MAX_LABEL or "\n" in text:
        what = "is empty" if not text else f"is no name of a class, of {len(text):,} characters"
        raise SampleError(f"has a class that {what}" + (f": {shown(text)}" if text else ""))
    return text
