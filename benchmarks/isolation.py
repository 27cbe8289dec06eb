"""What isolation costs, and what it saves: ``python benchmarks/isolation.py``.

Three comparisons, each in turn within this run, medians. A confined child of the warm parent beside a bare ``os.fork``
of a process that has imported the same. A notebook the size of a lesson (16 code cells, 8 of them checks), with and
without a plot, beside nbclient with a fresh kernel, and beside the same cells in a warm IPython shell of this process.
The memory of an idle student process that is its own (proportional set size), beside its warm parent's.

Goals: fork and confinement below 15 ms; at least 20 times as fast as nbclient, 8 times with a plot; at most 1.5 times
the bare cost; less than 20 MB for an idle process.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from autograder.execution.grading import definitions
from autograder.execution.notebook import run_notebook
from autograder.execution.parents import Parents

LESSON = "04_sigmoid_network"
FORKS = 100
NOTEBOOKS = 9

ANSWERS = {
    "squared": "import numpy as np\n\nfrom autograder import check\n\n\ndef squared(x):\n    return x * x",
    "affine": "def affine(W, x, b):\n    return W @ x + b",
    "sigmoid": "def sigmoid(z):\n    return 1 / (1 + np.exp(-z))",
    "slope": "def slope(z):\n    a = sigmoid(z)\n    return a * (1 - a)",
    "loss": "def loss(a, y):\n    return 0.5 * np.sum((a - y) ** 2)",
    "gradient": "def gradient(a, y):\n    return a - y",
    "outer": "def outer(dz, x):\n    return np.outer(dz, x)",
    "squared_error": "def squared_error(A, Y):\n    return 0.5 * np.sum((A - Y) ** 2) / len(A)",
}
CHECKS = [
    "assert squared(3.0) == 9.0",
    "assert affine(np.eye(2), np.ones(2), np.ones(2)).tolist() == [2.0, 2.0]",
    "assert abs(sigmoid(0.0) - 0.5) < 1e-12",
    "assert abs(slope(0.0) - 0.25) < 1e-12",
    "assert loss(np.array([1.0, 2.0]), np.array([0.0, 0.0])) == 2.5",
    "assert gradient(np.array([1.0]), np.array([0.5])).tolist() == [0.5]",
    "assert outer(np.arange(2.0), np.arange(3.0)).shape == (2, 3)",
    "check('04.squared_error', squared_error)",
]
PLOT = "import matplotlib.pyplot as plt\nz = np.linspace(-6, 6, 200)\nplt.plot(z, sigmoid(z))\nplt.show()"


def notebook(plot: bool) -> NotebookNode:
    """A notebook of 16 code cells, half of them checks; the metadata of nbgrader marks those."""
    cells = []
    for answer, check in zip(ANSWERS.values(), CHECKS, strict=True):
        cells.append(new_code_cell(answer))
        cells.append(new_code_cell(check, metadata={"nbgrader": {"grade": True}}))
    if plot:
        cells[4].source += f"\n\n{PLOT}"
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "", "language": ""}})


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


def isolated(parents: Parents, plot: bool) -> NotebookNode:
    """The notebook in two processes."""
    nb = notebook(plot)
    run_notebook(nb, parents.student, parents.grading, 0, lambda cell: "nbgrader" in cell.metadata, definitions([]))
    return nb


def fresh_kernel(plot: bool) -> NotebookNode:
    """The notebook by nbclient."""
    return NotebookClient(notebook(plot)).execute()


def warm_shell(shell: InteractiveShell, plot: bool) -> None:
    """The cells alone, in a shell that is there already, with what they show thrown away."""
    with capture_output():
        for cell in notebook(plot).cells:
            shell.run_cell(cell.source, store_history=True)


def passed(nb: NotebookNode) -> int:
    """Checks without an error; a comparison of times means nothing where one side fails."""
    checks = [cell for cell in nb.cells if "nbgrader" in cell.metadata]
    return sum(not any(output.output_type == "error" for output in cell.outputs) for cell in checks)


def compare_notebooks(parents: Parents, shell: InteractiveShell, plot: bool) -> None:
    """Print how one notebook compares."""
    done = [passed(isolated(parents, plot)), passed(fresh_kernel(plot))]
    warm_shell(shell, plot)
    times: dict[str, list[float]] = {"isolated": [], "nbclient": [], "warm shell": []}
    for _ in range(NOTEBOOKS):
        times["isolated"].append(milliseconds(lambda: isolated(parents, plot)))
        times["nbclient"].append(milliseconds(lambda: fresh_kernel(plot)))
        times["warm shell"].append(milliseconds(lambda: warm_shell(shell, plot)))
    ours, theirs, bare = (statistics.median(measured) for measured in times.values())
    goal = 8 if plot else 20
    print(f"16 cells, 8 of them checks{', one plot' if plot else ''} (checks passed: {done[0]} and {done[1]} of 8)")
    print(f"  isolated {ours:.1f} ms, nbclient {theirs:.0f} ms: {theirs / ours:.1f} times as fast (goal {goal})")
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
    """Print all three comparisons."""
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, Linux {platform.release()}"
    )
    parents = Parents(LESSON)
    parents.wait()
    shell = InteractiveShell.instance()
    compare_forks(parents)
    for plot in (False, True):
        compare_notebooks(parents, shell, plot)
    parents.close()


if __name__ == "__main__":
    main()
