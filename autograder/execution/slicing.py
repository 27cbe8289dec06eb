"""Which cells a check rests on, so that a cell which has spoilt the student process costs only its own points.

After a crash the good cells run again, but a cell can be good, as far as anybody sees, and still have spoilt what
comes after it: by replacing a function of numpy's, say. Where there is a sign of that, a check that has not got all its
points is tried once more, with the cells alone that bind the names it needs, and those that these need.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from symtable import Symbol, SymbolTable, symtable
from typing import TypeVar

__all__ = ["bound", "global_symbols", "is_suspicious", "read", "relevant"]

LONGEST = 100_000
"""Characters of a cell that is looked at."""

_Seen = TypeVar("_Seen")

_DEFINED = re.compile(r"^(?:async +)?(?:def|class) +(\w+)|^(\w+) *=(?!=)", re.MULTILINE)
"""Where a line defines a function, a class or a variable."""

CELLS = 300
"""Cells of which is remembered what was seen: a long notebook's."""

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


def _remembered(look: Callable[[str], _Seen]) -> Callable[[str], _Seen]:
    """Look at a cell once. Of one that is too long for that the beginning is kept, which is too long as well."""
    cached = lru_cache(maxsize=CELLS)(look)
    return wraps(look)(lambda source: cached(source[: LONGEST + 1]))


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
    bindings = []
    for cell in cells:
        bindings.append(cell.bound - {name for name, origin in cell.imported.items() if imported.get(name) == origin})
        imported = {name: origin for name, origin in imported.items() if name not in bindings[-1]} | cell.imported
    needed, chosen = set(names), set[int]()
    while True:
        found = {
            number
            for number, cell in enumerate(cells)
            if cell.everything or bindings[number] & needed or (cell.changed - modules) & needed
        }
        if found == chosen:
            return sorted(chosen)
        chosen = found
        needed = needed.union(*(cells[number].read for number in chosen))


def read(source: str) -> Set[str]:
    """The names that a cell reads."""
    return _cell(source).read


def bound(source: str) -> Set[str]:
    """The names that a cell binds."""
    return _cell(source).bound


@_remembered
def is_suspicious(source: str) -> bool:
    """Whether a cell may change what it does not define itself: Python, IPython, a module."""
    tree = _parsed(source)
    if tree is None:
        return True
    modules = _cell(source).imported.keys() | {"np", "plt"}
    return any(_is_powerful(node, modules) for node in ast.walk(tree))


def _is_powerful(node: ast.AST, modules: Set[str]) -> bool:
    """Whether a part of a cell may do that."""
    match node:
        case ast.Name(id=name):
            return name in _POWERFUL
        case ast.Attribute(attr=name, ctx=ast.Load()):
            is_hidden = name.startswith("__") or (name.startswith("_") and _root(node) != "self")
            return name in _POWERFUL or (is_hidden and name not in ("__init__", "__name__"))
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


def _parsed(source: str) -> ast.Module | None:
    """A cell's syntax, empty where it is no Python; None where it is too long, or nested too deeply, to be looked at.

    This is done in a process that has a class to grade, so it must not take long, whatever the cell. IPython's own
    translation of magics takes minutes for some.
    """
    if len(source) > LONGEST:
        return None
    try:
        with contextlib.suppress(SyntaxError, ValueError):
            return ast.parse(source)
        with contextlib.suppress(SyntaxError, ValueError):
            return ast.parse("\n".join(map(_without_magic, source.split("\n"))))
    except (RecursionError, MemoryError):
        return None
    return ast.Module([], [])


def _without_magic(line: str) -> str:
    """A line of a cell; where it is in IPython's own syntax, one that uses IPython in Python's."""
    told = line.strip()
    if told.startswith(("%", "!", "?")) or told.endswith("?"):
        return line[: len(line) - len(line.lstrip())] + "get_ipython()"
    name, equals, value = line.partition("=")
    return f"{name}= get_ipython()" if equals and value.strip().startswith(("%", "!")) else line


@_remembered
def _cell(source: str) -> _Cell:
    """What a cell binds and reads, without what is a function's own where that can be told."""
    found = _Cell()
    tree = _parsed(source) or ast.Module([], [])
    if not tree.body:  # one slip in it, and it is no Python any more; but what it was to define can be seen
        found.bound.update(name for names in _DEFINED.findall(source) for name in names if name)
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
                names_bound = {(alias.asname or alias.name).partition(".")[0]: module + alias.name for alias in names}
                found.everything |= "*" in names_bound
                found.bound |= names_bound.keys()
                found.imported |= names_bound
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                found.changed.add(_root(node))
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):  # magics, or no Python
        symbols = list(global_symbols(symtable(source, "<cell>", "exec")))
        found.read &= {symbol.get_name() for symbol in symbols if symbol.is_referenced()}
        found.bound &= {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
    return found


def global_symbols(table: SymbolTable) -> Iterator[Symbol]:
    """What a scope, and those inside it, use of the names outside all functions."""
    is_module = table.get_type() == "module"
    for symbol in table.get_symbols():
        if is_module or symbol.is_global():
            yield symbol
    for inner in table.get_children():
        yield from global_symbols(inner)
