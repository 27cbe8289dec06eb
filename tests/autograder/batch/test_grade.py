"""``chainrule grade`` leaves what ``nbgrader autograde`` leaves, and says what it could not grade."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from filelock import FileLock
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI

from autograder.batch import cluster, writer
from autograder.batch.course import open_course
from autograder.batch.grade import grade as grade_here
from autograder.batch.intake import Intake
from autograder.errors import CourseError
from tests.autograder.batch.conftest import LESSON, PROJECT, grade, hand_in, rows

pytestmark = pytest.mark.xdist_group("batch")


def files(course: Path) -> dict[str, int]:
    """What is in the folder of graded notebooks, with permissions."""
    folder = course / "autograded"
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")}


def outputs(course: Path, student: str) -> list[Any]:
    """What a graded notebook shows, without the random cases of its checks."""
    nb = nbformat.read(course / "autograded" / student / LESSON / f"{LESSON}.ipynb", as_version=4)
    return [
        [(each.output_type, each.get("ename"), each.get("name")) for each in cell.get("outputs", [])]
        for cell in nb.cells
    ]


def manual_work(course: Path) -> None:
    """What a person adds in the formgrader."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grade = book.find_grade("why", "first", PROJECT, "ada")
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 2, 0.5, False
        book.find_comment("why", "first", PROJECT, "ada").manual_comment = "Because of what?"
        (check,) = [each.name for each in book.find_assignment(LESSON).notebooks[0].grade_cells][:1]
        book.find_grade(check, LESSON, LESSON, "boris").manual_score = 1
        book.db.commit()


def test_the_gradebook_and_the_folders_are_those_of_nbgrader(
    course: Path, graded_by_nbgrader: Path, nbgrader: Callable[..., Any], tmp_path: Path
) -> None:
    theirs = shutil.copytree(graded_by_nbgrader, tmp_path / "theirs")
    for assignment, number in ((LESSON, 6), (PROJECT, 3)):
        outcome = grade(course, assignment, "--workers", "2", "--json", str(course / "run.json"))
        assert outcome.returncode == 0, outcome.stderr
        assert len(json.loads((course / "run.json").read_text())["graded"]) == number
    assert rows(course / "gradebook.db") == rows(theirs / "gradebook.db")
    assert files(course) == files(theirs)
    for student in ("ada", "boris", "chidi", "dalia", "emil"):
        assert outputs(course, student) == outputs(theirs, student)

    opened = open_course(course)
    formgrader = NbGraderAPI(opened.directory, config=opened.config)
    assert formgrader.get_autograded_students(LESSON) == {"ada", "boris", "chidi", "dalia", "emil", "fatima"}
    shown = {each["student"]: each for each in formgrader.get_submissions(PROJECT)}
    assert shown["ada"]["autograded"]
    assert shown["ada"]["needs_manual_grade"]
    assert shown["ada"]["score"] == 2 + 0.5

    again = grade(course, LESSON)
    assert "graded before │ 6" in again.stdout, again.stdout + again.stderr

    before = rows(course / "gradebook.db")
    manual_work(course)
    manual_work(theirs)
    for assignment in (LESSON, PROJECT):
        assert grade(course, assignment, "--regrade").returncode == 0
        assert nbgrader(theirs, "autograde", "--force", assignment).returncode == 0
    after = rows(course / "gradebook.db")
    assert after == rows(theirs / "gradebook.db")
    assert after["ada project first why"] == (None, 2, 0.5, True) != before["ada project first why"]


