"""The files that `chainrule export` writes, byte for byte, and as those who take them read them."""

import csv
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from click.testing import CliRunner
from nbgrader.api import Grade, Gradebook, Student, SubmittedAssignment, SubmittedNotebook, new_uuid
from sqlalchemy import event, insert
from sqlalchemy.engine import Engine

from autograder.batch.course import open_course
from autograder.batch.export import NBGRADER_COLUMNS, export
from autograder.batch.record import Record
from autograder.cli import main
from autograder.course.folders import COURSE
from autograder.errors import CourseError
from tests.autograder.postgresql import NEEDED, server

FIRST, SECOND = "01_chain_rule", "05_backpropagation"
HANDED_IN = "2026-03-01 10:00:00"


def gradebook(course: Path) -> AbstractContextManager[Gradebook]:
    return open_course(course).gradebook()


def add_lesson(book: Gradebook, name: str, duedate: str, *cells: float, tasks: tuple[float, ...] = ()) -> None:
    """A lesson of one notebook with so many points for its checks and its tasks."""
    book.add_assignment(name, duedate=duedate)
    book.add_notebook(name, name)
    for number, points in enumerate(cells):
        book.add_grade_cell(f"check-{number}", name, name, max_score=points, cell_type="code")
    for number, points in enumerate(tasks):
        book.add_task_cell(f"task-{number}", name, name, max_score=points, cell_type="markdown")


def hand_in(book: Gradebook, lesson: str, student: str, penalty: float = 0.0, **grades: dict[str, float]) -> None:
    """A graded submission; ``grades`` are by cell, with underscores for hyphens."""
    submission = book.add_submission(lesson, student, timestamp=HANDED_IN)
    (notebook,) = submission.notebooks
    notebook.late_submission_penalty = penalty
    for grade in notebook.grades:
        grade.needs_manual_grade = False
        for attribute, value in grades.get(grade.name.replace("-", "_"), {}).items():
            setattr(grade, attribute, value)
    book.db.commit()


@pytest.fixture(scope="session")
def _empty_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    with gradebook(folder):
        return folder


@pytest.fixture
def empty_course(tmp_path: Path, _empty_once: Path) -> Path:
    """A course with an empty gradebook."""
    return shutil.copytree(_empty_once, tmp_path / "empty_course")


@pytest.fixture(scope="session")
def _graded_once(tmp_path_factory: pytest.TempPathFactory, _empty_once: Path) -> Path:
    course = shutil.copytree(_empty_once, tmp_path_factory.mktemp("graded") / "course")
    with gradebook(course) as book:
        fill_in(book)
    (course / "submitted" / "ivo" / SECOND).mkdir(parents=True)
    return course


def fill_in(book: Gradebook) -> None:
    """Four learners and two lessons, graded in part."""
    add_lesson(book, FIRST, "2026-02-28 23:59:00", 2, 4)
    add_lesson(book, SECOND, "2026-03-07 23:59:00", 6.5, tasks=(3.5,))
    book.add_student("ada", first_name="Ada", last_name="Byron", email="ada@example.org", lms_user_id="1815")
    book.add_student("goran", first_name="Göran", last_name="Žižek, Jr.", email="goran@example.org")
    book.add_student("hana", last_name="花", email="hana@example.org", lms_user_id="12ab")
    book.add_student("ivo")
    hand_in(book, FIRST, "ada", check_0={"auto_score": 2}, check_1={"auto_score": 1.25, "manual_score": 3})
    hand_in(
        book, FIRST, "goran", penalty=1.5, check_0={"auto_score": 1, "extra_credit": 0.5}, check_1={"auto_score": 4}
    )
    hand_in(book, FIRST, "hana", penalty=2, check_0={"auto_score": 1}, check_1={"auto_score": 0})
    hand_in(book, SECOND, "ada", check_0={"auto_score": 1 / 3}, task_0={"needs_manual_grade": True})
    hand_in(book, SECOND, "goran", check_0={"auto_score": 6.5}, task_0={"manual_score": 3.5})
    book.add_submission(SECOND, "hana", timestamp=HANDED_IN)


@pytest.fixture
def graded(tmp_path: Path, _graded_once: Path) -> Path:
    """A course of four learners and two lessons, graded in part."""
    return shutil.copytree(_graded_once, tmp_path / "graded_course")


