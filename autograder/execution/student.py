"""The program of a student process: it runs the learner's cells, and lends their functions to the grading process.

Nothing in it is trusted by anybody, and nothing here keeps a learner's code from changing it: that is what the
confinement is for. It holds no answers: ``autograder`` is a stand-in here that asks the grading process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from autograder.execution import rehearsal, stand_in, withholding
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


def _main(shell: Shell, control: Channel) -> None:
    """The life of one student process."""

    def begin(environment: dict[str, str]) -> dict[str, Any]:
        os.environ.update(environment)
        return {}

    def ask(name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if process.peer is None:
            raise RuntimeError("Checks cannot be run here.")
        return process.peer.ask(name, arguments, options)

    process = CellProcess(
        control,
        shell.namespace,
        trusted=True,
        answers={"begin": begin, "run": lambda cell: vars(shell.run(cell["source"], cell["number"]))},
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
