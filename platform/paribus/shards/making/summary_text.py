"""A summary as lines for the terminal: what the set is, its sizes as a table, its classes as bars."""

from collections.abc import Iterator, Mapping

import numpy as np

from paribus.shards.making.summary import SplitSummary, Summary

MAX_BARS = 24
_BINS = 8
_LABEL, _COLUMN = 12, 10
_EIGHTHS = " ▏▎▍▌▋▊▉"


def summary_lines(summary: Summary, width: int = 80) -> Iterator[str]:
    """The lines of `summary`, bars as long as a terminal of `width` columns allows."""
    made = dict(summary.made)
    yield _line(summary.name, str(made.pop("source", "")))
    yield _line("digest", summary.digest)
    if made:
        yield _line("made with", ", ".join(f"{name} {value}" for name, value in made.items()))
    levels = f"mean {_levels(summary.mean)}, sd {_levels(summary.sd)} of full white"
    yield _line("images", f"{summary.classes:,} classes, {_plural(summary.channels, 'channel')}, {levels}")
    for name, split in summary.splits.items():
        yield ""
        yield from _split_lines(name, split)
        yield from _class_lines(summary.histogram[name], width)


def _split_lines(name: str, split: SplitSummary) -> Iterator[str]:
    yield _line(
        name,
        f"{_plural(split.samples, 'sample')} in {_plural(split.shards, 'shard')}, {_size(split.shard_bytes)}; "
        f"first keys {', '.join(split.first_keys[:3])}",
    )
    spreads = {"height": split.height, "width": split.width, "file bytes": split.file_bytes}
    yield " " * _LABEL + "".join(f"{share:>{_COLUMN}}" for share in split.file_bytes)
    for label, spread in spreads.items():
        if spread:
            yield f"{'  ' + label:{_LABEL}}" + "".join(f"{value:>{_COLUMN},}" for value in spread.values())
    if split.unreadable:
        more = split.unreadable - len(split.unreadable_keys)
        named = ", ".join(split.unreadable_keys) + (f" and {more:,} more" if more else "")
        yield _line("  unreadable", f"{split.unreadable:,}, which training skips and evaluation refuses: {named}")


def _class_lines(histogram: Mapping[str, int], width: int) -> Iterator[str]:
    """A bar a class; of many classes, the smallest, the middle and the largest, and a bar for classes of like size."""
    counts = np.array(list(histogram.values()))
    if len(counts) <= MAX_BARS:
        yield from _bars({name: (count, f"{count:,}") for name, count in histogram.items()}, width)
        return
    names, order = list(histogram), np.argsort(counts, kind="stable")
    if counts[order[0]] == counts[order[-1]]:
        yield _line("  classes", f"each of the {len(counts):,} has {_plural(int(counts[0]), 'sample')}")
        return
    places = {"smallest": order[0], "median": order[len(order) // 2], "largest": order[-1]}
    yield _line("  classes", ", ".join(f"{what} {counts[place]:,} ({names[place]})" for what, place in places.items()))
    # Whole numbers of samples on every edge, and no more bins than there are sizes.
    low, high = int(counts.min()), int(counts.max())
    step = -(-(high - low + 1) // _BINS)
    found = np.bincount((counts - low) // step)
    yield from _bars(
        {
            _range(low + place * step, min(high, low + (place + 1) * step - 1)): (
                int(number),
                _plural(int(number), "class"),
            )
            for place, number in enumerate(found)
        },
        width,
    )


def _bars(values: Mapping[str, tuple[int, str]], width: int) -> Iterator[str]:
    """Name, bar, and the words for its length."""
    label = min(max(len(name) for name in values), width // 3)
    words = max(len(text) for _, text in values.values())
    room = max(8, width - label - words - 6)
    highest = max(1, max(number for number, _ in values.values()))
    for name, (number, text) in values.items():
        whole, eighths = divmod(round(8 * room * number / highest), 8)
        bar = "█" * whole + _EIGHTHS[eighths].strip()
        # A class with a sample has something to see.
        shown = name if len(name) <= label else name[: label - 1] + "…"
        yield f"  {shown:<{label}}  {text:>{words}}  {bar or ('▏' if number else '')}"


def _line(label: str, text: str) -> str:
    return f"{label:{_LABEL}}{text}" if len(label) < _LABEL else f"{label}  {text}"


def _range(low: int, high: int) -> str:
    return f"{low:,} samples" if low == high else f"{low:,}-{high:,} samples"


def _levels(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:,.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:,.1f} MiB"
