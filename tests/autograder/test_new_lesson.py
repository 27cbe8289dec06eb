"""A new lesson is one file in solutions/ and one in autograder/exercises/, as CONTRIBUTING.md says."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

from autograder import evaluate, exercises
from autograder.course.release import release

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"
LESSON = "99_tiny"

EXERCISES = '''"""Lesson 99: the derivative of a square."""

from autograder.exercises.model import Exercise, Step

EXERCISES = [
    Exercise(
        id="99.square",
        title="A square",
        points=1,
        function="square_slope",
        inputs=("x",),
        returns=("dy_dx",),
        draw=lambda draw: {"x": draw.number(0.5, 2)},
        loss=lambda x: x**2,
        wrt={"dy_dx": "x"},
        steps=(
            Step(
                "dy_dx",
                lambda x: 2 * x,
                mistakes={
                    "factor_lost": (lambda x: x, "The exponent comes down as a factor."),
                    "power_kept": (lambda x: 2 * x**2, "The exponent goes down by one."),
                    "not_differentiated": (lambda x: x**2, "This is the function itself."),
                    "negated": (lambda x: -2 * x, "The square rises where x is positive."),
                },
            ),
        ),
        hints=("What happens to the exponent?", "The power rule.", "`return 2 * x`"),
        objective="differentiate a square",
        minutes=1,
    )
]
'''

SOURCE = """# Lesson 99: A tiny one

```{code-cell} ipython3
from autograder import check
```

## Exercise 1

```{code-cell} ipython3
:exercise: 99.square

def square_slope(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
```
"""


@pytest.fixture
def tiny_lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The two files, the module where the package looks for its lessons."""
    package = import_module("autograder.exercises")

    def forget() -> None:
        package._modules.cache_clear()
        package._catalogue.cache_clear()

    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / f"lesson_{LESSON}.py").write_text(EXERCISES)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / f"{LESSON}.md").write_text(SOURCE)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "exercises")])
    forget()
    yield tmp_path / "solutions"
    monkeypatch.undo()
    forget()
    sys.modules.pop(f"autograder.exercises.lesson_{LESSON}", None)


def test_two_files_make_a_lesson(tiny_lesson: Path, course: Path) -> None:
    exercise = exercises()[-1]
    assert (exercise.id, exercise.lesson) == ("99.square", LESSON)
    (path,) = release([LESSON], course, solutions=tiny_lesson, lessons_dir=course / "release")
    cells = nbformat.read(path, as_version=nbformat.NO_CONVERT).cells
    assert any("YOUR CODE HERE" in cell.source for cell in cells)
    assert any(cell.source.endswith('check("99.square", square_slope)') for cell in cells)
    assert evaluate(exercise.id, lambda x: x + x).verdict == "correct"
    for name, mistake in exercise.mistakes.items():
        assert evaluate(exercise.id, mistake.answer).mistakes == (name,)


@pytest.mark.parametrize("task", ["Add an exercise", "Add a lesson", "Add an activation"])
def test_the_guide_needs_fewer_than_ten_steps(task: str) -> None:
    section = re.search(rf"^## {task}\n(.*?)(?=^## )", CONTRIBUTING.read_text(), re.DOTALL | re.MULTILINE)
    assert section is not None
    assert 3 <= len(re.findall(r"^\d+\. ", section[1], re.MULTILINE)) < 10
