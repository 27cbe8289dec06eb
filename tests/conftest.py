"""What holds for every test: no learner's progress is changed, and what the machine lacks is told.

A marked test that needs what the machine does not have is skipped, with the reason and the remedy.
"""

import os
import shutil
from pathlib import Path

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


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """With CHAINRULE_TIMINGS, write how long the solved lessons took into lessons/TIMINGS.md, as CI does."""
    properties = [found for report in terminalreporter.stats.get("passed", []) for found in report.user_properties]
    measured = dict(value for name, value in properties if name == "lesson_seconds")
    if not measured or not os.environ.get("CHAINRULE_TIMINGS"):
        return
    path = Path(__file__).parents[1] / "lessons" / "TIMINGS.md"
    rows = path.read_text(encoding="utf-8").splitlines()
    for number, row in enumerate(rows):
        cells = row.split(" | ")
        if (lesson := cells[0].removeprefix("| ")) in measured:
            rows[number] = " | ".join([*cells[:2], f"{measured[lesson]:.0f} s |"])
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    terminalreporter.write_line(f"The lessons' times are in {path.relative_to(Path.cwd())}.")
