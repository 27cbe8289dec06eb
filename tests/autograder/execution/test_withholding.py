"""What is withheld is found nowhere, and lessons run without it."""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import chainrule_lib
from autograder import exercises
from autograder.course.build import source_notebook
from autograder.course.folders import lesson_sources
from autograder.execution import withholding
from autograder.execution.withholding import NOT_DRAWN, hidden_files
from autograder.exercises import withheld
from autograder.exercises.libraries import AUTODIFF, LIBRARIES

RUN_LESSON = Path(__file__).with_name("run_lesson.py")
LESSONS = list(dict.fromkeys(exercise.lesson for exercise in exercises()))
NOT_DRAWN_IN = {"04_sigmoid_network": 2, "05_backpropagation": 1, "10_capstone": 1}
"""Explorers that compute with what is withheld in their own lesson."""

SEARCH = """
import gc, importlib, inspect, linecache, sys
from importlib.machinery import PathFinder, SourceFileLoader

found = []
def attempt(what, *arguments):
    try:
        found.append((getattr(what, "__qualname__", str(what)), arguments, str(what(*arguments))[:80]))
    except (ImportError, OSError, AttributeError, TypeError):
        pass

for module in modules:
    attempt(importlib.import_module, module)
    if importlib.util.find_spec(module) is not None:
        found.append((module, "is found"))
    if module in sys.modules:
        found.append((module, "is loaded"))
for file in files:
    attempt(lambda: open(file).read(10))
    attempt(SourceFileLoader("mine", file).get_code, "mine")
    if linecache.getlines(file):
        found.append((file, "is kept"))
for module, names in parts.items():
    for name in names:
        attempt(getattr, importlib.import_module(module), name)
        attempt(getattr, importlib.import_module("chainrule_lib"), name)
    attempt(inspect.getsource, importlib.import_module(module))
for thing in gc.get_objects():
    if inspect.isfunction(thing) or inspect.isclass(thing):
        home, name = getattr(thing, "__module__", ""), getattr(thing, "__name__", "")
        if home in modules or name in parts.get(home, ()):
            found.append((home, name, "is in memory"))
found
"""

WAITING = """
import json, sys
from autograder.execution import withholding
withholding.install(json.loads(sys.stdin.readline()), "")
import chainrule_lib.widgets
print("ready", flush=True)
sys.stdin.readline()
"""


def run(lesson: str, cells: list[str]) -> list[dict[str, Any]]:
    """What comes of cells in a process that has what is left for a lesson."""
    task = json.dumps({"cells": cells, "lesson": lesson, "withheld": withheld(lesson)})
    done = subprocess.run([sys.executable, str(RUN_LESSON)], input=task, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs: list[dict[str, Any]] = json.loads(done.stdout)
    return runs


def cells_of(lesson: str) -> list[str]:
    """A lesson's code cells that import, and those that show an explorer.

    All cells of all lessons run in student processes in ``tests/lessons/test_isolated_marks.py``.
    """
    notebook = source_notebook(lesson, lesson_sources([lesson], None)[lesson])
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in cells if "from chainrule_lib" in cell or cell.endswith("_explorer()")]


def parts_of(lesson: str) -> withholding._Withheld:
    return withholding._Withheld.of(withheld(lesson))


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_runs_and_what_is_withheld_is_nowhere(lesson: str) -> None:
    gone = parts_of(lesson)
    modules, files = [*gone.modules, *gone.packages], [str(path) for path in hidden_files(withheld(lesson))]
    known = f"modules, files = {modules!r}, {files!r}\nparts = {gone.names!r}"
    *runs, _, last = run(lesson, [*cells_of(lesson), known, SEARCH])
    assert [each["said"] for each in runs if each["status"] != "ok"] == []
    assert sum(NOT_DRAWN in each["said"] for each in runs) == NOT_DRAWN_IN.get(lesson, 0)
    assert last["status"] == "ok", last["said"]
    assert last["said"].strip() == "[]"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="memory is read through /proc")
@pytest.mark.parametrize("lesson", ["02_many_paths", "05_backpropagation"])
def test_no_line_of_what_is_withheld_is_left_in_memory(lesson: str) -> None:
    gone = parts_of(lesson)
    sources = withholding._sources()
    lines = {line.strip() for module in gone.modules for line in sources[module].read_text().splitlines()}
    for module, names in gone.names.items():
        for name in names:
            value = getattr(importlib.import_module(module), name)
            lines |= set(value.__doc__.splitlines()[0:1]) | {f"def {name}(", f"class {name}("}
    kept = {
        line.strip() for m, path in sources.items() if m not in gone.incomplete for line in path.read_text().split("\n")
    }
    telling = sorted(
        line for line in lines - kept if (len(line) > 40 or line.startswith("def ")) and "def __" not in line
    )
    assert len(telling) > 5
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(withheld(lesson)), file=process.stdin, flush=True)
        assert process.stdout.readline() == "ready\n"
        memory = b"".join(memory_of(process.pid))
        process.stdin.close()
    assert b"chainrule_lib.widgets" in memory
    assert [line for line in telling if line.encode() in memory] == []


