"""Faults of one trial: its data, memory, disk, size. The other trials go on, and the reason can be acted on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox import HANGS_S, LEARNS, Sandbox

from paribus.shards.making.shards import make_shards
from paribus.shards.sources.synthetic.builtin import synthetic

pytestmark = pytest.mark.cluster
STUDY = '''#!/usr/bin/env python
"""Does it matter where the images lie?"""

from paribus import Study, main

study = Study(
    name={name!r},
    base="synthetic",
    factors={{"data.name": ("good", "truncated", "missing", "altered")}},
    baseline={{"data.name": "good"}},
    fixed={fixed!r},
    replicates=1,
    margin=4.0,
)

if __name__ == "__main__":
    main(study)
'''


SAYS = {"truncated": " is truncated: ", "missing": " is missing in ", "altered": " was altered: "}


def damage(shard: Path, how: str) -> None:
    content = bytearray(shard.read_bytes())
    if how == "missing":
        shard.unlink()
    elif how == "truncated":
        os.truncate(shard, len(content) // 2)
    else:
        content[700] ^= 1  # of the first image: training reads no padding and no tar headers
        shard.write_bytes(content)


def test_shards_that_are_damaged_after_the_plan_fail_their_trials_alone_and_retry_completes_them(
    sandbox: Sandbox,
) -> None:
    whole: dict[Path, bytes] = {}
    # Of four digests, or they would share decoded images.
    for name, shard_size in (("good", 20), ("truncated", 16), ("missing", 15), ("altered", 14)):
        make_shards(synthetic(), sandbox.home / "data" / name, shard_size=shard_size)
        if name != "good":
            shard = sorted((sandbox.home / "data" / name).glob("*train*.tar"))[1]
            whole[shard] = shard.read_bytes()
    study = sandbox.write("damaged", STUDY.format(name="damaged", fixed=LEARNS))
    driver, out = sandbox.start(study), ""
    assert driver.stdout is not None
    while "training 4 trials" not in out and (line := driver.stdout.readline()):
        out += line
    for shard in whole:  # seconds before the first worker is there
        damage(shard, shard.parent.name)
    rest, err = driver.communicate(timeout=HANGS_S)
    assert driver.returncode == 1, out + rest + err
    assert "Traceback" not in out + rest + err
    trials = {trial.arm.as_dict()["data.name"]: trial for trial in sandbox.trials(study)}
    assert trials.pop("good").outcome == "finished"
    refused = sandbox.run(study)
    assert refused.returncode == 1
    assert "is truncated" in refused.stderr, "what is seen without reading it all is refused before training"
    assert "training" not in refused.stdout
    status = sandbox.run(study, "status").stdout
    assert "paribus shards verify" in status
    for shard in whole:
        name = shard.parent.name
        assert (trials[name].outcome, trials[name].failure) == ("failed", "data")
        assert trials[name].reason.startswith(f"data: shard {shard.name} of ")
        assert SAYS[name] in trials[name].reason
        assert trials[name].reason in status
    for shard, content in whole.items():
        shard.write_bytes(content)
    mended = sandbox.run(study, "retry")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "[3/3]" in mended.stdout
    assert [(trial.outcome, trial.status) for trial in sandbox.trials(study)] == [("finished", "FINISHED")] * 4


# The second arm's first wide convolution asks for 32 GiB at once, and gets nothing.
SIZES = '''#!/usr/bin/env python
"""How large may a trial be?"""

from paribus import Study, main

PATHS = ("model.width", "data.size", "data.batch_size")
study = Study(
    name="sizes",
    base="synthetic",
    design="explicit",
    arms_listed=[dict(zip(PATHS, levels)) for levels in ((0.25, 8, 16), (64.0, 1024, 8))],
    baseline=dict(zip(PATHS, (0.25, 8, 16))),
    fixed={"data.cache": "never", "budget": "40 steps", "optimizer.lr": 0.3},
    replicates=1,
    margin=4.0,
)

if __name__ == "__main__":
    main(study)
'''


def test_too_large_a_net_is_oom_and_costs_no_other_trial(sandbox: Sandbox) -> None:
    study = sandbox.write("sizes", SIZES)
    done = sandbox.run(study)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 trial failed" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    found = {trial.arm_name: trial.failure or trial.outcome for trial in sandbox.trials(study)}
    assert sorted(found.values()) == ["finished", "oom"]
    status = sandbox.run(study, "status").stdout
    assert "ask for a smaller data.batch_size" in status


@pytest.fixture
def full_disk(sandbox: Sandbox) -> Iterator[Path]:
    """The checkpoints' folder on a file system with room for less than one of them."""
    folder = sandbox.home / "checkpoints"
    folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(words, check=False).returncode != 0:
        pytest.skip("a file system that is full needs root and the right to mount one")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_costs_the_checkpoints_and_not_the_trials(sandbox: Sandbox, full_disk: Path) -> None:
    study = sandbox.study(replicates=1, budget="300 steps")
    done = sandbox.run(study, PARIBUS_CHECKPOINT_S="0.05")
    assert done.returncode == 0, done.stdout + done.stderr
    trials = sandbox.trials(study)
    assert [trial.outcome for trial in trials] == ["finished"] * 2
    assert any("cannot write a checkpoint" in trial.warnings for trial in trials)
    assert "cannot write a checkpoint" in done.stdout


def test_a_trial_that_asks_for_more_than_there_is_is_refused_at_once(sandbox: Sandbox) -> None:
    study = sandbox.study()
    for setting, asked in (("resources.gpus=1", "1 GPU"), ("resources.cpus=64", "64 CPU")):
        done = sandbox.run(study, "--set", setting)
        assert done.returncode == 1, done.stdout + done.stderr
        assert asked in done.stderr
        assert "the largest node has" in done.stderr
        assert "Traceback" not in done.stderr
    sized = sandbox.run(study, "--cpus", 2)
    assert sized.returncode == 1
    assert "--cpus 2 sizes the Ray that is started where none runs" in sized.stderr
    assert sandbox.trials(study) == []
