"""What the README and CONTRIBUTING tell people to type exists."""

import re
from pathlib import Path

import pytest

from autograder.cli import main

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md"]


def commands(document: str, program: str) -> set[str]:
    """What follows the program's name at the start of a code span or of a line of a code block."""
    text = (REPOSITORY / document).read_text()
    return set(re.findall(rf"(?:`|^)(?:\.venv/bin/)?{program} ([a-z-]+)", text, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_named_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert commands(document, "make")
    assert commands(document, "make") <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_chainrule_command_named_exists(document: str) -> None:
    assert commands(document, "chainrule")
    assert commands(document, "chainrule") <= set(main.commands)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_named_exists(document: str) -> None:
    text = (REPOSITORY / document).read_text()
    paths = re.findall(r"`((?:autograder|chainrule_lib|solutions|lessons|tests|\.ci)/[\w./]*)`", text)
    assert paths
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


def test_the_readme_lists_the_released_lessons() -> None:
    listed = re.findall(r"^\| (\d\d_\w+) \|", (REPOSITORY / "README.md").read_text(), re.MULTILINE)
    released = sorted(path.stem for path in (REPOSITORY / "lessons").glob("*/*.ipynb"))
    assert [*listed, "glossary"] == released
    assert "lessons/glossary" in (REPOSITORY / "README.md").read_text()
