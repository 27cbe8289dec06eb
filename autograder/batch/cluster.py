"""Dask runs the workers: processes of this machine, or of a cluster that somebody already has.

Submissions go to workers as data and come back as data; no disk is shared. So many are on their way at any time that
no worker waits, and no more. Where work is small, several submissions travel together, so that what Dask needs for a
task stays small beside it.

Of a worker that dies Dask says which tasks it had, not which of them killed it. All of these submissions are tried
again when the rest are done, alone on the cluster; one that is alone with a worker when it dies did that.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice

import dask
from distributed import Client, Future, LocalCluster, wait
from distributed.scheduler import KilledWorker

from autograder.batch.forkserver import METHOD
from autograder.batch.record import KEPT
from autograder.batch.work import VERSION, Outcome, Submission, grade
from autograder.errors import CourseError

__all__ = ["Died", "Pool", "connected"]

ENOUGH = 0.5
"""Seconds of work that make a task worth its way: Dask's part of it was measured as some 5 ms."""

MOST = 16
"""Submissions that travel together."""

DEATHS = 3
"""So many workers may a submission take down."""

PATIENCE = 60.0
"""Seconds to wait for workers that are to come, or to come back."""

CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)
"""What Dask makes of tasks whose scheduler is lost; Python has two of these."""

TOGETHER = 2
"""Tasks for each worker that are on their way: one that it works on, and the next one."""


@dataclass(frozen=True)
class Died:
    """A submission that took its workers down."""

    submission: Submission
    deaths: int


@contextmanager
def connected(workers: int, scheduler: str | None) -> Iterator[Client]:
    """Workers of this machine, or those of a scheduler.

    Raises
    ------
    CourseError
        There are none, or they have another version of the course.
    """
    for name in ("distributed", "distributed.client", "asyncio", "tornado", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a worker that dies is told of in our own words
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.comm.timeouts.connect": "20s",
        "distributed.worker.multiprocessing-method": METHOD,
        "distributed.worker.profile.enabled": False,  # it looks at what a worker does a hundred times a second
        "distributed.admin.low-level-log-length": 10,  # messages that are kept, with the submissions in them
    }
    with dask.config.set(settings), _elsewhere(scheduler) if scheduler else _here(workers) as client:
        _require_workers(client, scheduler)
        yield client


@contextmanager
def _here(workers: int) -> Iterator[Client]:
    """Processes of this machine, each with its own number as its name."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=0,  # it has notebooks only; what their cells use is limited where they run
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _elsewhere(scheduler: str) -> Iterator[Client]:
    """A cluster that is there already."""
    try:
        client = Client(scheduler, timeout=10)
    except (*CANCELLED, OSError, ValueError) as error:
        raise CourseError(
            f"There is no Dask scheduler at {scheduler}. --scheduler takes an address such as tcp://127.0.0.1:8786, "
            "as `dask scheduler` prints it when it starts."
        ) from error
    with client:
        yield client


def _require_workers(client: Client, scheduler: str | None) -> None:
    """At least one worker, and on all of them this version of the course."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
        versions = client.run(_version, on_error="return")
    except OSError as error:  # a TimeoutError is one
        raise CourseError(f"{scheduler or 'This machine'} has no workers after {PATIENCE:.0f} seconds.") from error
    for worker, found in versions.items():
        if found != VERSION:
            has = f"version {found} of it" if isinstance(found, str) else "none that can be imported"
            raise CourseError(
                f"Worker {worker} has {has}, and this is version {VERSION} of chainrule-course. Install the same "
                "version on all workers (pip install chainrule-course), and start them again."
            )


def _version() -> str:
    """The version of the course that a worker has."""
    from autograder.batch.work import VERSION

    return VERSION


