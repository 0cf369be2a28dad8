"""TensorBoard's event files: a folder a run, of which the last value of each scalar counts."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paribus.results.runs import ResultsError, Runs, as_text
from paribus.results.sources.run_names import said_by

_PATTERN = "*tfevents*"
_HPARAMS = "hparams"
# Of a record: its length (8 bytes), their checksum (4), the data, and its checksum (4).
_HEAD, _TAIL = 12, 4


def found_in(folder: Path) -> bool:
    """Whether there are any."""
    return next(folder.rglob(_PATTERN), None) is not None


def read_folder(folder: Path) -> Runs:
    """Every folder that has event files is a run: its scalars at their last step, hyperparameters as `add_hparams`
    keeps them, and what its path says.

    Raises:
        ResultsError: tensorboardX is not installed.
    """
    files = defaultdict(list)
    for path in sorted(folder.rglob(_PATTERN)):
        files[path.parent].append(path)
    rows: list[dict[str, str]] = []
    metrics: dict[str, None] = {}
    for place, paths in files.items():
        scalars: dict[str, tuple[int, float]] = {}
        settings: dict[str, str] = {}
        for event in (event for path in paths for event in _events(path)):
            _note(event, scalars, settings)
        if not scalars and not settings:
            continue
        where = str(place.relative_to(folder))
        values = {name: as_text(value) for name, (_, value) in scalars.items()}
        metrics |= dict.fromkeys(values)
        rows.append({"run": where, **said_by(where), **settings, **values})
    return Runs(
        source=folder.name,
        rows=tuple(_joined(rows)),
        metrics=tuple(metrics),
        notes=("of each scalar its value at the last step counts",),
    )


def _joined(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """`add_hparams` writes a run of its own below the one whose settings it tells."""
    by_run = {row["run"]: row for row in rows}
    kept = []
    for row in rows:
        above = by_run.get(str(Path(row["run"]).parent))
        if above is not None and above is not row and "seed" not in row.keys() - above.keys():
            above.update({name: text for name, text in row.items() if name != "run" and name not in above})
        else:
            kept.append(row)
    return kept


def _note(event: Any, scalars: dict[str, tuple[int, float]], settings: dict[str, str]) -> None:
    for value in event.summary.value:
        if value.metadata.plugin_data.plugin_name == _HPARAMS:
            settings |= _settings(value.metadata.plugin_data.content)
        elif (number := _scalar(value)) is not None and event.step >= scalars.get(value.tag, (-1, 0.0))[0]:
            scalars[value.tag] = (event.step, number)


def _scalar(value: Any) -> float | None:
    """A scalar as TensorFlow 1 and torch write it, or as TensorFlow 2 does."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    if kind == "tensor" and not value.tensor.tensor_shape.dim:
        if value.tensor.float_val:
            return float(value.tensor.float_val[0])
        if len(value.tensor.tensor_content) == 4:
            return float(struct.unpack("<f", value.tensor.tensor_content)[0])
    return None


def _settings(content: bytes) -> dict[str, str]:
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    found = HParamsPluginData.FromString(content)
    return {
        name: as_text(getattr(value, value.WhichOneof("kind") or "string_value"))
        for name, value in found.session_start_info.hparams.items()
    }


def _events(path: Path) -> Iterator[Any]:
    """The events of a file, up to its end or to where its writer was killed."""
    try:
        from tensorboardX.proto.event_pb2 import Event
    except ImportError as error:
        raise ResultsError(f"event files are read with tensorboardX, which is not installed ({error})") from None
    with path.open("rb") as file:
        while len(head := file.read(_HEAD)) == _HEAD:
            (length,) = struct.unpack("<Q", head[:8])
            data, tail = file.read(length), file.read(_TAIL)
            if len(data) < length or len(tail) < _TAIL:
                return
            yield Event.FromString(data)
