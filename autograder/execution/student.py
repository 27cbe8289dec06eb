"""The program of a student process: it runs the learner's cells, and lends their functions to the grading process.

Nothing in it is trusted by anybody, and nothing here keeps a learner's code from changing it: that is what the
confinement is for. It holds no answers: ``autograder`` is a stand-in here that asks the grading process.
"""

from __future__ import annotations

import contextlib
import mimetypes
import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from autograder.execution import lending, rehearsal, stand_in, withholding
from autograder.execution.process import CellProcess, imported
from autograder.execution.shell import Shell
from autograder.isolation.channel import Channel

__all__ = ["prepare", "rehearse"]

PRELOADED = (
    "numpy",
    "numpy.random",
    "numpy.linalg",
    "matplotlib.pyplot",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib_inline.backend_inline",
    "ipywidgets",
    "chainrule_lib",
    "chainrule_lib.widgets",
)
"""What most lessons import."""


def prepare(settings: dict[str, Any]) -> Callable[[Channel], None]:
    """Import what cells will want, without what is withheld, and make the shell.

    Parameters
    ----------
    settings : ``withheld``, names of modules; ``lesson``, for sentences about them; ``preload``, further modules
    """
    withholding.install(settings["withheld"], settings["lesson"])
    shell = Shell()
    imported([*PRELOADED, *settings["preload"]])
    mimetypes.init()  # reads files of the system's
    shell.warm_plots()
    if "sympy" in sys.modules:
        shell.warm_symbols()
    shell.explain_errors(withholding.explain)
    _leave_no_trace()
    return partial(_main, shell)


def _leave_no_trace() -> None:
    """Let nobody look for the files of our modules, as ``%autoreload`` does for all: a child cannot read them."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "autograder":
            vars(module).pop("__file__", None)


def _forget_unreadable_folders() -> None:
    """Have imports look into the folders of the path anew that are closed to this process, and find nothing there.

    What the parent saw in them would hide a learner's own module of the same name.
    """
    for folder in sys.path:
        try:
            os.scandir(folder or ".").close()
        except OSError:
            sys.path_importer_cache.pop(folder, None)


class _Functions:
    """The functions that the cells of a notebook define, in its namespace."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.namespace = namespace
        self.known: dict[str, weakref.ref[Any]] = {}

    def new(self) -> dict[str, Any]:
        """Those that have come since this was asked last, and that can be looked at without running any of them.

        None that holds on to values of an outer function: whoever is offered one keeps it alive for a while.
        """
        own = {name: each for name, each in list(self.namespace.items()) if self.is_own(name, each)}
        before, self.known = self.known, {name: weakref.ref(each) for name, each in own.items()}
        return {name: each for name, each in own.items() if name not in before or before[name]() is not each}

    def is_own(self, name: Any, value: Any) -> bool:
        """Whether a value is a function of this kind."""
        return (
            type(name) is str
            and lending.is_plain(value)
            and value.__globals__ is self.namespace
            and value.__closure__ is None
        )


def _main(shell: Shell, control: Channel) -> None:
    """The life of one student process."""
    functions = _Functions(shell.namespace)

    def begin(environment: dict[str, str]) -> dict[str, Any]:
        os.environ.update(environment)
        return {}

    def ask(name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if process.peer is None:
            raise RuntimeError("Checks cannot be run here.")
        return process.peer.ask(name, arguments, options)

    def run(cell: dict[str, Any]) -> dict[str, Any]:
        report = vars(shell.run(cell["source"], cell["number"]))
        if process.peer is not None:
            with contextlib.suppress(Exception):  # a check then asks for what it needs
                # Another thread may give a name a new meaning at any time.
                process.peer.offer(functions.new() if threading.active_count() == 1 else {})
        return report

    process = CellProcess(
        control,
        shell.namespace,
        trusted=True,
        answers={"begin": begin, "run": run},
        explain=withholding.explain,
    )
    stand_in.install(ask)
    shell.see_folder()
    _forget_unreadable_folders()
    shell.settle()
    process.run()


def rehearse(settings: dict[str, Any], channel: Channel) -> None:
    """Have a student process run cells that use what most cells do."""
    rehearsal.of_cells(channel)