class Pool:
    """Grades submissions on the workers of a client.

    Parameters
    ----------
    client : to the scheduler
    assignment : what every worker has to know, pickled
    """

    def __init__(self, client: Client, assignment: bytes) -> None:
        self.client = client
        self.assignment = assignment
        self.running: dict[Future, list[Submission]] = {}
        self.suspects: deque[Submission] = deque()
        self.deaths: Counter[str] = Counter()
        self.took: deque[float] = deque(maxlen=50)

    def grade(self, submissions: Iterable[Submission], expected: int) -> Iterator[list[Outcome | Died]]:
        """Grade all of them; what came of some, as it comes.

        Parameters
        ----------
        submissions : read when there is a worker for them
        expected : about how many there are

        Raises
        ------
        CourseError
            No submission can be graded there, or the workers are gone.
        """
        left = iter(submissions)
        self.expected = expected
        while self._fill(left) or self.running:
            yield self._collect()
        while self.suspects:
            yield [self._alone(self.suspects.popleft())]

    def _alone(self, suspect: Submission) -> Outcome | Died:
        """Grade a submission that was with a worker that died, while there is nothing else on the cluster."""
        deaths = self.deaths[suspect.student]
        while deaths < DEATHS:
            self._send([suspect])
            (future,) = self._done()
            del self.running[future]
            try:
                return self._outcomes(future)[0]
            except KilledWorker as error:
                deaths += _count(error)
        return Died(suspect, deaths)

    def _fill(self, left: Iterator[Submission]) -> bool:
        """Send as much as keeps all workers at work; whether anything was sent."""
        sent = False
        wanted = TOGETHER * self._workers()
        while len(self.running) < wanted:
            group = list(islice(left, self._size(wanted)))
            if not group:
                break
            self.expected -= len(group)
            self._send(group)
            sent = True
        return sent

    def _size(self, tasks: int) -> int:
        """How many submissions travel together: enough work for a task, and at the end some for each of the tasks."""
        if not self.took:
            return 1
        mean = sum(self.took) / len(self.took)
        fair = max(1, self.expected // tasks)
        return max(1, min(MOST, fair, round(ENOUGH / max(mean, 1e-3))))

    def _workers(self) -> int:
        """The threads of all workers there are now."""
        with _connection():
            return max(1, sum(self.client.nthreads().values()))

    def _send(self, group: list[Submission]) -> None:
        with _connection():
            future = self.client.submit(grade, self.assignment, group, pure=False)
        self.running[future] = group

    def _collect(self) -> list[Outcome | Died]:
        """Wait for some tasks, and take what came of them; those of a dead worker are tried again later."""
        found: list[Outcome | Died] = []
        for future in self._done():
            group = self.running.pop(future)
            try:
                outcomes = self._outcomes(future)
            except KilledWorker as error:
                self.suspects.extend(group)
                self.deaths.update({each.student: min(_count(error), DEATHS - 1) for each in group})
            else:
                self.took.extend(each.seconds["worker"] for each in outcomes)
                found += outcomes
        return found

    def _done(self) -> Sequence[Future]:
        """Tasks that have come to an end."""
        until = time.monotonic() + PATIENCE
        while True:
            with _connection():
                with suppress(TimeoutError):
                    return list(wait(list(self.running), timeout=1, return_when="FIRST_COMPLETED").done)
                if self.client.nthreads():
                    until = time.monotonic() + PATIENCE
            if time.monotonic() > until:
                raise CourseError(f"There have been no workers for {PATIENCE:.0f} seconds. {KEPT}")

    def _outcomes(self, future: Future) -> list[Outcome]:
        """What came of a task; raises a ``KilledWorker`` where its worker died."""
        with _connection():
            error = future.exception(timeout=PATIENCE)
            if error is None:
                outcomes: list[Outcome] = future.result(timeout=PATIENCE)
                return outcomes
        if isinstance(error, CourseError | KilledWorker):
            raise error
        raise CourseError(f"A worker cannot grade: {type(error).__name__}: {error}.") from error


def _count(error: KilledWorker) -> int:
    """How many workers died of a task: a scheduler may have tried more than one."""
    return 1 + int(error.allowed_failures)


@contextmanager
def _connection() -> Iterator[None]:
    """Say in a sentence that the scheduler is not there any more."""
    try:
        yield
    except (*CANCELLED, OSError) as error:
        raise CourseError(f"The Dask scheduler has ended. Start it again. {KEPT}") from error
