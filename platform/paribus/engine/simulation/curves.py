"""A table of learning curves: what real trials came to, epoch by epoch, for settings and replicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from paribus.study.designs.arms import StudyError
from paribus.study.words import Level

_NAMED = ("setting", "replicate", "epoch", "seconds", "outcome")


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Real results of S settings, R replicates and E epochs.

    Args:
        name: of the file, for people.
        settings: levels by dotted path.
        values: (S, R, E) of the metric as it is; nan from the epoch in which a trial diverged or died.
        seconds: (S, R, E) that each epoch took; that in which a trial ended counts as half a usual one of the setting.
        outcomes: (S, R), as the ledger has them.
    """

    name: str
    settings: tuple[Mapping[str, Level], ...]
    values: NDArray[np.float64]
    seconds: NDArray[np.float64]
    outcomes: tuple[tuple[str, ...], ...]

    @property
    def num_replicates(self) -> int:
        """R."""
        return int(self.values.shape[1])

    @property
    def num_epochs(self) -> int:
        """E."""
        return int(self.values.shape[2])

    def deviations(self, sign: int) -> NDArray[np.float64]:
        """Of replicates of the best fifth of the settings from their mean at the end, (X,), as `residuals` has them.

        Settings one of whose replicates ended early are left out; `sign` is 1 where larger is better, else -1.
        """
        final = self.values[:, :, -1]
        whole = final[~np.isnan(final).any(axis=1)]
        order = np.argsort(sign * whole.mean(axis=1))
        best = whole[order[-max(1, len(order) // 5) :]]
        n = best.shape[1]
        found: NDArray[np.float64] = (best - best.mean(axis=1, keepdims=True)).ravel() * (n / (n - 1)) ** 0.5
        return found

    def other_mean(self, setting: int, replicate: int) -> float:
        """The setting's mean at the end over its other replicates, which a search that saw this one did not see.

        A replicate that ended early counts as the worst value of the table: a setting that diverges is not good.
        """
        final = np.delete(self.values[setting, :, -1], replicate)
        return float(np.where(np.isnan(final), np.nanmin(self.values), final).mean())


def read_curves(file: str, metric: str) -> Curves:
    """The Parquet table `file`, such as tests/tables/digits_curves.parquet.

    A row is an epoch: `setting`, `replicate`, `epoch` (from 1), `seconds`, `outcome`, columns of metrics, and one
    column for each path, whose name has a dot. The epoch in which a trial diverged or died has a row without a value.
    Settings that lack a replicate are left out.

    Raises:
        StudyError: no such file or column, or no setting with all replicates.
    """
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise StudyError(f"the table {file!r} cannot be read as Parquet: {error}") from None
    for column in (*_NAMED, metric):
        if column not in table.column_names:
            raise StudyError(f"the table {file!r} has no column {column!r}: it has {', '.join(table.column_names)}")
    columns = {name: table[name].to_pylist() for name in table.column_names if "." in name or name == "outcome"}
    numbers = {name: table[name].to_numpy() for name in ("setting", "replicate", "epoch", "seconds", metric)}
    return _in_place(Path(file).name, columns, numbers, metric)


def _in_place(name: str, columns: Mapping[str, list[Any]], numbers: Mapping[str, NDArray[Any]], metric: str) -> Curves:
    setting, replicate, epoch = (numbers[each].astype(int) for each in ("setting", "replicate", "epoch"))
    shape = (setting.max() + 1, replicate.max(), epoch.max())
    values, seconds = np.full(shape, np.nan), np.full(shape, np.nan)
    values[setting, replicate - 1, epoch - 1] = numbers[metric]
    seconds[setting, replicate - 1, epoch - 1] = numbers["seconds"]
    there = np.zeros(shape[:2], dtype=bool)
    there[setting, replicate - 1] = True
    first = dict(zip(zip(setting.tolist(), replicate.tolist(), strict=True), range(len(setting)), strict=True))
    whole = np.flatnonzero(there.all(axis=1))
    if not len(whole):
        raise StudyError(f"no setting of the table {name} has all {shape[1]} replicates")
    paths = [path for path in columns if path != "outcome"]
    usual = np.array([np.nanmean(each) if np.isfinite(each).any() else np.nan for each in seconds])
    usual = np.where(np.isnan(usual), np.nanmean(seconds), usual)
    return Curves(
        name=name,
        settings=tuple({path: columns[path][first[index, 1]] for path in paths} for index in whole.tolist()),
        values=values[whole],
        seconds=np.where(np.isnan(seconds), usual[:, None, None] / 2, seconds)[whole],
        outcomes=tuple(tuple(columns["outcome"][first[s, r + 1]] for r in range(shape[1])) for s in whole.tolist()),
    )
