"""What isolation costs, and what it saves: ``python benchmarks/isolation.py``.

Four comparisons, each in turn within this run, medians. A confined child of the warm parent beside a bare ``os.fork``
of a process that has imported the same. A notebook the size of a lesson (16 code cells, 8 of them checks), with and
without a plot, beside nbclient with a fresh kernel, and beside the same cells in a warm IPython shell of this process.
Whole lessons with their worked solutions, beside the same two; without the cells that a grader does not carry out
(explorers and the table of one's progress). The memory of an idle student process that is its own (proportional set
size), beside its warm parent's.

Goals: fork and confinement below 15 ms; at least 20 times as fast as nbclient, 8 times with a plot; at most 1.5 times
the bare cost; less than 20 MB for an idle process.
"""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import matplotlib
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib_inline.backend_inline import configure_inline_support
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from nbgrader.utils import determine_grade

from autograder.course.build import check_id, grade_id, source_notebook
from autograder.course.folders import lesson_sources
from autograder.execution.notebook import run_notebook
from autograder.execution.parents import Parents
from autograder.execution.preprocessor import is_check

LESSON = "04_sigmoid_network"
INLINE = "module://matplotlib_inline.backend_inline"
FORKS = 100
NOTEBOOKS = 9

EXERCISES = (
    "04.stable_sigmoid",
    "04.sigmoid_slope",
    "04.forward_sample",
    "04.forward_batch",
    "04.squared_error",
    "04.squared_error_gradient",
    "04.cross_entropy",
    "04.cross_entropy_gradient",
)
"""Their worked solutions are the answers; each has its check behind it."""

LESSONS = ("04_sigmoid_network", "05_backpropagation", "07_automatic_differentiation")
"""Those whose cells take the least time, which isolation costs most; the last of them only draws graphs."""

NOT_CARRIED_OUT = ("_explorer(", "progress()")
"""What is in the cells that a grader only seems to carry out."""

PLOT = """\
import matplotlib.pyplot as plt

z = np.linspace(-6, 6, 200)
plt.plot(z, np.tanh(z))
plt.show()"""


IMPORTS = "import numpy as np\n\nfrom autograder import check\nfrom chainrule_lib import sigmoid\n\n\n"

ASSERTIONS = """\
assert stable_sigmoid(0.0) == 0.5
assert abs(sigmoid_slope(0.0) - 0.25) < 1e-12
assert len(forward_sample(np.ones(2), np.eye(2), np.ones(2), np.eye(2), np.ones(2))) == 4
assert len(forward_batch(np.ones((3, 2)), np.eye(2), np.ones(2), np.eye(2), np.ones(2))) == 2
assert squared_error(np.ones((2, 1)), np.zeros((2, 1))) == 0.5
assert squared_error_gradient(np.ones((2, 1)), np.zeros((2, 1))).tolist() == [[0.5], [0.5]]
assert np.all(cross_entropy_of_logits(np.zeros((2, 1)), np.zeros((2, 1))) > 0.69)
assert cross_entropy_gradient(np.full((2, 1), 0.5), np.ones((2, 1))).shape == (2, 1)
"""
"""Checks as many instructors write them, instead of the course's."""


def notebook(plot: bool, assertions: bool = False) -> NotebookNode:
    """A notebook of 16 code cells, half of them checks; nbgrader's metadata tells which."""
    lesson = source_notebook(LESSON, lesson_sources([LESSON], None)[LESSON])
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in lesson.cells if "nbgrader" in cell.metadata}
    chosen = [cells[name] for each in EXERCISES for name in (grade_id(each), check_id(each))]
    chosen[0].source = IMPORTS + chosen[0].source
    if assertions:
        for cell, source in zip(chosen[1::2], ASSERTIONS.splitlines(), strict=True):
            cell.source = source
    if plot:
        chosen[4].source += f"\n\n{PLOT}"
    return new_notebook(cells=chosen, metadata=lesson.metadata)


def whole_lesson(name: str) -> NotebookNode:
    """A lesson with its worked solutions, as far as a grader carries it out."""
    found = source_notebook(name, lesson_sources([name], None)[name])
    found.cells = [
        cell
        for cell in found.cells
        if cell.cell_type == "code" and not any(each in cell.source for each in NOT_CARRIED_OUT)
    ]
    return found


