"""A learner works on an exercise in a real browser, from `chainrule start` to full points."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from autograder.exercises import Exercise, find

pytestmark = pytest.mark.browser

WRONG = """\
def backprop(X, Y, W1, b1, W2, b2):
    A1 = 1 / (1 + np.exp(-(X @ W1.T + b1)))
    A2 = 1 / (1 + np.exp(-(A1 @ W2.T + b2)))
    dZ2 = (A2 - Y) / len(X)
    dZ1 = (dZ2 @ W2) * A1 * (1 - A1)
    return dZ1.T @ X, dZ1.sum(axis=0), dZ2.T @ A1, dZ2.sum(axis=0)"""

RIGHT = WRONG.replace("dZ2 = (A2 - Y) / len(X)", "dZ2 = (A2 - Y) / len(X) * A2 * (1 - A2)")

KERNEL_START = 60_000
"""Milliseconds that a busy machine may take to start JupyterLab's page or a kernel."""


class Notebook:
    """An open lesson, used as a person uses it: with clicks and keys."""

    def __init__(self, page: Page, cells: list[str]) -> None:
        self.page = page
        self.cells = cells

    def cell(self, pattern: str) -> Locator:
        """The first cell whose source, as released, matches."""
        number = next(number for number, source in enumerate(self.cells) if re.search(pattern, source))
        return self.page.locator(f'.jp-NotebookPanel:visible .jp-Cell[data-windowed-list-index="{number}"]')

    def enter(self, cell: Locator) -> None:
        """Put the cursor into a cell."""
        cell.locator(".cm-content").click()
        expect(cell.locator(".cm-editor")).to_have_class(re.compile("cm-focused"))

    def write(self, cell: Locator, text: str) -> None:
        self.enter(cell)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def run(self, cell: Locator) -> None:
        self.enter(cell)
        self.page.keyboard.press("Shift+Enter")
        expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"), timeout=KERNEL_START)


def wait_for_kernel(page: Page) -> None:
    """Wait for the status bar to say that the kernel is ready; JupyterLab drops what is run before."""
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=KERNEL_START)


@pytest.fixture
def exercise() -> Exercise:
    return find("05.backprop_batch")


@pytest.fixture
def notebook(page: Page, address: str, lessons: Path, exercise: Exercise) -> Notebook:
    """The exercise's lesson, open with its kernel ready."""
    path = Path(exercise.lesson, f"{exercise.lesson}.ipynb")
    cells = json.loads((lessons / path).read_text())["cells"]
    page.goto(address.replace("00_welcome/00_welcome.ipynb", path.as_posix()))
    wait_for_kernel(page)
    return Notebook(page, ["".join(cell["source"]) for cell in cells])


def test_a_wrong_answer_is_explained_and_its_correction_earns_full_points(
    notebook: Notebook, exercise: Exercise
) -> None:
    answer = notebook.cell(rf"^def {exercise.function}\(")
    check = notebook.cell(rf'^check\("{re.escape(exercise.id)}"'.replace("^", "(?m)^"))
    feedback = check.locator(".chainrule-check")

    notebook.run(notebook.cell("import numpy as np"))
    notebook.write(answer, WRONG)
    notebook.run(answer)
    notebook.run(check)
    expect(feedback).to_have_attribute("data-verdict", "wrong")
    expect(feedback).to_contain_text(exercise.mistakes["forgot_output_slope"].explanation)
    expect(feedback).not_to_contain_text(f"{exercise.points} of {exercise.points} points")

    notebook.write(answer, RIGHT)
    notebook.run(answer)
    notebook.run(check)
    expect(feedback).to_have_attribute("data-verdict", "correct")
    expect(feedback).to_contain_text(f"{exercise.points} of {exercise.points} points")


def test_a_learner_is_asked_nothing(page: Page, address: str) -> None:
    page.goto(address)
    wait_for_kernel(page)
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    expect(page.locator(".Toastify__toast")).to_have_count(0)
    expect(page.get_by_text("Validate", exact=True)).to_have_count(0)
    expect(page.get_by_text("Nbgrader")).to_have_count(0)
