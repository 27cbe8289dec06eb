"""The program of a grading process: it runs the checks, from the instructor's source.

A name in a check means, in this order: what an earlier check of the notebook defined; what the instructor's own cells
import or define (a definition is run here when a check first needs it); and else the learner's, which arrives as data,
or as a stand-in for what stays in the student process. So no learner's code can take the place of ``check``, or of
numpy.
"""

from __future__ import annotations

import ast
import builtins
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from importlib import import_module
from symtable import SymbolTable, symtable
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from autograder.checking import evaluate, prepared, seeded
from autograder.errors import BoundaryError
from autograder.execution import rehearsal
from autograder.execution.boundary import ModuleName, Peer, StudentGone
from autograder.execution.process import CellProcess, imported
from autograder.execution.shell import CellRun, Shell
from autograder.execution.stand_in import ANSWERS
from autograder.exercises import exercises
from autograder.isolation.channel import Channel

__all__ = ["definitions", "needed", "prepare", "rehearse"]

PRELOADED = ("numpy", "numpy.random", "numpy.linalg", "autograder", "autograder.checking", "autograder.feedback.html")

ALIASES = {"np": "numpy", "plt": "matplotlib.pyplot", "sp": "sympy", "pd": "pandas"}
"""Names under which everybody imports these; a module that a learner imports under another name is not taken over."""

GIVEN = {name: f"from autograder import {name}" for name in ("check", "evaluate", "progress", "exercises")}
"""What every check may use, whatever the notebook imports."""


RECORDED = ("id", "verdict", "message", "mistakes", "score", "max_score", "seed")
"""What is kept of a result beside what it shows."""


_CHECKED = re.compile(r"""^check\(["']([\w.]+)["']""", re.MULTILINE)


@lru_cache(maxsize=8)
def definitions(cells: tuple[str, ...]) -> dict[str, str]:
    """What an instructor's cells import or define, by name: the statement that does it.

    Parameters
    ----------
    cells : sources of code cells that learners do not write

    Only imports, functions and classes count; what a cell computes may rest on a learner's answer.
    """
    found = dict(GIVEN)
    for source in cells:
        for statement in _statements(source):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for alias in statement.names:
                    single = ast.Import([alias])
                    if isinstance(statement, ast.ImportFrom):
                        single = ast.ImportFrom(statement.module, [alias], statement.level)  # type: ignore[assignment]
                    found[(alias.asname or alias.name).partition(".")[0]] = ast.unparse(single)
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[statement.name] = ast.unparse(statement)
    return found