def test_each_submission_that_cannot_be_graded_is_a_sentence_and_costs_the_others_nothing(course: Path) -> None:
    nb = nbformat.read(course / "submitted" / "ada" / LESSON / f"{LESSON}.ipynb", as_version=4)
    hand_in(course, "none", LESSON, {})
    hand_in(course, "two", LESSON, {"answers": nb, "answers (1)": nb})
    hand_in(course, "twice", LESSON, {LESSON: nb, "old": nb})
    hand_in(course, "when", LESSON, {LESSON: nb})
    hand_in(course, "renamed", LESSON, {"my answers": nb})
    hand_in(course, "[odd] n*me", LESSON, {LESSON: nb})
    (course / "submitted" / "when" / LESSON / "timestamp.txt").write_text("yesterday")
    for student, text in {"half": '{"cells": [', "a list": "[]", "deep": "[" * 100_000}.items():
        hand_in(course, student, LESSON, {})
        (course / "submitted" / student / LESSON / f"{LESSON}.ipynb").write_text(text)

    outcome = grade(course, LESSON, "--student", "nobody", *_students(course), "--json", str(course / "run.json"))
    assert outcome.returncode == 1, outcome.stderr
    assert "Traceback" not in outcome.stdout + outcome.stderr
    report = json.loads((course / "run.json").read_text())
    assert {each["student"] for each in report["graded"]} == {
        *("ada", "boris", "chidi", "dalia", "emil", "fatima", "twice", "renamed", "[odd] n*me"),
    }
    said = report["people"]
    assert set(said) == {"nobody", "none", "two", "twice", "when", "half", "a list", "deep"}
    assert said["none"] == f"There is no notebook {LESSON}.ipynb."
    assert "answers (1).ipynb, answers.ipynb" in said["two"]
    assert said["twice"] == f"Beside {LESSON}.ipynb there is old.ipynb; what has the right name was graded."
    assert said["when"] == "timestamp.txt does not hold a date and time."
    assert "it is not JSON" in said["half"]
    for student, sentence in said.items():
        assert f"{student}: {sentence}" in outcome.stdout
    (remarks,) = [each["remarks"] for each in report["graded"] if each["student"] == "renamed"]
    assert any("under its lesson's name" in each for each in remarks)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        assert book.find_submission(LESSON, "renamed").score == book.find_submission(LESSON, "ada").score > 0

    (course / "submitted" / "half" / LESSON / f"{LESSON}.ipynb").write_text(nbformat.writes(nb))
    outcome = grade(course, LESSON, "--student", "half")
    assert outcome.returncode == 0, outcome.stdout
    assert "half" not in json.loads((course / "grading" / f"{LESSON}.json").read_text())["people"]


def _students(course: Path) -> list[str]:
    """An option for each learner."""
    return [word for each in (course / "submitted").iterdir() for word in ("--student", each.name)]


def test_a_learner_whom_the_gradebook_does_not_know(course: Path) -> None:
    with (course / "nbgrader_config.py").open("a") as config:
        config.write("\nc.Autograde.create_student = False\n")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        book.add_student("ada")
    outcome = grade(course, PROJECT)
    assert outcome.returncode == 1
    assert "emil: No learner 'emil' is in the gradebook" in outcome.stdout
    assert set(rows(course / "gradebook.db")) >= {"ada project"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("06_gradient_descent",), "The gradebook has no assignment '06_gradient_descent'"),
        ((LESSON, "--scheduler", "tcp://127.0.0.1:9"), "There is no Dask scheduler at tcp://127.0.0.1:9"),
        ((LESSON, "--scheduler", "nonsense://"), "There is no Dask scheduler at nonsense://"),
    ],
)
def test_what_cannot_begin(course: Path, arguments: tuple[str, ...], said: str) -> None:
    outcome = grade(course, *arguments)
    assert outcome.returncode == 2
    assert said in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (course / "autograded").exists()


def test_a_setting_that_names_nothing(course: Path) -> None:
    with (course / "nbgrader_config.py").open("a") as config:
        config.write("\nc.Autograde.autograde_preprocessors.append('nowhere.Nothing')\n")
    outcome = grade(course, LESSON)
    assert outcome.returncode == 2
    assert "has a setting that does not work: No module named 'nowhere'" in outcome.stderr


def test_a_course_in_a_folder_with_an_odd_name(course: Path) -> None:
    odd = course.rename(course.parent / "course [2026] *")
    assert [each.student for each in Intake(open_course(odd), PROJECT).submitted()] == ["ada", "boris", "emil"]


