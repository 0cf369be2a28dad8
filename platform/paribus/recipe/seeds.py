"""Chance, drawn from counters: every stream of random numbers is a hash of who asks for it."""

from hashlib import sha256
from operator import index

from pydantic import Field

from paribus.recipe.part import Part

_BITS = 63


def key(*parts: int | str) -> int:
    """A 63-bit number from `parts`; distinct parts give independent numbers.

    Each part carries its type and length into the hash, so `key(1, 23)` and `key(12, 3)` differ, unlike sums such as
    `seed + 31 * epoch`, which alias. An integer counts by its value, whether Python's, NumPy's or torch's.

    Raises:
        TypeError: a part is neither an integer nor text.
    """
    digest = sha256()
    for part in parts:
        text = (f"str:{part}" if isinstance(part, str) else f"int:{index(part)}").encode()
        digest.update(len(text).to_bytes(4, "big") + text)
    return int.from_bytes(digest.digest()[:8], "big") >> (64 - _BITS)


class Seeds(Part):
    """The four seeds of a replicate; the same in every arm, which is what pairs the arms."""

    init: int = Field(ge=0, lt=2**_BITS)
    order: int = Field(ge=0, lt=2**_BITS)
    augment: int = Field(ge=0, lt=2**_BITS)
    dropout: int = Field(ge=0, lt=2**_BITS)

    @classmethod
    def draw(cls, study_seed: int, replicate: int) -> "Seeds":
        """The seeds of one replicate of a study."""
        return cls(**{name: key("replicate", study_seed, replicate, name) for name in cls.model_fields})
