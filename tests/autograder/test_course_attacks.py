"""Hostile submissions under nbgrader's own autograde: no points, no harm to others, and no run that ends early."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.exercises import Exercise
from tests.autograder.test_course_submissions import LESSON, place

pytestmark = pytest.mark.xdist_group("hostile")

Raw = dict[str, Any]

CODE: Raw = {"cell_type": "code", "id": "x", "metadata": {}, "outputs": [], "execution_count": None}


def code(source: Any) -> Raw:
    return {**CODE, "source": source}


def in_front(*sources: Any) -> Callable[[Raw], Any]:
    """Cells that stand before all others."""
    return lambda raw: raw["cells"].__setitem__(slice(0, 0), map(code, sources))


def every_outcome_claimed(raw: Raw) -> None:
    raw["metadata"]["chainrule"] = {"seed": 1}
    for cell in (each for each in raw["cells"] if "nbgrader" in each["metadata"]):
        cell["metadata"]["tags"] = ["skip-execution", "raises-exception"]
        cell["metadata"]["chainrule"] = {"verdict": "correct", "score": 99}


READS = """
import os
print([name for name in os.listdir(".") if not name.startswith(".")])
"""

WHOLE: dict[str, Callable[[Raw], Any]] = {
    "crash": in_front("import os\nos._exit(0)"),
    "aloud": in_front(
        "import sys, gc\ngc.set_threshold(1)\ngc.callbacks.append(lambda *_: print('x', file=sys.stderr))"
    ),
    "claims": every_outcome_claimed,
    "surrogates": in_front("'\ud800'", "print('\\ud800')", "from IPython.display import JSON\nJSON({'a': '\\ud800'})"),
    "too deep": in_front("-" * 100_000 + "1"),
    "thief": in_front(READS),
}
"""Learner -> what happens to a notebook with right answers, which keep their points."""

BROKEN = {
    "a list": "[]",
    "to come": '{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}',
    "deep": "[" * 100_000,
}
"""Learner -> what is no notebook."""


@pytest.fixture(scope="module")
def graded(
    _released_once: Path,
    two_exercises: list[Exercise],
    written: Callable[..., str],
    nbgrader: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The course after ``nbgrader autograde``."""
    course = shutil.copytree(_released_once, tmp_path_factory.mktemp("hostile") / "course")
    released = nbformat.read(course / "release" / LESSON / f"{LESSON}.ipynb", as_version=nbformat.NO_CONVERT)
    for exercise in two_exercises:
        released.cells[place(released, exercise.id.replace(".", "-"))].source = written(exercise)
    for learner, change in WHOLE.items():
        raw = json.loads(nbformat.writes(released))
        for cell in raw["cells"]:
            cell["source"] = "".join(cell["source"])
        change(raw)
        write(course, learner, json.dumps(raw))
    for learner, text in BROKEN.items():
        write(course, learner, text)
    handed_in = course / "submitted" / "thief" / LESSON
    for name, target in {
        "gradebook.db": course / "gradebook.db",
        "source": course / "source",
        "zero": "/dev/zero",
    }.items():
        (handed_in / f"stolen-{name}").symlink_to(target)
    os.mkfifo(handed_in / "stolen-pipe")
    outcome = nbgrader(course, "autograde", LESSON)
    assert "Traceback" not in outcome.stdout
    (course / "log").write_text(outcome.stderr, encoding="utf-8")
    return course


def write(course: Path, learner: str, text: str) -> None:
    folder = course / "submitted" / learner / LESSON
    folder.mkdir(parents=True)
    (folder / f"{LESSON}.ipynb").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("learner", [*WHOLE, *BROKEN])
def test_hostile_submissions_get_what_their_answers_earn(
    learner: str, graded: Path, two_exercises: list[Exercise]
) -> None:
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as book:
        score = book.find_submission(LESSON, learner).score
    expected = sum(exercise.points for exercise in two_exercises) if learner in WHOLE else 0
    assert score == expected, (graded / "log").read_text(encoding="utf-8")[-3000:]


def test_links_in_a_submission_lead_nowhere(graded: Path) -> None:
    notebook = nbformat.read(graded / "autograded" / "thief" / LESSON / f"{LESSON}.ipynb", as_version=4)
    assert notebook.cells[0].source == READS
    assert [output.text for output in notebook.cells[0].outputs] == ["[]\n"]
    assert not list((graded / "autograded" / "thief").rglob("stolen*"))
