"""Reports of cells that a learner's code has written: what nbformat knows passes, and the rest is refused."""

from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.execution.received import read_report
from autograder.isolation.channel import BadMessage


def report(**changes: Any) -> dict[str, Any]:
    return {"status": "ok", "execution_count": 1, "outputs": [], "updates": [], "widgets": {}, "error": None} | changes


def display(**changes: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {"text/plain": "x"}, "metadata": {}} | changes


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        {},
        report(outputs=None),
        report(outputs={}),
        report(widgets=[]),
        report(outputs=[display()] * 2001),
        report(updates=[display()] * 2001),
        report(widgets={str(number): {} for number in range(5001)}),
        report(outputs=[None]),
        report(outputs=[display(output_type=["stream"])]),
        report(outputs=[display(output_type="evil")]),
        report(outputs=[display(metadata=5)]),
        report(outputs=[display(metadata=[1])]),
        report(outputs=[display(data=5)]),
        report(outputs=[display(data={"text/plain": 5})]),
        report(outputs=[display(data={"application/json": float("nan")})]),
        report(outputs=[display(data={"application/json": b"x"})]),
        report(outputs=[display(data={"application/x\n+json": {}})]),
        report(outputs=[display(data={"application/json\n": {}})]),
        report(outputs=[display(data={5: "x"})]),
        report(outputs=[display(data={"application/json": deep(100_000)})]),
        report(outputs=[{"output_type": "stream", "name": "stdout", "text": 5}]),
        report(outputs=[{"output_type": "error", "ename": "x", "evalue": "y", "traceback": 5}]),
        report(updates=[{"display_id": "a", "data": {}, "metadata": 5}]),
        report(updates=[{"display_id": 5, "data": {}, "metadata": {}}]),
        report(widgets={"a": 5}),
        report(status="error", error=5),
        report(status=["ok"], error={"ename": 1}),
    ],
)
def test_what_is_no_report_is_refused(message: Any) -> None:
    with pytest.raises(BadMessage):
        read_report(message)


def test_a_cell_without_its_error_has_one() -> None:
    (output,) = read_report(report(status="error")).outputs
    assert output.output_type == "error"


@pytest.mark.parametrize("count", [-1, True, 1.5, "1", 10**12])
def test_odd_numbers_of_cells_are_none(count: Any) -> None:
    result = {"output_type": "execute_result", "data": {}, "metadata": {}, "execution_count": count}
    read = read_report(report(execution_count=count, outputs=[result]))
    assert read.execution_count is None
    assert read.outputs[0].execution_count is None


def test_what_passes_can_be_written_and_read_again() -> None:
    odd = "\ud800\x00\n<script>"
    outputs = [
        display(data={odd: odd, "application/json": {odd: [odd, deep(200)]}}, metadata={odd: odd}),
        {"output_type": "stream", "name": odd, "text": odd},
        {"output_type": "error", "ename": odd, "evalue": odd, "traceback": [odd]},
    ]
    read = read_report(report(outputs=outputs, widgets={odd: {odd: odd}}))
    cell = new_code_cell("", outputs=list(read.outputs))
    written = nbformat.writes(new_notebook(cells=[cell], metadata={"widgets": read.widgets})).encode("utf-8")
    assert len(nbformat.reads(written, 4).cells[0].outputs) == 3


@pytest.mark.parametrize(
    "output",
    [
        display(),
        display(data={"application/vnd.a+json": [{"b": None}], "text/html": ["a", "b"], "no type": "x"}),
        {"output_type": "stream", "name": 5, "text": ""},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
        {"output_type": "execute_result", "data": {}, "metadata": {"a": {"b": [1]}}, "execution_count": 3},
    ],
)
def test_what_passes_is_an_output_to_nbformat(output: dict[str, Any]) -> None:
    (read,) = read_report(report(outputs=[output])).outputs
    nbformat.validate(read, ref=read.output_type, version=4)
    assert type(read.get("metadata", nbformat.NotebookNode())) is nbformat.NotebookNode


def test_updates_say_how_large_they_are() -> None:
    update = {"display_id": "a", "data": {"text/plain": "x" * 1000}, "metadata": {}}
    ((name, data, _, size),) = read_report(report(updates=[update])).updates
    assert (name, data) == ("a", update["data"])
    assert 1000 < size < 1100
