"""The contract tests that users run on their components: ours and the examples pass, each kind of fault is refused."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from paribus import testing
from paribus.plugins import stand_beside
from paribus.recipe import RecipeError
from paribus.recipe.components.augmentation import COLOURS, MIXES, POLICIES
from paribus.recipe.components.layers import ACTIVATIONS, ATTENTIONS, NORMS
from paribus.recipe.components.loss import LOSSES

EXAMPLES = Path(__file__).parents[2] / "studies" / "own"
Check = Callable[..., None]


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path) -> Iterator[None]:
    stand_beside(tmp_path, EXAMPLES)
    yield
    stand_beside()


def _ours() -> Iterator[Any]:
    tables: list[tuple[Check, Any, dict[str, str]]] = [
        (testing.check_activation, ACTIVATIONS, {}),
        (testing.check_norm, NORMS, {}),
        (testing.check_attention, [name for name in ATTENTIONS if name != "squeeze_excite"], {}),
        (testing.check_loss, LOSSES, {}),
        (testing.check_augmentation, POLICIES, {}),
        (testing.check_augmentation, COLOURS, {"field": "colour"}),
        (testing.check_mix, MIXES, {}),
        (testing.check_optimizer, ("sgd", "rmsprop", "adamw", "lion", "muon", "torch:NAdam", "torch:Adafactor"), {}),
        (testing.check_schedule, ("step", "exponential", "cosine", "one_cycle"), {}),
        (testing.check_model, ("torchvision:resnet18", "torchvision:efficientnet_b0"), {}),
    ]
    for check, names, more in tables:
        for name in names:
            if name != "none":
                yield pytest.param(check, name, more, id=f"{check.__name__}-{name}")


OWN: list[tuple[Check, str, dict[str, Any]]] = [
    (testing.check_activation, "my_parts:Snake", {"alpha": 0.5}),
    (testing.check_activation, "torch:Hardtanh", {}),
    (testing.check_norm, "my_parts:RMSNorm", {}),
    (testing.check_attention, "my_parts:SpatialGate", {"kernel": 5}),
    (testing.check_block, "my_parts:Separable", {"expand": 2}),
    (testing.check_loss, "my_parts:poly_loss", {"epsilon": 2.0}),
    (testing.check_loss, "torch:MultiMarginLoss", {"reduction": "none", "soft": False}),
    (testing.check_schedule, "my_parts:poly_rate", {"power": 3.0}),
    (testing.check_augmentation, "my_parts:Grain", {"sd": 4.0}),
    (testing.check_augmentation, "torchvision:RandomErasing", {"field": "erasing", "p": 0.5}),
    (testing.check_metric, "my_parts:macro_f1", {}),
    (testing.check_mix, "my_parts:pairwise", {}),
    (testing.check_mix, "torchvision:MixUp", {"alpha": 0.5}),
    (testing.check_optimizer, "my_parts:SignSGD", {}),
    (testing.check_stage, "my_data:stretched", {}),
    (testing.check_model, "my_net:TinyNet", {"num_blocks": 3}),
]


@pytest.mark.parametrize(("check", "name", "more"), list(_ours()))
def test_every_component_of_ours_keeps_its_contract(check: Check, name: str, more: dict[str, str]) -> None:
    check(name, **more)


@pytest.mark.parametrize(("check", "name", "arguments"), OWN, ids=[name for _, name, _ in OWN])
def test_the_examples_and_libraries_keep_their_contract(check: Check, name: str, arguments: dict[str, Any]) -> None:
    check(name, **arguments)


def test_every_kind_has_an_example_that_keeps_its_contract_and_is_of_at_most_twenty_lines() -> None:
    kinds = {check for check, _, _ in OWN} | {testing.check_dataset, testing.check_recipe}  # test_own_set, test_own
    assert kinds == {getattr(testing, name) for name in testing.__all__}
    told = (EXAMPLES / "README.md").read_text()
    assert [name for name in testing.__all__ if name not in told] == ["check_recipe"]
    for file in EXAMPLES.glob("*.py"):
        for part in ast.parse(file.read_text()).body:
            if isinstance(part, (ast.ClassDef, ast.FunctionDef)):
                assert part.end_lineno - part.lineno < 20, f"{file.name}: {part.name}"  # type: ignore[operator]


_HEAD = "import random\nimport numpy as np\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
_LAYER = "class Part(nn.Module):\n    def __init__(self, alpha: float = 1.0):\n        super().__init__()\n"
_METRIC = (
    "from paribus.metrics.metric import Metric\ndef Part(needs=('correct',), **how):\n"
    "    return Metric(name='', short='s', label='l', unit='u', sd=1.0, needs=needs, **(how or HOW))\n"
)
FAULTS: dict[str, tuple[Check, str, str]] = {
    "a metric that is not finite": (
        testing.check_metric,
        _METRIC + "HOW = dict(overall=lambda e: float('inf' if e.column('correct').all() else 1))",
        "is inf of a net's examples: it should be a number for every net",
    ),
    "a metric of the order": (
        testing.check_metric,
        _METRIC + "HOW = dict(overall=lambda e: float(e.column('correct')[:9].mean()))",
        "of the same examples in another order",
    ),
    "a metric of what it does not name": (
        testing.check_metric,
        _METRIC + "HOW = dict(overall=lambda e: float(e.column('label').mean()))",
        "given the columns that it needs (correct), raised ValueError: these examples have no column 'label'",
    ),
    "a metric that is two": (
        testing.check_metric,
        _METRIC + "HOW = dict(per_example=lambda e: e.column('correct'), overall=lambda e: 2.0)",
        "the two should agree",
    ),
    "a metric that draws": (
        testing.check_metric,
        _METRIC + "HOW = dict(overall=lambda e: float(np.random.rand()))",
        "draws from a global generator",
    ),
    "numpy": (
        testing.check_activation,
        _LAYER + "    def forward(self, x): return x * float(np.random.rand())",
        "draws from a global generator",
    ),
    "torch": (
        testing.check_activation,
        _LAYER + "    def forward(self, x): return F.dropout(x, 0.5)",
        "draws from a global generator",
    ),
    "python": (
        testing.check_augmentation,
        "def Part(image): return image if random.random() < 0.5 else image.flip(2)",
        "draws from a global generator",
    ),
    "shape": (
        testing.check_activation,
        _LAYER + "    def forward(self, x): return x.mean((2, 3))",
        "it should keep the shape",
    ),
    "a name that fields have": (
        testing.check_model,
        "class Part(nn.Module):\n    def __init__(self, num_classes, activation: str = 'relu'): super().__init__()",
        "has an argument 'activation', and that is a field of every model of a recipe",
    ),
    "stride": (
        testing.check_block,
        "class Part(nn.Conv2d):\n    def __init__(self, in_channels, channels):\n"
        "        super().__init__(in_channels, channels, 3, padding=1)",
        "gives (2, 16, 4, 4) of (2, 8, 4, 4): it should give (2, 16, 2, 2)",
    ),
    "module": (testing.check_norm, "def Part(channels): return 3", "it should make a torch.nn.Module"),
    "infinite": (
        testing.check_activation,
        _LAYER + "    def forward(self, x): return x / 0.0",
        "not finite",
    ),
    "state": (
        testing.check_activation,
        "calls = []\n" + _LAYER + "    def forward(self, x):\n        calls.append(1)\n        return x + len(calls)",
        "another result the second time",
    ),
    "pickle": (
        testing.check_activation,
        _LAYER + "        self.f = lambda x: x\n    def forward(self, x): return self.f(x)",
        "cannot be pickled",
    ),
    "gradient": (
        testing.check_activation,
        _LAYER + "        self.w = nn.Parameter(torch.ones(()))\n    def forward(self, x): return x.detach() * self.w",
        "passes no gradient back",
    ),
    "raises": (
        testing.check_activation,
        _LAYER + "    def forward(self, x): raise KeyError('beta')",
        "raised KeyError: 'beta'",
    ),
    "mean": (
        testing.check_loss,
        "def Part(logits, targets): return F.cross_entropy(logits, targets)",
        "one number an example",
    ),
    "parameters": (
        testing.check_loss,
        "class Part(nn.CrossEntropyLoss):\n    def __init__(self):\n        super().__init__(reduction='none')\n"
        "        self.w = nn.Parameter(torch.ones(()))",
        "has parameters of its own",
    ),
    "float image": (
        testing.check_augmentation,
        "def Part(image): return image / 2",
        "it should keep both",
    ),
    "closure": (
        testing.check_optimizer,
        "class Part(torch.optim.SGD):\n    def __init__(self, params, lr: float = 0.1):\n"
        "        super().__init__(params, lr)\n    def step(self, closure): closure()",
        "needs a closure",
    ),
    "forgets": (
        testing.check_optimizer,
        "class Part(torch.optim.Optimizer):\n    def __init__(self, params, lr: float = 0.1):\n"
        "        super().__init__(params, {'lr': lr}); self.n = 0\n    @torch.no_grad()\n    def step(self):\n"
        "        self.n += 1\n        [p.sub_(self.n * p.grad) for g in self.param_groups for p in g['params']]",
        "goes on otherwise from its state_dict",
    ),
    "a stage that draws": (
        testing.check_stage,
        "def Part(sample): return {**sample, 'image': sample['image'] // (1 + np.random.randint(3))}",
        "from a global generator",
    ),
    "a stage that remembers": (
        testing.check_stage,
        "seen = set()\ndef Part(sample):\n    new = sample['__key__'] not in seen\n    seen.add(sample['__key__'])\n"
        "    return {**sample, 'image': sample['image'] // (1 + (new and len(seen) > 9))}",
        "it may keep nothing from sample to sample",
    ),
    "a stage of classes": (
        testing.check_stage,
        "def Part(sample): return {**sample, 'cls': 0}",
        "changed the key or the class",
    ),
    "negative": (testing.check_schedule, "def Part(done): return -done", "a factor is 0 or more"),
    "logits": (
        testing.check_model,
        "class Part(nn.Module):\n    def __init__(self, in_channels, num_classes):\n        super().__init__()\n"
        "        self.c = nn.Conv2d(in_channels, num_classes, 1)\n    def forward(self, x): return self.c(x)",
        "it should give logits",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_breaks_a_contract_is_refused_with_a_sentence(fault: str, tmp_path: Path) -> None:
    check, text, told = FAULTS[fault]
    module = f"fault_{fault.replace(' ', '_')}"
    (tmp_path / f"{module}.py").write_text(_HEAD + text)
    with pytest.raises(RecipeError) as refusal:
        check(f"{module}:Part")
    assert told in str(refusal.value)
    assert "Traceback" not in str(refusal.value)
