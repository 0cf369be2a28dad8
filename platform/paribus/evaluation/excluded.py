"""Which evaluation examples a list leaves out, such as ImageNet's blacklist."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.evaluation.trial_names import TrialError

_NAMED = 5
_DIGEST_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class Subset:
    """The examples that are evaluated: `rows` (n,) rising; `digest` names the keys left out, "" for none."""

    rows: NDArray[np.int64]
    num_excluded: int = 0
    digest: str = ""

    @property
    def name(self) -> str:
        """How records tell this subset from the whole set."""
        return f".without_{self.digest}" if self.digest else ""


def subset(keys: Sequence[str], file: Path | None) -> Subset:
    """All of `keys` but those that `file` lists, one a line; `#` begins a comment.

    A line is a key, the last part of one (`ILSVRC2012_val_00000041` of `n01440764/ILSVRC2012_val_00000041`, with a
    suffix such as .JPEG or without), or a number as in the ILSVRC blacklist (`41`).

    Raises:
        TrialError: no such file, lines that name no key or several, or nothing is left.
    """
    if file is None:
        return Subset(rows=np.arange(len(keys)))
    lines = _lines(file)
    places = {key: row for row, key in enumerate(keys)}
    counts = Counter(key.rpartition("/")[2] for key in keys)
    places |= {last: row for key, row in list(places.items()) if counts[last := key.rpartition("/")[2]] == 1}
    found = {line: places.get(line, places.get(_ilsvrc(line))) for line in lines}
    unknown = [line for line, row in found.items() if row is None]
    if unknown:
        named = ", ".join(unknown[:_NAMED]) + (f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else "")
        raise TrialError(
            f"{file} lists {len(unknown)} keys that the evaluation split lacks ({named}); its keys look like "
            f"{keys[0]!r}"
        )
    out = sorted({row for row in found.values() if row is not None})
    if len(out) == len(keys):
        raise TrialError(f"{file} leaves out all {len(keys)} examples: nothing is left to evaluate")
    digest = sha256("\n".join(sorted(keys[row] for row in out)).encode()).hexdigest()[:_DIGEST_DIGITS] if out else ""
    return Subset(rows=np.delete(np.arange(len(keys)), out), num_excluded=len(out), digest=digest)


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TrialError(f"cannot read {file} ({error}): name a text file with one key a line") from error
    return [line for raw in text.splitlines() if (line := raw.partition("#")[0].strip())]


def _ilsvrc(line: str) -> str:
    if line.isdigit():
        return f"ILSVRC2012_val_{int(line):08d}"
    return re.sub(r"\.(jpe?g|png|webp)$", "", line, flags=re.IGNORECASE)
