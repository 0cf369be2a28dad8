"""What `code` is, by schema 2, of results of releases that wrote another one.

A release before schema 2 hashed all files by name and byte. The tables hold, for each such digest, what `code_of` found
in the first sources after that release that train the same numbers, bit for bit, in other words and rooms: golden files
and the six contrasts of `residual_scale` were compared on one machine. It follows from the family and the kind of
schedule alone, for no recipe of those releases held more. The tables are history and are not computed again when the
sources change: a record is current as long as what trains it is what it was then.
"""

from paribus.recipe.recipe import Recipe

_SCHEDULES = ("step", "exponential", "cosine", "one_cycle")
# The release at 5885a4d, as first found in the sources of 2026-11-29: a family's codes in the order of _SCHEDULES.
_AT_5885A4D = {
    "wide_resnet": "d88fa42331cce906 d88fa42331cce906 d88fa42331cce906 d88fa42331cce906",
    "resnet": "11b8187cb5b843cb 11b8187cb5b843cb 11b8187cb5b843cb 11b8187cb5b843cb",
    "resnext": "48c167771c5dac45 48c167771c5dac45 48c167771c5dac45 48c167771c5dac45",
    "senet": "f9192f0464baa22f f9192f0464baa22f f9192f0464baa22f f9192f0464baa22f",
    "nin": "cde1a1836cc2c778 cde1a1836cc2c778 cde1a1836cc2c778 cde1a1836cc2c778",
    "inception_v1": "3cd9fd7fa44530aa 3cd9fd7fa44530aa 3cd9fd7fa44530aa 3cd9fd7fa44530aa",
    "inception_v2": "e6946c38ee3199f1 e6946c38ee3199f1 e6946c38ee3199f1 e6946c38ee3199f1",
    "xception": "b276a18770b593f8 b276a18770b593f8 b276a18770b593f8 b276a18770b593f8",
    "inception_v4": "55074932f637069c 55074932f637069c 55074932f637069c 55074932f637069c",
    "inception_resnet": "a053d27292daa398 a053d27292daa398 a053d27292daa398 a053d27292daa398",
    "inception_v3": "49ad2afdf798196c 49ad2afdf798196c 49ad2afdf798196c 49ad2afdf798196c",
}
_RELEASES = {"bfdc29694eb4939d": _AT_5885A4D}
KNOWN = frozenset(_RELEASES)


def code_then(digest: str, recipe: Recipe) -> str | None:
    """The code of `recipe` by the sources whose whole had the `digest`; None where the table lacks it."""
    codes = _RELEASES.get(digest, {}).get(recipe.model.family)
    return None if codes is None else dict(zip(_SCHEDULES, codes.split(), strict=True)).get(recipe.schedule.kind)
