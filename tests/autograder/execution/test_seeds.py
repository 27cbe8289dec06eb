"""Seeds of submissions: fresh, repeatable, safe to ask for at the same time."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autograder.checking.seeding import BITS
from autograder.errors import CourseError
from autograder.execution.seeds import FOLDER, seed_of, submission_secret

NOTEBOOK = b'{"cells": []}'


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def submission_seed(course: Path, assignment: str, student: str, notebook: bytes) -> int:
    return seed_of(submission_secret(course, assignment, student), notebook)


def test_a_regrade_has_the_same_seed_and_another_notebook_another(tmp_path: Path) -> None:
    first = submission_seed(tmp_path, "05_backpropagation", "ada", NOTEBOOK)
    assert submission_seed(tmp_path, "05_backpropagation", "ada", NOTEBOOK) == first
    others = {
        submission_seed(tmp_path, "05_backpropagation", "ada", NOTEBOOK + b" "),
        submission_seed(tmp_path, "05_backpropagation", "bob", NOTEBOOK),
        submission_seed(tmp_path, "06_gradient_descent", "ada", NOTEBOOK),
        submission_seed(tmp_path / "another", "05_backpropagation", "ada", NOTEBOOK),
    }
    assert len(others | {first}) == 5
    assert all(0 <= seed < 2**BITS for seed in others)


def test_a_resubmission_does_not_change_the_seed_of_the_one_before(tmp_path: Path) -> None:
    first = submission_seed(tmp_path, "ps1", "ada", b"1")
    submission_seed(tmp_path, "ps1", "ada", b"2")
    assert submission_seed(tmp_path, "ps1", "ada", b"1") == first


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"secret": 3}', '{"secret": "ab"}', '{"secret": "zz"}', "\0"]
)
def test_a_damaged_file_is_replaced_with_a_warning(tmp_path: Path, content: str) -> None:
    first = submission_seed(tmp_path, "ps1", "ada", NOTEBOOK)
    path = tmp_path / FOLDER / "ps1" / "ada.json"
    path.write_text(content)
    with pytest.warns(UserWarning, match="does not hold a seed"):
        second = submission_seed(tmp_path, "ps1", "ada", NOTEBOOK)
    assert second != first
    assert submission_seed(tmp_path, "ps1", "ada", NOTEBOOK) == second


@pytest.mark.parametrize(
    "name", ["..", ".", "", "/etc/passwd", "../../x", "a\nb", "a\0b", "é" * 300, "x" * 300, "\ud800", "con.", "a b"]
)
def test_names_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    seed = submission_seed(tmp_path / "course", name, name, NOTEBOOK)
    assert submission_seed(tmp_path / "course", name, name, NOTEBOOK) == seed
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert path.parent.parent == tmp_path / "course" / FOLDER
    assert path.name.endswith(".json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_names_that_look_alike_have_files_of_their_own(tmp_path: Path) -> None:
    names = ["a/b", "a%2Fb", "a b", "a_b", "x" * 300, "x" * 301]
    assert len({submission_seed(tmp_path, "ps1", name, NOTEBOOK) for name in names}) == len(names)


def test_all_who_ask_at_the_same_time_hear_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        for number in range(20):
            seeds = list(pool.map(lambda _, n=number: submission_seed(tmp_path, "ps1", f"s{n}", NOTEBOOK), range(16)))
            assert len(set(seeds)) == 1
    assert all(path.suffix == ".json" for path in (tmp_path / FOLDER / "ps1").iterdir())


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(CourseError, match="cannot be kept"):
        submission_seed(tmp_path, "ps1", "ada", NOTEBOOK)


@pytest.mark.skipif(os.name == "nt", reason="permissions differ")
def test_it_is_not_readable_by_others(tmp_path: Path) -> None:
    submission_seed(tmp_path, "ps1", "ada", NOTEBOOK)
    assert stat.S_IMODE((tmp_path / FOLDER / "ps1" / "ada.json").stat().st_mode) == 0o600
