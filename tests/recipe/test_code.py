"""`code`: what can change a number of a recipe's training changes it, and nothing else does."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_nets import TINY

import paribus
from paribus.recipe.code import CodeError, Own, code_of, feed_code_of
from paribus.recipe.code.kept import kept
from paribus.recipe.code.sources import Sources
from paribus.recipe.model import FAMILIES

PACKAGE = Path(paribus.__file__).parent
WIDE = TINY["WideResNet"]
# Of each family, what of others its training runs through too.
SHARED = {
    "WideResNet": {"ResNet"},  # units of each stage by depth
    "ResNeXt": {"ResNet"},  # the same, and what a depth must be
    "SENet": {"ResNeXt"},  # the channels of a group
    "InceptionResNet": {"InceptionV4"},  # version 2 has its stem and reductions
}
FILES = {family.__name__: family.__module__.rpartition(".")[2] for family in FAMILIES}
OUTSIDE = (
    "tracking",
    "execution",
    "report",
    "engine",
    "analysis",
    "study",
    "models/drawing",
    "shards/making",
    "shards/sources",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package, to be edited."""
    shutil.copytree(PACKAGE, tmp_path / "paribus", ignore=shutil.ignore_patterns("__pycache__", "*.svg", "*.md"))
    return tmp_path / "paribus"


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """The code of a recipe of every family, by the package as it is."""
    return codes(PACKAGE)


def codes(root: Path) -> dict[str, str]:
    sources = Sources(root)
    return {name: code_of(recipe, sources=sources) for name, recipe in TINY.items()}


def edit(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}"
    (root / file).write_text(text.replace(old, new))


