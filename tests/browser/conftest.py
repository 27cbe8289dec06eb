"""A learner's machine: lessons of their own, `chainrule start`, and a real browser.

The browser is Debian's Chromium, driven by Playwright; nothing is downloaded.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

REPOSITORY = Path(__file__).parents[2]
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Chromium's own errands are switched off, so that what it shows is the course alone."""


@pytest.fixture
def lessons(tmp_path: Path) -> Path:
    """A copy of the released lessons."""
    return Path(shutil.copytree(REPOSITORY / "lessons", tmp_path / "lessons"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The learner's home, empty."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def address(lessons: Path, home: Path) -> Iterator[str]:
    """What `chainrule start` prints for these lessons."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "XDG_"))}
    with socket.socket() as probe:
        # Two servers that start at the same moment would find the same port free, the usual one.
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    server = subprocess.Popen(
        [Path(sys.executable).with_name("chainrule"), "start", "--no-browser", "--port", port, "--lessons", lessons],
        env={**inherited, "HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield next(line.strip() for line in server.stdout if line.strip().startswith("http"))
    finally:
        server.terminate()
        server.communicate(timeout=120)  # it ends its kernels first, which takes its time on a busy machine


@pytest.fixture
def page() -> Iterator[Page]:
    """An empty tab of a headless Chromium, wide enough for a feedback table."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 1000})
        finally:
            browser.close()
