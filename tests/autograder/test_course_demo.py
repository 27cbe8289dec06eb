"""The demonstration class gets the marks it deserves, and the demonstration notices when it does not."""

from pathlib import Path

import pytest

from autograder.course import demo
from autograder.course.demo import CLASS, SYNTAX_ERROR, Learner, grade_demo
from autograder.errors import CourseError


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_twelve_learners_get_what_their_answers_deserve(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert grade_demo(tmp_path / "course") == 0
    printed = capsys.readouterr().out
    assert len(CLASS) == 12
    for learner in CLASS:
        assert learner.name in printed
        assert ", ".join(learner.mistakes) in printed
    assert (tmp_path / "course" / "grades.csv").exists()


def test_a_mark_that_is_not_deserved_fails_the_demonstration(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    cheated = Learner("ivo", "a syntax error that is said to deserve a point", (SYNTAX_ERROR,), points=1)
    unheard = Learner("ada", "right, and told something else", told="words that no feedback has")
    monkeypatch.setattr(demo, "CLASS", (cheated, unheard))
    assert grade_demo() == 1
    printed = capsys.readouterr().out
    assert "ivo: 05.backprop_batch has 0 points and deserves 1" in printed
    assert "ada: the feedback does not say: words that no feedback has" in printed


def test_every_slip_is_a_change_of_the_right_answer():
    assert all(learner.answer != learner.code for learner in CLASS if learner.slips)


def test_a_folder_with_something_in_it_is_not_used(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CourseError, match="is not empty"):
        grade_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_read_only_folder_is_told_in_a_sentence(read_only: Path):
    with pytest.raises(CourseError, match="Cannot make a course in"):
        grade_demo(read_only / "course")
