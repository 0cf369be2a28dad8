"""Every kind of convolution that our nets make is float64's, gradients too, and leaves memory alone.

oneDNN's kernels differ by instruction set, layout, threads, and channels below a vector block. A wrong one may write
past its buffers, so cases run in processes of their own.
"""

import pytest
from convolve import all_kinds, faults, made

# Below, at and above the 4, 8 and 16 channels that SSE, AVX2 and AVX-512 work in, at the sides at which faults were
# seen: with AVX2 from 8 pixels on, with AVX-512 from 48 on.
GRID = [(1, 8, 8), (2, 8, 8), (3, 5, 15), (4, 8, 8), (4, 8, 64), (8, 16, 64), (12, 24, 4), (32, 16, 8)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("isa", ["SSE41", "AVX2", "ALL"])
def test_every_kind_of_convolution_is_float64s_and_keeps_to_its_memory(isa: str, threads: int) -> None:
    searched = [
        case
        for kind in sorted(all_kinds())
        for shape in GRID
        for layout in (True, False)
        if (case := made(kind, *shape, channels_last=layout))
    ]
    wrong = faults(searched, threads, isa)
    assert not wrong, "\n".join(f"{case}: {what}" for case, what in wrong.items())
