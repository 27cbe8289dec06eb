"""What holds for every test: no learner's progress is changed, and what the machine lacks is told.

A marked test that needs what the machine does not have is skipped, with the reason and the remedy.
"""

import os
import shutil

import pytest

CHROMIUM = shutil.which("chromium")


def pytest_configure() -> None:
    # Empty turns recording off, in the kernels and servers that tests start as well (see autograder.progress).
    os.environ["CHAINRULE_PROGRESS"] = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = {
        "browser": "" if CHROMIUM else "no chromium; on Debian: apt-get install chromium",
        "root": "" if os.geteuid() == 0 else "not root; run as root, as .ci/run does",
    }
    for item in items:
        for marker, reason in missing.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
