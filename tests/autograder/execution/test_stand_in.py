"""``autograder`` in a student process: the same results as anywhere else, as data, and nothing of the exercises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import msgpack
import numpy as np
import pytest

import autograder
from autograder import CourseError, Exercise, exercises
from autograder.execution import stand_in
from autograder.execution.stand_in import ANSWERS
from autograder.execution.values import Reader, Writer

ALL = exercises()


def over_the_boundary(name: str, arguments: Iterable[Any], options: dict[str, Any]) -> Any:
    """What the grading process answers, written and read as between processes."""
    answer = Writer(None, lend=_no_data).write(ANSWERS[name](*arguments, **options))
    return Reader(None, borrow=_no_data).read(msgpack.unpackb(msgpack.packb(answer), strict_map_key=False))


def _no_data(thing: Any) -> Any:
    raise AssertionError(f"{thing!r} is no data")


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return stand_in._module(over_the_boundary)


@pytest.fixture(autouse=True)
def _nothing_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_PROGRESS", "")


def slip(exercise: Exercise) -> Any:
    """An answer with a named mistake, where the exercise has any."""
    return exercise.answer(next(iter(exercise.mistakes), ""))


@pytest.mark.parametrize("exercise", ALL[::5], ids=lambda exercise: exercise.id)
def test_results_look_and_read_the_same(module: ModuleType, exercise: Exercise) -> None:
    for answer in (exercise.reference, None, slip(exercise) if exercise.mistakes else None):
        found, expected = module.evaluate(exercise.id, answer, seed=8), autograder.evaluate(exercise.id, answer, seed=8)
        assert found.to_html() == found._repr_html_() == expected.to_html()
        assert found.to_text() == expected.to_text()
        assert found.to_dict() == expected.to_dict()
        assert repr(found) == repr(expected)
        for name in expected.to_dict():
            if name not in ("parts", "lines", "explained"):
                assert getattr(found, name) == getattr(expected, name), name
        assert [part.name for part in found.parts] == [part.name for part in expected.parts]
        assert [line.state for line in found.lines] == [line.state for line in expected.lines]
        assert [[each.step for each in one] for one in found.explained] == [
            [each.step for each in one] for one in expected.explained
        ]


def test_pictures_of_errors_arrive_as_arrays(module: ModuleType) -> None:
    exercise = next(each for each in ALL if each.id == "05.backprop_batch")
    part = module.evaluate(exercise.id, slip(exercise)).parts[0]
    assert isinstance(part.signed, np.ndarray)


def test_a_learners_check_tells_nothing_of_the_submissions_seed(module: ModuleType) -> None:
    from autograder.checking import seeded
    from autograder.checking.seeding import seed_for

    with seeded(4) as results:
        seeds = {module.check("00.square", None).seed, module.evaluate("00.square", None).seed}
    assert len(seeds) == 2
    assert seed_for("00.square", 4) not in seeds
    assert results == []


def test_what_is_wrong_with_the_question_is_said(module: ModuleType) -> None:
    with pytest.raises(CourseError, match="There is no exercise 'no such'"):
        module.check("no such", None)
    with pytest.raises(CourseError, match="seed"):
        module.evaluate("00.square", None, seed=-1)


def test_progress_shows_as_ever(module: ModuleType) -> None:
    found, expected = module.progress(), autograder.progress()
    assert repr(found) == repr(expected)
    assert found._repr_html_() == expected._repr_html_()
    assert [row.lesson for row in found.rows] == [row.lesson for row in expected.rows]


def test_exercises_have_no_answers(module: ModuleType) -> None:
    found = module.exercises()
    assert [each.id for each in found] == [each.id for each in ALL]
    assert {name for each in found for name in vars(each)} == set(stand_in.SHOWN)
    assert all(type(value) in (str, float, int) for each in found for value in vars(each).values())


def test_in_a_process_of_its_own_the_module_is_the_stand_in_and_has_nothing_beneath() -> None:
    program = """
from autograder.execution import stand_in, withholding
stand_in.install(lambda name, arguments, options: {"told": []})
from autograder import check, exercises, CourseError
import autograder
print(exercises(), autograder.__all__, hasattr(autograder, "__path__"))
for statement in ("import autograder.checking", "from autograder.exercises import find", "from autograder import Step"):
    try:
        exec(statement)
    except ImportError as error:
        print(type(error).__name__, withholding.explain(error))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, *others = done.stdout.splitlines()
    assert first == "[] ['CheckResult', 'CourseError', 'Exercise', 'check', 'evaluate', 'exercises', 'progress'] False"
    assert [line.partition(" ")[0] for line in others] == ["ModuleNotFoundError", "ModuleNotFoundError", "ImportError"]
    assert all("is not there while notebooks are graded" in line for line in others)


def test_it_is_not_installed_beside_exercises() -> None:
    with pytest.raises(RuntimeError, match=r"autograder\.exercises"):
        stand_in.install(lambda name, arguments, options: None)