def memory_of(pid: int) -> Iterator[bytes]:
    """All that a process has in memory and could read."""
    with Path(f"/proc/{pid}/maps").open() as lines, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in lines:
            place, rights, *rest = line.split()
            if "r" not in rights or (rest[-1].endswith(".so") or ".so." in rest[-1]):
                continue
            start, end = (int(each, 16) for each in place.split("-"))
            with contextlib.suppress(OSError, OverflowError):
                memory.seek(start)
                yield memory.read(end - start)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("import torch", "torch"),
        ("import torch.nn.functional as F", "torch"),
        ("from jax import grad", "jax"),
        ("import autograd.numpy as anp", "autograd"),
        ("from chainrule_lib import SigmoidNetwork", "chainrule_lib.SigmoidNetwork"),
        ("from chainrule_lib import grad", "chainrule_lib.grad"),
        ("from chainrule_lib.network import SigmoidNetwork", "chainrule_lib.network"),
        ("import chainrule_lib.autodiff", "chainrule_lib.autodiff"),
        ("from chainrule_lib import network", "chainrule_lib.network"),
        ("import chainrule_lib; chainrule_lib.SigmoidNetwork([1, 1])", "chainrule_lib.SigmoidNetwork"),
        ("from chainrule_lib.widgets import network_values", "chainrule_lib.widgets.network_values"),
        (
            "from chainrule_lib.losses import half_squared_error_gradient",
            "chainrule_lib.losses.half_squared_error_gradient",
        ),
        ("from chainrule_lib import half_squared_error_gradient", "chainrule_lib.half_squared_error_gradient"),
    ],
)
def test_an_answer_that_imports_it_is_told_why(statement: str, name: str, told: dict[str, str]) -> None:
    assert f"{name} is withheld while lesson 05_backpropagation is graded" in told[statement]


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest) -> dict[str, str]:
    """What cells with these statements show in lesson 05, all from one process."""
    tests = [test_an_answer_that_imports_it_is_told_why, test_other_errors_are_left_alone]
    marks = [mark for test in tests for mark in test.pytestmark]  # type: ignore[attr-defined]
    statements = [case[0] if isinstance(case, tuple) else case for mark in marks for case in mark.args[1]]
    return dict(zip(statements, (each["said"] for each in run("05_backpropagation", statements)), strict=True))


@pytest.mark.parametrize(
    "statement",
    [
        "import no_such_library",
        "from chainrule_lib import no_such_name",
        "from chainrule_lib.losses import no_such_name",
        "import numpy; numpy.no_such_name",
        "raise ImportError",
        "class Odd(ImportError):\n    def __str__(self): raise ValueError\nraise Odd",
    ],
)
def test_other_errors_are_left_alone(statement: str, told: dict[str, str]) -> None:
    assert told[statement]
    assert "withheld" not in told[statement]


def test_looking_for_a_withheld_library_finds_none() -> None:
    program = (
        "from autograder.execution import withholding; from importlib.util import find_spec; "
        "withholding.install(['torch', 'json.tool'], ''); "
        "print(find_spec('torch'), find_spec('json.tool'), find_spec('json').name)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "None", "json"]


def test_it_comes_before_what_it_withholds() -> None:
    program = (
        "from autograder.execution import withholding\nimport chainrule_lib\n"
        "try: withholding.install(['chainrule_lib.network'], '')\nexcept RuntimeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "imported before" in done.stdout


def test_what_others_need_cannot_be_withheld_unseen() -> None:
    program = (
        "from autograder.execution import withholding\n"
        "try: withholding.install(['chainrule_lib.autodiff.Dual'], '')\nexcept RuntimeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Dual of chainrule_lib.autodiff cannot be withheld" in done.stdout


@pytest.mark.parametrize("name", ["chainrule_lib.no_such_module.name", "chainrule_lib.losses.no_such"])
def test_a_slip_in_a_list_is_seen(name: str) -> None:
    with pytest.raises(ValueError, match="no module"):
        hidden_files([name])


@pytest.mark.parametrize("lesson", LESSONS)
def test_lists_name_what_there_is(lesson: str) -> None:
    names = withheld(lesson)
    assert set(LIBRARIES) <= set(names)
    for each in names:
        module, _, name = each.rpartition(".")
        if module and each not in withholding._sources():
            assert hasattr(importlib.import_module(module), name), each


def test_a_lesson_that_is_not_the_courses_withholds_the_libraries() -> None:
    assert withheld("ps1") == LIBRARIES


def test_the_files_are_those_of_modules_and_libraries() -> None:
    files = hidden_files(["chainrule_lib.network", "torch", "not_installed_anywhere"])
    folder = Path(chainrule_lib.__file__).parent
    assert folder / "network.py" in files
    assert folder / "widgets" / "two_layers.py" in files
    assert folder / "losses.py" not in files
    torch = find_spec("torch")
    if torch is not None and torch.origin is not None:
        assert Path(torch.origin).parent in files
    assert not any("not_installed_anywhere" in str(path) for path in files)
    assert set(AUTODIFF) <= {*withholding._Withheld.of(AUTODIFF).modules}
