"""A trial on two cores has both, and is the same to the bit, whether or not it is the first of its process.

And a process that compiles nothing does not load what compiles: 1.4 s of CPU and 44 MiB of each worker.
"""

import json
import subprocess
import sys
from pathlib import Path

# Streamed: threads of the feed, which have one thread of torch each, are there before the net first computes.
TWICE = """
import json, sys, torch
from pathlib import Path
from paribus.data import open_feed
from paribus.recipe import Seeds, preset
from paribus.training import fit

recipe = preset("synthetic").replace({"model.width": 0.5, "budget": "8 steps", "resources.cpus": 2.0})
told = []
for _ in range(2):
    result = fit(recipe, Seeds.draw(0, 1), open_feed(recipe, Path(sys.argv[1])))
    told.append((torch.get_num_threads(), result.curves["loss"].tolist(), result.metrics["eval_loss"]))
print(json.dumps([*told, sorted(sys.modules)]))
"""


def test_the_first_trial_of_a_process_has_the_cores_it_asked_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWICE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    first, second, modules = json.loads(done.stdout)
    assert first[0] == second[0] == 2
    assert first == second
    assert "torch.optim" in modules
    assert "torch._dynamo" not in modules
