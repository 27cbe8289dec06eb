"""The program of a grading process: it runs the checks, from the instructor's source.

A name in a check means, in this order: what an earlier check of the notebook defined; what the instructor's own cells
import or define (a definition is run here when a check first needs it); and else the learner's, which arrives as data,
or as a stand-in for what stays in the student process. So no learner's code can take the place of ``check``, or of
numpy.
"""

from __future__ import annotations

import ast
import builtins
import dis
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from types import CodeType
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from autograder.checking import seeded
from autograder.execution.boundary import ModuleName, Peer
from autograder.execution.process import CellProcess, imported
from autograder.execution.shell import CellRun, Shell
from autograder.execution.stand_in import ANSWERS
from autograder.isolation.channel import Channel

__all__ = ["definitions", "needed", "prepare"]

PRELOADED = ("numpy", "numpy.random", "numpy.linalg", "autograder", "autograder.checking", "autograder.feedback.html")

ALIASES = {"np": "numpy", "plt": "matplotlib.pyplot", "sp": "sympy", "pd": "pandas"}
"""Names under which everybody imports these; a module that a learner imports under another name is not taken over."""

GIVEN = {name: f"from autograder import {name}" for name in ("check", "evaluate", "progress", "exercises")}
"""What every check may use, whatever the notebook imports."""


def definitions(cells: list[str]) -> dict[str, str]:
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
    except (SyntaxError, ValueError):
        return []


def _python(source: str) -> str:
    """A cell with IPython's own syntax turned into Python."""
    return TransformerManager().transform_cell(source)


def needed(source: str) -> list[str]:
    """The global names that a cell reads, in order, without Python's own; none where it is no Python."""
    try:
        code = compile(_python(source), "<check>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return []
    names = dict.fromkeys(name for each in _codes(code) for name in _read(each))
    return [name for name in names if not hasattr(builtins, name)]


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and those inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _read(code: CodeType) -> list[str]:
    """The names that a code object looks up outside itself."""
    return [each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_NAME", "LOAD_GLOBAL")]


def prepare(settings: dict[str, Any]) -> Callable[[Channel], None]:
    """Import the checker and a lesson's exercises, and make the shell.

    Parameters
    ----------
    settings : ``lesson``, whose exercises are loaded; ``preload``, further modules
    """
    imported([*PRELOADED, *settings["preload"], f"autograder.exercises.lesson_{settings['lesson']}"])
    return partial(_main, Shell())


def _main(shell: Shell, control: Channel) -> None:
    """The life of one grading process."""
    checks = _Checks(shell)

    def check(request: dict[str, Any]) -> dict[str, Any]:
        return checks.run(process.peer, request["source"], request["seconds"])

    process = CellProcess(control, ANSWERS, trusted=False, answers={"begin": checks.begin, "check": check})
    process.run()


def _failed(error: Exception) -> dict[str, Any]:
    """The report of a check that could not be begun."""
    name, said = type(error).__name__, str(error)
    output = {"output_type": "error", "ename": name, "evalue": said, "traceback": [f"{name}: {said}"]}
    return vars(CellRun("error", outputs=[output]))


class _Checks:
    """The checks of one notebook."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.definitions: Mapping[str, str] = GIVEN

    def begin(self, start: dict[str, Any]) -> dict[str, Any]:
        """Take over the instructor's definitions and the submission's seed."""
        self.definitions = start["definitions"]
        self.seed = start["seed"]
        return {}

    def run(self, peer: Peer | None, source: str, seconds: float) -> dict[str, Any]:
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
                run = vars(self.shell.run(source))
        except Exception as error:  # the instructor's definition, or the student process while a name was looked up
            run, results = _failed(error), []
        for name, value in borrowed.items():
            # The next check sees what the learner's cells have made of the name by then.
            if self.shell.namespace.get(name) is value:
                del self.shell.namespace[name]
        return {**run, "results": [result.to_dict() for result in results]}

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
            return {}
        try:
            value = peer.fetch(name)
        except NameError:
            return {}
        if not isinstance(value, ModuleName):
            return {name: value}
        return {name: import_module(value.name)} if ALIASES.get(name, name) == value.name else {}
