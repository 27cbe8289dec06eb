"""Every lesson has the parts that a learner counts on, in the order in which they are needed."""

import re
from collections.abc import Callable

from autograder import exercises
from autograder.course.folders import lesson_sources

SOURCES = lesson_sources(None, None)
PARTS = ["What you will be able to do", "Common mistakes", "Summary", "Where to go next"]
Text = Callable[[str], str]


def test_a_lesson_opens_with_what_it_is_for_and_ends_with_where_to_go(lesson: str, prose_of: Text) -> None:
    text = prose_of(lesson)
    places = [re.search(rf"^#+ (?:\d+\. )?{part}", text, re.MULTILINE) for part in PARTS]
    assert None not in places, [part for part, place in zip(PARTS, places, strict=True) if place is None]
    starts = [place.start() for place in places if place]
    assert starts == sorted(starts)
    assert re.search(r"\*\*Time:?\*\*", text)
    assert re.search(r"\*\*What you need first:?\*\*", text)


def test_a_lesson_has_something_to_play_with_and_something_to_predict(
    lesson: str, text_of: Text, prose_of: Text
) -> None:
    assert re.search(r"^\w+_explorer\(\)", text_of(lesson), re.MULTILINE)
    assert "Predict before you run" in prose_of(lesson)


def test_a_lesson_has_at_least_five_exercises_that_fade(lesson: str) -> None:
    found = [exercise for exercise in exercises() if exercise.lesson == lesson]
    if lesson == "00_welcome":  # it shows how things work, and has a few exercises to try them on
        assert len(found) >= 3
        return
    assert len(found) >= 5
    assert found[0].difficulty == 1
    assert found[0].difficulty < max(exercise.difficulty for exercise in found) == 3
    assert all(exercise.objective and exercise.minutes and all(exercise.hints) for exercise in found)


def test_links_lead_to_lessons_that_exist(lesson: str, prose_of: Text) -> None:
    for target in re.findall(r"\]\((\.\./[^)#]+)\)", prose_of(lesson)):
        assert re.fullmatch(r"\.\./(\w+)/\1\.ipynb", target), target
        assert target.split("/")[1] in SOURCES, target


def test_formulas_keep_to_what_jupyterlab_and_code_hosts_both_render(lesson: str, prose_of: Text) -> None:
    prose = prose_of(lesson)
    assert not re.search(r"\\(newcommand|def|require|label|eqref)\b|\\begin\{(align|equation)\*?\}", prose)
    assert prose.count("$$") % 2 == 0


def test_every_picture_of_a_lesson_has_a_text(lesson: str, text_of: Text) -> None:
    text = text_of(lesson)
    assert "plt.show()" not in text
    assert len(re.findall(r"plt\.subplots\(|plt\.figure\(", text)) == len(re.findall(r"^picture\(", text, re.MULTILINE))


def test_every_objective_names_the_exercises_that_test_it(lesson: str, prose_of: Text) -> None:
    part = re.search(
        r"^## What you will be able to do\n(.*?)(?=^\*\*|^## )", prose_of(lesson), re.DOTALL | re.MULTILINE
    )
    assert part is not None
    bullets = [" ".join(bullet.split()) for bullet in re.split(r"^- ", part[1], flags=re.MULTILINE)[1:]]
    assert bullets
    count = sum(exercise.lesson == lesson for exercise in exercises())
    for bullet in bullets:
        named = re.search(r"\(exercises? ([\d, and]+)\)", bullet)
        assert named is not None, f"no exercise tests: {bullet}"
        assert all(1 <= int(number) <= count for number in re.findall(r"\d+", named[1])), bullet


def test_exercises_are_numbered_in_their_order(lesson: str, prose_of: Text) -> None:
    numbers = [int(number) for number in re.findall(r"^#+ Exercise (\d+)\b", prose_of(lesson), re.MULTILINE)]
    assert numbers == list(range(1, 1 + sum(exercise.lesson == lesson for exercise in exercises())))


def test_a_hint_ladder_goes_from_a_nudge_to_the_line_and_costs_nothing(lesson: str, prose_of: Text) -> None:
    ladders = re.findall(r"They cost no points\.", prose_of(lesson))
    assert len(ladders) == sum(exercise.lesson == lesson for exercise in exercises())
