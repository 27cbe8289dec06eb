"""Running a notebook: learners' cells in a student process, checks in a grading process, and this supervisor between.

A cell that kills its process, hangs or breaks the rules costs only itself: a fresh student process runs the earlier
good cells again, without the culprit, and the notebook goes on. Whatever happens, a check that was not run to its end
by the grading process has an error among its outputs, so that it can never count as passed.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import secrets
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder.errors import CourseError
from autograder.execution.grading import definitions
from autograder.execution.received import Report, error_output, read_report
from autograder.execution.slicing import bound, is_suspicious, read, relevant
from autograder.isolation import scratch
from autograder.isolation.channel import BadMessage, ChannelClosed, TimedOut
from autograder.isolation.confinement import Layer
from autograder.isolation.warm import Child, Parent

__all__ = ["Execution", "Limits", "run_notebook"]

ROLES = ("grading", "student")

POLL = 0.2
"""Seconds between two looks at what a running cell has written to its scratch folder."""

GRACE = 5.0
"""Seconds that a grading process may take beyond the time of the student's functions it calls."""

AGAIN = 10.0
"""Seconds for a cell that is tried a second time, apart from what may have spoilt it; and for one that is run again in
a new process, beyond what it took the first time."""

AT_ONCE = ("ForgedMessage", "ProcessDied", "ProtocolError", "StudentGone")
"""Errors after which a cell is tried a second time in any case. They come at once, unlike a loop that never ends, and
what another cell has left running may be behind them."""

_MISSING = re.compile(r"^name '(\w+)' is not defined")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

MOST_IN_VAIN = 10
"""Cells that are tried a second time in vain. More of them are their own fault; only checks are always tried again."""

CUT = "The outputs of this cell are left out: those of the notebook had more than {:.0f} MB before.\n"

LONGEST_SOURCE = 1_000_000
"""Characters of a cell that is run."""

SHARED = 64 << 20
"""Bytes that can cross the boundary at once."""


@dataclass(frozen=True)
class Limits:
    """What a notebook may use. Times are in seconds, sizes in bytes.

    ``cell`` is for one cell, ``notebook`` for all together, with what has to be run again; None is no limit of its own.
    ``files`` is for the scratch folder, and for what is copied there in the beginning; ``outputs`` for what learners'
    cells show, all together.
    """

    cell: float | None = 30
    notebook: float = 600
    files: int = 256 << 20
    outputs: int = 64 << 20


@dataclass(frozen=True)
class Execution:
    """How a run went.

    Parameters
    ----------
    seed : of the checks; repeats them exactly
    layers : what confined the student process
    faults : sentences about cells that took their process down, hung or broke the rules, by index of the cell
    seconds : of each code cell that ran, by its index
    """

    seed: int
    layers: tuple[Layer, ...]
    faults: dict[int, str]
    seconds: dict[int, float]

    @property
    def unconfined(self) -> tuple[str, ...]:
        """The required layers that were missing; none, unless that was allowed."""
        return tuple(layer.name for layer in self.layers if layer.required and not layer.in_force)


