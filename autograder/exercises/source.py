"""The source code of formulas: read, written out, changed in one place and compiled again.

``autograder.exercises.slips`` derives from it what may go wrong in a line. A formula's tree is found through its file
and its first line; it is used only if it compiles to the very code that is running. Where there is no source, or
another one, there is no tree.
"""

from __future__ import annotations

import ast
import linecache
import types
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import as_strided

from chainrule_lib import activations

Function = ast.Lambda | ast.FunctionDef

Place = tuple[ast.AST, str, int | None, ast.AST]
"""Where a node stands: its parent, the field there, the position in that field if it is a list; and the node."""


class Put:
    """Something in the place of something else in a tree, as long as the context lasts."""

    def __init__(self, parent: ast.AST, field: str, position: int | None, thing: Any) -> None:
        self._parent, self._field, self._position, self._thing = parent, field, position, thing

    def __enter__(self) -> None:
        self._before = self._put(self._thing)

    def __exit__(self, *_: object) -> None:
        self._put(self._before)

    def _put(self, thing: Any) -> Any:
        before = getattr(self._parent, self._field)
        if self._position is None:
            setattr(self._parent, self._field, thing)
            return before
        before[self._position], thing = thing, before[self._position]
        return thing


def places(function: ast.AST) -> list[Place]:
    """Every expression and statement in a function's body; what is assigned to, and docstrings, are left out."""
    found: list[Place] = []

    def walk(node: ast.AST) -> None:
        for field, value in ast.iter_fields(node):
            if node is function and field != "body":
                continue
            for position, child in enumerate(value) if isinstance(value, list) else ((None, value),):
                if isinstance(child, ast.AST) and not is_docstring(child) and not hasattr(child, "passed_over"):
                    if isinstance(child, ast.expr | ast.stmt) and not is_target(child):
                        found.append((node, field, position, child))
                    walk(child)

    walk(function)
    return found


def is_docstring(node: ast.AST) -> bool:
    """Whether a statement is a text by itself."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_target(node: ast.AST) -> bool:
    """Whether something is assigned to here."""
    return isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)


def parameters(function: Function) -> list[str]:
    """The names of a function's parameters that may be given by position."""
    return [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]