class Harmless(ast.NodeTransformer):
    """Other docstrings, annotations and texts of errors in every function; what ast.unparse drops is the comments."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        reads = [ast.unparse(each) for each in node.decorator_list]
        node.returns = ast.Name("Elsewhere")
        for arg in (*node.args.args, *node.args.kwonlyargs):
            arg.annotation = ast.Constant("another") if not reads else arg.annotation
        if ast.get_docstring(node) is not None:
            node.body.pop(0)
        node.body.insert(0, ast.Expr(ast.Constant("Another text.")))
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if "ClassVar" not in ast.unparse(node.annotation) and not re.search(r"[A-Z]", ast.unparse(node.annotation)):
            node.annotation = ast.Name("int" if ast.unparse(node.annotation) != "int" else "float")
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc.args = [*(a for a in node.exc.args if not _is_text(a)), ast.Constant("another text")]
        return node


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_texts_comments_annotations_and_layout_change_nothing(copy: Path, before: dict[str, str]) -> None:
    for file in copy.rglob("*.py"):
        tree = Harmless().visit(ast.parse(file.read_text()))
        file.write_text(f"# another comment\n\n\n{ast.unparse(ast.fix_missing_locations(tree))}\n")
    assert codes(copy) == before


def test_other_names_and_places_of_files_and_definitions_change_nothing(copy: Path, before: dict[str, str]) -> None:
    (copy / "models/families/residual_net.py").rename(copy / "models/nets_of_units.py")
    (copy / "images").rename(copy / "pixels")
    (copy / "data/order.py").rename(copy / "training/sequence.py")
    renamed = {
        r"\bparibus\.models\.families\.residual_net\b": "paribus.models.nets_of_units",
        r"\bparibus\.images\b": "paribus.pixels",
        r"\bparibus\.data\.order\b": "paribus.training.sequence",
        r"\bTrainState\b": "Learner",  # a class, wherever it is used
    }
    for file in copy.rglob("*.py"):
        text = file.read_text()
        for old, new in renamed.items():
            text = re.sub(old, new, text)
        file.write_text(text)
    assert codes(copy) == before


def test_a_definition_may_move_to_another_file(copy: Path, before: dict[str, str]) -> None:
    tree = ast.parse((copy / "training/loop.py").read_text())
    moved = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "StepCounts")
    at = tree.body.index(moved)
    tree.body[at] = ast.parse("from paribus.training.lengths import StepCounts").body[0]
    imports = [node for node in tree.body[:at] if isinstance(node, (ast.Import, ast.ImportFrom))]
    (copy / "training/lengths.py").write_text(ast.unparse(ast.Module([*imports, moved], [])))
    (copy / "training/loop.py").write_text(ast.unparse(tree))
    assert codes(copy) == before


def test_what_no_training_runs_through_changes_nothing(copy: Path, before: dict[str, str]) -> None:
    for room in OUTSIDE:
        for file in (copy / room).rglob("*.py"):
            file.write_text(f"{_other_numbers(file)}\nNEW = 1\n")
    edit(copy, "recipe/families/senet.py", '"SENet-154": senet', '"SENet-155": senet')
    with (copy / "models/blocks.py").open("a") as file:
        file.write("\n\ndef nobody_calls_this():\n    return 17\n")
    assert codes(copy) == before


@pytest.mark.parametrize("family", FILES)
def test_another_familys_constants_change_nothing(copy: Path, before: dict[str, str], family: str) -> None:
    for file in (f"recipe/families/{FILES[family]}.py", f"models/families/{FILES[family]}.py"):
        (copy / file).write_text(_other_numbers(copy / file))
    after = codes(copy)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {family} | {name for name, shared in SHARED.items() if family in shared}


def _other_numbers(file: Path) -> str:
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            node.value += 1
    return ast.unparse(tree)


CHANGES: dict[str, tuple[str, str, str]] = {
    "a constant of the loop": ("training/loop.py", '"cuda": 16', '"cuda": 32'),
    "an operator of an optimizer": ("training/optimizers.py", "value=1 - group", "value=1 + group"),
    "a default argument of the net": ("models/blocks.py", "stride: int = 1", "stride: int = 2"),
    "a default of a validated field": ("recipe/part.py", "strict=True", "strict=False"),
    "a comparison of the schedule": ("training/schedules.py", "<", "<="),
    "a seed's hash": ("recipe/seeds.py", "_BITS = 63", "_BITS = 62"),
}


def _first(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert old in text, f"{file} has no {old!r}"
    (root / file).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_number_may_follow_from_changes_the_code(copy: Path, before: dict[str, str], change: str) -> None:
    _first(copy, *CHANGES[change])
    after = codes(copy)
    assert {name for name in TINY if after[name] == before[name]} == set()


def test_two_functions_that_change_places_change_the_code(copy: Path) -> None:
    (copy / "models/blocks.py").write_text(
        (copy / "models/blocks.py").read_text()
        + "\n\ndef one(x):\n    return x + 1\n\n\ndef two(x):\n    return x + 2\n"
    )
    _first(copy, "models/build.py", "    initialise(net, init_seed)", "    one(two(1))\n    initialise(net, init_seed)")
    _first(copy, "models/build.py", "import ConvNet", "import ConvNet, one, two")
    before = codes(copy)
    _first(copy, "models/build.py", "one(two(1))", "two(one(1))")
    after = codes(copy)
    assert {name for name in TINY if after[name] == before[name]} == set()


def test_the_feed_has_a_code_of_its_own_whatever_the_net(copy: Path) -> None:
    before = {feed_code_of(recipe, sources=Sources(copy)) for recipe in TINY.values()}
    assert len(before) == 1
    (copy / "training/loop.py").write_text(_other_numbers(copy / "training/loop.py"))
    assert feed_code_of(WIDE, sources=Sources(copy)) in before
    (copy / "data/augment.py").write_text(_other_numbers(copy / "data/augment.py"))
    assert feed_code_of(WIDE, sources=Sources(copy)) not in before


OWN = '''"""A part of somebody's own."""
import torch
from torch import nn
from near.waves import wave

class Snake(nn.Module):
    def __init__(self, alpha: float = 0.5):
        super().__init__()
        self.alpha = alpha

    def forward(self, x):
        return x + wave(self.alpha * x) / self.alpha

def unused():
    return 3