@pytest.fixture
def exported(graded: Path, tmp_path: Path) -> Callable[..., tuple[str, list[str]]]:
    """The file of a layout, and what was said."""

    def write(layout: str, *lessons: str, course: Path = graded) -> tuple[str, list[str]]:
        path = tmp_path / "out.csv"
        told = export(lessons, layout, course, path)
        return path.read_bytes().decode("utf-8"), told

    return write


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines(keepends=True)))


def test_the_long_table(exported):
    text, told = exported("csv")

    head = f"{FIRST},2026-02-28 23:59:00,{HANDED_IN}"
    assert text.splitlines(keepends=True)[:5] == [
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_submission_penalty,score,"
        "max_score,needs_manual_grade,status\r\n",
        f"{FIRST},2026-02-28 23:59:00,,ivo,,,,,,,6.0,,no submission\r\n",
        f"{head},ada,Byron,Ada,ada@example.org,5.0,0.0,5.0,6.0,False,graded\r\n",
        f'{head},goran,"Žižek, Jr.",Göran,goran@example.org,5.5,1.5,4.0,6.0,False,graded\r\n',
        f"{head},hana,花,,hana@example.org,1.0,2.0,0.0,6.0,False,graded\r\n",
    ]
    second = [dict(zip(rows(text)[0], row, strict=True)) for row in rows(text)[5:]]
    assert [(row["student_id"], row["score"], row["needs_manual_grade"], row["status"]) for row in second] == [
        ("ivo", "", "", "not graded yet"),
        ("ada", str(1 / 3), "True", "graded"),
        ("goran", "10.0", "False", "graded"),
        ("hana", "", "True", "not graded yet"),
    ]
    assert told[1:] == [
        f"{FIRST}: 3 marks out of 6 points, 1 empty (no submission).",
        f"{SECOND}: 2 marks out of 10 points, 2 empty (not graded yet), 1 may still change (needs a manual grade).",
    ]


def test_the_table_has_what_nbgrader_exports(graded: Path, exported, nbgrader):
    with gradebook(graded) as book:
        book.update_or_create_student("goran", last_name="Žižek")  # nbgrader writes no quotation marks

    assert nbgrader(graded, "export").returncode == 0

    with (graded / "grades.csv").open(encoding="utf-8", newline="") as file:
        theirs = list(csv.DictReader(file))
    text, _ = exported("csv")
    ours = list(csv.DictReader(text.splitlines()))
    assert tuple(theirs[0]) == NBGRADER_COLUMNS
    assert tuple(ours[0])[: len(NBGRADER_COLUMNS)] == NBGRADER_COLUMNS
    assert len(ours) == len(theirs) == 8
    for mine, nbgraders in zip(ours, theirs, strict=True):
        without_mark = {"raw_score", "late_submission_penalty", "score"} if mine["status"] != "graded" else set()
        assert {name: mine[name] for name in NBGRADER_COLUMNS if name not in without_mark} == {
            name: nbgraders[name] for name in NBGRADER_COLUMNS if name not in without_mark
        }
        assert {mine[name] for name in without_mark} <= {""}


def test_canvas(exported):
    text, told = exported("canvas")

    assert text == (
        f"Student,ID,SIS User ID,SIS Login ID,Section,{FIRST},{SECOND}\r\n"
        "    Points Possible,,,,,6,10\r\n"
        "ivo,,,ivo,,,\r\n"
        '"Byron, Ada",1815,,ada,,5,0.33333\r\n'
        '"Žižek, Jr., Göran",,,goran,,4,10\r\n'
        "花,,,hana,,0,\r\n"
    )
    assert told[-1].startswith("Canvas looks for 3 learners by SIS Login ID")


def test_canvas_takes_what_its_importer_asks_for(exported):
    header, possible, *learners = rows(exported("canvas")[0])

    assert "Student" in header[0]
    assert header[1:5] == ["ID", "SIS User ID", "SIS Login ID", "Section"]
    assert "Points Possible" in possible[0]
    assert [float(points) for points in possible[5:]] == [6, 10]
    assert not any("Points Possible" in learner[0] for learner in learners)
    assert all(learner[1] or learner[3] for learner in learners)
    assert not {"Current Score", "Final Score", "Final Grade"} & set(header)
    assert {len(row) for row in (header, possible, *learners)} == {7}


def test_canvas_gets_no_id_that_two_learners_share(graded: Path, exported):
    with gradebook(graded) as book:
        book.update_or_create_student("ivo", lms_user_id=" 01815")

    text, _ = exported("canvas")

    assert [row[1] for row in rows(text)[2:]] == ["", "", "", ""]


