"""Grading one submission where nothing of the course is at hand: what a worker does.

A worker gets the assignment and the submission as data, and gives back the graded notebooks with what nbgrader's
gradebook is to be told. It runs the preprocessors that the course's ``nbgrader_config.py`` lists for ``nbgrader
autograde``, in its order; only the two that write to the gradebook are left to ``autograder.batch.writer``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from logging import Handler, Logger, LoggerAdapter, LogRecord
from pathlib import Path
from threading import Lock
from typing import Any

import cloudpickle
import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    Execute,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution, is_task
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from autograder.batch.sanitizing import QuickCheck, QuickKernelspec, QuickOverwrite
from autograder.course.single import why_unreadable
from autograder.course.submissions import released_cells
from autograder.errors import CourseError
from autograder.execution.preprocessor import IsolatedExecute
from autograder.execution.seeds import seed_of

__all__ = ["VERSION", "Assignment", "Graded", "Outcome", "Remarks", "Submission", "grade", "write_files"]

VERSION = version("chainrule-course")

_OURS = {
    Execute: IsolatedExecute,
    CheckCellMetadata: QuickCheck,
    OverwriteCells: QuickOverwrite,
    OverwriteKernelspec: QuickKernelspec,
}
"""What takes the place of nbgrader's own preprocessors."""

_ONE_AT_A_TIME = Lock()
"""A worker may have several threads, and has one grader."""


@dataclass(frozen=True)
class Assignment:
    """What a worker must know to grade any submission to an assignment.

    Parameters
    ----------
    name : as nbgrader calls it
    config : the course's configuration
    sanitize, autograde : the names or classes of the preprocessors, in order
    gradebook : an SQLite file that holds the assignment, and no submissions
    files : what the instructor gives along with the notebooks, by path
    instructor : the code of the instructor's own cells, by notebook
    one_core : whether a worker keeps to one processor, together with the processes that it starts
    version : of the course, which a worker must have too
    """

    name: str
    config: Config
    sanitize: Sequence[Any]
    autograde: Sequence[Any]
    gradebook: bytes
    files: Mapping[str, bytes]
    instructor: Mapping[str, Sequence[str]]
    one_core: bool = False
    version: str = VERSION


@dataclass(frozen=True)
class Submission:
    """What a learner handed in.

    Parameters
    ----------
    student : as nbgrader calls the learner
    notebooks : those that are to be graded, by name without ``.ipynb``
    files : everything else, by path
    secret : of the learner, for the seeds of the checks
    """

    student: str
    notebooks: Mapping[str, bytes]
    files: Mapping[str, bytes]
    secret: bytes

    @property
    def digest(self) -> str:
        """Another one for every content."""
        hashed = sha256()
        for name, content in sorted({**self.notebooks, **self.files}.items()):
            hashed.update(sha256(os.fsencode(name)).digest() + sha256(content).digest())
        return hashed.hexdigest()


@dataclass(frozen=True)
class Graded:
    """A notebook after grading.

    Parameters
    ----------
    text : the notebook as a file
    scores : what nbgrader's ``determine_grade`` says of each graded cell, by its name; None is for a person to decide
    comments : the automatic comment on each answer, by the name of its cell
    """

    text: str
    scores: Mapping[str, float | None]
    comments: Mapping[str, str | None]


@dataclass(frozen=True)
class Outcome:
    """What came of a submission.

    Parameters
    ----------
    student : whose it was
    notebooks : the graded notebooks by name; none where there was trouble
    trouble : why it could not be graded, in a sentence; empty if it was
    remarks : what was put right or went wrong on the way, and is for an instructor to know
    seconds : what took how long
    """

    student: str
    notebooks: Mapping[str, Graded] = field(default_factory=dict)
    trouble: str = ""
    remarks: Sequence[str] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


def grade(assignment: bytes, submissions: Sequence[Submission]) -> list[Outcome]:
    """Grade submissions one after the other; the assignment is pickled, for it is the same time after time.

    Raises
    ------
    CourseError
        No submission can be graded here.
    """
    with _ONE_AT_A_TIME:
        grader = _grader(assignment)
        return [grader.grade(submission) for submission in submissions]


@lru_cache(maxsize=1)
def _grader(assignment: bytes) -> _Grader:
    return _Grader(cloudpickle.loads(assignment))


class Remarks(Handler):
    """Keeps the first line of each warning of nbgrader and its preprocessors."""

    def __init__(self) -> None:
        super().__init__("WARNING")
        self.said: list[str] = []

    def emit(self, record: LogRecord) -> None:
        """Keep one."""
        self.said.append(record.getMessage().split("\n")[0])

    @contextmanager
    def of(self, log: Logger | LoggerAdapter[Any]) -> Iterator[None]:
        """Keep those of a logger for a while."""
        logger = log.logger if isinstance(log, LoggerAdapter) else log
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)


