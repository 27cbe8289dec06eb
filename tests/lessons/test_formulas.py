"""Every displayed formula of a lesson has a check that evaluates both of its sides, and the check passes.

The checks are in ``formulas/``, a module a lesson, by the text of the formula: a formula that is changed, or added, has
no check until one is written for it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "formulas"


def checks_of(lesson: str) -> dict[str, Callable[[], None]]:
    """The checks of a lesson's formulas, by the formula's text; none where the lesson has no module."""
    path = FOLDER / f"lesson_{lesson}.py"
    if not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location(f"formulas_{lesson}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    formulas: dict[str, Callable[[], None]] = module.FORMULAS
    return formulas


def test_every_formula_has_a_check_and_every_check_a_formula(
    lesson: str, displayed_formulas: Callable[[str], list[str]]
) -> None:
    written = displayed_formulas(lesson)
    checked = list(checks_of(lesson))
    assert [formula for formula in written if formula not in checked] == [], "formulas without a check"
    assert [formula for formula in checked if formula not in written] == [], "checks without a formula"


CHECKS = [
    pytest.param(check, id=f"{path.stem}-{number}")
    for path in sorted(FOLDER.glob("lesson_*.py"))
    for number, check in enumerate(checks_of(path.stem.removeprefix("lesson_")).values(), start=1)
]


@pytest.mark.parametrize("check", CHECKS)
def test_both_sides_of_a_formula_are_equal(check: Callable[[], None]) -> None:
    check()
