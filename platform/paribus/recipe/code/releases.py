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
    "wide_resnet": "f75022670fe9b7c9 f75022670fe9b7c9 f75022670fe9b7c9 f75022670fe9b7c9",
    "resnet": "f8d8afca997fc603 f8d8afca997fc603 f8d8afca997fc603 f8d8afca997fc603",
    "resnext": "19b43164f65f21d5 19b43164f65f21d5 19b43164f65f21d5 19b43164f65f21d5",
    "senet": "8a94ef96ea1d3162 8a94ef96ea1d3162 8a94ef96ea1d3162 8a94ef96ea1d3162",
    "nin": "83a458746818ff30 83a458746818ff30 83a458746818ff30 83a458746818ff30",
    "inception_v1": "aae900e313913d4e aae900e313913d4e aae900e313913d4e aae900e313913d4e",
    "inception_v2": "52e15f10d7d55dd5 52e15f10d7d55dd5 52e15f10d7d55dd5 52e15f10d7d55dd5",
    "xception": "a05a28976ffa840b a05a28976ffa840b a05a28976ffa840b a05a28976ffa840b",
    "inception_v4": "81b102464d487891 81b102464d487891 81b102464d487891 81b102464d487891",
    "inception_resnet": "b79b11c43783cf1c b79b11c43783cf1c b79b11c43783cf1c b79b11c43783cf1c",
    "inception_v3": "46b407dd799c5a5f 46b407dd799c5a5f 46b407dd799c5a5f 46b407dd799c5a5f",
}
_RELEASES = {"bfdc29694eb4939d": _AT_5885A4D}
KNOWN = frozenset(_RELEASES)


def code_then(digest: str, recipe: Recipe) -> str | None:
    """The code of `recipe` by the sources whose whole had the `digest`; None where the table lacks it."""
    codes = _RELEASES.get(digest, {}).get(recipe.model.family)
    return None if codes is None else dict(zip(_SCHEDULES, codes.split(), strict=True)).get(recipe.schedule.kind)
