"""ILSVRC2012's development kit: which WordNet id a validation image has."""

import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from paribus.errors import DataError

ARCHIVE, FOLDER = "ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_devkit_t12"
_META, _TRUTH = "data/meta.mat", "data/ILSVRC2012_validation_ground_truth.txt"


@dataclass(frozen=True, kw_only=True)
class Devkit:
    """WordNet ids: of the classes, sorted, and of the validation images in the order of their numbers, from 1."""

    wnids: tuple[str, ...]
    validation: tuple[str, ...]


def read_devkit(root: Path) -> Devkit:
    """The kit in `root`: its archive, or the folder that it unpacks to.

    Raises:
        DataError: no kit, one without its two files, or a line that is no class of it.
    """
    meta, truth = _files(root)
    synsets = _synsets(meta, root)
    validation = []
    for line, text in enumerate(truth.decode("ascii", "replace").splitlines(), 1):
        number = int(text) if text.strip().isdigit() else 0
        if number not in synsets:
            raise DataError(
                f"{_TRUTH} of the kit in {root}, line {line}: {text.strip()!r} is none of its {len(synsets)} classes"
            )
        validation.append(synsets[number])
    return Devkit(wnids=tuple(sorted(synsets.values())), validation=tuple(validation))


def _synsets(meta: bytes, root: Path) -> dict[int, str]:
    """WordNet ids by ILSVRC2012_ID, of the synsets that have no children: those are the classes."""
    from scipy.io import loadmat

    try:
        # SciPy reads streams, as its documentation says; its stubs know paths alone.
        rows = loadmat(BytesIO(meta), squeeze_me=True)["synsets"].reshape(-1)  # type: ignore[arg-type]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in rows if int(row["num_children"]) == 0}
    except Exception as error:  # a broken MATLAB file makes SciPy raise errors of any kind
        raise DataError(
            f"{_META} of the kit in {root} is not what ILSVRC2012's is ({error}): copy the kit again"
        ) from None


def _files(root: Path) -> tuple[bytes, bytes]:
    """The bytes of the kit's two files."""
    for folder in (root / FOLDER, root):
        if (folder / _META).is_file():
            try:
                return (folder / _META).read_bytes(), (folder / _TRUTH).read_bytes()
            except OSError as error:
                raise DataError(f"the kit in {folder} cannot be read: {error}") from None
    archive = root / ARCHIVE
    if not archive.is_file():
        raise DataError(f"{root} has neither {ARCHIVE} nor the folder {FOLDER}, which tell the validation classes")
    try:
        with tarfile.open(archive) as tar:
            return _member(tar, _META), _member(tar, _TRUTH)
    except (tarfile.TarError, OSError, EOFError, KeyError) as error:
        raise DataError(f"{archive} does not unpack ({error}): copy it again") from None


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(f"{FOLDER}/{name}")
    if stream is None:
        raise KeyError(f"{name} is no file")
    return stream.read()
