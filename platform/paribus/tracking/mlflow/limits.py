"""MLflow's limits on names and values, and how what is longer is kept whole.

MLflow cuts a tag's value at 8,000 characters and a param's at 6,000 without a word, and refuses keys of more than 250.
A tag of ours that is longer is split: its own key holds `[parts 3 0123456789abcdef] ` and the first part, the keys
`KEY.part-0123456789abcdef.2` and so on the others, where the digits are of the whole value's SHA-256. Parts that two
attempts write never mix, and the head is sent last, so that a reader meets all of a value or the one before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from paribus.host.secrets import without_secrets

KEY_LENGTH = 250
NAME_LENGTH = 250
TAG_LENGTH = 8000
PARAM_LENGTH = 6000
_METRICS_PER_BATCH = 1000
_PARAMS_PER_BATCH = 100
_TAGS_PER_BATCH = 100
_ITEMS_PER_BATCH = 1000
# MLflow states a million bytes a request; what we count leaves the braces out.
_BYTES_PER_BATCH = 900_000

_DIGITS = 16
_HEAD = re.compile(r"\[parts (\d+) ([0-9a-f]{16})\] ")
_PART = re.compile(r"\.part-[0-9a-f]{16}\.\d+$")
_STEM = KEY_LENGTH - len(".part-.9999999") - _DIGITS
_MLFLOWS_OWN = "mlflow."

Item = dict[str, Any]


def fitting(text: str, longest: int) -> str:
    """`text`, or its beginning with 16 digits of the whole one's SHA-256: two texts that differ never become one."""
    return text if len(text) <= longest else f"{text[: longest - _DIGITS - 1]}-{_digest(text)}"


def split_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags as MLflow takes them, the heads of split ones last.

    What MLflow itself reads and shows (`mlflow.*`, such as the note) is cut instead, and says so at its end.
    """
    parts: dict[str, str] = {}
    heads: dict[str, str] = {}
    for name, given in tags.items():
        key, value = fitting(name, KEY_LENGTH), without_secrets(str(given))
        if len(value) <= TAG_LENGTH and not _HEAD.match(value):
            heads[key] = value
        elif key.startswith(_MLFLOWS_OWN):
            heads[key] = cut_text(value, TAG_LENGTH)
        else:
            head, rest = _split(key, value)
            heads[key] = head
            parts.update(rest)
    return {**parts, **heads}


def joined_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that `split_tags` was given; of one that lacks a part, what there is."""
    return {key: _joined(key, value, tags) for key, value in tags.items() if not _PART.search(key)}


def cut_text(text: str, longest: int) -> str:
    """Text for people, cut at the end of a line where it is too long, with a word that it was."""
    if len(text) <= longest:
        return text
    ending = f"\n\n... cut here: the whole text has {len(text):,} characters."
    kept = text[: longest - len(ending)]
    return (kept[: kept.rfind("\n")] if "\n" in kept[longest // 2 :] else kept) + ending


def batches(metrics: list[Item], params: list[Item], tags: list[Item]) -> Iterator[dict[str, list[Item]]]:
    """Everything in as few bodies of `runs/log-batch` as MLflow allows, tags in their order."""
    left = {"params": params, "tags": tags, "metrics": metrics}
    while any(left.values()):
        body: dict[str, list[Item]] = {}
        num_items = num_bytes = 0
        for kind, most in (("params", _PARAMS_PER_BATCH), ("tags", _TAGS_PER_BATCH), ("metrics", _METRICS_PER_BATCH)):
            room = min(most, _ITEMS_PER_BATCH - num_items)
            taken, size = _as_many(left[kind][:room], _BYTES_PER_BATCH - num_bytes, at_least=0 if num_items else 1)
            body[kind], left[kind] = left[kind][:taken], left[kind][taken:]
            num_items, num_bytes = num_items + taken, num_bytes + size
        yield body


def _as_many(items: list[Item], room: int, *, at_least: int) -> tuple[int, int]:
    """How many of the first items fit into `room` bytes, and their bytes."""
    total = 0
    for count, item in enumerate(items):
        size = len(json.dumps(item)) + 1
        if total + size > room and count >= at_least:
            return count, total
        total += size
    return len(items), total


def _split(key: str, value: str) -> tuple[str, dict[str, str]]:
    digest = _digest(value)
    stem = fitting(key, _STEM)
    first = TAG_LENGTH - len(f"[parts 9999999 {digest}] ")
    rest = [value[start : start + TAG_LENGTH] for start in range(first, len(value), TAG_LENGTH)]
    parts = {f"{stem}.part-{digest}.{number}": part for number, part in enumerate(rest, 2)}
    return f"[parts {len(rest) + 1} {digest}] {value[:first]}", parts


def _joined(key: str, value: str, tags: Mapping[str, str]) -> str:
    if not (head := _HEAD.match(value)):
        return value
    stem = fitting(key, _STEM)
    rest = (tags.get(f"{stem}.part-{head[2]}.{number}", "") for number in range(2, int(head[1]) + 1))
    return value[head.end() :] + "".join(rest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
