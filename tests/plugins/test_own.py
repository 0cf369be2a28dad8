"""Components from beside a study: how they are written, found, shared, resumed and refused."""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from paribus.data.augment import Draw
from paribus.data.transforms import transformed
from paribus.engine.code_digest import trial_code
from paribus.engine.preview import check_own
from paribus.execution.workers.own_files import packed
from paribus.keyed_draws import global_draws, keyed
from paribus.models.build import build
from paribus.plugins import files_of, stand_beside
from paribus.recipe import Recipe, RecipeError, Seeds, trial_id
from paribus.recipe.components.component import as_text
from paribus.recipe.paths import leaves
from paribus.shards.counters import sample_ids
from paribus.study import Study, StudyError
from paribus.study.document import read_study, write_study
from paribus.study.plan import trials
from paribus.study.study_file import load_study

EXAMPLES = Path(__file__).parents[2] / "studies" / "own"
BASE = Recipe()
SEEDS = Seeds.draw(0, 1)
SNAKE = "my_parts:Snake"


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path) -> Iterator[None]:
    stand_beside(tmp_path, EXAMPLES)
    yield
    stand_beside()


def test_every_way_of_writing_a_component_is_one_trial() -> None:
    ways: list[dict[str, Any]] = [
        {"model.activation": SNAKE, "model.activation.alpha": 0.5},
        {"model.activation": {"kind": SNAKE, "alpha": 0.5}},
        {"model.activation": f"{SNAKE}(alpha=0.5)"},
    ]
    recipes = [BASE.replace(way) for way in ways]
    assert len({trial_id(recipe, SEEDS, "d") for recipe in recipes}) == 1
    assert dict(leaves(recipes[0].model_dump()))["model.activation.alpha"] == 0.5
    assert Recipe.read(recipes[0].model_dump_json()) == recipes[0] == pickle.loads(pickle.dumps(recipes[0]))
    plain, whole = BASE.replace({"model.activation": SNAKE}), BASE.replace({"model.activation": f"{SNAKE}(alpha=1)"})
    assert trial_id(plain, SEEDS, "d") == trial_id(whole, SEEDS, "d") != trial_id(recipes[0], SEEDS, "d")
    long, short = (BASE.replace({"optimizer.kind": f"{module}:NAdam"}) for module in ("torch.optim", "torch"))
    assert long == short


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model.activation": "my_part:Snake"}, "there is no module 'my_part' beside the study"),
        ({"model.activation": "my_parts:Snak"}, "my_parts has no 'Snak'; did you mean 'Snake'?"),
        ({"model.activation": f"{SNAKE}(beta=1.0)"}, "takes no argument 'beta': allowed: alpha"),
        ({"model.activation": f"{SNAKE}(alpha='x')"}, "alpha = 'x': should be a valid number"),
        ({"model.activation": f"{SNAKE}(0.5)"}, "write arguments by name"),
        ({"model.activation": "my_parts:"}, "names no component: write module:Name"),
        ({"model.activation": "snake"}, "no activation 'snake'"),
        ({"model.norm": "my_parts:torch.nan"}, "is a float: name a class"),
        ({"loss": "raises:Loss"}, "importing raises raised ZeroDivisionError"),
        ({"loss": "wants:Loss"}, "wants imports 'nowhere_to_be_found', which is not there"),
        ({"optimizer.kind": "my_parts:Snake"}, "should take params and lr"),
        ({"optimizer.kind": "torch:Rprop", "optimizer.weight_decay": 0.1}, "has no weight_decay"),
        ({"optimizer.kind": "torch:NAdam", "optimizer.momentum": 0.1}, "did you mean 'optimizer.momentum_decay'?"),
        ({"model": "my_net:TinyNet(num_blocks=9)"}, "num_blocks = 9: should be less than or equal to 8"),
        ({"model": "torchvision:resnet18(weights='DEFAULT')"}, "would bring weights from elsewhere"),
        ({"model": "timm:reznet50"}, "timm has no net 'reznet50': the nearest are"),
        ({"augment.mix": "mixup", "resources.ranks": 2}, "each with a share of it"),
        (
            {"model.se.place": "standard", "model.se.module": "eca", "model.se.reduction": 4},
            "belongs to squeeze_excite",
        ),
    ],
)
def test_a_component_that_cannot_be_is_refused_with_a_sentence(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    (tmp_path / "raises.py").write_text("1 / 0")
    (tmp_path / "wants.py").write_text("import nowhere_to_be_found")
    with pytest.raises(RecipeError) as refusal:
        BASE.replace(changes)
    assert told in str(refusal.value)


def test_the_files_of_a_recipe_are_those_that_its_components_import_from_beside_them(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    (package / "deep").mkdir(parents=True)
    for name in ("__init__", "deep/__init__", "unused"):
        (package / f"{name}.py").write_text("")
    (package / "deep" / "act.py").write_text(
        "from ..scale import ONE\nimport beside\nfrom torch import nn\nA = nn.ReLU"
    )
    (package / "scale.py").write_text("ONE = 1")
    (tmp_path / "beside.py").write_text("import json")
    recipe = BASE.replace({"model.activation": "mine.deep.act:A"})
    names = {path.relative_to(tmp_path).as_posix() for path in files_of(recipe)}
    assert names == {"mine/__init__.py", "mine/deep/__init__.py", "mine/deep/act.py", "mine/scale.py", "beside.py"}
    with packed([recipe, BASE]) as modules:
        (folder,) = map(Path, modules)
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")} == names
    assert (
        files_of(BASE) == files_of(BASE.replace({"optimizer.kind": "torch:NAdam", "model": "torchvision:vgg11"})) == ()
    )


def test_levels_of_a_study_may_be_components_of_its_own_folder(tmp_path: Path) -> None:
    for folder, alpha in (("one", 0.25), ("two", 0.75)):
        (tmp_path / folder).mkdir()
        text = (EXAMPLES / "my_parts.py").read_text().replace("alpha: float = 1.0", f"alpha: float = {alpha}")
        (tmp_path / folder / "my_parts.py").write_text(text)
        (tmp_path / folder / "ask.py").write_text((EXAMPLES / "activation.py").read_text())
    stand_beside()
    for folder, alpha in (("one", 0.25), ("two", 0.75)):
        study = load_study(str(tmp_path / folder / "ask.py"))
        names = ["activation=relu", "activation=my_parts:Snake", "activation=my_parts:Snake(alpha=0.5)"]
        assert [arm.name for arm in study.arms] == names
        assert study.baselines == study.arms[:1]
        assert as_text(study.recipe_of(study.arms[1]).model.activation) == f"my_parts:Snake(alpha={alpha})"
        assert [path.parent.name for path in files_of(study.recipe_of(study.arms[1]))] == [folder]


def test_an_argument_of_a_component_may_be_a_factor_and_its_base_level_is_found() -> None:
    study = Study(name="a", fixed={"model.activation": SNAKE}, factors={"model.activation.alpha": (0.5, 1.0)})
    assert [arm.name for arm in study.baselines] == ["alpha=1"]
    base = BASE.replace({"model.norm": "group(groups=4)"})
    other = Study(name="a", base=base, factors={"model.norm": ("batch", "group(groups=4)")})
    assert [arm.name for arm in other.baselines] == ["norm=group(groups=4)"]
    with pytest.raises(StudyError, match="would train the same trials"):
        Study(name="a", factors={"model.activation": ("relu", SNAKE, f"{SNAKE}(alpha=1.0)")})


def test_an_own_layer_keeps_its_values_and_shares_all_others_with_the_arm_beside_it() -> None:
    before = global_draws()
    relu, snake = (build(BASE.replace({"model.activation": kind}).model, 1, 10, 5) for kind in ("relu", SNAKE))
    gate = BASE.replace({"model.se.place": "standard", "model.se.module": "my_parts:SpatialGate"}).model
    first, again, other = (build(gate, 1, 10, seed).state_dict() for seed in (5, 5, 6))
    assert global_draws() == before
    shared, mine = relu.state_dict(), snake.state_dict()
    assert all(torch.equal(mine[name], value) for name, value in shared.items())
    alphas = [value for name, value in mine.items() if name.endswith("alpha")]
    assert len(alphas) > 10
    assert all((value == 1).all() for value in alphas)
    gates = [name for name in first if name.endswith("se.conv.weight")]
    assert all(torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name]) for name in gates)
    assert len({first[name].sum().item() for name in gates}) == len(gates)