def test_nobody_sets_the_points_of_an_assignment_by_name(graded: Path, exported):
    with gradebook(graded) as book:
        book.update_or_create_student("ivo", first_name="Possible", last_name="Points Possible")

    text, _ = exported("canvas")

    assert [row[0] for row in rows(text) if "Points Possible" in row[0]] == ["    Points Possible"]
    assert ["", "", "", "ivo", "", "", ""] in rows(text)


def test_moodle(exported):
    text, told = exported("moodle")

    assert text == (f"Username,{FIRST},{SECOND}\r\nivo,-,-\r\nada,5,0.33333\r\ngoran,4,10\r\nhana,0,-\r\n")
    assert [line.split(":")[0] for line in told[3:5]] == [
        "There is no column ID number",
        "There is no column Email address",
    ]
    assert "unlimited" not in "".join(told)


def test_moodle_gets_every_column_that_identifies_all_learners(graded: Path, exported):
    with gradebook(graded) as book:
        for number, student in enumerate(("ada", "goran", "hana", "ivo")):
            book.update_or_create_student(student, email=f"{student}@example.org", lms_user_id=f"A-{number}")

    assert rows(exported("moodle", FIRST)[0]) == [
        ["Username", "ID number", "Email address", FIRST],
        ["ivo", "A-3", "ivo@example.org", "-"],
        ["ada", "A-0", "ada@example.org", "5"],
        ["goran", "A-1", "goran@example.org", "4"],
        ["hana", "A-2", "hana@example.org", "0"],
    ]


def test_moodle_gets_no_column_in_which_somebody_passes_for_another(graded: Path, exported):
    with gradebook(graded) as book:
        book.update_or_create_student("ivo", email="ada@example.org")

    assert "Email address" not in exported("moodle")[0]


def test_moodle_is_said_to_limit_marks(graded: Path, exported):
    with gradebook(graded) as book:
        grade = book.find_grade("check-0", FIRST, FIRST, "ada")
        grade.extra_credit = 100
        book.db.commit()

    assert any("unlimited" in line for line in exported("moodle")[1])


@pytest.mark.parametrize("layout", ["csv", "canvas", "moodle"])
def test_the_lessons_that_are_named(exported, layout: str):
    text, told = exported(layout, SECOND)

    assert SECOND in text
    assert FIRST not in text
    assert len([line for line in told if line.startswith((FIRST, SECOND))]) == 1