class _Lost(Exception):
    """The process that was to run a cell did not come to its end; the message says why, after "It"."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


def run_notebook(
    nb: NotebookNode,
    student: Parent,
    grading: Parent,
    seed: int,
    is_check: Callable[[NotebookNode], bool],
    instructor: Sequence[str] = (),
    files: Path | None = None,
    limits: Limits = Limits(),
    environment: Mapping[str, str] = {},
) -> Execution:
    """Run all code cells of a notebook in order, and put their outputs into it.

    Parameters
    ----------
    nb : a notebook of format 4; its checks are the instructor's, not what the learner handed in
    student, grading : where the processes come from
    seed : makes the checks' random cases
    is_check : whether a cell is run by the grading process
    instructor : the code of the instructor's own cells. Checks may use what they define, see
        ``autograder.execution.grading.definitions``; those that a submission has unchanged are above suspicion
    files : the folder of the assignment, whose files (no notebooks) are copied to where the cells run
    limits : see ``Limits``
    environment : variables that the learner's cells see

    Raises
    ------
    CourseError
        No process can be made or confined here. Nothing that a learner's cell does raises anything.
    """
    checks = [cell.source for cell in nb.cells if is_check(cell)]
    run = _Run(student, grading, seed, checks, tuple(instructor), files, limits, environment)
    try:
        run.ready()
        for index, cell in enumerate(nb.cells):
            if cell.cell_type == "code":
                run.cell(nb, index, cell, is_check(cell))
        run.catch_up()
        if run.widgets:
            nb.metadata.widgets = {
                "application/vnd.jupyter.widget-state+json": {
                    "state": run.widgets,
                    "version_major": 2,
                    "version_minor": 0,
                }
            }
        return Execution(seed, run.layers, run.faults, run.seconds)
    finally:
        run.end()


class _Run:
    """One notebook's run."""

    def __init__(
        self,
        student: Parent,
        grading: Parent,
        seed: int,
        checks: Sequence[str],
        instructor: tuple[str, ...],
        files: Path | None,
        limits: Limits,
        environment: Mapping[str, str],
    ) -> None:
        self.parents = {"student": student, "grading": grading}
        self.start: dict[str, dict[str, Any]] = {
            "student": {"begin": dict(environment)},
            "grading": {"begin": {"seed": seed, "checks": list(checks), "definitions": definitions(instructor)}},
        }
        self.instructor = frozenset(instructor)
        self.files = files
        self.limits = limits
        self.deadline = time.monotonic() + limits.notebook
        self.children: dict[str, Child] = {}
        self.aside: list[Child] = []  # the student process, while another one is tried
        self.good: list[str] = []
        self.took: list[float] = []  # seconds, for each good cell
        self.numbers: list[int] = []  # what a notebook shows beside each good cell
        self.number = 0
        self.unbound: dict[str, str] = {}  # why the cell that binds a name was not finished; empty where it was
        self.failing: set[int] = set()  # good cells that took their process down when they were run again
        self.suspected: set[int] = set()  # good cells without which a later one got further
        self.in_vain = 0  # cells that were tried a second time, without being any better, since one was
        self.outputs_left = limits.outputs
        self.faults: dict[int, str] = {}
        self.seconds: dict[int, float] = {}
        self.layers: tuple[Layer, ...] = ()
        self.displays: dict[str, list[NotebookNode]] = {}
        self.widgets: dict[str, Any] = {}
        self.unanswered: Counter[int] = Counter()  # messages, by the process that was told
        self.unrecorded: list[tuple[NotebookNode, bool, Report]] = []  # cells, whether they are checks, what they did

    def cell(self, nb: NotebookNode, index: int, cell: NotebookNode, is_check: bool) -> None:
        """Run one code cell, and write what it did into it."""
        cell.outputs, cell.execution_count = [], None
        if not is_check and (not str(cell.source).strip() or "skip-execution" in _tags(cell)):
            return
        self.number += 1
        began = time.monotonic()
        try:
            report = self.run(str(cell.source), is_check)
        except _Lost as lost:
            self.catch_up()
            self.faults[index] = str(lost)
            cell.outputs = [error_output(lost.name, str(lost))]
            if is_check:
                cell.metadata.chainrule = {"verdict": "not run", "message": str(lost)}
            else:
                self.unbound |= dict.fromkeys(bound(str(cell.source)), str(lost))
        else:
            self.unrecorded.append((cell, is_check, report))
        self.seconds[index] = time.monotonic() - began

    def catch_up(self) -> None:
        """Record what is not recorded yet: there is time for that while the next cell runs."""
        while self.unrecorded:
            self.record(*self.unrecorded.pop(0))

    def record(self, cell: NotebookNode, is_check: bool, report: Report) -> None:
        """Write what a cell did into it."""
        cell.execution_count = report.execution_count
        cell.outputs = _as_nbgrader_reads_them(report) if is_check else list(report.outputs)
        if is_check:
            self.explain(cell)
            cell.metadata.chainrule = _found(report)
        else:
            self.remember(cell, report)
            self.unbound |= dict.fromkeys(bound(str(cell.source)), _stopped_by(report))

    def explain(self, check: NotebookNode) -> None:
        """Say of an answer that a check does not find why it is not there, where its cell did not get so far."""
        for error in check.outputs:
            name = _MISSING.search(error.evalue) if error.output_type == "error" else None
            if name and (why := self.unbound.get(name[1])):
                error.evalue += f". See the cell that defines it: {why}"
                error.traceback = [*error.traceback[:-1], f"{error.ename}: {error.evalue}"]

    def run(self, source: str, is_check: bool) -> Report:
        """Run a cell; once more, with the cells alone that it rests on, where another one may have spoilt it."""
        seconds = self.left()
        if len(source) > LONGEST_SOURCE:
            raise _Lost(
                "CellTooLong",
                f"This cell was not run: it has {len(source):,} characters, and {LONGEST_SOURCE:,} are allowed.",
            )
        began = time.monotonic()
        report = lost = None
        try:
            report = self.once(source, is_check, seconds)
        except _Lost as error:
            lost = error
        took = time.monotonic() - began
        # A learner's cell that raises does so in a kernel as well; the checks of what it was to define are tried again.
        is_short = _achieved(report, is_check) < 1 if is_check else report is None
        if is_short and time.monotonic() < self.deadline:
            chosen = relevant(self.good, read(source))
            others = {number for number in range(len(self.good)) if number not in chosen}
            suspects = {number for number in others if self.is_suspicious(self.good[number])}
            is_worth_it = suspects or (others and _why(report, lost) in AT_ONCE)
            if is_worth_it and (is_check or self.in_vain < MOST_IN_VAIN):
                again = self.apart(source, is_check, chosen)
                self.in_vain += 1
                if _achieved(again, is_check) > _achieved(report, is_check):
                    self.in_vain = 0
                    report, lost = again, None
                    self.suspected |= suspects
                    self.drop("student")
        if lost is not None:
            raise lost
        assert report is not None
        if not is_check:
            self.good.append(source)
            self.took.append(took)
            self.numbers.append(self.number)
        return report

    def once(self, source: str, is_check: bool, seconds: float) -> Report:
        """Run a learner's cell in the student process; or a check in the grading process, with the other at hand."""
        self.ready()
        if not is_check:
            return self.ask("student", {"run": {"source": source, "number": self.number}}, seconds)
        request = {"source": source, "number": self.number, "seconds": seconds}
        try:
            return self.ask("grading", {"check": request}, seconds + GRACE)
        except _Lost:
            self.look_after_student()
            raise

    def is_suspicious(self, source: str) -> bool:
        """Whether a cell may have spoilt the student process."""
        return source not in self.instructor and is_suspicious(source)

    def apart(self, source: str, is_check: bool, earlier: Sequence[int]) -> Report | None:
        """Run a cell in a student process of its own, where only these cells have run; None if it was lost."""
        self.aside = [self.children.pop("student")] if "student" in self.children else []
        try:
            self.ready(earlier)
            return self.once(source, is_check, min(self.left(), AGAIN))
        except _Lost:
            return None
        finally:
            self.drop("student")
            if self.aside:
                self.children["student"] = self.aside.pop()
                self.connect()

    def look_after_student(self) -> None:
        """After a check that was lost: a student process that has not come back from a call is not used any more."""
        child = self.children.get("student")
        if child is None:
            return
        try:
            self.tell("student", {"idle": None}, timeout=1)
            self.hear("student", timeout=1)
        except (ChannelClosed, BadMessage, TimedOut):
            self.drop("student")

    def left(self) -> float:
        """Seconds for the next cell."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _Lost(
                "NotebookTimeout", f"The notebook had used up its {self.limits.notebook:g} seconds before this cell."
            )
        return left if self.limits.cell is None else min(left, self.limits.cell)

    def ask(self, role: str, message: dict[str, Any], seconds: float) -> Report:
        """Have a cell run, and read the report; a process that does not give one is dropped.

        Meanwhile the cells before it are recorded. Dropped is also a student process that the grading process does not
        talk to any more: it is gone, or was late, or broke the rules.
        """
        child = self.children[role]
        turn = secrets.randbits(32)  # so that a report which was sent before it was asked for shows
        is_new = self.unanswered[child.pid] > 0
        try:
            child.channel.send({**message, "turn": turn}, timeout=seconds + GRACE if is_new else seconds)
            self.catch_up()
            for each in list(self.children):
                with self.taking_part(each):
                    self.hear(each)
            self.wait(child, seconds)
            reply = child.channel.receive(GRACE)
            if not isinstance(reply, dict) or reply.pop("turn", None) != turn:
                raise BadMessage("It came out of turn.")
            if role == "grading" and not reply["connected"]:
                self.drop("student")
            return read_report(reply, child.channel.size)
        except (TimedOut, BadMessage, ChannelClosed) as error:
            raise self.lost(role, error, seconds) from None

    def lost(self, role: str, error: Exception, seconds: float) -> _Lost | CourseError:
        """What it means that a process gives no report, within so many seconds; it is ended."""
        is_new = self.unanswered[self.children[role].pid] > 0
        how = self.drop(role, gone=isinstance(error, ChannelClosed))
        if is_new:
            return _did_not_start(how)
        if isinstance(error, TimedOut):
            sentence = f"This cell was stopped after {seconds:.3g} seconds: it was still running. "
            return _Lost("CellTimeoutError", f"{sentence}Is there a loop that never ends?")
        if isinstance(error, BadMessage):
            sentence = "This cell was stopped: its process sent something that is no report of a cell. "
            return _Lost("ForgedMessage", f"{sentence}{error}")
        return _Lost("ProcessDied", f"This cell was not finished: its process {how}.")

    def wait(self, child: Child, seconds: float) -> None:
        """Wait for a process to answer, and watch what learners' code writes meanwhile, also during a check."""
        until = time.monotonic() + seconds
        sentence = ""
        while True:
            is_done = bool(select.select([child.channel], [], [], min(POLL, seconds))[0])
            student = self.children.get("student")
            if self.aside and self.written_too_much(self.aside[0]):
                self.aside.pop().end()
            if student is not None and (told := self.written_too_much(student)):
                sentence = told
                self.drop("student")
                until = time.monotonic() + GRACE  # the grading process sees at once that the other one is gone
            if is_done or (sentence and child is student):
                break
            if time.monotonic() > until:
                raise TimedOut
        if sentence:
            if child is self.children.get("grading"):
                child.channel.receive(GRACE)
            raise _Lost("TooManyFiles", sentence)

    def written_too_much(self, child: Child) -> str:
        """A sentence where a process has written more than it may; empty where it has not."""
        size, entries = scratch.used(child.scratch)
        if size <= self.limits.files and entries < scratch.ENTRIES:
            return ""
        return (
            f"This cell was stopped: it wrote {size / 1e6:.0f} MB in {entries} files and folders, "
            f"and {self.limits.files / 1e6:.0f} MB in {scratch.ENTRIES} are allowed, none of them closed."
        )

    def ready(self, earlier: Sequence[int] | None = None) -> None:
        """Have both processes: those there are, or new ones brought to the same state.

        ``earlier`` are the good cells that are run first in a new student process, by number; None for those that are
        above suspicion.

        Raises
        ------
        CourseError
            A process cannot be made.
        """
        if earlier is None:
            earlier = [number for number in range(len(self.good)) if number not in self.suspected]
        # What is left of an old student process may be lost while a new grading process is joined to it.
        while new := [role for role in ROLES if role not in self.children]:
            for role in new:
                self.begin(role)
            self.connect(new)
            if "student" in new:
                self.replay(earlier)

    def begin(self, role: str) -> None:
        """Make a process, and tell it what it has to know; its answer is not waited for."""
        child = self.children[role] = self.parents[role].child()
        if role == "student":
            self.layers = child.layers
            if self.files is not None:
                scratch.fill(child.scratch, self.files, self.limits.files)
        with self.taking_part(role):
            self.tell(role, self.start[role])

    def tell(self, role: str, message: dict[str, Any], fds: Sequence[int] = (), timeout: float = GRACE) -> None:
        """Say something to a process; ``hear`` reads what it says to that."""
        child = self.children[role]
        child.channel.send({**message, "turn": None}, fds=fds, timeout=timeout)
        self.unanswered[child.pid] += 1

    def hear(self, role: str, timeout: float = GRACE) -> Any:
        """What a process answers to all that it was told; the last answer."""
        child, answer = self.children[role], None
        while self.unanswered[child.pid]:
            answer = child.channel.receive(timeout)
            self.unanswered[child.pid] -= 1
        return answer

    @contextlib.contextmanager
    def taking_part(self, role: str, is_new: bool = True) -> Iterator[None]:
        """Talk to a process about how it takes part. An old one that does not answer is given up.

        Raises
        ------
        CourseError
            A new one, in which no learner's code has run, does not.
        """
        try:
            yield
        except (ChannelClosed, BadMessage, TimedOut) as error:
            how = self.drop(role, gone=isinstance(error, ChannelClosed))
            if is_new:
                raise _did_not_start(how) from error

    def connect(self, new: Sequence[str] = ()) -> None:
        """Join both processes, where there are two, by a new boundary, behind the beginning of the ``new`` ones.

        New ones are not waited for: they begin, and get ready for each other, while the first cell is on its way.
        """
        if len(self.children) < 2:
            return
        if not self.parents["student"].hands_over:
            self.call(new)
            return
        ends = socket.socketpair()
        regions = [region for region in (_shared(), _shared()) if region is not None]
        try:
            for role, end, order in zip(ROLES, ends, (regions, regions[::-1]), strict=True):
                with self.taking_part(role, role in new):
                    self.tell(role, {"connect": SHARED}, [end.fileno(), *order])
        finally:
            for end in ends:
                end.close()
            for region in regions:
                os.close(region)
        for role in [role for role in self.children if role not in new]:
            with self.taking_part(role, is_new=False):
                self.hear(role)

    def call(self, new: Sequence[str]) -> None:
        """Have the student process call the grading process, where nothing can be handed over."""
        for role in new:
            with self.taking_part(role):
                self.hear(role)
        listening = self.told("grading", {"listen": None}, "grading" in new)
        if listening is not None and self.told("student", {"call": listening["address"]}, "student" in new) is not None:
            self.told("grading", {"accept": GRACE}, "grading" in new)

    def told(self, role: str, message: dict[str, Any], is_new: bool) -> Any:
        """Say something to a process, and give its answer; None where an old one is given up."""
        answer = None
        with self.taking_part(role, is_new):
            self.tell(role, message)
            answer = self.hear(role)
        return answer

    def replay(self, earlier: Sequence[int]) -> None:
        """Run earlier cells in a new student process; one that now takes it down is left out from here on.

        Raises
        ------
        _Lost
            The notebook has no time left.
        """
        for number in earlier:
            if number in self.failing:
                continue
            seconds = min(self.left(), self.took[number] + AGAIN)
            try:
                self.ask("student", {"run": {"source": self.good[number], "number": self.numbers[number]}}, seconds)
            except _Lost:
                self.failing.add(number)
                return

    def drop(self, role: str, gone: bool = False) -> str:
        """End a process, if there is one, and say how it ended."""
        child = self.children.pop(role, None)
        if child is None:
            return "was not running"
        del self.unanswered[child.pid]
        return child.end(gone)

    def remember(self, cell: NotebookNode, report: Report) -> None:
        """Note which displays of a cell may be renewed, and renew those of earlier cells, within what may be shown."""
        self.outputs_left -= report.size
        if self.outputs_left < 0:
            cut = new_output("stream", name="stderr", text=CUT.format(self.limits.outputs / 1e6))
            cell.outputs = [cut, *(output for output in cell.outputs if output.output_type == "error")][:2]
            return
        for output, name in zip(report.outputs, report.display_ids, strict=True):
            if name and "data" in output:
                self.displays.setdefault(name, []).append(output)
        for name, data, metadata, size in report.updates:
            for output in self.displays.get(name, []):
                self.outputs_left -= size
                if self.outputs_left >= 0:
                    output.data, output.metadata = NotebookNode(data), NotebookNode(metadata)
        self.widgets |= report.widgets

    def end(self) -> None:
        """End both processes."""
        for child in (*self.children.values(), *self.aside):
            child.release()


