"""What a plan needs imports nothing heavy: `--help` and `plan` start in under a second."""

import subprocess
import sys
from pathlib import Path

import paribus

HEAVY = {
    "torch", "torchvision", "ray", "mlflow", "pandas", "scipy", "plotly", "sklearn", "numpy", "optuna", "streamlit",
    "webdataset", "pyarrow", "httpx", "rich",
}  # fmt: skip

MAKE_A_PLAN = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
from paribus import Claim, Study
from paribus.study.plan import make_plan, trials
study = Study(name="s", factors={"model.depth": (16, 40), "model.residual_scale": (0.1, 1.0)}, claim=Claim("c", "p"))
plan = make_plan(study, trials(study, lambda recipe: "digest"), {}, code=lambda recipe: "c")
assert len(plan.todo) == 20
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_every_module_of_recipe_and_study_and_a_plan_load_nothing_heavy() -> None:
    package = Path(paribus.__path__[0])
    files = [path.relative_to(package) for room in ("recipe", "study") for path in package.glob(f"{room}/**/*.py")]
    modules = [".".join(["paribus", *file.with_suffix("").parts]) for file in files if file.stem != "__init__"]
    assert {"paribus.recipe.identity", "paribus.study.plan", "paribus.study.power"} <= set(modules)
    command = [sys.executable, "-W", "error", "-c", MAKE_A_PLAN, *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "pydantic" in loaded
    assert loaded & HEAVY == set()
