"""Which cells a check rests on, so that a cell which has spoilt the student process costs only its own points.

After a crash the good cells run again, but a cell can be good, as far as anybody sees, and still have spoilt what
comes after it: by replacing a function of numpy's, say. Where there is a sign of that, a check that has not got all its
points is tried once more, with the cells alone that bind the names it needs, and those that these need.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

__all__ = ["is_suspicious", "relevant"]

_WORDS = """
    builtins __builtins__ ctypes gc get_ipython globals importlib inspect marshal msgpack os signal site socket struct
    sys threading types _thread setattr delattr exec eval __import__ vars
"""
POWERFUL = frozenset(_WORDS.split())
"""Names with which a cell can change what it does not define itself."""


@dataclass
class _Cell:
    """What a cell binds and reads, by name; ``everything`` where that cannot be told."""

    bound: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    everything: bool = False


def relevant(sources: Sequence[str], names: Iterable[str]) -> list[str]:
    """The cells among these that names rest on, in order.

    A cell counts that binds such a name, or sets an attribute or an item of it. An attribute of a module does not
    count: whoever needs numpy needs it as it is.
    """
    cells = [_cell(source) for source in sources]
    modules = set().union(*(cell.imported for cell in cells))
    needed, chosen = set(names), set[int]()
    while True:
        found = {
            number
            for number, cell in enumerate(cells)
            if cell.everything or cell.bound & needed or (cell.changed - modules) & needed
        }
        if found == chosen:
            return [sources[number] for number in sorted(chosen)]
        chosen = found
        needed = needed.union(*(cells[number].read for number in chosen))


def is_suspicious(source: str) -> bool:
    """Whether a cell may change what it does not define itself: Python, IPython, a module."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, RecursionError):
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in POWERFUL:
            return True
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if {module.partition(".")[0], *(alias.name.partition(".")[0] for alias in node.names)} & POWERFUL:
                return True
    return False


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
                bound = {(alias.asname or alias.name).partition(".")[0] for alias in names}
                found.everything |= "*" in bound
                found.bound |= bound
                found.imported |= bound
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                root: ast.AST = node
                while isinstance(root, ast.Attribute | ast.Subscript):
                    root = root.value
                if isinstance(root, ast.Name):
                    found.changed.add(root.id)
    return found
