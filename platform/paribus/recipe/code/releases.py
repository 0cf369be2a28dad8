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
    "wide_resnet": "5cba6da7b05c0f56 5cba6da7b05c0f56 5cba6da7b05c0f56 5cba6da7b05c0f56",
    "resnet": "9c81f555cab47220 9c81f555cab47220 9c81f555cab47220 9c81f555cab47220",
    "resnext": "b0bf5eeb4c38b3d6 b0bf5eeb4c38b3d6 b0bf5eeb4c38b3d6 b0bf5eeb4c38b3d6",
    "senet": "fe8bfe6362954f21 fe8bfe6362954f21 fe8bfe6362954f21 fe8bfe6362954f21",
    "nin": "b19e293687d121fb b19e293687d121fb b19e293687d121fb b19e293687d121fb",
    "inception_v1": "15cb421a4ca56451 15cb421a4ca56451 15cb421a4ca56451 15cb421a4ca56451",
    "inception_v2": "f931156f9de72851 f931156f9de72851 f931156f9de72851 f931156f9de72851",
    "xception": "4a7f665333243ca7 4a7f665333243ca7 4a7f665333243ca7 4a7f665333243ca7",
    "inception_v4": "af5ac168ec3c7035 af5ac168ec3c7035 af5ac168ec3c7035 af5ac168ec3c7035",
    "inception_resnet": "9086e82f52f0a53f 9086e82f52f0a53f 9086e82f52f0a53f 9086e82f52f0a53f",
    "inception_v3": "c0e5577610a3c4f5 c0e5577610a3c4f5 c0e5577610a3c4f5 c0e5577610a3c4f5",
}
_RELEASES = {"bfdc29694eb4939d": _AT_5885A4D}
KNOWN = frozenset(_RELEASES)


def code_then(digest: str, recipe: Recipe) -> str | None:
    """The code of `recipe` by the sources whose whole had the `digest`; None where the table lacks it."""
    codes = _RELEASES.get(digest, {}).get(recipe.model.family)
    return None if codes is None else dict(zip(_SCHEDULES, codes.split(), strict=True)).get(recipe.schedule.kind)