def milliseconds(action: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    action()
    return 1e3 * (time.perf_counter() - start)


def fork() -> None:
    """A bare fork of this process, which has imported what a warm parent has, up to the child's end."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def memory(pid: int, what: str) -> float:
    """A figure of a process's memory in MB, from the kernel."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1e3
    raise LookupError(what)


def isolated(parents: Parents, nb: NotebookNode) -> NotebookNode:
    """The notebook in two processes."""
    run_notebook(nb, parents.student, parents.grading, 0, is_check)
    return nb


def fresh_kernel(nb: NotebookNode) -> NotebookNode:
    """The notebook by nbclient."""
    return NotebookClient(nb).execute()


def warm_shell(shell: InteractiveShell, nb: NotebookNode) -> NotebookNode:
    """The cells alone, in a shell that is there already; what they show is made and thrown away."""
    with capture_output():
        for cell in nb.cells:
            shell.run_cell(cell.source, store_history=True)
    return nb


def points(nb: NotebookNode) -> float:
    """What the checks give; a comparison of times means nothing where one side fails."""
    return sum(determine_grade(cell)[0] for cell in nb.cells if is_check(cell))


def compare_notebooks(
    parents: Parents, shell: InteractiveShell, what: str, nb: NotebookNode, goal: int | None = None
) -> None:
    """Print how one notebook compares."""
    ways: dict[str, Callable[[NotebookNode], NotebookNode]] = {
        "isolated": lambda nb: isolated(parents, nb),
        "nbclient": fresh_kernel,
        "warm shell": lambda nb: warm_shell(shell, nb),
    }
    found = {name: points(way(deepcopy(nb))) for name, way in ways.items() if name != "warm shell"}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(NOTEBOOKS):
        for name, way in ways.items():
            copy = deepcopy(nb)
            times[name].append(milliseconds(lambda way=way, copy=copy: way(copy)))
    ours, theirs, bare = (statistics.median(measured) for measured in times.values())
    print(f"{what}: {len(nb.cells)} cells, {sum(map(is_check, nb.cells))} of them checks; points: {found}")
    wanted = "" if goal is None else f" (goal {goal})"
    print(f"  isolated {ours:.1f} ms, nbclient {theirs:.0f} ms: {theirs / ours:.1f} times as fast{wanted}")
    print(f"  warm shell {bare:.1f} ms: ratio {ours / bare:.2f} (goal 1.5)")


def compare_forks(parents: Parents) -> None:
    """Print what a confined child costs, and its memory."""
    confined, bare = [], []
    for _ in range(FORKS):
        confined.append(milliseconds(lambda: parents.student.child().end()))
        bare.append(milliseconds(fork))
    print(f"confined child, asked for, used up and removed: {statistics.median(confined):.1f} ms (goal 15)")
    print(f"bare fork of this process: {statistics.median(bare):.1f} ms")
    child = parents.student.child()
    print(
        f"memory of an idle student process: {memory(child.pid, 'Pss'):.1f} MB shared out, of which its own "
        f"{memory(child.pid, 'Private_Dirty'):.1f} MB (goal 20)"
    )
    child.end()


def main() -> None:
    """Print all comparisons."""
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, Linux {platform.release()}"
    )
    parents = Parents(LESSON)
    parents.wait()
    matplotlib.use(INLINE)
    shell = InteractiveShell.instance()
    shell.kernel = object()  # so that checks show themselves as they do in a notebook
    configure_inline_support(shell, INLINE)
    compare_forks(parents)
    compare_notebooks(parents, shell, "checks of the course", notebook(plot=False), goal=20)
    compare_notebooks(parents, shell, "checks of the course, one plot", notebook(plot=True), goal=8)
    compare_notebooks(parents, shell, "plain assertions", notebook(plot=False, assertions=True), goal=20)
    parents.close()
    for name in LESSONS:
        with contextlib.closing(Parents(name)) as parents:
            parents.wait()
            compare_notebooks(parents, shell, f"lesson {name}", whole_lesson(name))


if __name__ == "__main__":
    main()
