"""The program of a grading process: it runs the checks, from the instructor's source.

A name in a check means, in this order: what an earlier check of the notebook defined; what the instructor's own cells
import or define (a definition is run here when a check first needs it); and else the learner's, which arrives as data,
or as a stand-in for what stays in the student process. So no learner's code can take the place of ``check``, or of
numpy. Data are fetched again for a later statement of the check, where the learner's code has done something since.
"""

from __future__ import annotations

import ast
import builtins
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from importlib import import_module
from symtable import symtable
from types import ModuleType
from typing import Any

import msgpack
from IPython.core.inputtransformer2 import TransformerManager

from autograder.checking import evaluate, prepared, seeded
from autograder.errors import BoundaryError
from autograder.execution import rehearsal
from autograder.execution.boundary import ModuleName, Peer, StandIn, StudentGone
from autograder.execution.process import CellProcess, imported
from autograder.execution.shell import CellRun, Shell
from autograder.execution.slicing import global_symbols
from autograder.execution.stand_in import ANSWERS
from autograder.execution.values import Writer, no_data
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
        symbols = global_symbols(symtable(source, "<check>", "exec"))
        names = dict.fromkeys(symbol.get_name() for symbol in symbols if symbol.is_referenced())
    except (RecursionError, MemoryError):  # nested so deeply that nothing can run it
        return ()
    except (SyntaxError, ValueError):  # magics, an await outside a function, or indeed no Python
        names = dict.fromkeys(_read_slowly(source))
    return tuple(name for name in names if not hasattr(builtins, name))


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


RENEW = "_renew_what_was_borrowed"
"""The name that the statements which do it have for that."""


class _Renewing(ast.NodeTransformer):
    """Has data fetched again before every statement of a check that reads them, but for the first.

    Parameters
    ----------
    names : those of the data
    note : is told before the check runs which of them that will be
    """

    def __init__(self, names: Mapping[str, Any], note: Callable[[str], None]) -> None:
        self.names = names
        self.note = note

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """A whole check."""
        if not self.names:
            return node
        functions = [each for each in ast.walk(node) if isinstance(each, ast.FunctionDef | ast.Lambda)]
        called = _loaded(functions)  # by any statement
        body = node.body[:1]
        for statement in node.body[1:]:
            loaded = called | _loaded([statement])
            if names := [name for name in self.names if name in loaded]:
                body += (ast.copy_location(each, statement) for each in ast.parse(f"{RENEW}({names!r})").body)
            for name in names:
                self.note(name)
            body.append(statement)
        node.body = body
        return node


def _loaded(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that are read in parts of a check."""
    return {
        each.id
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and type(each.ctx) is ast.Load
    }


def _written(value: Any) -> bytes | None:
    """What data consist of; None for what is no data."""
    try:
        return msgpack.packb(Writer(None, no_data).write(value), unicode_errors="surrogatepass")
    except Exception:  # whatever keeps it from crossing
        return None


class _Checks:
    """The checks of one notebook."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.definitions: Mapping[str, str] = GIVEN
        self.peer: Peer | None = None
        self.data: dict[str, Any] = {}  # what was borrowed
        self.as_it_came: dict[str, tuple[bytes | None, int]] = {}  # what it consisted of, and the requests before it
        shell.namespace[RENEW] = self.renew
        shell.ipython.ast_transformers.append(_Renewing(self.data, self.note))

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
        self.peer = peer
        borrowed: dict[str, Any] = {}
        try:
            for name in needed(source):
                if name not in self.shell.namespace and not self.define(name):
                    borrowed |= self.borrow(name)
            self.shell.namespace.update(borrowed)
            self.data |= {name: each for name, each in borrowed.items() if not isinstance(each, ModuleType | StandIn)}
            with seeded(self.seed) as results:
                run = vars(self.shell.run(source, number))
        except (Exception, BoundaryError) as error:
            # The instructor's definition failed, or the student process while a name was looked up.
            run, results = _failed(error), []
        for name, value in (borrowed | self.data).items():
            # The next check sees what the learner's cells have made of the name by then.
            if self.shell.namespace.get(name) is value:
                del self.shell.namespace[name]
        self.data.clear()
        self.as_it_came.clear()
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

    def note(self, name: str) -> None:
        """Remember what borrowed data consist of."""
        if name not in self.as_it_came and self.peer is not None:
            self.as_it_came[name] = _written(self.data[name]), self.peer.done

    def renew(self, names: Sequence[str]) -> None:
        """Fetch data again that a learner's code may have changed since; not what the check itself has changed."""
        for name in names:
            if name not in self.data or self.peer is None:
                continue
            value, (written, done) = self.data[name], self.as_it_came[name]
            is_borrowed = self.shell.namespace.get(name) is value
            if self.peer.done > done and is_borrowed and written is not None and _written(value) == written:
                del self.shell.namespace[name], self.data[name], self.as_it_came[name]
                renewed = self.borrow(name)
                self.shell.namespace.update(renewed)
                self.data |= renewed
                for each in renewed:
                    self.note(each)

    def borrow(self, name: str) -> dict[str, Any]:
        """A learner's value by its name; nothing where there is none, so that Python itself complains of the name."""
        if self.peer is None:
            raise StudentGone("The process that ran the learner's code had ended, or had broken the rules.")
        try:
            value = self.peer.fetch(name)
        except NameError:
            return {}
        if not isinstance(value, ModuleName):
            return {name: value}
        return {name: import_module(value.name)} if ALIASES.get(name, name) == value.name else {}
