"""torchvision's data sets by name: their class, its arguments, and which of those give which split."""

import inspect
import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from paribus.errors import DataError

Value = str | int | bool
Arguments = tuple[tuple[str, Value], ...]
# Our splits, and what torchvision's sets call them, the best first.
_SPLITS = {"train": ("train", "trainval", "train-standard"), "val": ("val", "valid"), "test": ("test",)}


class _WrongValueError(DataError):
    """An argument's value that a set does not know."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A set of torchvision as it was asked for: its name, the folder of its copy, and arguments."""

    name: str
    root: Path | None
    given: Arguments

    @classmethod
    def parse(cls, spec: str, root: Path | None) -> "Asked":
        """`spec` is NAME[,ARGUMENT=VALUE...]; DataError where torchvision has no such set or argument."""
        name, *texts = spec.split(",")
        parameters = _parameters(_kind(name))
        if root is None and "root" in parameters:
            raise DataError(f"torchvision:{name}: say with --root where torchvision's copy lies, or --download it")
        return cls(name=name, root=root, given=tuple(_argument(name, text, parameters) for text in texts))

    def open(self, arguments: Arguments, download: bool = False) -> Any:
        """The dataset; where it lets a `loader` open its files, it gives their paths as images.

        Raises:
            DataError: no copy in `root`, a download that failed, or an argument that is missing or wrong.
        """
        kind = _kind(self.name)
        parameters = _parameters(kind)
        chosen: dict[str, Any] = {**dict(self.given), **dict(arguments)}
        chosen |= {"root": str(self.root)} if "root" in parameters else {}
        chosen |= {"loader": os.fspath} if "loader" in parameters else {}
        if download:
            if "download" not in parameters:
                raise DataError(f"torchvision cannot download {self.name}: fetch it where its page says")
            chosen["download"] = True
        needed = [name for name, required in parameters.items() if required and name not in chosen]
        if needed:
            what = f"torchvision:{self.name}"
            raise DataError(f"{what} needs a value for {', '.join(needed)}: {what},{needed[0]}=VALUE")
        try:
            return kind(**chosen)
        except ValueError as error:
            raise _WrongValueError(f"torchvision:{self.name}: {error}") from None
        except (RuntimeError, OSError, ImportError, TypeError) as error:
            raise DataError(f"torchvision:{self.name} cannot be read from {self.root}: {error}") from error

    def splits(self, download: bool) -> dict[str, tuple[Arguments, Any]]:
        """Per split the arguments that choose it, and the dataset.

        From the argument `train` where there is one that is not given, else from the values of `split` that the set
        knows, else everything is train.
        """
        chosen, parameters = dict(self.given), _parameters(_kind(self.name))
        if "train" in parameters and "train" not in chosen:
            sides: dict[str, Arguments] = {"train": (("train", True),), "test": (("train", False),)}
            return {split: (arguments, self.open(arguments, download)) for split, arguments in sides.items()}
        if "split" in parameters and "split" not in chosen:
            return self._named_splits(download)
        return {"train": ((), self.open((), download))}

    def _named_splits(self, download: bool) -> dict[str, tuple[Arguments, Any]]:
        found: dict[str, tuple[Arguments, Any]] = {}
        refusal = None
        for split, values in _SPLITS.items():
            for value in values:
                try:
                    found[split] = ((("split", value),), self.open((("split", value),), download))
                except _WrongValueError as error:
                    # It has no such split; or another argument is wrong, and then none opens.
                    refusal = refusal or error
                    continue
                break
        if "train" not in found:
            raise DataError(f"{refusal} (say which split to take for training with ,split=VALUE)")
        return found


def _kind(name: str) -> Any:
    """The class; DataError with the nearest name where there is none."""
    from torchvision import datasets

    kind = getattr(datasets, name, None) if name in datasets.__all__ else None
    if inspect.isclass(kind) and issubclass(kind, datasets.VisionDataset) and kind is not datasets.VisionDataset:
        return kind
    folded = {known.lower(): known for known in datasets.__all__}
    close = get_close_matches(name.lower(), folded, n=3, cutoff=0.5)
    guess = f": did you mean {', '.join(folded[word] for word in close)}?" if close else ""
    raise DataError(f"torchvision.datasets has no set {name!r}{guess}")


def _parameters(kind: Any) -> dict[str, bool]:
    """Whether each parameter of the class is required; with those that it hands to the classes that it is built on."""
    found: dict[str, bool] = {}
    for base in kind.__mro__:
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind is not parameter.VAR_KEYWORD and parameter.kind is not parameter.VAR_POSITIONAL:
                found.setdefault(parameter.name, parameter.default is parameter.empty)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def _argument(name: str, text: str, parameters: dict[str, bool]) -> tuple[str, Value]:
    word, separator, value = text.partition("=")
    if word not in parameters or not separator:
        close = get_close_matches(word, parameters, n=1, cutoff=0.5)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        known = ", ".join(parameters)
        raise DataError(f"torchvision:{name} has no argument {word!r} with a value (it takes {known}){guess}")
    if value.lower() in ("true", "false"):
        return word, value.lower() == "true"
    return word, int(value) if value.isdecimal() else value
