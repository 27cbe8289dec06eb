"""Progress keeps the best score of every exercise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autograder import check, exercises, progress
from autograder.exercises import find

EXERCISE = find("05.output_delta")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "new folder" / "progress.jsonl"
    monkeypatch.setenv("CHAINRULE_PROGRESS", str(path))
    return path


def _row(lesson: str) -> Any:
    return next(row for row in progress().rows if row.lesson == lesson)


def test_there_is_a_row_for_every_lesson_with_exercises(file: Path) -> None:
    assert [row.lesson for row in progress().rows] == list(dict.fromkeys(e.lesson for e in exercises()))
    assert all(row.score == 0 and row.next for row in progress().rows)


def test_the_best_score_counts_whatever_comes_later(file: Path) -> None:
    check(EXERCISE.id, EXERCISE.reference)
    check(EXERCISE.id, EXERCISE.answer("negated_error"))
    row = _row(EXERCISE.lesson)
    assert (row.score, row.solved) == (EXERCISE.points, 1)
    assert EXERCISE.id not in row.next
    assert "points" in repr(progress())
    assert f"{EXERCISE.points:g} of" in progress()._repr_html_()


def test_what_was_not_attempted_is_not_recorded(file: Path) -> None:
    check(EXERCISE.id, None)
    assert not file.exists()


def test_lines_that_cannot_be_read_are_passed_over(file: Path) -> None:
    check(EXERCISE.id, EXERCISE.reference)
    strange = [b"half a li", b"[]", b'{"id": 1}', b"\xff\xfe", b'{"id": "05.output_delta", "score": 1e999}']
    strange.append(b'{"id": "05.output_delta", "score": 99}')
    file.write_bytes(b"\n".join([*strange, file.read_bytes(), *strange]))
    assert _row(EXERCISE.lesson).score == EXERCISE.points


def test_a_place_that_cannot_be_written_to_does_not_disturb_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHAINRULE_PROGRESS", str(tmp_path / "file" / "below a file" / "progress.jsonl"))
    assert check(EXERCISE.id, EXERCISE.reference).verdict == "correct"
    assert _row(EXERCISE.lesson).score == 0


def test_an_empty_name_turns_recording_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_PROGRESS", "")
    check(EXERCISE.id, EXERCISE.reference)
    assert _row(EXERCISE.lesson).score == 0