def test_a_second_grader_says_so_and_stops(course: Path) -> None:
    (course / "grading").mkdir()
    with FileLock(course / "grading" / "lock"):
        outcome = grade(course, LESSON)
    assert outcome.returncode == 2
    assert "Another chainrule grade is at work" in outcome.stderr


def test_workers_of_another_version(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "VERSION", "0.0.1")
    with pytest.raises(CourseError, match=r"Worker tcp://.* has version .* this is version 0\.0\.1 of"):
        grade_here(PROJECT, course, workers=1)


def test_a_locked_gradebook_stops_grading_and_loses_nothing(
    course: Path, graded_by_nbgrader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0)
    lock = sqlite3.connect(course / "gradebook.db", isolation_level=None)

    def locked_meanwhile(self: writer.Writer, finished: Any) -> Any:
        lock.execute("BEGIN IMMEDIATE")
        return write(self, finished)

    write = writer.Writer.write
    monkeypatch.setattr(writer.Writer, "write", locked_meanwhile)
    with pytest.raises(CourseError, match=r"The gradebook cannot be used: .*locked"):
        grade_here(PROJECT, course, workers=1)
    lock.close()
    assert not list((course / "autograded").glob("*/*"))

    monkeypatch.undo()
    assert grade_here(PROJECT, course, workers=1) == 0
    expected = {key: row for key, row in rows(graded_by_nbgrader / "gradebook.db").items() if PROJECT in key}
    assert {key: row for key, row in rows(course / "gradebook.db").items() if PROJECT in key}.keys() == expected.keys()


@pytest.fixture
def small_disk(class_of_six: Path, tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Puts a copy of the class on a disk of its own, with so many kilobytes left; called again, resizes that disk."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def with_free(kilobytes: int) -> Path:
        is_new = not disk.is_mount()
        how = "size=1g" if is_new else "remount,size=1g"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(disk)], capture_output=True, text=True
        )
        if mounted.returncode:
            pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}; run as root outside a container")
        if is_new:
            shutil.copytree(class_of_six, disk / "course")
        used = shutil.disk_usage(disk).used // 1024
        subprocess.run(["mount", "-o", f"remount,size={used + kilobytes}k", str(disk)], check=True)
        return disk / "course"

    yield with_free
    if disk.is_mount():
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.root
@pytest.mark.parametrize("kilobytes", [0, 60])
def test_a_full_disk_is_told_in_a_sentence_and_costs_nothing_that_was_graded(
    kilobytes: int, small_disk: Callable[[int], Path], graded_by_nbgrader: Path
) -> None:
    course = small_disk(kilobytes)
    stopped = grade(course, LESSON, "--workers", "1")
    assert stopped.returncode == 2, stopped.stdout
    assert len(stopped.stderr.splitlines()) == 1, stopped.stderr
    assert stopped.stderr.startswith("chainrule: ")
    assert re.search("No space left|full", stopped.stderr), stopped.stderr
    done = {path.parent.name for path in (course / "autograded").glob(f"*/{LESSON}")}
    assert {f"{student} {LESSON}" for student in done} == {
        key for key in rows(course / "gradebook.db") if re.fullmatch(rf"\w+ {LESSON}", key)
    }

    small_disk(100_000)
    finished = grade(course, LESSON, "--workers", "1")
    assert finished.returncode == 0, finished.stderr
    expected = {key: row for key, row in rows(graded_by_nbgrader / "gradebook.db").items() if LESSON in key}
    assert {key: row for key, row in rows(course / "gradebook.db").items() if LESSON in key} == expected


def test_a_full_disk_stops_grading_and_leaves_nothing_half_written(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        if path.name == "second.ipynb":
            raise OSError(28, "No space left on device", str(path))
        return write(path, content)

    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CourseError, match=r"cannot be written: No space left on device\. What was graded"):
        grade_here(PROJECT, course, workers=1)
    assert not list((course / "autograded").glob("*/*"))
    assert not (course / "grading" / "staging").exists()
    assert not any(PROJECT in key for key in rows(course / "gradebook.db"))
