"""``chainrule report``: figures worked out by hand, hostile names, other courses, and a page that fits a phone."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from playwright.sync_api import sync_playwright

from autograder.batch.record import Record
from autograder.batch.report import distribution, page, read_report, shown
from autograder.cli import main
from autograder.errors import CourseError
from autograder.exercises import Exercise
from tests.autograder.batch.conftest import LESSON, PROJECT
from tests.conftest import CHROMIUM

pytestmark = pytest.mark.xdist_group("batch")


@pytest.fixture
def graded(graded_by_nbgrader: Path, tmp_path: Path) -> Path:
    """The graded class, for one test."""
    return shutil.copytree(graded_by_nbgrader, tmp_path / "graded")


def test_the_figures_of_a_class(graded: Path, two_exercises: list[Exercise]) -> None:
    record = Record(people={"gone": "It took its worker down 3 times and was set aside."})
    record.write(graded, LESSON)
    report = read_report(LESSON, graded)
    first, second = two_exercises
    whole = first.points + second.points
    assert report.points == whole
    assert report.marks["ada"] == whole
    assert report.marks["fatima"] == 0, "late"
    assert report.marks["emil"] == 0
    assert [check.name for check in report.checks] == [first.id, second.id]
    one, two = report.checks
    assert (one.right, one.attempted, len(one.scores)) == (3, 5, 6)
    assert one.verdicts["correct"] == 3
    assert one.verdicts["not attempted"] == 1
    assert two.right == 4
    assert len(one.seconds) == 6
    assert max(one.seconds) > 1, "an endless loop"
    assert report.people["gone"].startswith("It took its worker down")
    assert sum(count for _, count in distribution(report)) == 6
    assert report.hardest is one
    assert first.title in report.lead()
    assert "gone" in shown(report)


def test_mistakes_by_name_with_those_who_made_them(graded: Path, two_exercises: list[Exercise]) -> None:
    exercise = next(each for each in two_exercises if each.mistakes)
    name, mistake = next(iter(exercise.mistakes.items()))
    for student in ("ada", "boris"):
        path = graded / "autograded" / student / LESSON / f"{LESSON}.ipynb"
        nb = nbformat.read(path, as_version=4)
        for cell in nb.cells:
            if cell.metadata.get("chainrule", {}).get("id") == exercise.id:
                cell.metadata.chainrule.mistakes = [name]
        path.chmod(0o644)
        nbformat.write(nb, path)
    found = read_report(LESSON, graded).mistakes[0]
    assert (found.check, found.name, found.students) == (exercise.id, name, ("ada", "boris"))
    assert found.explanation == mistake.explanation


def test_a_course_without_our_checks(graded: Path) -> None:
    report = read_report(PROJECT, graded)
    titles = {check.title: check for check in report.checks}
    assert titles["test-x in first"].right == 3
    assert titles["test-y in second"].points == 2
    assert not any(check.is_ours for check in report.checks)
    assert report.people["ada"] == "An answer is to be marked by hand."
    assert set(report.missing) == {"chidi", "dalia", "fatima"}
    assert "No submission (3)" in page(report)


def test_a_damaged_notebook_is_a_line(graded: Path) -> None:
    path = graded / "autograded" / "ada" / LESSON / f"{LESSON}.ipynb"
    path.chmod(0o644)
    path.write_text("{")
    assert "is damaged" in read_report(LESSON, graded).people["ada"]


def test_who_is_not_graded_or_has_handed_in_again(graded: Path) -> None:
    shutil.copytree(graded / "submitted" / "ada", graded / "submitted" / "new")
    (graded / "submitted" / "boris" / LESSON / "timestamp.txt").write_text("2026-02-01 10:00:00 UTC")
    people = read_report(LESSON, graded).people
    assert people["new"].startswith("Handed in and not graded yet.")
    assert people["boris"].startswith("Handed in again since it was graded.")


def test_a_name_can_do_nothing_to_a_terminal_or_a_page(graded: Path) -> None:
    Record(people={"\x1b[31mred\udcff\u202e": "x"}).write(graded, LESSON)
    report = read_report(LESSON, graded)
    for text in (shown(report), page(report)):
        assert "\ufffd[31mred\ufffd\ufffd" in text
        assert text.encode()


def test_nothing_graded_and_an_unknown_lesson(course: Path) -> None:
    with pytest.raises(CourseError, match=r"Nothing of 05_backpropagation is graded yet\. chainrule grade"):
        read_report(LESSON, course)
    with pytest.raises(CourseError, match="There is no lesson 'nonsense' in the gradebook"):
        read_report("nonsense", course)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium; on Debian: apt-get install chromium")
def test_the_page_on_a_phone(graded: Path, tmp_path: Path) -> None:
    hostile = {"<script>document.title='x'</script>": "<b>bold</b>", "a" * 300: "long"}
    Record(people=hostile).write(graded, LESSON)
    file = tmp_path / "report.html"
    outcome = CliRunner().invoke(main, ["report", LESSON, "--course", str(graded), "--html", str(file)])
    assert outcome.exit_code == 0, outcome.output
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        for width in (360, 1280):
            opened = browser.new_page(viewport={"width": width, "height": 800})
            opened.goto(file.as_uri())
            assert opened.evaluate("document.documentElement.scrollWidth") == width
            assert opened.title() == f"{LESSON}: how the class did"
            charts = opened.locator("svg")
            assert charts.count() == 3
            for number in range(charts.count()):
                assert charts.nth(number).get_attribute("role") == "img"
                assert any(each.isdigit() for each in charts.nth(number).get_attribute("aria-label") or "")
            assert opened.get_by_text("<b>bold</b>").count() == 1
        browser.close()
