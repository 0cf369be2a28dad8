"""The node's reader under Ray: two arms at a time share one decoding, and no number changes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from sandbox import Sandbox

from paribus.tracking.ledger import Ledger
from paribus.tracking.trials.record import TrialRecord

pytestmark = pytest.mark.cluster
# Streamed, two arms side by side, 30 epochs of 4 steps.
STREAMED = {"budget": "120 steps", "data__cache": "never", "resources__cpus": 1}


def losses(sandbox: Sandbox, study: Path) -> list[np.ndarray]:
    with Ledger(sandbox.env["MLFLOW_TRACKING_URI"]) as ledger:
        return [ledger.curves(trial.run_id)["loss"] for trial in sandbox.trials(study)]


def num_shared(trial: TrialRecord) -> int:
    found = re.match(r"(\d+) batches from the node's reader", trial.shared)
    assert found is not None, trial.shared
    return int(found[1])


def test_arms_side_by_side_share_and_give_the_numbers_of_each_alone(sandbox: Sandbox) -> None:
    alone = sandbox.study(replicates=1, **STREAMED, data__sharing="never")
    assert sandbox.run(alone).returncode == 0
    assert not any(trial.shared for trial in sandbox.trials(alone))
    shared = sandbox.study(replicates=1, **STREAMED)
    done = sandbox.run(shared)
    assert done.returncode == 0, done.stderr
    assert "not shared" not in done.stdout
    trials = sandbox.trials(shared)
    assert [trial.outcome for trial in trials] == ["finished"] * 2
    assert all(num_shared(trial) > 0 for trial in trials)
    for mine, other in zip(losses(sandbox, shared), losses(sandbox, alone), strict=True):
        assert len(mine) == 120
        assert np.array_equal(mine, other)


# Two trials of one node through the actor, which then ends by itself; printed are its counts and what each was given.
SCRIPT = """
import os
import time
from paribus.host.ray_access import ONE_MACHINE
os.environ.update(ONE_MACHINE)  # as whoever joins the stack's Ray by a script of their own has to say
import ray
from paribus.execution.workers import feed_reader
from paribus.data import open_feed
from paribus.recipe import preset
from pathlib import Path

ray.init("auto", namespace="elsewhere", log_to_driver=False)
feed_reader.IDLE_S = 1.0
home = Path({home!r})
recipe = preset("synthetic").replace({{"data.cache": "never", "resources.cpus": 1.0}})


CODE = "code of this test"  # or it would meet the reader of a study that trained before


@ray.remote(num_cpus=1)
def train(number):
    feed_reader.IDLE_S, feed_reader.feed_code_of = 1.0, lambda *of: CODE
    feed = open_feed(recipe, home)
    client = feed.shared = feed_reader.client_of(feed, recipe, home)
    keys = [[key for batch in feed.batches(1, 2, epoch) for key in batch.keys] for epoch in range(3)]
    told = feed_reader.sharing_told(client)
    client.close()
    return keys, told


(keys, told), (other_keys, other_told) = ray.get([train.remote(number) for number in range(2)])
assert keys == other_keys
print(told, other_told, sep="|")
name = feed_reader.reader_name(CODE, ray.nodes()[0]["NodeID"])
actor = ray.get_actor(name, namespace="paribus")
print(ray.get(actor.counts.remote())["batches"])
for _ in range(200):
    try:
        ray.get_actor(name, namespace="paribus")
    except ValueError:
        print("ended")
        break
    time.sleep(0.1)
whole = recipe.replace({{"resources.cpus": 2.0}})
print(feed_reader.client_of(open_feed(whole, home), whole, home) is None)
"""


def test_the_actor_draws_once_for_all_and_ends_when_nobody_is_left(sandbox: Sandbox) -> None:
    script = sandbox.write("two_tasks", SCRIPT.format(home=str(sandbox.home)))
    done = sandbox.run("python", script)
    assert done.returncode == 0, done.stderr
    told, batches, ended, alone = done.stdout.splitlines()
    assert told == "|".join(["12 batches from the node's reader"] * 2)
    assert int(batches) in (12, 24), "once; or twice where the second task came too late for the first's ring"
    assert (ended, alone) == ("ended", "True")
