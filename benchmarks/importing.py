"""What ``import autograder`` costs in a first cell, beside ``import numpy``: ``python benchmarks/importing.py``.

New processes in turn, one import each; wall-clock time of the whole process, median. Goal: less than 0.3 s beyond
numpy. A lesson's exercises are loaded by its first check, all of them by ``progress()``.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time

RUNS = 15
PROGRAMS = {
    "numpy": "import numpy",
    "autograder": "import autograder",
    "one lesson": "from autograder.exercises import find; find('05.backprop_batch')",
    "all lessons": "import autograder; autograder.exercises()",
}


def seconds(program: str) -> float:
    """Wall-clock time of a new Python that runs this."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians beside that of numpy."""
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(RUNS):
        for name, program in PROGRAMS.items():
            times[name].append(seconds(program))
    medians = {name: statistics.median(measured) for name, measured in times.items()}
    numpy = medians.pop("numpy")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {RUNS} processes each")
    print(f"numpy alone: {numpy:.3f} s")
    for name, median in medians.items():
        print(f"{name}: {median:.3f} s, {median - numpy:.3f} s beyond numpy, ratio {median / numpy:.2f}")
    print("goal: autograder below 0.3 s beyond numpy")


if __name__ == "__main__":
    main()