def _did_not_start(how: str) -> CourseError:
    """A process in which no learner's code had run was lost."""
    return CourseError(f"A process for grading did not start: it {how}.")


def _achieved(report: Report | None, is_check: bool) -> float:
    """How far a cell got: 0 where it has an error, 1 to the end, -1 where it was lost. Of a check, its share."""
    if report is None:
        return -1
    if report.errors:
        return 0
    if not is_check or not report.results:
        return 1
    return sum(each["score"] for each in report.results) / sum(each["max_score"] for each in report.results)


def _as_nbgrader_reads_them(report: Report) -> list[NotebookNode]:
    """A check's outputs, such that the points are those of what it found.

    nbgrader takes text on stderr for a failure, whoever wrote it, and for a success a cell that shows no value, or one
    that is no number: such as the sentence that a value was left out.
    """
    outputs = list(report.outputs)
    if report.results:
        for output in outputs:
            if output.output_type == "stream":
                output.name = "stdout"
        counting = (output for output in outputs if output.output_type in ("execute_result", "error"))
        first = next(counting, None)
        is_shown = first is not None and (first.output_type == "error" or _is_number(first))
        if not is_shown and _achieved(report, is_check=True) < 1:
            # The first of these is what counts.
            outputs.insert(0, error_output("NoPoints", "What the check found is not shown, so it gives no points."))
    return outputs