def test_draws_of_a_thread_are_those_of_its_key_whatever_others_draw() -> None:
    def drawn(seed: int) -> list[float]:
        with keyed(seed):
            values = [torch.rand(3), torch.empty(2).uniform_(), torch.randn(2), torch.rand_like(torch.empty(2))]
            return [each for value in values for each in value.tolist()]

    before = global_draws()
    alone = [drawn(seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(drawn, range(40))) == alone
    assert len({tuple(values) for values in alone}) == 40
    assert global_draws() == before


@pytest.mark.parametrize("policy", ["rand_augment", "trivial_augment", "auto_augment", "aug_mix", "my_parts:Grain"])
def test_an_image_is_varied_by_its_own_key_alone(policy: str) -> None:
    augment = BASE.replace({"augment.policy": policy}).augment
    images = torch.randint(256, (12, 8, 8, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8).numpy()
    ids = sample_ids([str(number) for number in range(12)])
    whole = transformed(images, augment, Draw(ids, 1, 0))
    turned = transformed(images[::-1], augment, Draw(ids[::-1], 1, 0))[::-1]
    assert (whole == turned).all()
    assert (whole[3:5] == transformed(images[3:5], augment, Draw(ids[3:5], 1, 0))).all()
    assert (whole != transformed(images, augment, Draw(ids, 1, 1))).any()


def test_a_recipe_and_help_import_no_torch() -> None:
    code = (
        "import sys, paribus.commands.main; from paribus.recipe import Recipe; from paribus.study import Study\n"
        "Study(name='a', factors={'model.activation': ('relu', 'gelu')}, fixed={'loss': 'focal'})\n"
        "assert 'torch' not in sys.modules and 'paribus.testing' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plan_refuses_what_does_not_fit_its_place_before_anything_trains(tmp_path: Path) -> None:
    text = "from torch import nn\nclass Half(nn.Module):\n    def forward(self, x): return x[:, :1]\n"
    (tmp_path / "halves.py").write_text(text + "def mean(logits, targets): return logits.mean()\n")
    for changes, told in (
        ({"model.activation": "halves:Half"}, "activation 'halves:Half' gives (2, 1, 4, 4) of (2, 8, 4, 4)"),
        ({"loss": "halves:mean"}, "loss 'halves:mean' gave () of logits (6, 4)"),
        ({"model": "halves:Half"}, "model 'halves:Half' gives (2, 1, 32, 32) of images"),
    ):
        study = Study(name="a", fixed=changes, factors={"data.batch_size": (32, 64)})
        with pytest.raises(RecipeError) as refusal:
            check_own(study)
        assert str(refusal.value).startswith("study 'a', arm 'batch_size=")
        assert told in str(refusal.value)
    with pytest.raises(RecipeError, match="arm 'activation=halves:Half': activation 'halves:Half' gives"):
        check_own(Study(name="a", factors={"model.activation": ("relu", "halves:Half")}))
    check_own(Study(name="a", fixed={"model.activation": SNAKE}, factors={"data.batch_size": (32, 64)}))


BROUGHT: list[dict[str, Any]] = [
    {"factors": {"model.block": ((3, 3), "my_parts:Separable")}},
    {"factors": {"model.activation": ("relu", SNAKE, {"kind": SNAKE, "alpha": 2})}},
    {"factors": {"optimizer.kind": ("sgd", "torch:NAdam", "torch:Rprop", "my_parts:SignSGD")}},
    {"factors": {"model": ("my_net:TinyNet", "my_net:TinyNet(num_blocks=3)")}, "baseline": {"model": "my_net:TinyNet"}},
    {
        "factors": {"schedule.kind": ("step", "my_parts:poly_rate")},
        "fixed": {
            "loss": "my_parts:poly_loss",
            "augment.policy": "my_parts:Grain(sd=4)",
            "model.norm": "torch:Identity",
        },
    },
]


@pytest.mark.parametrize("fields", BROUGHT, ids=lambda fields: next(iter(fields["factors"])))
def test_a_document_is_read_where_the_files_of_its_components_are_not_and_imports_nothing(
    fields: dict[str, Any],
) -> None:
    study = Study(name="mine", base="synthetic", margin=4.0, replicates=2, **fields)
    text, ids = write_study(study), [trial.id for trial in trials(study, lambda recipe: "d")]
    more = [trial.id for trial in trials(replace(study, replicates=3), lambda recipe: "d")]
    caveats = study.caveats()
    code = (
        "import sys, json; from dataclasses import replace; from paribus.study.document import *\n"
        "from paribus.study.plan import trials; text = sys.stdin.read(); read = read_study(text)\n"
        "ids = [[t.id for t in trials(s, lambda r: 'd')] for s in (read, replace(read, replicates=3))]\n"
        "loaded = sorted({'my_parts', 'my_net', 'torch'} & set(sys.modules))\n"
        "print(json.dumps([ids, [a.name for a in read.arms], read.caveats(), write_study(read) == text, loaded]))"
    )
    found = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, text=True, cwd="/")
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    names = [arm.name for arm in study.arms]
    assert told == [[ids, more], names, json.loads(json.dumps(caveats)), True, []]


VALIDATED = """from typing import Annotated

from pydantic import AfterValidator, BaseModel
from torch import nn


class Config(BaseModel):
    slope: Annotated[float, AfterValidator(lambda slope: round(slope, 1))] = 0.21


class Bent(nn.LeakyReLU):
    def __init__(self, config: Config):
        super().__init__(config.slope)
"""


def test_a_document_has_what_a_components_own_validator_made_of_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "bent.py").write_text(VALIDATED)
    levels = ("relu", "bent:Bent", "bent:Bent(slope=0.34)", "bent:Bent(slope=0.5)")
    study = Study(name="bent", base="synthetic", margin=4.0, replicates=2, factors={"model.activation": levels})
    text, ids = write_study(study), [trial.id for trial in trials(study, lambda recipe: "d")]
    (tmp_path / "bent.py").unlink()
    read = read_study(text)
    assert [trial.id for trial in trials(read, lambda recipe: "d")] == ids
    assert [row["fields"] for row in json.loads(text)["made"]] == [{"model.activation.slope": 0.3}]
    assert write_study(read) == text


def test_a_document_with_damaged_components_is_a_sentence() -> None:
    document = json.loads(write_study(Study(name="mine", base="synthetic", margin=4.0, **BROUGHT[1])))
    for damage in (
        7,
        {f"activation {SNAKE}": 7},
        {f"activation {SNAKE}": {"a": 1}},
    ):
        with pytest.raises(StudyError, match="no study document"):
            read_study(json.dumps(document | {"components": damage}))
    del document["components"]  # as the last release wrote it
    assert [arm.name for arm in read_study(json.dumps(document)).arms][1:] == [
        "activation=my_parts:Snake",
        "activation=my_parts:Snake(alpha=2)",
    ]


@pytest.mark.parametrize(
    "imports",
    [
        "from parts.scale import SCALE",
        "from parts import scale\nSCALE = scale.SCALE",
        "import parts.scale\nSCALE = parts.scale.SCALE",
        "import parts.deep.scale as scale\nSCALE = scale.SCALE",
        "from .deep.scale import SCALE",
        "from . import scale\nSCALE = scale.SCALE",
    ],
)
@pytest.mark.parametrize("is_package", [False, True], ids=["folder", "package"])
def test_what_travels_is_what_counts_also_in_a_folder_that_is_no_package(
    imports: str, is_package: bool, tmp_path: Path
) -> None:
    deep = tmp_path / "parts" / "deep"
    deep.mkdir(parents=True)
    for folder in (deep, deep.parent) if is_package else ():
        (folder / "__init__.py").write_text("")
    (deep.parent / "act.py").write_text(
        f"from torch import nn\n{imports}\nclass Act(nn.Hardtanh):\n    def forward(self, x):\n"
        "        return super().forward(SCALE * x)\n"
    )
    scales = [folder / "scale.py" for folder in (deep, deep.parent)]
    stand_beside(tmp_path)
    for scale in scales:
        scale.write_text("SCALE = 2")
    recipe = BASE.replace({"model.activation": "parts.act:Act"})
    travelling = [path for path in files_of(recipe) if path.name == "scale.py"]
    before = trial_code(recipe)
    counts = []
    for scale in scales:
        scale.write_text("# words\nSCALE = 2")
        assert trial_code(recipe) == before
        scale.write_text("SCALE = 3")
        counts += [scale] if trial_code(recipe) != before else []
        scale.write_text("SCALE = 2")
    assert len(counts) == 1
    assert counts == travelling
