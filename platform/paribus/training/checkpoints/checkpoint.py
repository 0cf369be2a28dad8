"""Checkpoints: written whole or not at all, the last few kept, loaded without running anything that is in them."""

import io
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from paribus.training.errors import CheckpointError

State = dict[str, Any]
_LOG = logging.getLogger(__name__)
_DIGEST_CHARS = 16
_NAME = re.compile(r"step-\d{12,}-[0-9a-f]{16}\.pt")


@dataclass
class Checkpoints:
    """The checkpoints of one trial in `folder`, as `step-STEP-DIGEST.pt`; DIGEST is of the file's bytes.

    One is due `every_s` seconds after the last, or after `every_steps` steps where that is given; a trial shorter than
    this writes none.
    """

    folder: Path
    every_s: float = 30.0
    every_steps: int | None = None
    keep: int = 2
    warnings: list[str] = field(default_factory=list)  # what went wrong without ending the trial
    _last_s: float = field(default_factory=time.monotonic, repr=False)

    def due(self, step: int) -> bool:
        """Whether to save after `step` steps."""
        if self.every_steps is not None:
            return step % self.every_steps == 0
        return time.monotonic() - self._last_s >= self.every_s

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write `state`, then drop all but the newest `keep`.

        Raises:
            CheckpointError: it cannot be written; nothing half-written stays, and the ones before are untouched.
        """
        self._last_s = time.monotonic()
        content = io.BytesIO()
        torch.save(dict(state), content)
        digest = sha256(content.getbuffer()).hexdigest()[:_DIGEST_CHARS]
        path = self.folder / f"step-{step:012d}-{digest}.pt"
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(temporary, content.getbuffer())
            os.replace(temporary, path)
            _sync_folder(self.folder)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise CheckpointError(self._explanation(error, content.getbuffer().nbytes)) from error
        for old in self._files()[self.keep :]:
            old.unlink(missing_ok=True)

    def load(self, fault_of: Callable[[Any], str | None] = lambda state: None) -> State | None:
        """The newest state that is whole and in which `fault_of` finds no fault, or None where there is none.

        Others are passed over with a warning.
        """
        for path in self._files():
            try:
                state = _read(path)
                fault = fault_of(state)
            # torch.load raises nearly anything at bytes that it did not write.
            except Exception as error:
                fault = str(error) or type(error).__name__
            if fault is None:
                return state
            self.warn(f"checkpoint {path} is damaged ({fault}) and was passed over for the one before it")
        return None

    def newest_step(self) -> int:
        """The step at which the next attempt would go on, by the newest file's name; 0 where there is none."""
        return int(self._files()[0].name.split("-")[1]) if self._files() else 0

    def clear(self) -> None:
        """Remove the trial's checkpoints, and the folder where nothing else is in it."""
        for path in [*self._files(), *self.folder.glob("step-*.tmp")]:
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def warn(self, text: str) -> None:
        """Log `text` and keep it for the trial's result."""
        _LOG.warning(text)
        self.warnings.append(text)

    def _files(self) -> list[Path]:
        # Plain ones alone: reading a pipe would wait for ever, and a folder cannot be removed like a file.
        found = (path for path in self.folder.glob("step-*.pt") if _NAME.fullmatch(path.name) and path.is_file())
        return sorted(found, reverse=True)

    def _explanation(self, error: OSError, num_bytes: int) -> str:
        existing = next(folder for folder in (self.folder, *self.folder.parents) if folder.is_dir())
        free_mib = shutil.disk_usage(existing).free / 2**20
        return (
            f"cannot write a checkpoint of {num_bytes / 2**20:.1f} MiB into {self.folder}: {error.strerror or error} "
            f"({free_mib:.1f} MiB free). Free some space there, or set PARIBUS_HOME to a folder with more"
        )


def _write(path: Path, content: memoryview) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # Without this a power cut may lose the new name, though the file's bytes are on disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> State:
    content = path.read_bytes()
    # torch.load checks no checksum of tensor bytes, so that a flipped bit would go on training unseen.
    if sha256(content).hexdigest()[:_DIGEST_CHARS] != path.stem.rpartition("-")[2]:
        raise ValueError("its bytes do not match the digest in its name")
    state: State = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state
