"""Wrong answers that nobody wrote by hand: small changes in the source code of right ones.

A mutant is a program with one change of the kind a programmer makes by accident (DeMillo, Lipton and Sayward 1978, doi
10.1109/C-M.1978.218136): another operator, a sign, a transpose, an index, an axis, a name, a term or factor dropped, a
line left out. Mutants try the checker from a side that its authors did not choose: none that changes the values may
pass, and the share that is explained says how much of what can go wrong the course has words for.

Two kinds of code are mutated: the worked solutions of the lessons, written as people write them, and the formulas of
the exercises. What is changed there knows nothing of the slips that the diagnosis looks for
(``autograder.exercises.slips``): these are the usual operators of mutation testing, for any Python.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import re
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from autograder.exercises import Exercise, source
from autograder.exercises.kinds import Class
from autograder.exercises.kinds.order import Order
from autograder.exercises.kinds.prediction import Prediction

ROUNDS = 20_000
"""Rounds of all its loops after which a mutant is stopped. Right answers take a few hundred."""

ARITHMETIC: tuple[type[ast.operator], ...] = (ast.Add, ast.Sub, ast.Mult, ast.Div)

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    **{kind: tuple(other for other in ARITHMETIC if other is not kind) for kind in ARITHMETIC},
    ast.Pow: (ast.Mult, ast.Div, ast.Add),
    ast.MatMult: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv, ast.Div),
}

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}

FUNCTIONS: tuple[tuple[str, ...], ...] = (
    ("sum", "mean", "max", "min", "prod"),
    ("exp", "log"),
    ("sin", "cos"),
    ("tanh", "sigmoid"),
    ("sigmoid", "sigmoid_derivative"),
    ("tanh", "tanh_derivative"),
    ("relu", "relu_derivative"),
    ("maximum", "minimum"),
    ("zeros_like", "ones_like"),
    ("zeros", "ones"),
    ("argmax", "argmin"),
    ("sqrt", "square"),
    ("dot", "outer"),
)
"""Functions that are taken for one another."""


@dataclass(frozen=True)
class Mutant:
    """A changed program: its source, and the change in words, such as ``line 4: A1 * (1 - A1) -> A1 / (1 - A1)``."""

    source: str
    change: str


def mutants(text: str) -> list[Mutant]:
    """Every mutant of the functions, classes and assigned values in a piece of source code, in its order.

    Changes that give the same program count once.
    """
    tree = ast.parse(text)
    found = {ast.unparse(tree): Mutant(text, "")}
    for change in _changes(tree):
        changed = ast.unparse(tree)
        found.setdefault(changed, Mutant(changed, change))
    return list(found.values())[1:]


def _changes(tree: ast.Module) -> Iterator[str]:
    """Change the tree in place, once for every mutant, and put it right again."""
    for function in _functions(tree):
        lines = _lines(function)
        known = _first_lines(function)
        for parent, field, position, node in source.places(function):
            line = lines[id(node)]
            names = [name for name, first in known.items() if first < line]
            replacements: Iterator[ast.AST] = iter(())
            if isinstance(node, ast.expr):
                replacements = _expressions(node, parent, field, names)
            elif isinstance(node, ast.stmt):
                replacements = _statements(node, names)
            for replacement in replacements:
                with source.Put(parent, field, position, ast.fix_missing_locations(replacement)):
                    yield f"line {line}: {_told(node)} -> {_told(replacement)}"


def _functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Functions, methods, and assignments outside functions."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (method for method in node.body if isinstance(method, ast.FunctionDef))
        elif isinstance(node, ast.Assign):
            yield ast.Module([node], [])


def _lines(function: ast.AST) -> dict[int, int]:
    """For every node, the line in which its statement begins."""
    found: dict[int, int] = {}

    def walk(node: ast.AST, line: int) -> None:
        line = node.lineno if isinstance(node, ast.stmt) else line
        found[id(node)] = line
        for child in ast.iter_child_nodes(node):
            walk(child, line)

    walk(function, 0)
    return found


def _first_lines(function: ast.AST) -> dict[str, int]:
    """The names that have a value in a function, with the line from which they have it."""
    if not isinstance(function, ast.FunctionDef):
        return {}
    names = dict.fromkeys(source.parameters(function), 0)
    stored = [node for node in ast.walk(function) if isinstance(node, ast.Name) and source.is_target(node)]
    for node in sorted(stored, key=lambda node: node.lineno):
        names.setdefault(node.id, node.lineno)
    return {name: line for name, line in names.items() if name not in ("self", "_")}


def _told(node: ast.AST) -> str:
    """A node's source on one line."""
    text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
    return "left out" if text == "pass" else text


