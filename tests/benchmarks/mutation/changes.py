"""The mutants of a source file: one operator, condition, number, branch, keyword, slice or order of arguments changed.

Left alone are docstrings, annotations, imports, `raise` statements and texts: a mutant here changes a number or a path.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Change = Callable[[Any], ast.AST]

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.MatMult: ast.Mult,
}
OPPOSITES = {"min": "max", "any": "all", "minimum": "maximum", "ceil": "floor", "argmin": "argmax"}
OPPOSITES |= {there: here for here, there in OPPOSITES.items() if here != "ceil"}
_DROPPED = ("abs", "sorted", "ceil", "sqrt")
# Of these two arguments in the other order are an error, or the same.
_ORDERED = ("isinstance", "range", "zip", "map", "replace", "getattr", "enumerate")
# Keywords that can't change a number, or without which a call is an error.
_KEPT = ("strict", "stable", "dtype", "kind", "key", "ndigits")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A change of one node; `name` is found again when lines move: function, statement, change and which of several."""

    line: int
    name: str
    place: int
    number: int


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a file, in the order of the nodes."""
    seen: dict[str, int] = {}
    for place, (node, function, statement) in enumerate(_sites(ast.parse(source))):
        for number, (what, _) in enumerate(_changes(node)):
            name = f"{function or 'module'}: {_short(statement)} | {_short(node)}: {what}"
            seen[name] = seen.get(name, 0) + 1
            yield Mutant(
                line=getattr(node, "lineno", getattr(statement, "lineno", 0)),
                name=name + (f" ({seen[name]})" if seen[name] > 1 else ""),
                place=place,
                number=number,
            )


def mutated(source: str, mutant: Mutant) -> ast.Module:
    """The file's tree with the change made."""
    tree = ast.parse(source)
    node = _sites(tree)[mutant.place][0]
    # Of a copy, for a change that puts a node in its own child's place would turn in a circle.
    new = _changes(node)[mutant.number][1](copy.copy(node))

    class Exchange(ast.NodeTransformer):
        def visit(self, at: ast.AST) -> Any:
            return new if at is node else self.generic_visit(at)

    Exchange().visit(tree)
    return ast.fix_missing_locations(tree)


def _sites(tree: ast.Module) -> list[tuple[ast.AST, str, ast.AST]]:
    """Nodes that can change, each with the name of its function and the statement that it stands in."""
    found: list[tuple[ast.AST, str, ast.AST]] = []

    def walk(node: ast.AST, function: str, statement: ast.AST) -> None:
        statement = node if isinstance(node, ast.stmt) else statement
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.keyword) and node.arg in _KEPT:
            return
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}" if function else node.name
            defaults = [*node.args.defaults, *node.args.kw_defaults] if isinstance(node, ast.FunctionDef) else []
            below: list[ast.AST] = [*(value for value in defaults if value is not None), *node.body]
        elif isinstance(node, ast.AnnAssign):
            below = [node.value] if node.value else []
        elif isinstance(node, ast.FormattedValue):
            below = [node.value]
        else:
            found.append((node, function, statement))
            below = list(ast.iter_child_nodes(node))
        for child in below:
            walk(child, function, statement)

    for statement in tree.body:
        walk(statement, "", statement)
    return found


def _changes(node: ast.AST) -> list[tuple[str, Change]]:
    """What can be changed at a node, with the function that makes it of a copy of the node."""
    match node:
        case ast.Compare():
            return [
                (f"{type(op).__name__} to {new.__name__}", _with(ops=[*node.ops[:i], new(), *node.ops[i + 1 :]]))
                for i, op in enumerate(node.ops)
                for new in COMPARISONS[type(op)]
            ]
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in OPERATORS and not _joins_texts(node):
            new_op = OPERATORS[type(op)]
            return [(f"{type(op).__name__} to {new_op.__name__}", _with(op=new_op()))]
        case ast.UnaryOp(op=op, operand=operand) if not isinstance(operand, ast.Constant):
            return [(f"without {type(op).__name__}", lambda n: n.operand)]
        case ast.BoolOp(op=op, values=values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            return [("and for or" if isinstance(op, ast.Or) else "or for and", _with(op=other))] + [
                (f"without operand {i + 1}", _without(values, i)) for i in range(len(values))
            ]
        case ast.IfExp():
            return [("always", lambda n: n.body), ("never", lambda n: n.orelse)]
        case ast.If(test=test):
            negated = [("not", _with(test=ast.UnaryOp(op=ast.Not(), operand=test)))]
            return [("never", _with(test=ast.Constant(False)))] + ([] if isinstance(test, ast.Compare) else negated)
        case ast.comprehension(ifs=ifs):
            return [
                (f"without if {i + 1}", _with(ifs=[test for j, test in enumerate(ifs) if j != i]))
                for i in range(len(ifs))
            ]
        case ast.Slice():
            return [(f"without {end}", _with(**{end: None})) for end in ("lower", "upper") if getattr(node, end)]
        case ast.Constant(value=value):
            return [(f"{value!r} to {new!r}", _with(value=new)) for new in _numbers(value)]
        case ast.Call():
            return _calls(node)
    return []


def _calls(node: ast.Call) -> list[tuple[str, Change]]:
    function, args, found = node.func, node.args, list[tuple[str, Change]]()
    name = getattr(function, "id", getattr(function, "attr", ""))
    if name in OPPOSITES:
        field = "id" if isinstance(function, ast.Name) else "attr"
        found.append(
            (f"{name} to {OPPOSITES[name]}", _with(func=_with(**{field: OPPOSITES[name]})(copy.copy(function))))
        )
    if name in _DROPPED and len(args) == 1:
        found.append((f"without {name}", lambda n: n.args[0]))
    if name == "where" and len(args) == 3:
        found.append(("where swapped", _with(args=[args[0], args[2], args[1]])))
    if isinstance(function, ast.Name) and len(args) == 2 and name not in (*_ORDERED, *OPPOSITES):
        found.append(("arguments swapped", _with(args=args[::-1])))
    if not name[:1].isupper():  # a record without one of its fields is an error
        found += [
            (f"without {keyword.arg}=", _with(keywords=[k for k in node.keywords if k is not keyword]))
            for keyword in node.keywords
            if keyword.arg and keyword.arg not in _KEPT
        ]
    return found


def _numbers(value: object) -> list[object]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1] if value > 0 else [value + 1]
    if isinstance(value, float):
        return [2 * value, value / 2] if value else [0.5]
    return []


def _with(**fields: object) -> Change:
    def change(node: Any) -> ast.AST:
        for field, value in fields.items():
            setattr(node, field, value)
        return node  # type: ignore[no-any-return]

    return change


def _without(values: list[ast.expr], dropped: int) -> Change:
    rest = [value for i, value in enumerate(values) if i != dropped]
    return (lambda node: rest[0]) if len(rest) == 1 else _with(values=rest)


def _joins_texts(node: ast.AST) -> bool:
    sides = (getattr(node, "left", None), getattr(node, "right", None))
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )


def _short(node: ast.AST) -> str:
    text = ast.unparse(node).split("\n")[0]
    return text if len(text) <= 110 else f"{text[:107]}..."
