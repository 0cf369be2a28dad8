"""What `code` would have been by releases that wrote another one, computed by `code_of` from their own sources.

A release before schema 2 hashed all files by name and byte. The tables hold, for each such digest, what `code_of` finds
in a checkout of that release: `code_of(recipe, sources=Sources(CHECKOUT / "platform" / "paribus"))`, which follows from
the family and the kind of schedule alone. Nothing is claimed of results: a record is current where its sources are.
"""

from paribus.recipe.recipe import Recipe

_SCHEDULES = ("step", "exponential", "cosine", "one_cycle")
# The release at 5885a4d: a family's codes in the order of _SCHEDULES.
_AT_5885A4D = {
    "wide_resnet": "de067c1823b8996f de067c1823b8996f de067c1823b8996f c8f395994147cd92",
    "resnet": "d1f605adbfe7b14b d1f605adbfe7b14b d1f605adbfe7b14b e0338f9958fe7317",
    "resnext": "a01cd924dedecd27 a01cd924dedecd27 a01cd924dedecd27 a956fac40a64ccf1",
    "senet": "9c1f38c31ed0d823 9c1f38c31ed0d823 9c1f38c31ed0d823 eed4a1c25dbbb561",
    "nin": "53698badb92f8664 53698badb92f8664 53698badb92f8664 e7422a551164199d",
    "inception_v1": "ca37fe40529f38af ca37fe40529f38af ca37fe40529f38af 7a4bb79b1349c27a",
    "inception_v2": "6661c790b8ab10e1 6661c790b8ab10e1 6661c790b8ab10e1 e5dcda081ac7f9fe",
    "xception": "9bcb084b3a93848d 9bcb084b3a93848d 9bcb084b3a93848d 18ff867d1119baca",
    "inception_v4": "d19395f312317cd5 d19395f312317cd5 d19395f312317cd5 6f6cdfb6e998d7cb",
    "inception_resnet": "fd785ac821216011 fd785ac821216011 fd785ac821216011 50298ab6736d9a7f",
    "inception_v3": "21618c07c069ebe5 21618c07c069ebe5 21618c07c069ebe5 ccdb4b86f4233f58",
}
_RELEASES = {"bfdc29694eb4939d": _AT_5885A4D}
KNOWN = frozenset(_RELEASES)


def code_then(digest: str, recipe: Recipe) -> str | None:
    """The code of `recipe` by the sources whose whole had the `digest`; None where the table lacks it."""
    codes = _RELEASES.get(digest, {}).get(recipe.model.family)
    return None if codes is None else dict(zip(_SCHEDULES, codes.split(), strict=True)).get(recipe.schedule.kind)