def _is_number(value: NotebookNode) -> bool:
    """Whether nbgrader reads points in a value; it gives all of them for any other value."""
    try:
        return math.isfinite(float(value.data["text/plain"]))
    except (KeyError, TypeError, ValueError):
        return False


def _why(report: Report | None, lost: _Lost | None) -> str:
    """The name of what kept a cell from its end; empty where nothing did."""
    if lost is not None:
        return lost.name
    return str(report.errors[0].ename) if report and report.errors else ""


def _found(report: Report) -> dict[str, Any]:
    """What a check found, in short, for the metadata of its cell; the last one, where a cell has several."""
    if report.results:
        return report.results[-1]
    if report.errors:
        return {"verdict": "not run", "message": f"{report.errors[0].ename}: {report.errors[0].evalue}"}
    return {"verdict": "run", "message": ""}


def _stopped_by(report: Report) -> str:
    """What stopped a cell, in words; empty where it got to its end."""
    if not report.errors:
        return ""
    last = report.errors[-1]
    said = _COLOUR.sub("", last.traceback[-1] if last.traceback else last.ename).strip()
    place, *lines = said.splitlines() or [last.ename]
    if lines and place.startswith("Cell In["):  # a slip in the syntax: the line follows, a mark below it, the error
        return f"{lines[-1]} ({place}: `{lines[0].strip()}`)"
    return said


def _tags(cell: NotebookNode) -> list[str]:
    tags = cell.metadata.get("tags", [])
    return tags if isinstance(tags, list) else []


def _shared() -> int | None:
    """A region of memory for two processes, which neither of them can shrink under the other's feet."""
    if not hasattr(os, "memfd_create"):
        return None
    import fcntl

    region = os.memfd_create("boundary", os.MFD_ALLOW_SEALING)
    os.ftruncate(region, SHARED)
    fcntl.fcntl(region, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return region
