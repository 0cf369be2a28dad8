"""What the ledger knows of a person's looks: what was added or chosen otherwise, and what could be seen by then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

# As many looks as a tag has room for.
_MOST_LOOKS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Verdicts could be had on `pairs` pairs at this seed when replicates or a seed were added, at `when_ms`.

    `last` is the highest replicate of which any trial had ended by then.
    """

    seed: int
    pairs: int
    last: int
    when_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a verdict rests on (`margin`, `arms`, ...) was chosen otherwise after a look at this seed.

    `key` and `was` are, for comparing and for people, what held before the first such look; `pairs` and `last` are
    those of the latest look that it was changed after. Of what was trained again, `key` holds the codes' digests.
    """

    what: str
    key: str
    was: str
    seed: int
    pairs: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """`asked`: the most replicates asked for, by seed, the seed asked for first in front; `looks` as they came.

    `choices`: at most one for each seed and thing; releases before them wrote none.
    """

    asked: Mapping[int, int] = field(default_factory=dict)
    looks: tuple[Look, ...] = ()
    choices: tuple[Choice, ...] = ()

    def is_raised(self, seed: int, replicates: int) -> bool:
        """Whether asking for so many at this seed adds to what was asked for before."""
        return bool(self.asked) and replicates > self.asked.get(seed, 0)

    def extended(self, seed: int, replicates: int, looks: tuple[Look, ...] = ()) -> Replication:
        """After asking for so many replicates at this seed, with the `looks` that this adds."""
        new = [look for look in looks if all(look.pairs > old.pairs for old in self.looks if old.seed == look.seed)]
        asked = {**self.asked, seed: max(replicates, self.asked.get(seed, 0))}
        return replace(self, asked=asked, looks=(*self.looks, *new)[-_MOST_LOOKS:])

    def looks_before(self, seed: int, replicates: int) -> tuple[Look, ...]:
        """The looks at this seed that came before a verdict on so many replicates."""
        return tuple(look for look in self.looks if look.seed == seed and look.last < replicates)

    def other_seeds_before(self, seed: int, replicates: int) -> tuple[tuple[int, ...], ...]:
        """Per other seed that was looked at before: the pairs at each look."""
        order = list(self.asked)
        returned = bool(self.looks_before(seed, replicates))
        before = [other for i, other in enumerate(order) if other != seed and (returned or i < _place(order, seed))]
        series = [tuple(sorted({look.pairs for look in self.looks if look.seed == other})) for other in before]
        return tuple(pairs for pairs in series if pairs)

    def as_tag(self) -> str:
        """For the tag of the study's run."""
        looks, choices = map(asdict, self.looks), map(asdict, self.choices)
        return json.dumps({"asked": list(self.asked.items()), "looks": [*looks], "choices": [*choices]})


def read_replication(tag: str) -> Replication:
    """What `as_tag` wrote; nothing where the tag is missing or was damaged."""
    try:
        document = json.loads(tag)
        return Replication(
            asked={int(seed): int(replicates) for seed, replicates in document["asked"]},
            looks=tuple(Look(**look) for look in document["looks"]),
            choices=tuple(Choice(**choice) for choice in document.get("choices", ())),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return Replication()


def _place(order: list[int], seed: int) -> int:
    return order.index(seed) if seed in order else len(order)