def _statements(source: str) -> list[ast.stmt]:
    """The statements of a cell; none where it is no Python, even with its magics taken care of."""
    try:
        return ast.parse(_python(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _python(source: str) -> str:
    """A cell with IPython's own syntax turned into Python."""
    return TransformerManager().transform_cell(source)


@lru_cache(maxsize=256)
def needed(source: str) -> tuple[str, ...]:
    """The global names that a cell reads, in order, without Python's own; none where it is no Python."""
    try:
        names = dict.fromkeys(_read(symtable(source, "<check>", "exec")))
    except (RecursionError, MemoryError):  # nested so deeply that nothing can run it
        return ()
    except (SyntaxError, ValueError):  # magics, an await outside a function, or indeed no Python
        names = dict.fromkeys(_read_slowly(source))
    return tuple(name for name in names if not hasattr(builtins, name))


def _read(table: SymbolTable) -> Iterator[str]:
    """The names that a scope and those inside it look up outside themselves."""
    is_module = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (is_module or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _read(inner)


def _read_slowly(source: str) -> Iterator[str]:
    """The same of a cell that is not quite Python: every name it reads, were it of a scope inside it."""
    for statement in _statements(source):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id


def prepare(settings: dict[str, Any]) -> Callable[[Channel], None]:
    """Import the checker and a lesson's exercises, and make the shell.

    Parameters
    ----------
    settings : ``lesson``, whose exercises are rehearsed; ``preload``, further modules
    """
    imported([*PRELOADED, *settings["preload"]])
    shell = Shell()
    for exercise in exercises():
        if exercise.lesson == settings["lesson"]:
            # What a first check imports and works out for all others is done once, before the fork.
            evaluate(exercise.id, exercise.answer()).to_html()
            evaluate(exercise.id, exercise.answer(next(iter(exercise.mistakes)))).to_html()
    return partial(_main, shell)


def _main(shell: Shell, control: Channel) -> None:
    """The life of one grading process."""
    shell.settle()
    checks = _Checks(shell)

    def begin(start: dict[str, Any]) -> dict[str, Any]:
        checks.begin(start)
        process.chores = _ahead(start["checks"], start["seed"])
        return {}

    def check(request: dict[str, Any]) -> dict[str, Any]:
        return checks.run(process.peer, **request)

    process = CellProcess(control, ANSWERS, trusted=False, answers={"begin": begin, "check": check})
    process.run()


def _ahead(checks: Sequence[str], seed: int) -> Iterator[None]:
    """Work out what checks to come will need, a piece at a time."""
    for source in checks:
        needed(source)
        yield
        yield from prepared(_CHECKED.findall(source), seed)


def rehearse(settings: dict[str, Any], channel: Channel) -> None:
    """Have a grading process check right answers to a lesson's exercises."""
    rehearsal.of_checks(channel, {each.id: each.answer() for each in exercises() if each.lesson == settings["lesson"]})


def _failed(error: BaseException) -> dict[str, Any]:
    """The report of a check that could not be begun."""
    name, said = type(error).__name__, str(error)
    output = {"output_type": "error", "ename": name, "evalue": said, "traceback": [f"{name}: {said}"]}
    return vars(CellRun("error", outputs=[output]))


class _Checks:
    """The checks of one notebook."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.definitions: Mapping[str, str] = GIVEN

    def begin(self, start: dict[str, Any]) -> None:
        """Take over the instructor's definitions and the submission's seed."""
        self.definitions = start["definitions"]
        self.seed = start["seed"]

    def run(self, peer: Peer | None, source: str, number: int, seconds: float) -> dict[str, Any]:
        """Run a check, and report it with what it found.

        Everything that is under way in the student process ends with its time, ``seconds``.
        """
        if peer is not None:
            peer.deadline = time.monotonic() + seconds
        borrowed: dict[str, Any] = {}
        try:
            for name in needed(source):
                if name not in self.shell.namespace and not self.define(name):
                    borrowed |= self.borrow(peer, name)
            self.shell.namespace.update(borrowed)
            with seeded(self.seed) as results:
                run = vars(self.shell.run(source, number))
        except (Exception, BoundaryError) as error:
            # The instructor's definition failed, or the student process while a name was looked up.
            run, results = _failed(error), []
        for name, value in borrowed.items():
            # The next check sees what the learner's cells have made of the name by then.
            if self.shell.namespace.get(name) is value:
                del self.shell.namespace[name]
        return {**run, "results": [{name: getattr(each, name) for name in RECORDED} for each in results]}

    def define(self, name: str) -> bool:
        """Run the instructor's definition of a name, and first those it needs; whether there is one."""
        if name not in self.definitions:
            return False
        statement = self.definitions[name]
        self.shell.namespace[name] = None  # while it is being made: a function may mention itself
        for other in needed(statement):
            if other not in self.shell.namespace:
                self.define(other)
        exec(compile(statement, "<instructor>", "exec"), self.shell.namespace)
        return True

    def borrow(self, peer: Peer | None, name: str) -> dict[str, Any]:
        """A learner's value by its name; nothing where there is none, so that Python itself complains of the name."""
        if peer is None:
            raise StudentGone("The process that ran the learner's code had ended, or had broken the rules.")
        try:
            value = peer.fetch(name)
        except NameError:
            return {}
        if not isinstance(value, ModuleName):
            return {name: value}
        return {name: import_module(value.name)} if ALIASES.get(name, name) == value.name else {}
