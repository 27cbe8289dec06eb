"""``IsolatedExecute``: nbgrader's ``Execute``, with learners' code and checks in processes of their own.

Set in ``autograder/course/nbgrader_config.py``, so ``nbgrader autograde`` and the formgrader's button use it. What can
be configured on ``Execute`` (``c.Execute.timeout``) holds here as well.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_solution
from traitlets import Bool, Float, Integer

from autograder.checking.seeding import BITS
from autograder.errors import CourseError
from autograder.execution.notebook import Execution, Limits, run_notebook
from autograder.execution.parents import Parents, Resources, warm_parents
from autograder.execution.seeds import seed_of, submission_secret
from autograder.isolation.report import warning

__all__ = ["LANGUAGE", "IsolatedExecute", "instructor_cells", "is_check", "recorded"]

LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": sys.version_info.major},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": ".".join(map(str, sys.version_info[:3])),
}
"""What a Python kernel says of its language, and nbclient writes into the notebook."""


def is_check(cell: NotebookNode) -> bool:
    """Whether a cell's outputs give the points: the instructor's, and not graded by hand."""
    return cell.cell_type == "code" and bool(is_grade(cell)) and not is_solution(cell)


def instructor_cells(source: Path) -> tuple[str, ...]:
    """The code of an instructor's notebook that is neither an answer nor a check; nothing where there is no notebook.

    Raises
    ------
    CourseError
        The notebook cannot be read.
    """
    if not source.is_file():
        return ()
    try:
        nb = nbformat.read(source, as_version=4)
    except Exception as error:  # nbformat and json raise errors of their own, with no common class
        raise CourseError(f"{source} cannot be read as a notebook: {' '.join(str(error).split())}.") from error
    return tuple(c.source for c in nb.cells if c.cell_type == "code" and not is_solution(c) and not is_grade(c))


def recorded(execution: Execution) -> dict[str, Any]:
    """How a notebook was graded, for its metadata: what a regrade needs, and what an instructor may ask."""
    return {
        "seed": execution.seed,
        "unconfined": list(execution.unconfined),
        "faults": {str(index): fault for index, fault in execution.faults.items()},
    }


class IsolatedExecute(Execute):
    """Runs a submission's cells in a confined process, and its checks in another one."""

    allow_unconfined = Bool(False, help="Grade where the kernel lacks a layer as well.").tag(config=True)
    notebook_timeout = Float(600, help="Seconds for all cells of a notebook together.").tag(config=True)
    memory = Integer(2 << 30, help="Bytes of memory for a student process.").tag(config=True)
    files = Integer(256 << 20, help="Bytes of a submission's files, and of those it writes.").tag(config=True)
    namespaces = Bool(False, help="Also put student processes into user and network namespaces.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any], km: Any = None
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Run a notebook that nbgrader has put in order, and write its outputs into it.

        Where there is no course folder, ``resources["chainrule"]`` holds what else is read there: the ``seed`` and the
        ``instructor``'s own cells. The seconds of each cell are left there.
        """
        submission = resources.get("nbgrader", {})
        given = resources.setdefault("chainrule", {})
        assignment = str(submission.get("assignment", ""))
        folder = resources.get("metadata", {}).get("path")
        if "instructor" not in given:
            source = self._source(assignment, str(submission.get("notebook", "")))
            given["instructor"] = instructor_cells(source)
        parents = self.parents(assignment)
        execution = run_notebook(
            nb,
            parents.student,
            parents.grading,
            seed=given["seed"] if "seed" in given else self._seed(nb, submission),
            is_check=is_check,
            instructor=given["instructor"],
            files=Path(folder) if folder else None,
            limits=Limits(
                cell=self.timeout if self.timeout and self.timeout > 0 else None,
                notebook=self.notebook_timeout,
                files=self.files,
            ),
            environment={name: os.environ[name] for name in ("NBGRADER_EXECUTION",) if name in os.environ},
        )
        given["seconds"] = execution.seconds
        for index, seconds in execution.seconds.items():
            if is_check(nb.cells[index]):
                nb.cells[index].metadata.chainrule["seconds"] = round(seconds, 4)
        nb.metadata.language_info = LANGUAGE
        nb.metadata.chainrule = recorded(execution)
        for index, fault in execution.faults.items():
            self.log.warning("Cell %d: %s", index, fault)
        if unconfined := nb.metadata.chainrule["unconfined"]:
            self.log.warning(warning(unconfined))
        return nb, resources

    def parents(self, assignment: str) -> Parents:
        """Where the processes for an assignment's notebooks come from.

        Raises
        ------
        CourseError
            They do not start.
        """
        resources = Resources(
            memory=self.memory,
            cpu_seconds=int(self.notebook_timeout) + 1,
            namespaces=self.namespaces,
            allow_unconfined=self.allow_unconfined,
        )
        return warm_parents(assignment, resources)

    def _seed(self, nb: NotebookNode, submission: dict[str, Any]) -> int:
        """The seed of a submission's checks: the same whenever the same notebook is graded again."""
        assignment, student = (str(submission.get(name, "")) for name in ("assignment", "student"))
        if not student:
            return secrets.randbits(BITS)
        course = CourseDirectory(config=self.config)
        folder = Path(course.format_path(course.submitted_directory, student, assignment))
        handed_in = folder / f"{submission['notebook']}.ipynb"
        content = handed_in.read_bytes() if handed_in.is_file() else nbformat.writes(nb).encode("utf-8", "replace")
        return seed_of(submission_secret(Path(course.root), assignment, student), content)

    def _source(self, assignment: str, notebook: str) -> Path:
        """The instructor's notebook."""
        course = CourseDirectory(config=self.config)
        return Path(course.format_path(course.source_directory, ".", assignment)) / f"{notebook}.ipynb"
