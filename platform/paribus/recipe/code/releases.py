"""Codes of earlier releases whose sources train the same numbers, bit for bit, as a later one's: generations of `code`.

A generation is what each recipe's code was in the sources of one commit. One follows another here when the golden files
held, and arms of `residual_scale` trained by both on one machine gave equal metrics and weights; so a record with the
code of any of them is worth one of the last. A generation says nothing of today's sources: a record is current as long
as what trains it is what it was in the last one.

A code follows from the family, the kind of schedule and what comes from outside, not from what else of ours a recipe
names. A recipe with a component of the user's is of no generation, and its records are stale after a change.
`python -m paribus.recipe.code.releases` prints the table of the sources that it runs in.
"""

from collections.abc import Iterator, Mapping

from paribus.recipe.recipe import Recipe

_SCHEDULES = ("step", "exponential", "cosine", "one_cycle")
# Before schema 2 all files were hashed by name and byte, and every recipe had one code: the release at 5885a4d.
_AT_5885A4D = "bfdc29694eb4939d"
# A family's codes in the order of _SCHEDULES.
_AT_F3CE7C5 = {
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
# The feed in sources that stack, own blocks and metrics: the sources of 2026-11-30.
_AT_FEED_OF_SOURCES = {
    "wide_resnet": "0ab6abb51765e050 0ab6abb51765e050 0ab6abb51765e050 0ab6abb51765e050",
    "resnet": "6b18d38eb362c7ec 6b18d38eb362c7ec 6b18d38eb362c7ec 6b18d38eb362c7ec",
    "resnext": "2264f6e30ddf835b 2264f6e30ddf835b 2264f6e30ddf835b 2264f6e30ddf835b",
    "senet": "ca3e47a0203c1046 ca3e47a0203c1046 ca3e47a0203c1046 ca3e47a0203c1046",
    "nin": "0562d16fee82c2fa 0562d16fee82c2fa 0562d16fee82c2fa 0562d16fee82c2fa",
    "inception_v1": "797e20329ee4b58a 797e20329ee4b58a 797e20329ee4b58a 797e20329ee4b58a",
    "inception_v2": "c6bf46ae61213766 c6bf46ae61213766 c6bf46ae61213766 c6bf46ae61213766",
    "xception": "85e3ad048aea51ef 85e3ad048aea51ef 85e3ad048aea51ef 85e3ad048aea51ef",
    "inception_v4": "66d71bb307cec404 66d71bb307cec404 66d71bb307cec404 66d71bb307cec404",
    "inception_resnet": "f098f7d621b9c846 f098f7d621b9c846 f098f7d621b9c846 f098f7d621b9c846",
    "inception_v3": "3f596f56bd364ca5 3f596f56bd364ca5 3f596f56bd364ca5 3f596f56bd364ca5",
}
# Samples held out of the training split: the sources of the release after it.
_AT_HELD_OUT = {
    "wide_resnet": "2fbf4851180a673b 2fbf4851180a673b 2fbf4851180a673b 2fbf4851180a673b",
    "resnet": "31f16a6bfbbf6b1d 31f16a6bfbbf6b1d 31f16a6bfbbf6b1d 31f16a6bfbbf6b1d",
    "resnext": "bfa6a207635f3037 bfa6a207635f3037 bfa6a207635f3037 bfa6a207635f3037",
    "senet": "afaf695c06cb6a8d afaf695c06cb6a8d afaf695c06cb6a8d afaf695c06cb6a8d",
    "nin": "1775d0f32e1c5fc9 1775d0f32e1c5fc9 1775d0f32e1c5fc9 1775d0f32e1c5fc9",
    "inception_v1": "4bf20b4aabe1cd4e 4bf20b4aabe1cd4e 4bf20b4aabe1cd4e 4bf20b4aabe1cd4e",
    "inception_v2": "64e5c297dbfed354 64e5c297dbfed354 64e5c297dbfed354 64e5c297dbfed354",
    "xception": "1f13543ca12521c5 1f13543ca12521c5 1f13543ca12521c5 1f13543ca12521c5",
    "inception_v4": "cb359f79978eb691 cb359f79978eb691 cb359f79978eb691 cb359f79978eb691",
    "inception_resnet": "8b9cadd16bf237aa 8b9cadd16bf237aa 8b9cadd16bf237aa 8b9cadd16bf237aa",
    "inception_v3": "f53aeb1196292f85 f53aeb1196292f85 f53aeb1196292f85 f53aeb1196292f85",
}
# Each trial on as many cores as it asks for, the first of its process too: the sources since then.
_AT_CORES_ASKED_FOR = {
    "wide_resnet": "b449fa0c4769ceec b449fa0c4769ceec b449fa0c4769ceec b449fa0c4769ceec",
    "resnet": "449fe3a24d848277 449fe3a24d848277 449fe3a24d848277 449fe3a24d848277",
    "resnext": "624a806c6e79f69c 624a806c6e79f69c 624a806c6e79f69c 624a806c6e79f69c",
    "senet": "9c5f9c9424f15dcd 9c5f9c9424f15dcd 9c5f9c9424f15dcd 9c5f9c9424f15dcd",
    "nin": "6f64d2a78409001b 6f64d2a78409001b 6f64d2a78409001b 6f64d2a78409001b",
    "inception_v1": "2261fb9988101f6d 2261fb9988101f6d 2261fb9988101f6d 2261fb9988101f6d",
    "inception_v2": "4bb6aab0f4aa8720 4bb6aab0f4aa8720 4bb6aab0f4aa8720 4bb6aab0f4aa8720",
    "xception": "37cc38eb855bb602 37cc38eb855bb602 37cc38eb855bb602 37cc38eb855bb602",
    "inception_v4": "9878b20ac48e10fb 9878b20ac48e10fb 9878b20ac48e10fb 9878b20ac48e10fb",
    "inception_resnet": "f2b854a092883fe8 f2b854a092883fe8 f2b854a092883fe8 f2b854a092883fe8",
    "inception_v3": "8fc558a75a8f6927 8fc558a75a8f6927 8fc558a75a8f6927 8fc558a75a8f6927",
}
# Precision and determinism as a recipe asks for them, on GPUs: the sources of the release after it.
_AT_NUMERICS_ASKED_FOR = {
    "wide_resnet": "0c338ec5dcb52977 0c338ec5dcb52977 0c338ec5dcb52977 0c338ec5dcb52977",
    "resnet": "73c759ff4b0709c0 73c759ff4b0709c0 73c759ff4b0709c0 73c759ff4b0709c0",
    "resnext": "dc443649f313cd86 dc443649f313cd86 dc443649f313cd86 dc443649f313cd86",
    "senet": "b46660ce385d6840 b46660ce385d6840 b46660ce385d6840 b46660ce385d6840",
    "nin": "85f01d8308880a7f 85f01d8308880a7f 85f01d8308880a7f 85f01d8308880a7f",
    "inception_v1": "ac278c7dc4af7abf ac278c7dc4af7abf ac278c7dc4af7abf ac278c7dc4af7abf",
    "inception_v2": "69587bd111459a4c 69587bd111459a4c 69587bd111459a4c 69587bd111459a4c",
    "xception": "8575e4fdb76f054b 8575e4fdb76f054b 8575e4fdb76f054b 8575e4fdb76f054b",
    "inception_v4": "dd5fe994c447f1cb dd5fe994c447f1cb dd5fe994c447f1cb dd5fe994c447f1cb",
    "inception_resnet": "970b6494edf7b881 970b6494edf7b881 970b6494edf7b881 970b6494edf7b881",
    "inception_v3": "fd1c9ecdc72b1c34 fd1c9ecdc72b1c34 fd1c9ecdc72b1c34 fd1c9ecdc72b1c34",
}
# Optimizers without torch's compiler, the same updates: the sources since then.
_AT_EAGER_OPTIMIZERS = {
    "wide_resnet": "33eefea9684252ec 33eefea9684252ec 33eefea9684252ec 33eefea9684252ec",
    "resnet": "7f2c3ceadd1848df 7f2c3ceadd1848df 7f2c3ceadd1848df 7f2c3ceadd1848df",
    "resnext": "267397feeeb58144 267397feeeb58144 267397feeeb58144 267397feeeb58144",
    "senet": "6147c6cdac59a33a 6147c6cdac59a33a 6147c6cdac59a33a 6147c6cdac59a33a",
    "nin": "83a848ab996c6125 83a848ab996c6125 83a848ab996c6125 83a848ab996c6125",
    "inception_v1": "53c070b944b584c3 53c070b944b584c3 53c070b944b584c3 53c070b944b584c3",
    "inception_v2": "77e1e6a47e5f6bba 77e1e6a47e5f6bba 77e1e6a47e5f6bba 77e1e6a47e5f6bba",
    "xception": "150c98c7a42f47ac 150c98c7a42f47ac 150c98c7a42f47ac 150c98c7a42f47ac",
    "inception_v4": "61be327de943f687 61be327de943f687 61be327de943f687 61be327de943f687",
    "inception_resnet": "000436cd73b76451 000436cd73b76451 000436cd73b76451 000436cd73b76451",
    "inception_v3": "af1fda6760a027f8 af1fda6760a027f8 af1fda6760a027f8 af1fda6760a027f8",
}
_GENERATIONS: tuple[str | Mapping[str, str], ...] = (
    _AT_5885A4D,
    _AT_F3CE7C5,
    _AT_FEED_OF_SOURCES,
    _AT_HELD_OUT,
    _AT_CORES_ASKED_FOR,
    _AT_NUMERICS_ASKED_FOR,
    _AT_EAGER_OPTIMIZERS,
)
_MANY_CORES_DIFFER, _GPUS_DIFFER = _GENERATIONS[:4], _GENERATIONS[:5]


def code_then(code: str, recipe: Recipe) -> str | None:
    """The code of `recipe` in the last generation, where `code` is what it was in one of them; else None.

    None too where its numbers were others: of trials on several CPU cores the first of each process once had one core,
    and on GPUs torch multiplied float32 in TF32 and added in any order.
    """
    last = _code_in(_GENERATIONS[-1], recipe)
    if code != last and any(_code_in(generation, recipe) == code for generation in _differing(recipe)):
        return None
    return last if any(_code_in(generation, recipe) == code for generation in _GENERATIONS) else None


def _differing(recipe: Recipe) -> tuple[str | Mapping[str, str], ...]:
    """The generations in which a trial of `recipe` gave other numbers."""
    if recipe.resources.gpus > 0:
        return _GPUS_DIFFER
    return _MANY_CORES_DIFFER if recipe.resources.cpus >= 2 else ()


def _code_in(generation: str | Mapping[str, str], recipe: Recipe) -> str | None:
    if isinstance(generation, str):
        return generation
    codes = generation.get(recipe.model.family, "").split()
    return dict(zip(_SCHEDULES, codes, strict=False)).get(recipe.schedule.kind)


def _codes(generation: str | Mapping[str, str]) -> Iterator[str]:
    yield from [generation] if isinstance(generation, str) else " ".join(generation.values()).split()


KNOWN = frozenset(code for generation in _GENERATIONS for code in _codes(generation))


def _print_table() -> None:
    """The table of these sources, to be put here as the next generation."""
    from paribus.recipe import preset
    from paribus.recipe.code import code_of

    for family in _AT_F3CE7C5:
        plain = preset("digits").replace({"model.family": family})
        codes = (code_of(plain.replace({"schedule.kind": kind})) for kind in _SCHEDULES)
        print(f'    "{family}": "{" ".join(codes)}",')


if __name__ == "__main__":
    _print_table()
