"""Both processes rehearse before they are needed."""

import sys
from typing import cast

import pytest

from autograder.execution.parents import Parents
from autograder.isolation.warm import WarmParent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only where processes are forked there is a rehearsal")


def test_rehearsals_do_not_fail() -> None:
    parents = Parents("01_chain_rule")
    try:
        parents.wait()
        assert [(cast(WarmParent, each).folder / "log").read_text() for each in (parents.student, parents.grading)] == [
            "",
            "",
        ]
    finally:
        parents.close()
