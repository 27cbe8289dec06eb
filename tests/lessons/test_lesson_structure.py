"""Every lesson has the parts that a learner counts on, in the order in which they are needed."""

import re

import pytest

from autograder import exercises
from autograder.course.build import source_notebook
from autograder.course.folders import lesson_sources

SOURCES = lesson_sources(None, None)
PARTS = ["What you will be able to do", "Common mistakes", "Summary", "Where to go next"]


def _text(lesson: str) -> str:
    return "\n\n".join(cell.source for cell in source_notebook(lesson, SOURCES[lesson]).cells)


def _prose(lesson: str) -> str:
    cells = source_notebook(lesson, SOURCES[lesson]).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("lesson", SOURCES)
def test_a_lesson_opens_with_what_it_is_for_and_ends_with_where_to_go(lesson: str) -> None:
    text = _prose(lesson)
    places = [re.search(rf"^#+ (?:\d+\. )?{part}", text, re.MULTILINE) for part in PARTS]
    assert None not in places, [part for part, place in zip(PARTS, places, strict=True) if place is None]
    starts = [place.start() for place in places if place]
    assert starts == sorted(starts)
    assert re.search(r"\*\*Time:?\*\*", text)
    assert re.search(r"\*\*What you need first:?\*\*", text)


@pytest.mark.parametrize("lesson", SOURCES)
def test_a_lesson_has_something_to_play_with_and_something_to_predict(lesson: str) -> None:
    assert re.search(r"^\w+_explorer\(\)", _text(lesson), re.MULTILINE)
    assert "Predict before you run" in _prose(lesson)


@pytest.mark.parametrize("lesson", [lesson for lesson in SOURCES if lesson != "00_welcome"])
def test_a_lesson_has_at_least_five_exercises_that_fade(lesson: str) -> None:
    found = [exercise for exercise in exercises() if exercise.lesson == lesson]
    assert len(found) >= 5
    assert found[0].difficulty == 1
    assert found[0].difficulty < max(exercise.difficulty for exercise in found) == 3
    assert all(exercise.objective and exercise.minutes and all(exercise.hints) for exercise in found)


@pytest.mark.parametrize("lesson", SOURCES)
def test_links_lead_to_lessons_that_exist(lesson: str) -> None:
    for target in re.findall(r"\]\((\.\./[^)#]+)\)", _prose(lesson)):
        assert re.fullmatch(r"\.\./(\w+)/\1\.ipynb", target), target
        assert target.split("/")[1] in SOURCES, target


@pytest.mark.parametrize("lesson", SOURCES)
def test_formulas_keep_to_what_jupyterlab_and_code_hosts_both_render(lesson: str) -> None:
    prose = _prose(lesson)
    assert not re.search(r"\\(newcommand|def|require|label|eqref)\b|\\begin\{(align|equation)", prose)
    assert prose.count("$$") % 2 == 0


@pytest.mark.parametrize("lesson", SOURCES)
def test_every_picture_of_a_lesson_has_a_text(lesson: str) -> None:
    text = _text(lesson)
    assert "plt.show()" not in text
    assert len(re.findall(r"plt\.subplots\(|plt\.figure\(", text)) == len(re.findall(r"^picture\(", text, re.MULTILINE))