def _statements(node: ast.stmt, names: list[str]) -> Iterator[ast.AST]:
    """A line left out, assigned instead of added, a branch always or never taken, a loop of one round."""
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    if isinstance(node, ast.AugAssign | ast.Expr) or (isinstance(target, ast.Name) and target.id in names):
        yield ast.Pass()
    if isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value)
        yield from (ast.AugAssign(node.target, other(), node.value) for other in OPERATORS.get(type(node.op), ()))
    if isinstance(node, ast.If):
        yield ast.If(ast.Constant(True), node.body, node.orelse)
        yield ast.If(ast.Constant(False), node.body, node.orelse)
    if isinstance(node, ast.For):
        yield ast.For(node.target, node.iter, [*node.body, ast.Break()], node.orelse)


def _expressions(node: ast.expr, parent: ast.AST, field: str, names: list[str]) -> Iterator[ast.AST]:
    """What stands by mistake in the place of an expression."""
    called = isinstance(parent, ast.Call) and field == "func"
    match node:
        case ast.BinOp(left, operator, right):
            yield from (ast.BinOp(left, other(), right) for other in OPERATORS.get(type(operator), ()))
            if isinstance(operator, ast.Sub | ast.Div | ast.Pow | ast.MatMult):
                yield ast.BinOp(right, operator, left)
            yield left
            yield right
            if isinstance(operator, ast.MatMult):
                yield ast.BinOp(_transposed(left), operator, right)
                yield ast.BinOp(left, operator, _transposed(right))
                yield _transposed(node)
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            for number in dict.fromkeys((value + 1, value - 1, -value, 0, 1)):
                if number != value:
                    yield ast.Constant(number) if number >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-number))
        case ast.Compare(left, [comparison], [right]):
            yield from (ast.Compare(left, [other()], [right]) for other in COMPARISONS.get(type(comparison), ()))
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            yield from values
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
            yield body
            yield orelse
        case ast.Attribute(value, "T"):
            yield value
        case ast.Subscript(value, index):
            yield value
            yield from (ast.Subscript(value, other, node.ctx) for other in _indices(index))
        case ast.Call():
            yield from _calls(node)
        case ast.Tuple(elements) | ast.List(elements) if not isinstance(parent, ast.Subscript):
            for i in range(len(elements) - 1):
                yield type(node)([*elements[:i], elements[i + 1], elements[i], *elements[i + 2 :]], ast.Load())
        case ast.Name(id) if not called and id in names:
            yield from (ast.Name(name, ast.Load()) for name in names if name != id)
            if not isinstance(parent, ast.UnaryOp):
                yield ast.UnaryOp(ast.USub(), node)


def _transposed(node: ast.expr) -> ast.expr:
    """``node.T``, or the node itself where it is transposed already."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return node.value
    return ast.Attribute(node, "T", ast.Load())


def _indices(index: ast.expr) -> Iterator[ast.expr]:
    """A range without one of its bounds, axes exchanged. Numbers change by themselves."""
    if isinstance(index, ast.Slice):
        bounds = {name: getattr(index, name) for name in ("lower", "upper", "step")}
        yield from (ast.Slice(**{**bounds, name: None}) for name, bound in bounds.items() if bound is not None)
    if isinstance(index, ast.Tuple):
        for i, element in enumerate(index.elts):
            for other in _indices(element):
                yield ast.Tuple([*index.elts[:i], other, *index.elts[i + 1 :]], ast.Load())
        if len(index.elts) == 2:
            yield ast.Tuple(index.elts[::-1], ast.Load())


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    """Another function, arguments exchanged, an option left out, another axis, no call at all."""
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    for family in FUNCTIONS:
        for other in family if name in family else ():
            if other != name:
                yield ast.Call(_named(function, other), node.args, node.keywords)
    for i in range(len(node.args) - 1):
        exchanged = [*node.args[:i], node.args[i + 1], node.args[i], *node.args[i + 2 :]]
        yield ast.Call(function, exchanged, node.keywords)
    for i, keyword in enumerate(node.keywords):
        before, after = node.keywords[:i], node.keywords[i + 1 :]
        yield ast.Call(function, node.args, [*before, *after])
        if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant) and keyword.value.value in (0, 1):
            axis = ast.keyword("axis", ast.Constant(1 - keyword.value.value))
            yield ast.Call(function, node.args, [*before, axis, *after])
    if len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]
    if isinstance(function, ast.Attribute) and not node.args and not _is_module(function.value):
        yield function.value


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "numpy", "math", "sympy", "sp")


def _named(function: ast.expr, name: str) -> ast.expr:
    """A function of another name, of the same module or object."""
    if isinstance(function, ast.Attribute):
        return ast.Attribute(function.value, name, ast.Load())
    return ast.Name(name, ast.Load())


# Running mutants.


class Stopped(Exception):
    """A mutant's loops have taken more rounds than any answer needs."""


