"""Which cells a check rests on, so that a cell which has spoilt the student process costs only its own points.

After a crash the good cells run again, but a cell can be good, as far as anybody sees, and still have spoilt what
comes after it: by replacing a function of numpy's, say. Where there is a sign of that, a check that has not got all its
points is tried once more, with the cells alone that bind the names it needs, and those that these need.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

__all__ = ["is_suspicious", "relevant"]

_MODULES = """
    __future__ autograder chainrule_lib collections dataclasses functools ipywidgets itertools math matplotlib numpy
    operator scipy sympy time typing
"""
_ORDINARY = frozenset(_MODULES.split())
"""Modules that answers import. With most others a cell can change what it does not define itself, or leave something
running."""

_WORDS = """
    __builtins__ __import__ builtins delattr eval exec get_ipython globals open setattr vars
    rcParams seed set_printoptions set_state setbufsize seterr seterrcall
"""
_POWERFUL = frozenset(_WORDS.split())
"""Names, of variables or of attributes, with which it can do so without an import. Those in the second line set what
numpy and matplotlib keep for everybody."""


@dataclass
class _Cell:
    """What a cell binds and reads, by name; ``everything`` where that cannot be told."""

    bound: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    imported: dict[str, str] = field(default_factory=dict)  # with what it is in which module
    changed: set[str] = field(default_factory=set)
    everything: bool = False


def relevant(sources: Sequence[str], names: Iterable[str]) -> list[int]:
    """The cells among these that names rest on, by number, in order.

    A cell counts that binds such a name, or sets an attribute or an item of it. An attribute of a module does not
    count: whoever needs numpy needs it as it is. Nor does an import that an earlier cell has as well.
    """
    cells = [_cell(source) for source in sources]
    modules = set().union(*(cell.imported for cell in cells))
    imported: dict[str, str] = {}
    for cell in cells:
        cell.bound -= {name for name, origin in cell.imported.items() if imported.get(name) == origin}
        for name in cell.bound:
            imported.pop(name, None)
        imported |= cell.imported
    needed, chosen = set(names), set[int]()
    while True:
        found = {
            number
            for number, cell in enumerate(cells)
            if cell.everything or cell.bound & needed or (cell.changed - modules) & needed
        }
        if found == chosen:
            return sorted(chosen)
        chosen = found
        needed = needed.union(*(cells[number].read for number in chosen))


def is_suspicious(source: str) -> bool:
    """Whether a cell may change what it does not define itself: Python, IPython, a module."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, RecursionError):
        return False
    modules = _cell(source).imported.keys() | {"np", "plt"}
    return any(_is_powerful(node, modules) for node in ast.walk(tree))


def _is_powerful(node: ast.AST, modules: Set[str]) -> bool:
    """Whether a part of a cell may do that."""
    match node:
        case ast.Name(id=name):
            return name in _POWERFUL
        case ast.Attribute(attr=name, ctx=ast.Load()):
            return name in _POWERFUL or (name.startswith("__") and name != "__init__" and name != "__name__")
        case ast.Attribute():
            return True
        case ast.Subscript(ctx=ast.Store() | ast.Del()):
            return _root(node) in modules
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] not in _ORDINARY for alias in names)
        case ast.ImportFrom(module=module):
            return (module or "").partition(".")[0] not in _ORDINARY
    return False


def _root(node: ast.AST) -> str:
    """The variable that an attribute or an item is of; empty where it is of none."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _cell(source: str) -> _Cell:
    """What a cell binds and reads. What it binds inside functions is their own, and is counted all the same."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, RecursionError):
        return _Cell()
    found = _Cell()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                found.read.add(name)
            case ast.Name(id=name):
                found.bound.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.bound.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                module = f"{node.module}:" if isinstance(node, ast.ImportFrom) else ""
                bound = {(alias.asname or alias.name).partition(".")[0]: module + alias.name for alias in names}
                found.everything |= "*" in bound
                found.bound |= bound.keys()
                found.imported |= bound
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                found.changed.add(_root(node))
    return found
