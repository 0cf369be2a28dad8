"""A wide search for convolutions that are wrong or write past their buffers: more shapes than CI has time for.

`sweep_convolutions.py [ISA [THREADS]]`, for one value of ONEDNN_MAX_CPU_ISA and one number of threads. Also looks for
kinds of convolution in the published nets that no level of a family has.
"""

import argparse
import time
from itertools import product

import convolve
from convolve import all_kinds, kinds, made

from paribus.models.named import NAMED

CHANNELS = [(1, 8), (2, 8), (3, 5), (4, 8), (4, 16), (8, 16), (12, 24), (16, 32), (32, 32)]
SIDES = [4, 8, 15, 28, 32, 48, 64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("isa", nargs="?", default="ALL")
    parser.add_argument("threads", nargs="?", default=1, type=int)
    given = parser.parse_args()
    published = {kind for entry in NAMED.values() for kind in kinds(entry.model)}
    print(f"{len(all_kinds())} kinds; only in published nets: {sorted(published - all_kinds()) or 'none'}", flush=True)
    convolve.PATIENCE_S, start, num, wrong = 3600.0, time.process_time(), 0, dict[str, str]()
    for side in SIDES:
        shapes = product(sorted(all_kinds()), CHANNELS, (True, False))
        found = [made(kind, *pair, side, channels_last=last) for kind, pair, last in shapes]
        searched = [case for case in found if case]
        wrong |= convolve.faults(searched, given.threads, given.isa)
        num += len(searched)
        print(f"{given.isa}, {given.threads} threads, side {side}: {num} cases, {len(wrong)} wrong", flush=True)
    print(*(f"{case}: {what}" for case, what in wrong.items()), sep="\n")
    print(f"{time.process_time() - start:.0f} s here, beside the children's")


if __name__ == "__main__":
    main()
