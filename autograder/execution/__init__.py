"""Running a notebook: the learner's cells in one process, the grade cells in another, data between them.

``IsolatedExecute`` takes the place of nbgrader's ``Execute``. It is loaded when it is asked for (PEP 562): the
processes themselves import other modules of this package, and nothing of nbgrader's.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.execution.preprocessor import IsolatedExecute

__all__ = ["IsolatedExecute"]


def __getattr__(name: str) -> Any:
    if name != "IsolatedExecute":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from autograder.execution.preprocessor import IsolatedExecute

    return IsolatedExecute