def compiled(text: str, names: Mapping[str, Any], wanted: str) -> Any:
    """What a program defines under a name, run with copies of these global names; its loops are counted.

    A function starts to count anew with every call.
    """
    rounds = 0

    def counted() -> bool:
        nonlocal rounds
        rounds += 1
        if rounds > ROUNDS:
            raise Stopped(f"after {ROUNDS} rounds of its loops")
        return True

    space = {**names, "_counted": counted}
    tree = ast.fix_missing_locations(_Counted().visit(ast.parse(text)))
    with warnings.catch_warnings(action="ignore"):  # of Python, about programs that make no sense
        exec(compile(tree, "<mutant>", "exec"), space)
    made = space[wanted]
    if not isinstance(made, types.FunctionType):
        return made

    def answer(*inputs: Any) -> Any:
        nonlocal rounds
        rounds = 0
        return made(*inputs)

    return answer


class _Counted(ast.NodeTransformer):
    """Calls ``_counted`` in every round of every loop."""

    def visit_While(self, node: ast.While) -> ast.AST:
        self.generic_visit(node)
        node.test = ast.BoolOp(ast.And(), [_count(), node.test])
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_count()))
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs.insert(0, _count())
        return node


def _count() -> ast.expr:
    return ast.Call(ast.Name("_counted", ast.Load()), [], [])


@dataclass(frozen=True)
class Solution:
    """A worked solution: the cell's source, and the names that the lesson has defined by then."""

    text: str
    names: Mapping[str, Any]


def answers(exercise: Exercise, solution: Solution | None) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Every mutant of an exercise: where from ("solution" or "formula"), the change, and what makes the answer.

    What is chosen, not computed, has none.
    """
    if isinstance(exercise.kind, Prediction | Order):
        return
    if solution is not None:
        for mutant in mutants(solution.text):
            yield "solution", mutant.change, _made(mutant, solution, exercise.function)
    if isinstance(exercise.kind, Class):
        return
    for step in exercise.steps:
        written = _as_program(step.formula)
        if written is None:
            continue
        for mutant in mutants(written.text):
            yield "formula", f"{step.name}, {mutant.change}", _with(exercise, step.name, mutant, written)


def _made(mutant: Mutant, solution: Solution, wanted: str) -> Callable[[], Any]:
    return lambda: compiled(mutant.source, solution.names, wanted)


def _with(exercise: Exercise, step: str, mutant: Mutant, written: Solution) -> Callable[[], Any]:
    def made() -> Any:
        counting = compiled(mutant.source, written.names, "formula")
        formula = ast.parse(mutant.source).body[0]
        assert isinstance(formula, ast.FunctionDef)
        parameters = ", ".join(source.parameters(formula))
        # Formulas are called by their parameters' names, which the counting function does not have.
        named = eval(f"lambda {parameters}: counting({parameters})", {"counting": counting})
        return exercise.kind.make(exercise, {step: named})

    return made


def _as_program(formula: Any) -> Solution | None:
    """A formula as a function named ``formula``, with the names it uses; None without source."""
    tree = source.tree_of(formula)
    if tree is None:
        return None
    closed = zip(formula.__code__.co_freevars, formula.__closure__ or (), strict=True)
    names = {**source.rebound(formula, {}).__globals__, **{name: cell.cell_contents for name, cell in closed}}
    body: list[ast.stmt] = [ast.Return(tree.body)] if isinstance(tree, ast.Lambda) else tree.body
    tree.args.defaults = []
    function = ast.FunctionDef("formula", tree.args, body, [])
    return Solution(ast.unparse(ast.fix_missing_locations(ast.Module([function], []))), names)


@cache
def solutions(path: Path) -> dict[str, Solution]:
    """The worked solutions of a lesson's source, by exercise.

    Of the lesson's other cells only what defines something is run: imports, functions, classes, plain values. What
    rests on more than that, such as a class derived from a computed one, stays undefined.
    """
    import jupytext  # here, because it takes a while, and reading formulas does without

    names: dict[str, Any] = {"__name__": path.stem}
    found: dict[str, Solution] = {}
    for cell in jupytext.read(path, fmt="md:myst").cells:
        if cell.cell_type != "code":
            continue
        if "exercise" in cell.metadata:
            found[cell.metadata["exercise"]] = Solution(_without_marks(cell.source), dict(names))
        for node in ast.parse(_without_magics(cell.source)).body:
            if _defines(node):
                with contextlib.suppress(Exception):
                    exec(compile(ast.Module([node], []), path.name, "exec"), names)
    return found


def _without_marks(text: str) -> str:
    return re.sub(r"^\s*### (BEGIN|END) SOLUTION\n?", "", text, flags=re.MULTILINE)


def _without_magics(text: str) -> str:
    return re.sub(r"^%.*$", "", text, flags=re.MULTILINE)


def _defines(node: ast.stmt) -> bool:
    """Whether a statement defines something and does nothing else."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if not isinstance(node, ast.Assign):
        return False
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return True
