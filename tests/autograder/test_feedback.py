"""Feedback says the same in words and in HTML, and every sign has a word."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from autograder import evaluate, exercises
from autograder.exercises import find

BATCH = find("05.backprop_batch")


class _Page(HTMLParser):
    """Reads a page and refuses one whose tags do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.labels: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe")
        self.labels += [value or "" for name, value in attrs if name == "aria-label"]
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("name", list(BATCH.mistakes))
def test_the_explanation_is_in_both_forms(name: str) -> None:
    result = evaluate(BATCH.id, BATCH.mistakes[name].answer, seed=4)
    page = " ".join(_Page(result.to_html()).text)
    explanation = BATCH.mistakes[name].explanation
    assert explanation in page
    assert " ".join(explanation.split()) in " ".join(result.to_text().split())
    assert f"{result.score:g} of 6 points" in page


def test_there_is_a_row_for_every_gradient_with_yours_and_the_finite_difference() -> None:
    result = evaluate(BATCH.id, BATCH.answer("dW2_with_Z1"), seed=4)
    text = result.to_text()
    for part in result.parts:
        assert part.name in text
        assert part.difference is not None
        assert f"{part.yours:.6g}" in text
        # Where the gradient is right, the difference of the loss is the number beside it.
        if part.right:
            assert part.difference == pytest.approx(part.yours, rel=1e-5, abs=1e-8)


def test_the_error_picture_has_a_sign_for_every_entry_and_a_text_alternative() -> None:
    result = evaluate(BATCH.id, BATCH.answer("dW2_with_Z1"), seed=4)
    page = _Page(result.to_html())
    (part,) = [part for part in result.parts if not part.right]
    assert part.signed is not None
    assert len(page.labels) == 1
    assert f"of {part.signed.size} entries of dW2 are off" in page.labels[0]
    signs = [cell for cell in page.text if cell in ("+", "−", "·")]
    assert signs == ["+" if e > 0 else "−" for e in part.signed.ravel()]


def test_what_a_learner_prints_or_raises_cannot_inject_html() -> None:
    def answer(*inputs: Any) -> Any:
        print("<script>alert(1)</script>")
        raise ValueError("<b>bold</b>")

    html = evaluate(BATCH.id, answer).to_html()
    assert "<script>" not in html
    assert "<b>bold" not in html
    _Page(html)


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)
def test_every_result_is_well_formed(exercise: Any) -> None:
    answers = [exercise.reference, None, 3, lambda *inputs: np.nan, *(m.answer for m in exercise.mistakes.values())]
    for answer in answers:
        result = evaluate(exercise.id, answer, seed=1)
        _Page(result.to_html())
        assert result.to_text().startswith(("✔", "✘", "○"))


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)
def test_explanations_do_not_give_the_corrected_line_away(exercise: Any) -> None:
    """The third hint holds the line, in backquotes; an explanation says what the rule is and where to look."""
    lines = [
        line for line in re.findall(r"`([^`]+)`", exercise.hints[2]) if re.search(r"[*@/+-]", line) and len(line) > 7
    ]
    for mistake in exercise.mistakes.values():
        assert not [line for line in lines if line in mistake.explanation]
