"""Every formula of every lesson is typeset by JupyterLab in a real browser, without an error."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

REPOSITORY = Path(__file__).parents[2]
LESSONS = sorted(path.stem for path in (REPOSITORY / "lessons").glob("*/*.ipynb"))
PATIENCE = 60_000
"""Milliseconds that a busy machine may take."""

MATH = re.compile(r"\$\$.+?\$\$|(?<![\\$])\$(?!\s)[^$]+?(?<!\s)\$", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def formulas(lesson: str) -> int:
    """How many formulas the Markdown cells of a released lesson hold."""
    cells = json.loads((REPOSITORY / "lessons" / lesson / f"{lesson}.ipynb").read_text())["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return sum(len(MATH.findall(CODE.sub("", text))) for text in texts)


@pytest.fixture
def _every_cell_is_rendered(home: Path) -> None:
    """JupyterLab renders what is in sight; a setting of its own makes it render all."""
    settings = home / ".jupyter/lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}))


@pytest.mark.usefixtures("_every_cell_is_rendered")
@pytest.mark.parametrize("lesson", LESSONS)
def test_jupyterlab_typesets_every_formula(page: Page, address: str, lesson: str) -> None:
    page.goto(address.replace("00_welcome", lesson))
    expected = formulas(lesson)
    typeset = page.locator(".jp-NotebookPanel mjx-container")
    expect(page.locator(".jp-NotebookPanel .jp-Cell").first).to_be_visible(timeout=PATIENCE)
    if expected:
        expect(typeset.nth(expected - 1)).to_be_attached(timeout=PATIENCE)
    errors = page.locator("mjx-merror, [data-mjx-error]").evaluate_all("all => all.map(error => error.outerHTML)")
    assert errors == []
    texts = page.locator(".jp-MarkdownOutput").all_text_contents()
    raw = [text for text in texts if re.search(r"\$\$|\\(frac|partial|sum|sigma)\b", text)]
    assert raw == []
    assert typeset.count() == expected
