"""Records that a node without the driver's storage could not get to the ledger, kept on the driver's disk instead."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune

from paribus.execution.unrestored import Unrestored
from paribus.execution.workers.trial_spec import RECORDS
from paribus.host.say import warn
from paribus.tracking.outbox.outbox import free_folder

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial


class HandedRecords(Unrestored, tune.Callback):
    """Writes what trials hand over into `outbox`, from where the driver sends it as it sends its own."""

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """Keep what a report brings along."""
        for name, files in result.pop(RECORDS, {}).items():
            try:
                keep(self._outbox, name, files)
            except OSError as error:
                warn(f"the records of {name} cannot be kept in {self._outbox} ({error.strerror}): it trains again")


def keep(outbox: Path, name: str, files: dict[str, bytes]) -> Path:
    """A folder of an outbox, `study/attempt`, as it was on its node: whole or not at all. Raises OSError."""
    folder = free_folder(outbox / name)
    aside = outbox / f".handed-{uuid.uuid4().hex}"
    aside.mkdir(parents=True)
    for file, content in files.items():
        (aside / Path(file).name).write_bytes(content)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside.rename(folder)
    return folder
