"""nbgrader's own commands and its formgrader do their work on the course, unchanged, from collecting to the export."""

import csv
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.error import URLError

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.exercises import Exercise

LESSON = "05_backpropagation"
TIMEOUT = 5
TOKEN = "instructor"

# One worker makes the graded course that all of these tests look at.
pytestmark = pytest.mark.xdist_group("course commands")


MISTAKE = "forgot_output_slope"


def answers(codes: list[str], released: Path, exercises: list[Exercise]) -> str:
    """A released notebook with these answers."""
    notebook = nbformat.read(released, as_version=nbformat.NO_CONVERT)
    for exercise, code in zip(exercises, codes, strict=True):
        cell = next(cell for cell in notebook.cells if cell.id == exercise.id.replace(".", "-"))
        cell.source = code
    return nbformat.writes(notebook)


@pytest.fixture(scope="module")
def graded(
    _released_once: Path,
    two_exercises: list[Exercise],
    written,
    nbgrader,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The course after zip_collect, autograde, generate_feedback and export."""
    course = shutil.copytree(_released_once, tmp_path_factory.mktemp("commands") / "course")
    released = course / "release" / LESSON / f"{LESSON}.ipynb"
    asked, second = two_exercises
    noisy = written(asked).replace("    a2", "    import warnings; warnings.warn('careful'); print('here')\n    a2")
    archive = course / "downloaded" / LESSON / "archive"
    archive.mkdir(parents=True)
    for name, first in {
        f"ada_{LESSON}": written(asked),
        f"boris_LATE_123_456_{LESSON}-1": written(asked, "return 1 / (1 + np.exp(-z2)) - y"),
        f"chidi_{LESSON}": written(asked, "while True: pass"),
        f"dalia_{LESSON}": noisy,
    }.items():
        (archive / f"{name}.ipynb").write_text(
            answers([first, written(second)], released, two_exercises), encoding="utf-8"
        )
    for command in (
        ("zip_collect", LESSON),
        ("autograde", LESSON, f"--Execute.timeout={TIMEOUT}"),
        ("generate_feedback", LESSON),
        ("export",),
    ):
        outcome = nbgrader(course, *command)
        assert outcome.returncode == 0, outcome.stderr
    return course


def marks(course: Path, learner: str, exercises: list[Exercise]) -> list[float]:
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = book.find_submission_notebook(LESSON, LESSON, learner).grades
        scores = {grade.name: grade.score for grade in grades}
    return [scores[f"{exercise.id.replace('.', '-')}-check"] for exercise in exercises]


def test_zip_collect_sorts_the_files_of_a_learning_platform_by_learner(graded: Path):
    assert sorted(path.name for path in (graded / "submitted").iterdir()) == ["ada", "boris", "chidi", "dalia"]


def test_autograde_gives_right_answers_all_points(graded: Path, two_exercises: list[Exercise]):
    assert marks(graded, "ada", two_exercises) == [exercise.points for exercise in two_exercises]


def test_autograde_gives_a_mistake_its_partial_credit(graded: Path, two_exercises: list[Exercise]):
    from autograder import evaluate

    deserved = evaluate(two_exercises[0].id, two_exercises[0].answer(MISTAKE)).score
    first, second = marks(graded, "boris", two_exercises)
    assert 0 < first < two_exercises[0].points
    assert first == pytest.approx(deserved, rel=1e-5)
    assert second == two_exercises[1].points


def test_an_endless_loop_costs_only_its_own_points(graded: Path, two_exercises: list[Exercise]):
    assert marks(graded, "chidi", two_exercises) == [0, two_exercises[1].points]


def test_an_answer_that_prints_and_warns_keeps_its_points(graded: Path, two_exercises: list[Exercise]):
    assert marks(graded, "dalia", two_exercises) == [exercise.points for exercise in two_exercises]


def test_a_feedback_page_shows_the_verdict_the_points_and_the_explanation(graded: Path, two_exercises: list[Exercise]):
    page = (graded / "feedback" / "boris" / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")
    assert "Not right yet" in page
    assert f"of {two_exercises[0].points} points" in page
    assert two_exercises[0].mistakes[MISTAKE].explanation in unescape(page)


def test_the_export_has_every_total(graded: Path, two_exercises: list[Exercise]):
    with (graded / "grades.csv").open(encoding="utf-8", newline="") as file:
        totals = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert totals["ada"] == sum(exercise.points for exercise in two_exercises)
    assert totals["chidi"] == two_exercises[1].points


def test_grading_is_no_progress_of_the_person_who_grades(graded: Path, nbgrader, tmp_path: Path):
    nbgrader(graded, "autograde", LESSON, "--force", "--student=ada", CHAINRULE_PROGRESS=str(tmp_path / "progress"))
    assert not (tmp_path / "progress").exists()


def test_validate_tells_a_right_notebook_from_one_as_released(graded: Path, nbgrader):
    right = nbgrader(graded, "validate", f"submitted/ada/{LESSON}/{LESSON}.ipynb")
    assert "passes all the tests" in right.stdout
    untouched = nbgrader(graded, "validate", f"release/{LESSON}/{LESSON}.ipynb")
    assert "VALIDATION FAILED ON 2 CELL(S)" in untouched.stdout


@pytest.fixture(scope="module")
def formgrader(graded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Jupyter server in the course folder, with nbgrader's formgrader."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path_factory.mktemp("formgrader") / "server.log").open("w+")
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={graded}",
    ]
    command += ["--ServerApp.jpserver_extensions=nbgrader.server_extensions.formgrader=True"]
    server = subprocess.Popen(command, cwd=graded, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                ask(f"{address}/api/status")
                break
            except URLError:
                if server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(Path(log.name).read_text())
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def ask(address: str, method: str = "GET") -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(address, method=method, headers={"Authorization": f"token {TOKEN}"})
    with opener.open(request, timeout=120) as response:
        return str(response.read().decode())


def test_the_formgrader_lists_the_assignment_and_its_submissions(
    formgrader: str, graded: Path, two_exercises: list[Exercise]
):
    (assignment,) = json.loads(ask(f"{formgrader}/formgrader/api/assignments"))
    assert assignment["name"] == LESSON
    assert assignment["max_score"] == sum(exercise.points for exercise in two_exercises)
    submissions = json.loads(ask(f"{formgrader}/formgrader/api/submissions/{LESSON}"))
    assert {submission["student"] for submission in submissions} == {"ada", "boris", "chidi", "dalia"}
    assert all(submission["autograded"] for submission in submissions)


def test_the_formgraders_button_grades_like_the_command(formgrader: str, graded: Path, two_exercises: list[Exercise]):
    before = marks(graded, "boris", two_exercises)
    reply = json.loads(ask(f"{formgrader}/formgrader/api/submission/{LESSON}/boris/autograde", method="POST"))
    assert reply["success"], reply["log"]
    assert marks(graded, "boris", two_exercises) == before


def test_the_formgraders_page_opens(formgrader: str):
    assert "nbgrader" in ask(f"{formgrader}/formgrader/manage_assignments")
