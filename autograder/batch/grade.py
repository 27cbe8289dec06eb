"""``chainrule grade``: every submission to a lesson that is due, graded on all processors and written down.

Reads submissions (``intake``), sends them to workers (``cluster``, ``work``) and writes down what comes back
(``writer``), one after the other in this process. What nbgrader's folders and gradebook show is all that is
remembered, but for the submissions that need a person (``record``): killed at any moment, the same command goes on.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.table import Table

from autograder.batch.cluster import Died, Pool, connected
from autograder.batch.course import Course, open_course
from autograder.batch.intake import Due, HandedIn, Intake, Unfit
from autograder.batch.progress import Progress, say
from autograder.batch.record import FOLDER, KEPT, Record
from autograder.batch.work import Outcome, Submission
from autograder.batch.writer import Finished, Writer
from autograder.course.folders import write_atomically
from autograder.errors import CourseError

__all__ = ["grade"]

TOGETHER = 20
"""Submissions in a transaction, at most."""

EVERY = 1.0
"""Seconds between two transactions, at least."""


def grade(
    lesson: str,
    course: Path | None = None,
    students: Sequence[str] = (),
    workers: int | None = None,
    scheduler: str | None = None,
    regrade: bool = False,
    file: Path | None = None,
) -> int:
    """Grade the submissions to a lesson, and say how that went; the exit status.

    Parameters
    ----------
    lesson : an assignment of the gradebook
    course : the nbgrader course; None for ``autograder/course``
    students : only these; all where none are named
    workers : processes of this machine; None for one for every processor
    scheduler : the address of a Dask scheduler, whose workers are used instead
    regrade : also what is graded already
    file : for a report as JSON

    Raises
    ------
    CourseError
        Grading cannot begin or go on. What was graded until then is written down.
    """
    opened = open_course(course)
    with _one_grader(opened.root):
        run = _Run(opened, lesson, students, regrade, Console())
        try:
            run.grade(workers or os.cpu_count() or 1, scheduler)
        except KeyboardInterrupt as interrupt:
            raise CourseError(f"Stopped. {KEPT}") from interrupt
        finally:
            if file is not None:
                write_atomically(file, json.dumps(run.report(), indent=2) + "\n")
    run.close()
    return 1 if run.people else 0


@contextmanager
def _one_grader(root: Path) -> Iterator[None]:
    """Keep a second grader out of a course until this one ends, however it does."""
    lock = FileLock(root / FOLDER / "lock", timeout=0)
    try:
        (root / FOLDER).mkdir(exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise CourseError(
            f"Another chainrule grade is at work in {root}. Wait for it, or stop it, and try again."
        ) from error
    except OSError as error:
        raise CourseError(f"{root} cannot be written to: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class _Graded:
    """A line of the report."""

    student: str
    score: float
    seconds: float
    remarks: Sequence[str]


class _Run:
    """One run of the command."""

    def __init__(self, course: Course, lesson: str, students: Sequence[str], regrade: bool, console: Console) -> None:
        self.course = course
        self.lesson = lesson
        self.chosen = set(students)
        self.regrade = regrade
        self.console = console
        self.intake = Intake(course, lesson)
        self.writer = Writer(course, self.intake)
        self.record = Record.read(course.root, lesson)
        self.people: dict[str, str] = {}
        self.read: dict[str, tuple[Due, HandedIn]] = {}
        self.finished: list[Finished] = []
        self.graded: list[_Graded] = []
        self.profile: defaultdict[str, float] = defaultdict(float)
        self.workers = 0
        self.due = self._due()

    def _due(self) -> list[Due]:
        """What has to be graded."""
        submitted = self.intake.submitted()
        if not submitted:
            raise CourseError(
                f"No submissions to {self.lesson} are in {self.course.folder('submitted', '*', self.lesson)}. "
                "nbgrader collect or zip_collect puts them there."
            )
        for student in sorted(self.chosen - {each.student for each in submitted}):
            self.people[student] = "Nothing was handed in."
            say(self.console, f"{student}: {self.people[student]}")
        submitted = [each for each in submitted if not self.chosen or each.student in self.chosen]
        if self.regrade:
            due = self._to_regrade(submitted)
        else:
            due = [each for each in submitted if not self.intake.is_graded(each)]
        self.before = len(submitted) - len(due)
        return due

    def _to_regrade(self, submitted: list[Due]) -> list[Due]:
        """All of them; where an earlier regrade was interrupted, what it has left."""
        left = set(self.record.regrading or ())
        due = [each for each in submitted if each.student in left] or submitted
        if len(due) < len(submitted):
            say(self.console, f"Going on with a regrade that was interrupted: {len(due)} are left.")
        self.record.regrading = sorted(left | {each.student for each in due})
        self.record.write(self.course.root, self.lesson)
        return due

    def grade(self, workers: int, scheduler: str | None) -> None:
        """Grade everything that is due."""
        self.began = began = time.perf_counter()
        if self.due:
            with connected(min(workers, len(self.due)), scheduler) as client:
                self.workers = sum(client.nthreads().values())
                assignment = self.intake.assignment(one_core=scheduler is None)
                with Progress(self.console, len(self.due)) as self.progress:
                    try:
                        for outcomes in Pool(client, assignment).grade(self._submissions(), len(self.due)):
                            self._take(outcomes)
                    finally:
                        self._write()
        self.profile["wall"] = time.perf_counter() - began

    def _submissions(self) -> Iterator[Submission]:
        """What is due, read one after the other; what cannot be read, or is set aside, is reported."""
        for due in self.due:
            began = time.perf_counter()
            try:
                handed_in = self.intake.read(due)
            except Unfit as unfit:
                self._needs_a_person(due.student, str(unfit))
                continue
            finally:
                self.profile["read"] += time.perf_counter() - began
            submission = handed_in.submission
            is_asked_for = self.regrade or due.student in self.chosen
            if not is_asked_for and self.record.aside.get(due.student) == submission.digest:
                self._needs_a_person(due.student, self.record.people.get(due.student, "It was set aside."))
                continue
            self.read[due.student] = due, handed_in
            yield submission

    def _take(self, outcomes: Sequence[Outcome | Died]) -> None:
        """Keep what came back, and write it down now and then."""
        for outcome in outcomes:
            if isinstance(outcome, Died):
                student = outcome.submission.student
                del self.read[student]
                self.record.aside[student] = outcome.submission.digest
                self._needs_a_person(
                    student,
                    f"It took its worker down {outcome.deaths} times and was set aside. "
                    f"chainrule grade {self.lesson} --student {student} tries it again.",
                )
                continue
            if "start" not in self.profile:
                self.profile["start"] = time.perf_counter() - self.began - outcome.seconds["worker"]
            due, handed_in = self.read.pop(outcome.student)
            for name, seconds in outcome.seconds.items():
                self.profile[name] += seconds
            if outcome.trouble:
                self._needs_a_person(outcome.student, outcome.trouble)
                continue
            self.finished.append(Finished(due, handed_in, outcome))
        if len(self.finished) >= TOGETHER or time.monotonic() - self.progress.written > EVERY:
            self._write()

    def _write(self) -> None:
        """Write down what has come back."""
        began = time.perf_counter()
        finished, self.finished = self.finished, []
        for start in range(0, len(finished), TOGETHER):
            self._write_some(finished[start : start + TOGETHER])
        self.record.write(self.course.root, self.lesson)
        self.profile["write"] += time.perf_counter() - began
        self.progress.written = time.monotonic()

    def _write_some(self, finished: Sequence[Finished]) -> None:
        """Write some down; one that the course's own penalties fail on costs the others nothing."""
        try:
            scores = self.writer.write(finished)
        except CourseError:
            raise
        except Exception as error:  # a plugin of the course raises whatever it likes
            if len(finished) == 1:
                self._needs_a_person(finished[0].due.student, f"It cannot be written down: {error}.")
                return
            for each in finished:
                self._write_some([each])
            return
        for each, score in zip(finished, scores, strict=True):
            self._is_graded(each, score)

    def _is_graded(self, finished: Finished, score: float) -> None:
        """A submission stands in the gradebook."""
        student = finished.due.student
        remarks = [*finished.handed_in.remarks, *finished.outcome.remarks]
        self.graded.append(_Graded(student, score, finished.outcome.seconds["worker"], remarks))
        self.record.people.pop(student, None)
        self.record.aside.pop(student, None)
        if finished.handed_in.sentence:
            self._needs_a_person(student, finished.handed_in.sentence)
        else:
            self._is_done(student)

    def _needs_a_person(self, student: str, sentence: str) -> None:
        """Report a submission, now and from now on."""
        self.people[student] = self.record.people[student] = sentence
        say(self.console, f"{student}: {sentence}")
        self._is_done(student)

    def _is_done(self, student: str) -> None:
        if self.record.regrading is not None and student in self.record.regrading:
            self.record.regrading.remove(student)
            self.record.regrading = self.record.regrading or None
        self.progress.advance()

    def report(self) -> dict[str, Any]:
        """The run as plain data; times in seconds."""
        return {
            "lesson": self.lesson,
            "graded": [asdict(each) for each in self.graded],
            "graded_before": self.before,
            "people": self.people,
            "workers": self.workers,
            "profile": self._profile(),
        }

    def _profile(self) -> Mapping[str, float]:
        """Where the time went: of all workers together, down to ``transfer``, and of this process.

        ``transfer`` is what workers waited: for Dask, for their next submission, at the end for the last one.
        """
        found = self.profile
        return {
            "cells": found["cells"],
            "processes": found["execute"] - found["cells"],
            "sanitize": found["sanitize"],
            "rest": found["worker"] - found["execute"] - found["sanitize"],
            "worker": found["worker"],
            "transfer": max(0.0, self.workers * (found["wall"] - found["start"]) - found["worker"]),
            "start": found["start"],
            "read": found["read"],
            "write": found["write"],
            "wall": found["wall"],
        }

    def close(self) -> None:
        """Say how it went."""
        wall = self.profile["wall"]
        table = Table(title=self.lesson, title_justify="left", show_header=False)
        table.add_row("graded", f"{len(self.graded)}")
        table.add_row("graded before", f"{self.before}")
        table.add_row("need a person", f"{len(self.people)}")
        if self.graded:
            table.add_row("mean score", f"{mean(each.score for each in self.graded):.4g}")
            table.add_row("time", f"{wall:.0f} s, {len(self.graded) / wall:.2g} a second with {self.workers} workers")
        self.console.print(table)
