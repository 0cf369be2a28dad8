"""The code of a trial is all that it runs through, and nothing that only makes or shows data."""

import subprocess
import sys
from pathlib import Path

import paribus
from paribus.data import data_digest
from paribus.orchestration import code_digest
from paribus.recipe import preset

# What a worker and a node's reader import, and then what a feed does while it is read.
PROGRAM = """
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
import paribus.data.sharing.recipes, paribus.data.storage.stores, paribus.models.build, paribus.training
for module in iter_modules(paribus.training.__path__, "paribus.training."):
    import_module(module.name)
from paribus.data import open_feed
from paribus.recipe import preset
feed = open_feed(preset("synthetic").replace({"augment.crop": "random_resized"}), Path(sys.argv[1]), threads=1)
next(feed.batches(1, 2, epoch=0))
list(feed.evaluation())
print(*(module.__file__ for name, module in list(sys.modules.items()) if name.startswith("paribus")))
"""


def test_all_that_training_imports_bears(tmp_path: Path) -> None:
    root = Path(paribus.__file__).parent
    data_digest(preset("synthetic"), tmp_path)  # makes the set, which a trial need not
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    used = {Path(name).relative_to(root).as_posix() for name in done.stdout.split()}
    assert {"data/batches.py", "data/sharing/pump.py", "training/loop.py", "models/build.py"} < used
    assert [name for name in used if name.startswith(code_digest._NO_BEARING)] == []
    made = {path.relative_to(root).as_posix() for path in (root / "data").rglob("*.py")}
    left_out = {name for name in made if name.startswith(code_digest._NO_BEARING)}
    assert {"data/sources/source.py", "data/making/contact_sheet.py", "data/making/writing.py"} < left_out
    # Each word means a file or folder that is there.
    everything = [path.relative_to(root).as_posix() for path in root.rglob("*.py")]
    assert [word for word in code_digest._NO_BEARING if not any(name.startswith(word) for name in everything)] == []
