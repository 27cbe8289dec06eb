"""Scratch folders: filled from what was handed in, watched, and removed whatever was left in them."""

import os
import stat
from pathlib import Path

import pytest

from autograder.isolation import scratch


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def around(tmp_path: Path) -> Path:
    """A folder whose permissions must stay as they are."""
    tmp_path.chmod(0o755)
    return tmp_path


def test_a_folder_goes_with_all_that_is_closed_in_it(around: Path) -> None:
    folder = around / "scratch"
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / "closed" / "inner" / "file\nwith a line").write_text("x")
    (folder / "link").symlink_to(around)
    (folder / "closed" / "inner").chmod(0)
    (folder / "closed").chmod(0)
    scratch.remove(folder)
    assert not folder.exists()
    assert mode(around) == 0o755


def test_a_folder_that_is_gone_already_changes_nothing_around_it(around: Path) -> None:
    scratch.remove(around / "gone")
    assert mode(around) == 0o755


def test_a_folder_deeper_than_a_path_may_be_long_goes_too(around: Path) -> None:
    folder = around / "scratch"
    folder.mkdir()
    here = os.getcwd()
    try:
        os.chdir(folder)
        for _ in range(1500):
            os.mkdir("deeper")
            os.chdir("deeper")
    finally:
        os.chdir(here)
    scratch.remove(folder)
    assert not folder.exists()


def test_files_are_copied_and_links_and_notebooks_are_not(around: Path) -> None:
    handed_in, folder = around / "submitted", around / "scratch"
    (handed_in / "data").mkdir(parents=True)
    folder.mkdir()
    (handed_in / "data" / "table.csv").write_text("1,2")
    (handed_in / "lesson.ipynb").write_text("{}")
    (handed_in / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(handed_in / "pipe")
    (handed_in / "large").write_bytes(bytes(1000))
    scratch.fill(folder, handed_in, largest=500)
    assert sorted(path.name for path in folder.rglob("*")) == ["data", "table.csv"]


def test_what_is_used_is_counted_up_to_a_limit(around: Path) -> None:
    for number in range(30):
        (around / str(number)).write_bytes(bytes(4096))
    size, count = scratch.used(around)
    assert count == 30
    assert size >= 30 * 4096


def test_what_cannot_be_copied_is_left_out(around: Path) -> None:
    handed_in, folder = around / "submitted", around / "scratch"
    (handed_in / ".git").mkdir(parents=True)
    (handed_in / ".git" / "config").write_text("x")
    (handed_in / ".env").write_text("x")
    folder.mkdir()
    here = os.getcwd()
    try:
        os.chdir(handed_in)
        for _ in range(30):
            os.mkdir("e" * 200)
            os.chdir("e" * 200)
    finally:
        os.chdir(here)
    for number in range(980):
        (handed_in / str(number)).touch()
    scratch.fill(folder, handed_in, largest=500)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert len(list(folder.iterdir())) == 981
    assert len(list(folder.rglob("*"))) <= 1000
    scratch.remove(handed_in)


def test_what_lies_too_deep_to_be_counted_is_a_bomb(around: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(around)
        os.mkdir("scratch")
        os.chdir("scratch")
        for _ in range(1000):
            os.mkdir("dir")
            os.chdir("dir")
    finally:
        os.chdir(here)
    assert scratch.used(around / "scratch")[1] >= scratch.ENTRIES
    scratch.remove(around / "scratch")


def test_files_that_come_and_go_hide_nothing(around: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (around / "large").write_bytes(bytes(1 << 20))

    class Gone:
        name, path = "gone", str(around / "gone")

        def stat(self, follow_symlinks: bool = True) -> os.stat_result:
            raise FileNotFoundError

    entries = scratch._entries
    monkeypatch.setattr(scratch, "_entries", lambda folder: [*entries(folder), Gone()])
    assert scratch.used(around)[0] >= 1 << 20