'''


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., str]:
    """The code with the file of OWN, in which and in whose neighbours texts are replaced first."""
    folder = tmp_path / "studies"
    (folder / "near").mkdir(parents=True)
    texts = {folder / "my_parts.py": OWN, folder / "near/__init__.py": "", folder / "near/far.py": "PERIOD = 2\n"}
    texts[folder / "near/waves.py"] = "from . import far\n\ndef wave(x):\n    return (x * far.PERIOD).sin() ** 2\n"

    def made(old: str = "", new: str = "", name: str = "Snake") -> str:
        for file, text in texts.items():
            file.write_text(text.replace(old, new) if old else text)
        return code_of(WIDE, (Own(folder / "my_parts.py", name),))

    return made


def test_a_users_own_component_counts_with_what_it_imports_from_beside_it(own: Callable[..., str]) -> None:
    before = own()
    assert before != code_of(WIDE)
    changes = {"alpha: float = 0.5": "alpha: float = 1.0", "** 2": "** 3", "PERIOD = 2": "PERIOD = 3", "x + w": "x - w"}
    after = [own(old, new) for old, new in changes.items()]
    assert len({before, *after}) == len(changes) + 1
    harmless = {"somebody's own": "mine", "alpha: float": "alpha: int", "return 3": "return 4", "# x": "# y"}
    assert {own(old, new) for old, new in harmless.items()} == {before}
    assert own("return 3", "return 4", name="") != own(name="")


def test_a_component_may_be_named_where_it_is_imported(tmp_path: Path) -> None:
    """As packages offer what lies in their files; what it is made of counts, wherever it is."""
    parts = tmp_path / "parts"
    parts.mkdir()
    ways = {
        "from .act import Snake": 1,
        "from .act import *": 1,
        "from .act import Other as Snake": 0,
        "from torch.nn import Mish as Snake": 0,
        "from torch.nn import *": 0,
        "from . import act\nSnake = act.Snake": 1,
        "from . import act\nglobals()['Snake'] = act.Snake": 1,
    }
    for text, counts in ways.items():
        (parts / "__init__.py").write_text(text)
        codes = set()
        for alpha in (1, 2):
            (parts / "act.py").write_text(f"class Snake:\n    alpha = {alpha}\n\nclass Other:\n    pass\n")
            codes.add(code_of(WIDE, (Own(parts / "__init__.py", "Snake"),)))
        assert len(codes) == 1 + counts, text
    (parts / "__init__.py").write_text("from .act import Snake\nSnake.alpha = 3\n")
    before = code_of(WIDE, (Own(parts / "__init__.py", "Snake"),))
    (parts / "__init__.py").write_text("from .act import Snake\nSnake.alpha = 4\n")
    assert code_of(WIDE, (Own(parts / "__init__.py", "Snake"),)) != before


def test_a_file_beside_it_that_is_no_python_counts_once_it_is_some(tmp_path: Path) -> None:
    """Python never runs what does not parse, and what is only mentioned may be anything."""
    (tmp_path / "mine.py").write_text(
        "class Snake:\n    def forward(self, x):\n        import other\n        return other.wave(x)\n"
    )
    codes = set()
    for text in ("def wave(:\n", "def wave(: # too\n", "def wave(x):\n    return x\n"):
        (tmp_path / "other.py").write_text(text)
        codes.add(code_of(WIDE, (Own(tmp_path / "mine.py", "Snake"),)))
    assert len(codes) == 2


def test_a_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def broken(:\n")
    with pytest.raises(CodeError, match=r"mine\.py .* cannot be read as Python"):
        code_of(WIDE, (Own(tmp_path / "mine.py"),))
    (tmp_path / "mine.py").write_text("")
    with pytest.raises(CodeError, match="mine defines no 'Snake'"):
        code_of(WIDE, (Own(tmp_path / "mine.py", "Snake"),))


def test_a_kept_code_is_found_again_and_is_not_that_of_other_files(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(copy.parent / "home"))
    questions: list[str] = []

    def asked(question: str) -> str:
        return kept(copy, question, lambda: questions.append(question) or f"code {len(questions)}")

    assert [asked("a"), asked("a"), asked("b"), asked("a")] == ["code 1", "code 1", "code 2", "code 1"]
    edit(copy, "training/loop.py", '"cuda": 16', '"cuda": 17')
    assert [asked("a"), asked("b"), asked("a")] == ["code 3", "code 4", "code 3"]
    (file,) = (copy.parent / "home/cache").iterdir()
    file.write_text("damaged")
    assert asked("a") == "code 5"
