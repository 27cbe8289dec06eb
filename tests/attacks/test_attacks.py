"""No answer can forge a mark, and one bad cell costs only its own points."""

import re
import time
from collections.abc import Callable

import pytest
from nbformat import NotebookNode

from autograder.course.single import Grading
from tests.attacks.conftest import ATTACKS, Attack, attacked, said, scores


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_gains_nothing_and_costs_nobody_else(
    attack: Attack, honest: Callable[[], NotebookNode], graded: Callable[..., Grading]
) -> None:
    started = time.monotonic()
    grading = graded(attacked(honest(), attack), seconds=attack.seconds)
    found = scores(grading)
    others = {id: score for id, score in found.items() if id != attack.attacked}
    assert found[attack.attacked] == attack.points, said(grading, attack.attacked)
    assert others == dict.fromkeys(others, 1), grading
    assert re.search(attack.says, said(grading, attack.attacked)), said(grading, attack.attacked)
    assert "Traceback" not in said(grading, attack.attacked)
    assert time.monotonic() - started < 60, "grading ends in time"
