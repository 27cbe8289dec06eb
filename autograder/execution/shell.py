"""Cells run in this process by IPython's own shell, with the outputs a notebook would have had.

A notebook's kernel is an IPython shell with sockets and threads around it, which take a second to start and cannot be
forked. ``Shell`` is the same shell without them: magics, rich output, plots, top-level ``await``, history and widgets
are IPython's and ipywidgets' own. What a kernel sends to a browser, ``outputs`` and ``widgets`` write down.

It is made in a warm parent and used in a forked child: until the first cell runs it has no threads and no open files,
and changes no stream. A learner's code may replace any part of it. ``run`` holds on to what it needs, and whatever
happens returns a ``CellRun``; but nothing that comes out of a process with a learner's code in it is to be believed.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import getpass
import io
import os
import sys
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

from IPython.core.error import StdinNotImplementedError

from autograder.execution import ipython
from autograder.execution.descriptors import Descriptors
from autograder.execution.loop import Loop
from autograder.execution.outputs import Output, OutputLimits, Recorder, said
from autograder.execution.widgets import Comms

__all__ = ["CellRun", "OutputLimits", "Shell"]

BROKEN = {
    "ename": "BrokenNotebook",
    "evalue": "A cell has changed Python itself so that no cell can be run any more.",
    "traceback": ["BrokenNotebook: A cell has changed Python itself so that no cell can be run any more."],
}


@dataclass
class CellRun:
    """What a cell did.

    Parameters
    ----------
    status : whether it ran to its end
    execution_count : its number, None where it was empty
    outputs : nbformat outputs; a display that may be renewed has ``transient: {"display_id": ...}`` beside its data
    updates : new data and metadata for displays of earlier cells, with their ``display_id``
    widgets : state of the widgets that changed, by model id, as nbclient keeps it in the notebook's metadata
    error : ``ename``, ``evalue`` and ``traceback`` of what stopped the cell, shown or not
    """

    status: Literal["ok", "error"]
    execution_count: int | None = None
    outputs: list[Output] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    widgets: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None


class Shell:
    """A shell for the cells of one notebook; there is one in a process, as there is one IPython.

    Parameters
    ----------
    limits : how much one cell may show
    """

    def __init__(self, limits: OutputLimits | None = None) -> None:
        self.recorder = Recorder(limits or OutputLimits())
        self.comms = Comms(self.recorder)
        self.comms.install()
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        self.ipython = ipython.make(self.recorder, self.comms)
        self.loop = Loop()
        self._descriptors = Descriptors(self.recorder)
        self._process: int | None = None
        # A learner's code can put something else in the place of these.
        self._run_cell = self.ipython.run_cell_async
        self._run_until_complete = self.loop.run_until_complete
        self._warm()

    @property
    def namespace(self) -> dict[str, Any]:
        """The variables of the notebook."""
        namespace: dict[str, Any] = self.ipython.user_ns
        return namespace

    def see_folder(self) -> None:
        """Let cells import modules from the working directory, as in a notebook. Never where answers are graded."""
        if "" not in sys.path:
            places = (number for number, path in enumerate(sys.path) if "site-packages" in path)
            sys.path.insert(next(places, len(sys.path)), "")

    def explain_errors(self, explain: Callable[[BaseException], str]) -> None:
        """Add a sentence to the errors of cells: what ``explain`` says of the exception, if it says anything."""
        self.ipython.explain = explain

    @staticmethod
    def warm_plots() -> None:
        """Draw a picture that nobody sees, so that a child finds fonts and what draws them in memory."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(1, 1))
        axes = figure.subplots()
        axes.plot([0, 1], label="$x_1$")
        axes.legend(title="x")
        figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")

    @staticmethod
    def warm_symbols() -> None:
        """Differentiate and print a formula, so that a child finds what SymPy imports for the first ones in memory."""
        import sympy

        x, y = sympy.symbols("x y")
        formula = sympy.log((x - y) ** 2 + 1) / (x * (1 - sympy.exp(-y))) + sympy.sin(x)
        str(sympy.simplify(sympy.diff(formula, x) - sympy.cos(x)))

    def run(self, source: str, number: int | None = None) -> CellRun:
        """Run a cell.

        Parameters
        ----------
        source : of the cell
        number : what the notebook shows beside it; None for one more than the last. Cells that run elsewhere have
            numbers too, and their places in the history are empty.

        Returns
        -------
        CellRun
            Always: whatever a cell raises is one of its outputs.
        """
        run = CellRun("error")
        try:
            try:
                self._begin()
                if number is not None:
                    self._skip_to(number)
                run.error = self._cell(source)
            except BaseException as error:  # the cell broke what runs it, or a signal of its own came in between
                run.error = self._fallback(error)
            run.execution_count = self.ipython.execution_count - 1 if source.strip() else None
            run.outputs = self.recorder.end()
            run.updates = list(self.recorder.updates.values())
            run.widgets = self.comms.end()
            run.status = "ok" if run.error is None else "error"
            self.comms.tell()
        except BaseException:
            # Not even Python's own functions can be relied on here.
            run.status, run.error = "error", BROKEN
            run.outputs = [*run.outputs, {"output_type": "error", **BROKEN}]
        return run

    def _skip_to(self, number: int) -> None:
        """Give the next cell a number."""
        history = self.ipython.history_manager
        for inputs in (history.input_hist_parsed, history.input_hist_raw):
            inputs += [""] * (number - len(inputs))
        self.ipython.execution_count = number

    def settle(self, source: str = "pass") -> None:
        """Run a cell that nobody sees, so that the first real one of this process need not touch all memory first.

        What a child shares with its parent is copied page by page when it is first written to, and Python writes to an
        object whenever it uses one.
        """
        names = set(self.namespace)
        self._begin()
        self._cell(source, store_history=False)
        self.recorder.end()
        self.comms.end()
        for name in set(self.namespace) - names:
            del self.namespace[name]
        self.ipython.last_execution_succeeded, self.ipython.last_execution_result = True, None

    def _warm(self) -> None:
        """Run a cell and an error, so that their imports are done before the fork, and forget that it happened."""
        self.ipython.begin("")
        for source in ("pass", "import asyncio; await asyncio.sleep(0)", "%time pass", "1 / 0"):
            with contextlib.redirect_stdout(io.StringIO()):
                self._cell(source, store_history=False)
        self.ipython.display_formatter.format([1.5])
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
        self.namespace.pop("asyncio", None)
        self.ipython.last_execution_succeeded, self.ipython.last_execution_result = True, None

    def _begin(self) -> None:
        """Get ready for a cell; the first time in a process, for the process."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._settle()
        self._descriptors.drop()
        _drop_figures()
        self.recorder.begin()
        self.comms.begin()
        self.ipython.begin(self.comms.message)
        for name, stream in (("stdout", self.recorder.out), ("stderr", self.recorder.err)):
            if getattr(sys, name, None) is None:  # taken away by an earlier cell, which is to cost only itself
                setattr(sys, name, stream)
        builtins.input = _input
        getpass.getpass = _getpass

    def _settle(self) -> None:
        """Make this process's streams those of the cells, once."""
        sys.stdout, sys.stderr = self.recorder.out, self.recorder.err
        sys.breakpointhook = _go_on
        self.namespace["_dh"][:] = [os.getcwd()]
        self._descriptors.open()
        self.loop.open()
        asyncio.set_event_loop(self.loop)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(
                int.from_bytes(os.urandom(4))
            )  # or all children of one parent would draw the same numbers

    def _cell(self, source: str, store_history: bool = True) -> dict[str, Any] | None:
        """Run a cell as a kernel does; what went wrong, None if nothing did.

        A kernel runs cells one after the other in one task, whose context (numpy's print options and error handling are
        kept in it) passes from cell to cell; only a cell that awaits has a task and a context of its own.
        """
        ipython = self.ipython
        before = None
        try:
            transformed = ipython.transform_cell(source)
        except Exception:
            transformed, before = source, sys.exc_info()
        waits = ipython.should_run_async(source, transformed_cell=transformed, preprocessing_exc_tuple=before)
        if not waits and self.recorder.err.kept:
            # Python has warned of the syntax. A kernel asks twice where a cell does not wait, and shows it twice.
            ipython.should_run_async(source, transformed_cell=transformed, preprocessing_exc_tuple=before)
        coroutine = self._run_cell(
            source, store_history=store_history, transformed_cell=transformed, preprocessing_exc_tuple=before
        )
        result = None
        try:
            result = self._run_until_complete(coroutine) if waits else self._run_at_once(coroutine)
        finally:
            with self.loop.as_if_running():
                ipython.events.trigger("post_execute")
                ipython.events.trigger("post_run_cell", result)
        error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
        if error is None and not ipython.failed_display:
            return None
        return {
            "ename": type(error).__name__,
            "evalue": said(error),
            "traceback": list(ipython.last_traceback or ()),
        }

    def _run_at_once(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine that waits for nothing."""
        with self.loop.as_if_running():
            try:
                coroutine.send(None)
            except StopIteration as end:
                return end.value
        coroutine.close()
        raise RuntimeError("The cell waits for something, which was not to be seen in it.")

    def _fallback(self, error: BaseException) -> dict[str, Any]:
        """An error that IPython did not show, shown without it."""
        name, message = type(error).__name__, said(error)
        try:
            lines = [line.rstrip("\n") for line in traceback.format_exception_only(error)]
        except BaseException:
            lines = [f"{name}: {message}"]
        if not any(output["output_type"] == "error" for output in self.recorder.outputs):
            self.recorder.takers.clear()
            self.recorder.error(name, message, lines)
        return {"ename": name, "evalue": message, "traceback": lines}


def _drop_figures() -> None:
    """Close the figures that a learner's function has drawn for a check: a kernel closes them behind it."""
    pyplot, backend = sys.modules.get("matplotlib.pyplot"), sys.modules.get("matplotlib_inline.backend_inline")
    if pyplot is not None and backend is not None and backend.show._draw_called and pyplot.get_fignums():
        backend.show._draw_called, backend.show._to_draw = False, []
        if backend.InlineBackend.instance().close_figures:
            pyplot.close("all")


def _go_on(*_: Any, **__: Any) -> None:
    """What ``breakpoint`` does in a notebook that nobody debugs."""


def _input(prompt: object = "") -> str:
    """What ``input`` does in a notebook that nobody sits at."""
    raise StdinNotImplementedError("raw_input was called, but this frontend does not support input requests.")


def _getpass(prompt: str = "", stream: Any = None, *, echo_char: str | None = None) -> str:
    """What ``getpass.getpass`` does in a notebook that nobody sits at."""
    raise StdinNotImplementedError("getpass was called, but this frontend does not support input requests.")
