"""A definition as text: its syntax tree without what cannot change a number, and with gaps for what it refers to."""

import ast
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from paribus.recipe.code.modules import Module, Scope, is_type_checking, scope_of
from paribus.recipe.code.names import WHOLE, Definition, External, Found, ModuleRef, Place
from paribus.recipe.code.roots import UNREAD_MEMBERS
from paribus.recipe.code.sources import Sources

# Of these functions the named argument is a text for people.
_TEXTS = {"Field": "description", "added": "description", "bookkeeping": "description"}
# An annotation of these changes what a class or function does; every other one is for checkers and validation.
_ANNOTATIONS_THAT_ACT = ("ClassVar", "InitVar", "KW_ONLY")
_DECORATORS_THAT_READ = ("register", "validate_call", "custom_op", "script")
_SKIPPED_FIELDS = {"ctx", "type_comment", "type_params", "returns", "annotation", "kind", "type_ignores"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Writer:
    """Writes the tokens of one definition of a module; `chosen` are the classes of the recipe's parts."""

    sources: Sources
    module: Module
    chosen: frozenset[Place]
    tokens: list[str | Place] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    has_chosen: bool = False  # a table was met: what was written holds for these classes alone

    def definition(self, statements: Iterable[ast.stmt]) -> Definition:
        """The statements that bind one name at the module's top; that name itself does not count."""
        for statement in statements:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._function(statement)
            elif isinstance(statement, ast.ClassDef):
                self._class(statement)
            elif (table := self._table(statement)) is not None:
                self._all("table", table)
            elif isinstance(statement, ast.Assign) and all(isinstance(each, ast.Name) for each in statement.targets):
                self._all("value", [statement.value])
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                self._all("value", [statement.value] if statement.value else [])
            else:
                self.visit(statement)
        text = "".join("[]" if isinstance(token, Place) else token for token in self.tokens)
        refers_to = tuple(token for token in self.tokens if isinstance(token, Place))
        return Definition(sha256(text.encode()).hexdigest(), refers_to)

    def visit(self, node: ast.AST) -> None:
        """Add the tokens of `node`."""
        method = getattr(self, f"_on_{type(node).__name__.lower()}", None)
        if method is not None:
            method(node)
        else:
            self._generic(node)

    def _all(self, word: str, nodes: Iterable[ast.AST]) -> None:
        self.tokens.append(f"{word}(")
        for node in nodes:
            self.visit(node)
        self.tokens.append(")")

    def _generic(self, node: ast.AST) -> None:
        # Fields that are empty are left out: later versions of Python have more of them.
        self.tokens.append(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if name in _SKIPPED_FIELDS or value is None or value == []:
                continue
            self.tokens.append(f"{name}=")
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    self.visit(each)
                else:
                    self.tokens.append(f"{each!r},")
        self.tokens.append(")")

    # What a name means

    def _on_name(self, node: ast.Name) -> None:
        self._found(self._lookup(node.id), node.id)

    def _on_attribute(self, node: ast.Attribute) -> None:
        path = [node.attr]
        base = node.value
        while isinstance(base, ast.Attribute):
            path.append(base.attr)
            base = base.value
        if not isinstance(base, ast.Name):
            self._all(f".{node.attr}", [node.value])
            return
        found = self._lookup(base.id)
        while path and isinstance(found, (ModuleRef, External)):
            name = path.pop()
            if isinstance(found, External):
                found = External(f"{found.path}.{name}")
            else:
                module = self.sources.load(found.module)
                found = self.sources.member(module, name) if module else External(f"{found.module}.{name}")
        self._found(found, base.id)
        self.tokens.append("".join(f".{name}" for name in reversed(path)) + ",")

    def _lookup(self, name: str) -> Found:
        for at, scope in enumerate(reversed(self.scopes)):
            if scope.is_class and at > 0:  # what a class binds is not seen by its methods
                continue
            if name in scope.imports:
                return self.sources.follow(scope.imports[name])
            if name in scope.names:
                return None
        return self.sources.resolve(self.module, name)

    def _found(self, found: Found, name: str) -> None:
        if isinstance(found, Place):
            self.tokens.append(found)
        elif isinstance(found, External):
            self.tokens.append(f"<{found.path}>")
        elif isinstance(found, ModuleRef):  # handed on as a whole: anything in it may be used
            self.tokens.append(Place(found.module, WHOLE))
        else:
            self.tokens.append(f"{name},")

    # Functions and classes

    def _on_functiondef(self, node: Function) -> None:
        self.tokens.append(f"def {node.name}")
        self._function(node)

    _on_asyncfunctiondef = _on_functiondef

    def _function(self, node: Function) -> None:
        reads = any(ast.unparse(each).split("(")[0].endswith(_DECORATORS_THAT_READ) for each in node.decorator_list)
        self._all("decorators", node.decorator_list)
        self._arguments(node.args, annotated=reads)
        scope = scope_of(node.body, self.module)
        scope.names |= _argument_names(node.args)
        self.scopes.append(scope)
        self._body(node.body)
        self.scopes.pop()

    def _on_lambda(self, node: ast.Lambda) -> None:
        self._arguments(node.args)
        self.scopes.append(Scope(_argument_names(node.args)))
        self._all("lambda", [node.body])
        self.scopes.pop()

    def _arguments(self, args: ast.arguments, *, annotated: bool = False) -> None:
        kinds = {"posonly": args.posonlyargs, "args": args.args, "kwonly": args.kwonlyargs}
        kinds |= {"vararg": [args.vararg] if args.vararg else [], "kwarg": [args.kwarg] if args.kwarg else []}
        for word, each in kinds.items():
            self.tokens.append(f"{word}={','.join(arg.arg for arg in each)};")
            if annotated:
                self._all("annotations", [arg.annotation for arg in each if arg.annotation])
        self._all("defaults", args.defaults)
        for default in args.kw_defaults:
            self._all("default", [default] if default else [])

    def _on_classdef(self, node: ast.ClassDef) -> None:
        self.tokens.append(f"class {node.name}")
        self._class(node)

    def _class(self, node: ast.ClassDef) -> None:
        self._all("decorators", node.decorator_list)
        self._all("bases", node.bases)
        self._all("keywords", node.keywords)
        scope = scope_of(node.body, self.module, is_class=True)
        scope.makes_fields = makes_fields(self.sources, self.module, node)
        self.scopes.append(scope)
        unread = UNREAD_MEMBERS if _is_part(self.module.name, self.sources.package) else {}
        self._body([each for each in node.body if getattr(each, "name", "") not in unread])
        self.scopes.pop()

    def _body(self, body: list[ast.stmt]) -> None:
        self._all("body", body)

    # What is left out or is written in one way

    def _on_expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring, or `...`
            self._generic(node)

    def _on_pass(self, _: ast.Pass) -> None: ...

    def _on_import(self, _: ast.Import) -> None: ...

    def _on_importfrom(self, _: ast.ImportFrom) -> None: ...

    def _on_if(self, node: ast.If) -> None:
        if not is_type_checking(node.test):
            self._generic(node)

    def _on_annassign(self, node: ast.AnnAssign) -> None:
        if self.scopes and self.scopes[-1].is_class:
            self._field(node)
        elif node.value is not None:
            self._generic(ast.Assign(targets=[node.target], value=node.value))

    def _field(self, node: ast.AnnAssign) -> None:
        """A field counts by its name, place and default; what it may hold is validation's affair, not a result's."""
        self.tokens.append(f"field {ast.unparse(node.target)}")
        if any(word in ast.unparse(node.annotation) for word in _ANNOTATIONS_THAT_ACT):
            self.visit(node.annotation)
        if self.scopes[
            -1
        ].makes_fields:  # pydantic makes instances of the classes, and calls the validators, named here
            self.tokens += self._named_in(node.annotation)
        self._all("value", [node.value] if node.value else [])

    def _named_in(self, annotation: ast.expr) -> Iterator[Place]:
        for node in ast.walk(annotation):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                with suppress(SyntaxError):  # the value of a Literal
                    yield from self._named_in(ast.parse(node.value, mode="eval").body)
            elif isinstance(node, ast.Name) and isinstance(found := self._lookup(node.id), Place):
                yield found

    def _on_raise(self, node: ast.Raise) -> None:
        # Which error it is can steer a program; its text is for people.
        raised = node.exc
        if isinstance(raised, ast.Call):
            self._all("raise", [raised.func, *(each for each in raised.args if not _is_text(each))])
        else:
            self._all("raise", [raised] if raised else [])

    def _on_assert(self, node: ast.Assert) -> None:
        self._all("assert", [node.test])

    def _on_call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and self._lookup(node.func.id) == External("typing.cast"):
            self.visit(node.args[1])
            return
        text = _TEXTS.get(node.func.id) if isinstance(node.func, ast.Name) else None
        keywords = [each for each in node.keywords if each.arg is None or each.arg != text]
        self._all("call", [node.func, *node.args, *keywords])

    def _on_constant(self, node: ast.Constant) -> None:
        self.tokens.append(f"{type(node.value).__name__}:{node.value!r},")

    def _table(self, statement: ast.stmt) -> list[ast.AST] | None:
        """Of a table from classes of a recipe's parts to what belongs to each: the entries of this recipe's alone."""
        value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
        if not isinstance(value, ast.Dict) or not value.keys:
            return None
        keys = [self._lookup(key.id) if isinstance(key, ast.Name) else None for key in value.keys]
        if not all(isinstance(key, Place) and _is_part(key.module, self.sources.package) for key in keys):
            return None
        self.has_chosen = True
        return [entry for key, entry in zip(keys, value.values, strict=True) if key in self.chosen]


def makes_fields(sources: Sources, module: Module, node: ast.ClassDef) -> bool:
    """Whether a class is pydantic's: its own bases say so, or theirs."""
    for base in node.bases:
        found = sources.resolve(module, base.id) if isinstance(base, ast.Name) else None
        if isinstance(found, External) and found.path.startswith("pydantic."):
            return True
        if isinstance(found, Place) and (home := sources.load(found.module)) is not None:
            classes = [each for each in home.bindings.get(found.name, ()) if isinstance(each, ast.ClassDef)]
            if any(makes_fields(sources, home, each) for each in classes):
                return True
    return False


def _is_part(module: str, package: str) -> bool:
    return module.startswith(f"{package}.recipe.")


def _argument_names(args: ast.arguments) -> set[str]:
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return {arg.arg for arg in every if arg}


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
