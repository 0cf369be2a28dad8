"""A narrow net on images of 64 pixels trains to its end in a process of its own, whatever the instruction set.

Its projection shortcuts have fewer channels than a vector block: in channels_last that killed the workers of a study of
photographs until `Conv` went around oneDNN's strided 1x1.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from convolve import CHECKING, PATIENCE_S

_TRAINING = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import DigitsFeed, MemoryBatch
from torch.nn.functional import interpolate
from paribus.recipe import Seeds
from paribus.recipe.presets import PRESETS
from paribus.training import fit

class Enlarged(DigitsFeed):
    def _batch(self, *chosen):
        small = super()._batch(*chosen)
        return MemoryBatch(interpolate(small.images, 64), small.labels, small.keys)

for width in (0.25, 0.5):
    recipe = PRESETS["digits"].replace({"model.depth": 10, "model.width": width, "budget": "2 epochs"})
    print(width, flush=True)
    result = fit(recipe, Seeds.draw(0, 0), Enlarged(batch_size=16, num_train=64, num_eval=16))
    print(result.outcome, flush=True)
"""


@pytest.mark.parametrize("isa", ["AVX2", "ALL"])
def test_a_narrow_net_on_large_images_lives_to_its_end(isa: str) -> None:
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": isa} | CHECKING
    done = subprocess.run(
        [sys.executable, "-c", _TRAINING, str(Path(__file__).parent)],
        capture_output=True, text=True, timeout=PATIENCE_S, env=environment, check=False,
    )  # fmt: skip
    said = f"{done.stdout}, then {done.returncode}: {done.stderr[-500:]}"
    assert done.returncode == 0, said
    assert len(done.stdout.split()) == 4, said
