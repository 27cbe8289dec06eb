"""The glossary holds the lessons' terms: every entry says where its term is explained, and the lessons link to it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

Text = Callable[[str], str]


@pytest.fixture(scope="module")
def entries(prose_of: Text) -> dict[str, str]:
    """The explanation of every term."""
    found = re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", prose_of("glossary"), re.MULTILINE | re.DOTALL)
    return {term.strip(): " ".join(explanation.split()) for term, explanation in found}


def test_the_terms_stand_in_alphabetical_order_once_each(entries: dict[str, str], prose_of: Text) -> None:
    terms = re.findall(r"^### (.+)", prose_of("glossary"), re.MULTILINE)
    assert len(terms) == len(entries) >= 100
    plain = [re.sub(r"[^a-z0-9 ]", "", term.lower()) for term in terms]
    assert plain == sorted(plain)


def test_every_term_is_explained_in_the_lesson_that_its_entry_names(entries: dict[str, str], prose_of: Text) -> None:
    for term, explanation in entries.items():
        lessons = re.findall(r"\]\(\.\./(\w+)/\1\.ipynb\)", explanation)
        assert lessons, f"{term}: no lesson is named"
        text = " ".join(prose_of(lessons[0]).lower().split())
        assert term.lower() in text, f"{term} does not occur in {lessons[0]}"


def test_every_lesson_links_to_the_glossary(lesson: str, prose_of: Text) -> None:
    assert "](../glossary/glossary.ipynb)" in prose_of(lesson)