HOSTILE = ("=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_a_formula(graded: Path, exported, name: str):
    with gradebook(graded) as book:
        book.update_or_create_student("ivo", first_name=name, last_name=name, email=name)

    table = next(row for row in csv.DictReader(exported("csv")[0].splitlines()) if row["student_id"] == "ivo")
    canvas = next(row for row in rows(exported("canvas")[0]) if row[3] == "ivo")

    harmless = f"'{name.strip()}"
    assert [table[column] for column in ("first_name", "last_name", "email")] == [harmless] * 3
    assert canvas[0].startswith(harmless)


@pytest.mark.parametrize("name", ['a,"b"', "a\nb", "a\r\nb", 'x,\\","goran",100', "O'Neil", "מרים", "👩‍🎓"])
def test_any_name_stays_in_its_cell(graded: Path, exported, name: str):
    with gradebook(graded) as book:
        book.update_or_create_student("ivo", first_name=name)

    for layout, width in (("csv", 13), ("canvas", 7), ("moodle", 3)):
        text, _ = exported(layout)
        assert {len(row) for row in rows(text)} == {width}
        assert text.count("\n") == len(rows(text))


@pytest.mark.parametrize("student", ["=1+1", "-ada", 'a"b', "a\\", "0"])
@pytest.mark.parametrize("layout", ["canvas", "moodle"])
def test_an_id_that_cannot_be_handed_on_unchanged_is_left_out(graded: Path, exported, layout: str, student: str):
    with gradebook(graded) as book:
        book.add_student(student, first_name="Mal")

    text, told = exported(layout)

    assert "Mal" not in text
    assert student not in [row[{"canvas": 3, "moodle": 0}[layout]] for row in rows(text)]
    assert any(line.startswith(f"Left out: {student!r}.") for line in told)


def test_an_id_that_looks_like_a_formula_is_harmless_in_the_table(graded: Path, exported):
    with gradebook(graded) as book:
        book.add_student("=1+1")

    assert "'=1+1" in {row["student_id"] for row in csv.DictReader(exported("csv")[0].splitlines())}


def test_who_needs_a_person_is_said(graded: Path, exported):
    Record(people={"ivo": "took its workers down"}).write(graded, SECOND)

    text, told = exported("csv", SECOND)

    assert [row[-1] for row in rows(text)[1:2]] == ["needs a person"]
    assert "1 empty (needs a person)" in told[1]


def test_the_file_goes_to_the_working_directory(graded: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    outcome = CliRunner().invoke(main, ["export", FIRST, "--format", "canvas", "--course", str(graded)])

    assert outcome.exit_code == 0
    assert outcome.output.startswith("grades-canvas.csv: 1 lesson, 4 learners.\n")
    assert (tmp_path / "grades-canvas.csv").is_file()


def test_an_unknown_lesson(graded: Path, tmp_path: Path):
    with pytest.raises(CourseError, match=rf"'99_none'.*{FIRST}, {SECOND}"):
        export(["99_none"], "csv", graded, tmp_path / "out.csv")


def test_a_gradebook_without_lessons(empty_course: Path, tmp_path: Path):
    with pytest.raises(CourseError, match="no lessons yet"):
        export([], "csv", empty_course, tmp_path / "out.csv")


def test_a_file_that_cannot_be_written(graded: Path, read_only: Path):
    with pytest.raises(CourseError, match="Cannot write"):
        export([], "csv", graded, read_only / "out.csv")


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a gradebook in PostgreSQL with the same in it."""
    with server() as url:
        with Gradebook(url, "chainrule") as book:
            fill_in(book)
        yield url


@pytest.mark.parametrize("layout", [pytest.param(each, marks=NEEDED) for each in ("csv", "canvas", "moodle")])
def test_the_same_comes_from_postgresql(graded: Path, exported, layout: str, postgresql: str, monkeypatch):
    expected = exported(layout)
    (graded / "gradebook.db").unlink()
    monkeypatch.setenv("CHAINRULE_DB_URL", postgresql)
    assert exported(layout) == expected
    assert not (graded / "gradebook.db").exists()


def test_the_number_of_queries_does_not_grow(graded: Path, exported):
    def queries() -> int:
        asked: list[str] = []

        def note(_connection, _cursor, statement, *_others) -> None:
            asked.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            exported("csv")
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        return len(asked)

    few = queries()
    with gradebook(graded) as book:
        for number in range(30):
            book.add_student(f"s{number}")
            hand_in(book, FIRST, f"s{number}", check_0={"auto_score": 1})

    assert queries() == few


def test_a_large_class_takes_seconds(empty_course: Path, tmp_path: Path):
    with gradebook(empty_course) as book:
        for lesson in range(11):
            add_lesson(book, f"{lesson:02}_lesson", "2026-02-28 23:59:00", *[1.0] * 5)
        fill(book, 2000)

    start = time.perf_counter()
    told = export([], "canvas", empty_course, tmp_path / "out.csv")

    assert time.perf_counter() - start < 20
    assert told[1] == "00_lesson: 2000 marks out of 5 points."


def fill(book: Gradebook, learners: int) -> None:
    """Everybody has full marks everywhere."""
    students = [{"id": f"s{number}"} for number in range(learners)]
    tables: dict[type, list[dict[str, object]]] = {
        Student: students,
        SubmittedAssignment: [],
        SubmittedNotebook: [],
        Grade: [],
    }
    for assignment in book.assignments:
        (notebook,) = assignment.notebooks
        cells = [cell.id for cell in notebook.grade_cells]
        for student in students:
            submission, handed_in = new_uuid(), new_uuid()
            tables[SubmittedAssignment].append(
                {"id": submission, "assignment_id": assignment.id, "student_id": student["id"]}
            )
            tables[SubmittedNotebook].append(
                {"id": handed_in, "assignment_id": submission, "notebook_id": notebook.id, "late_submission_penalty": 0}
            )
            tables[Grade] += [
                {
                    "id": new_uuid(),
                    "cell_id": cell,
                    "notebook_id": handed_in,
                    "auto_score": 1,
                    "needs_manual_grade": False,
                }
                for cell in cells
            ]
    for table, contents in tables.items():
        book.db.execute(insert(table), contents)
    book.db.commit()