def copied(node: Any) -> Any:
    """A deep copy of a tree in which every node stands at the same place of no file."""
    if isinstance(node, list):
        return [copied(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    return placed(type(node)(**{name: copied(value) for name, value in ast.iter_fields(node)}))


_NOWHERE = ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)


def placed(node: Any) -> Any:
    """A new node at the place where all copied ones are."""
    return ast.copy_location(node, _NOWHERE) if "lineno" in node._attributes else node


class _File:
    """The functions of a file, by their first lines and their names, and its import statements."""

    def __init__(self, tree: ast.Module) -> None:
        self.functions = _functions(tree)
        self.imports: list[ast.stmt] = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


@cache
def _read(filename: str) -> _File:
    """A file; an empty one where it cannot be read."""
    try:
        return _File(ast.parse("".join(linecache.getlines(filename))))
    except (SyntaxError, ValueError):
        return _File(ast.Module([], []))


def _functions(tree: ast.Module) -> dict[tuple[int, str], list[Function]]:
    """Every function in a module."""
    found: dict[tuple[int, str], list[Function]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            found.setdefault((node.lineno, "<lambda>"), []).append(node)
        elif isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found.setdefault((first, node.name), []).append(node)
    return found


def tree_of(function: Any) -> Function | None:
    """A function's tree, free to be changed; None where its source is not there, or another one."""
    if not isinstance(function, types.FunctionType):
        return None
    code = function.__code__
    file = _read(code.co_filename)
    for node in file.functions.get((code.co_firstlineno, code.co_name), ()):
        if parameters(node) == list(code.co_varnames[: code.co_argcount]):
            tree = copied(node)
            if isinstance(tree, ast.FunctionDef):
                tree.decorator_list = []
            # Calls of what is imported are compiled in a way of their own, so the imports belong to the comparison.
            module = _wrapped(tree, code.co_freevars)
            if _same(_compiled(ast.Module([*file.imports, *module.body], [])), code):
                return tree
    return None


def _same(first: types.CodeType, second: types.CodeType) -> bool:
    """Whether two codes do the same, wherever they stand in their files."""
    if (first.co_code, first.co_names, len(first.co_consts)) != (
        second.co_code,
        second.co_names,
        len(second.co_consts),
    ):
        return False
    return all(
        _same(a, b) if isinstance(a, types.CodeType) and isinstance(b, types.CodeType) else _plain(a) == _plain(b)
        for a, b in zip(first.co_consts, second.co_consts, strict=True)
    )


def _plain(constant: Any) -> str:
    """A constant for comparison. A qualified name, which some versions of Python keep there, depends on the place."""
    return "" if isinstance(constant, str) and "<locals>" in constant else repr(constant)


def _wrapped(function: Function, free: Sequence[str]) -> ast.Module:
    """A module with a function around a function, of which ``free`` are variables."""
    arguments = ast.arguments([], [ast.arg(name) for name in free], None, [], [], None, [])
    body = ast.Return(function) if isinstance(function, ast.Lambda) else function
    return ast.fix_missing_locations(ast.Module([ast.FunctionDef("around", arguments, [body], [])], []))


def _compiled(module: ast.Module) -> types.CodeType:
    """The code of the function in the function of a module."""
    code = compile(module, "<slip>", "exec")
    for _ in range(2):
        code = next(value for value in code.co_consts if isinstance(value, types.CodeType))
    return code


class Tree:
    """A function's tree that is changed in one place at a time, compiled, and put right again.

    Parameters
    ----------
    tree : the function's, or another way to write it
    function : whose globals, closure and defaults a changed one has
    names : global names by value; those of the function's module if None
    """

    def __init__(self, tree: Function, function: types.FunctionType, names: dict[str, Any] | None = None) -> None:
        self.tree = tree
        self.names = function.__globals__ if names is None else names
        self._function = function
        self._free = function.__code__.co_freevars
        self._module = _wrapped(tree, self._free)

    def made(self) -> types.FunctionType:
        """The function as the tree is now."""
        code = _compiled(self._module)
        cells = dict(zip(self._free, self._function.__closure__ or (), strict=True))
        made = types.FunctionType(
            code,
            self.names,
            self._function.__name__,
            self._function.__defaults__,
            tuple(cells[name] for name in code.co_freevars),
        )
        made.__kwdefaults__ = self._function.__kwdefaults__
        return made

    def taking(self, names: Sequence[str]) -> Put:
        """The function with further parameters."""
        arguments = self.tree.args
        present = parameters(self.tree)
        added = [placed(ast.arg(name)) for name in dict.fromkeys(names) if name not in present]
        return Put(arguments, "args", None, [*arguments.args, *added])


def value_of(function: types.FunctionType, name: str) -> Any:
    """What a name stands for in a function, apart from its own variables: None for those."""
    code = function.__code__
    if name in code.co_varnames:
        return None
    if name in code.co_freevars:
        return (function.__closure__ or ())[code.co_freevars.index(name)].cell_contents
    return function.__globals__.get(name)


def helpers(function: Any) -> list[types.FunctionType]:
    """The functions of the same file that a function uses, and those that they use."""
    found: list[types.FunctionType] = []
    waiting = [function]
    while waiting:
        here = waiting.pop(0)
        for other in _used(here):
            if not isinstance(other, types.FunctionType) or other in found or other is function:
                continue
            if other.__code__.co_filename == function.__code__.co_filename:
                found.append(other)
                waiting.append(other)
    return found


def _used(function: types.FunctionType) -> Iterator[Any]:
    """The global, enclosed and default values of a function."""
    yield from (function.__globals__.get(name) for name in _names(function.__code__))
    yield from (cell.cell_contents for cell in function.__closure__ or ())
    yield from function.__defaults__ or ()


def _names(code: types.CodeType) -> list[str]:
    """Global names in a code, those of its inner functions included."""
    inner = [name for value in code.co_consts if isinstance(value, types.CodeType) for name in _names(value)]
    return [*code.co_names, *inner]


def rebound(function: Any, replaced: Mapping[types.FunctionType, types.FunctionType]) -> Any:
    """A function that uses others where it, or a helper of its file, uses some; and what is guarded (see there)."""
    names = {**function.__globals__, **GUARDED} if "as_strided" in function.__globals__ else dict(function.__globals__)
    known: dict[Any, Any] = dict(replaced)
    used = helpers(function)

    def again(value: Any) -> Any:
        if not isinstance(value, types.FunctionType) or value not in used:
            return value
        return known[value] if value in known else remade(value)

    def remade(value: types.FunctionType) -> types.FunctionType:
        cells = tuple(types.CellType() for _ in value.__closure__ or ())
        known[value] = made = types.FunctionType(value.__code__, names, value.__name__, None, cells)
        made.__kwdefaults__ = value.__kwdefaults__
        made.__defaults__ = tuple(map(again, value.__defaults__)) if value.__defaults__ else None
        for cell, old in zip(cells, value.__closure__ or (), strict=True):
            cell.cell_contents = again(old.cell_contents)
        return made

    names |= {name: again(value) for name, value in names.items()}
    return remade(function)


# Changed functions do what nobody has thought of, and must not do harm.

ROUNDS = 2_000
"""Rounds that the loops of one call of a changed function may take. Formulas take some dozens."""

LARGEST_VIEW = 1_000_000
"""Entries of a view that a changed function may make."""


class Stopped(Exception):
    """A changed function's loops took more rounds than any formula needs."""


def _next_round(rounds: int) -> int:
    if rounds >= ROUNDS:
        raise Stopped(f"after {ROUNDS} rounds of its loops")
    return rounds + 1


def _view_within(array: Any, shape: Any = None, strides: Any = None, **options: Any) -> Any:
    """numpy's ``as_strided``, where the view stays in the array: that one reads any memory it is told to."""
    view = as_strided(array, shape, strides, **options)
    if view.size > LARGEST_VIEW:
        raise ValueError(f"a view of {view.size} entries")
    (low, high), (first, last) = _reach(array), _reach(view)
    if view.size and (first < low or last > high):
        raise ValueError("a view beyond its array")
    return view


def _reach(array: Any) -> tuple[int, int]:
    """The lowest and the highest byte of an array's entries, counted from its first one."""
    steps = [(size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True)]
    return sum(step for step in steps if step < 0), sum(step for step in steps if step > 0)


GUARDED: dict[str, Any] = {"_next_round": _next_round, "as_strided": _view_within}
"""Names that changed functions use in the place of their modules' own."""


def counted(function: ast.FunctionDef) -> ast.FunctionDef:
    """A function that counts the rounds of its loops, in each call anew, and gives up after ``ROUNDS`` of them."""
    counting = _Counting()
    made: ast.FunctionDef = counting.visit(function)
    if counting.loops:
        made.body.insert(0, _statement("_rounds = 0"))
    return made


def _statement(text: str) -> ast.stmt:
    """A statement that ``places`` passes over."""
    (made,) = copied(ast.parse(text).body)
    made.passed_over = True
    return made


class _Counting(ast.NodeTransformer):
    """Counts a round in every loop of a function. Functions inside it are left alone."""

    def __init__(self) -> None:
        self.loops = 0
        self._depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if self._depth:
            return node
        self._depth += 1
        return self.generic_visit(node)

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._count(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._count(node)

    def _count(self, node: ast.For | ast.While) -> ast.AST:
        self.loops += 1
        self.generic_visit(node)
        node.body.insert(0, _statement("_rounds = _next_round(_rounds)"))
        return node


# Other ways to write the same formula.


def spellings(tree: Function, function: types.FunctionType) -> list[Function]:
    """The formula as it stands, with its helpers written out, and with its products taken from either end.

    A change is made in one place of a line. Which places there are depends on how the line is written, and a learner's
    may be written in any of these ways.
    """
    found = [tree]
    if isinstance(tree, ast.Lambda):
        written = _WrittenOut(function).visit(copied(tree))
        left = _FromTheLeft().visit(copied(written))
        right = _FromTheRight().visit(copied(left))
        for other in (written, left, right):
            if ast.dump(other) not in map(ast.dump, found):
                found.append(other)
    return found


def joined(tree: Function, function: types.FunctionType, before: Mapping[str, Any]) -> list[ast.Lambda]:
    """The formula with an earlier step's formula in the place of its name, the products taken from either end.

    Who writes two steps in one line may slip where they meet. One step is put in at a time.
    """
    found: list[ast.Lambda] = []
    names = dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in before)
    for name in names if isinstance(tree, ast.Lambda) and not _binds(tree.body) else ():
        earlier = tree_of(before[name])
        if not isinstance(earlier, ast.Lambda) or _binds(earlier.body):
            continue
        if before[name].__globals__ is not function.__globals__ or before[name].__code__.co_freevars:
            continue
        together = _Substituted({name: earlier.body}).visit(_WrittenOut(function).visit(copied(tree)))
        used = dict.fromkeys([*parameters(tree), *parameters(earlier)])
        together.args.args = [placed(ast.arg(each)) for each in used]
        left = _FromTheLeft().visit(copied(together))
        found += [left, _FromTheRight().visit(copied(left))]
    return found


class _WrittenOut(ast.NodeTransformer):
    """Writes out calls of functions that are one expression: those of the same file, and the course's activations."""

    _written: ClassVar[dict[Any, Any]] = {
        activations.sigmoid: lambda z: 1 / (1 + np.exp(-z)),
        activations.sigmoid_derivative: lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
        activations.tanh_derivative: lambda z: 1 - np.tanh(z) ** 2,
    }

    def __init__(self, function: types.FunctionType, depth: int = 3) -> None:
        self._function = function
        self._depth = depth

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or node.keywords or not self._depth:
            return node
        called = value_of(self._function, node.func.id)
        if not isinstance(called, types.FunctionType):
            return node
        called = self._written.get(called, called)
        tree = tree_of(called)
        if tree is None or called.__code__.co_filename not in (self._function.__code__.co_filename, __file__):
            return node
        body = _expression(tree)
        others = (*tree.args.kwonlyargs, tree.args.vararg, tree.args.kwarg)
        if body is None or called.__code__.co_freevars or any(others) or len(node.args) != len(parameters(tree)):
            return node
        if _binds(body):
            return node
        arguments = dict(zip(parameters(tree), node.args, strict=True))
        written: ast.AST = _WrittenOut(called, self._depth - 1).visit(_Substituted(arguments).visit(body))
        return written


def _binds(body: ast.expr) -> bool:
    """Whether an expression has names of its own, which might be those of what is put into it."""
    return any(isinstance(node, ast.Lambda | ast.comprehension) for node in ast.walk(body))


def _expression(tree: Function) -> ast.expr | None:
    """What a function returns, if it does nothing else."""
    if isinstance(tree, ast.Lambda):
        return tree.body
    body = [node for node in tree.body if not is_docstring(node)]
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None


class _Substituted(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, arguments: Mapping[str, ast.expr]) -> None:
        self._arguments = arguments

    def visit_Name(self, node: ast.Name) -> ast.AST:
        argument = self._arguments.get(node.id)
        written: ast.AST = node if argument is None else copied(argument)
        return written


class _FromTheLeft(ast.NodeTransformer):
    """Writes a * (b * c) as a * b * c, and the same with a quotient in the parentheses."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        inner = node.right
        if isinstance(node.op, ast.Mult) and isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Mult | ast.Div):
            first = placed(ast.BinOp(node.left, ast.Mult(), inner.left))
            return self.visit_BinOp(placed(ast.BinOp(first, inner.op, inner.right)))
        return node


class _FromTheRight(ast.NodeTransformer):
    """Writes a * b * c as a * (b * c), and a * b / c as a * (b / c)."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        inner = node.left
        if isinstance(node.op, ast.Mult | ast.Div) and isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Mult):
            last = placed(ast.BinOp(inner.right, node.op, node.right))
            return self.visit_BinOp(placed(ast.BinOp(inner.left, ast.Mult(), last)))
        return self.generic_visit(node)