class _Grader:
    """The preprocessors of an assignment, and a folder to work in."""

    def __init__(self, assignment: Assignment) -> None:
        if assignment.version != VERSION:
            raise CourseError(
                f"A worker has version {VERSION} of chainrule-course, and grading was started by version "
                f"{assignment.version}. Install the same version on all workers."
            )
        if assignment.one_core:
            _keep_to_one_core()
        self.assignment = assignment
        self.folder = Path(tempfile.mkdtemp(prefix="chainrule-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        gradebook = self.folder / "gradebook.db"
        gradebook.write_bytes(assignment.gradebook)
        self.db_url = f"sqlite:///{gradebook}"
        self.log = Logger("chainrule")
        self.released = {name: released_cells(self._where(name)) for name in assignment.instructor}
        self.sanitize = [self._made(each) for each in assignment.sanitize]
        self.autograde = [self._made(each) for each in assignment.autograde]
        for execute in self.autograde:
            if isinstance(execute, IsolatedExecute):
                execute.parents(assignment.name).student.child().end()  # whether code can be confined here

    def _made(self, preprocessor: Any) -> NbGraderPreprocessor:
        """A preprocessor as the course configures it; some of nbgrader's own in our form."""
        kind = import_item(preprocessor) if isinstance(preprocessor, str) else preprocessor
        return _OURS.get(kind, kind)(config=self.assignment.config, log=self.log)

    def grade(self, submission: Submission) -> Outcome:
        """Grade a submission; what goes wrong with it costs no other one anything."""
        began = time.perf_counter()
        remarks = Remarks()
        seconds = dict.fromkeys(("sanitize", "execute", "cells"), 0.0)
        notebooks: dict[str, Graded] = {}
        trouble = ""
        try:
            with remarks.of(self.log), self._placed(submission) as folder:
                for name, content in submission.notebooks.items():
                    notebooks[name] = self._graded(submission, name, content, folder, seconds)
        except Exception as error:  # preprocessors raise whatever they like
            notebooks, trouble = {}, f"{name}.ipynb cannot be graded: {_reason(error)}"
        seconds["worker"] = time.perf_counter() - began
        return Outcome(submission.student, notebooks, trouble, tuple(remarks.said), seconds)

    @contextmanager
    def _placed(self, submission: Submission) -> Iterator[Path]:
        """A folder with the files that the cells may read: the learner's, and in their place the instructor's."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            write_files(folder, {**submission.files, **self.assignment.files})
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _where(self, name: str) -> dict[str, str]:
        """What preprocessors find a notebook in the gradebook by."""
        return {"assignment": self.assignment.name, "notebook": name, "db_url": self.db_url}

    def _graded(
        self, submission: Submission, name: str, content: bytes, folder: Path, seconds: dict[str, float]
    ) -> Graded:
        """One notebook, sanitized, run and read off."""
        resources: dict[str, Any] = {
            "unique_key": name,
            "output_files_dir": f"{name}_files",
            "metadata": {"name": name, "path": str(folder)},
            "nbgrader": {**self._where(name), "student": submission.student},
            "chainrule": {
                "released": deepcopy(self.released[name]),
                "seed": seed_of(submission.secret, content),
                "instructor": self.assignment.instructor.get(name, ()),
            },
        }
        began = time.perf_counter()
        nb = _read(content)
        for each in self.sanitize:
            nb, resources = each(nb, resources)
        seconds["sanitize"] += time.perf_counter() - began
        scores: Mapping[str, float | None] = {}
        comments: Mapping[str, str | None] = {}
        for each in self.autograde:
            began = time.perf_counter()
            if isinstance(each, SaveAutoGrades):
                scores, comments = _read_off(nb)
            elif not isinstance(each, AssignLatePenalties):
                nb, resources = each(nb, resources)
            if isinstance(each, Execute):
                seconds["execute"] += time.perf_counter() - began
                seconds["cells"] += sum(resources["chainrule"].get("seconds", {}).values())
        return Graded(nbformat.writes(nb), scores, comments)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, by their paths in a folder."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def _keep_to_one_core() -> None:
    """Keep this thread, and all that it starts, to the processor that its worker's number stands for.

    Cells and checks take turns, so a second processor helps one notebook little and is missed by another one.
    """
    from distributed import get_worker

    number = get_worker().name
    if isinstance(number, int) and hasattr(os, "sched_setaffinity"):
        available = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {available[number % len(available)]})


def _read(content: bytes) -> NotebookNode:
    """A notebook as it was handed in; raises a ``CourseError`` where it is none."""
    try:
        return nbformat.reads(content.decode("utf-8"), as_version=4)
    except Exception as error:  # json and nbformat raise errors of their own, with no common class
        raise CourseError(f"it is no notebook that can be read: {why_unreadable(error)}.") from error


def _read_off(nb: NotebookNode) -> tuple[dict[str, float | None], dict[str, str | None]]:
    """The scores and comments that nbgrader's ``SaveAutoGrades`` would write of a notebook that has been run."""
    scores = {cell.metadata.nbgrader.grade_id: determine_grade(cell)[0] for cell in nb.cells if is_grade(cell)}
    comments = {
        cell.metadata.nbgrader.grade_id: "No response." if _is_untouched(cell) else None
        for cell in nb.cells
        if is_solution(cell) or is_task(cell)
    }
    return scores, comments


def _is_untouched(cell: NotebookNode) -> bool:
    """Whether an answer is as it was released."""
    return not is_task(cell) and cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)


def _reason(error: Exception) -> str:
    """Why a notebook could not be graded, as the end of a sentence."""
    if isinstance(error, CourseError):
        return str(error)
    said = " ".join(str(error).split()) or type(error).__name__
    return f"{said[:200].rstrip('.')}."
