"""What ``import autograder`` costs in a first cell, beside ``import numpy``: ``python benchmarks/importing.py``.

New processes in turn, one import each; wall-clock time of the whole process, median. Goal: less than 0.3 s beyond
numpy.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time

RUNS = 15
PROGRAMS = {"numpy": "import numpy", "autograder": "import autograder; autograder.exercises()"}


def seconds(program: str) -> float:
    """Wall-clock time of a new Python that runs this."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print both medians, their difference and their ratio."""
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(RUNS):
        for name, program in PROGRAMS.items():
            times[name].append(seconds(program))
    numpy, autograder = (statistics.median(times[name]) for name in PROGRAMS)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {RUNS} processes each")
    print(f"numpy alone {numpy:.3f} s, autograder and all exercises {autograder:.3f} s: ratio {autograder / numpy:.2f}")
    print(f"beyond numpy: {autograder - numpy:.3f} s (goal: below 0.3 s)")


if __name__ == "__main__":
    main()
