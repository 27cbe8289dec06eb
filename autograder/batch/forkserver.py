"""The process that workers of this machine are forked from, started before anything else of a run.

A worker imports for two seconds, as the process that starts it does. So one process (the fork server of Python's
``multiprocessing``) imports for all workers, at the same time as that one.
"""

from __future__ import annotations

import multiprocessing

__all__ = ["METHOD", "begin"]

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""How workers are started: Windows has no fork."""


def begin() -> None:
    """Have the process begin to import; nothing waits for it before the first worker starts."""
    if METHOD == "forkserver":
        from multiprocessing.forkserver import ensure_running, set_forkserver_preload

        set_forkserver_preload(["distributed", "autograder.batch.work"])
        ensure_running()
