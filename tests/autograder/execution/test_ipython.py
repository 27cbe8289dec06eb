"""IPython's own syntax in a cell becomes the Python that IPython makes of it, also where it is not looked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import EscapedCommand, TransformerManager

from autograder.execution import ipython

SYNTAX = [
    "%",
    "!",
    "?",
    "%%",
    "!!",
    "??",
    ",",
    ";",
    "/",
    "=",
    "!=",
    "==",
    "%=",
    "=%",
    "# ",
    "\\\n",
    "\n",
    " ",
    "    ",
    "\t",
    "\f",
]
WORDS = [
    "x",
    "ls",
    "time",
    "f(",
    ")",
    "[",
    "]",
    "'",
    '"',
    '"""',
    "1",
    "def f():",
    "return",
    "async",
    "\ufeff",
    "\xa0",
    "é",
]


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(SYNTAX + WORDS), max_size=12).map("".join))
def test_a_cell_is_turned_into_python_as_ipython_does(source: str) -> None:
    assert _transformed(ipython._TransformerManager(), source) == _transformed(TransformerManager(), source)


LINES = [
    "if a:",
    "def f(x):  # so",
    "y = 1",
    "return y",
    "g(1,",
    "2)",
    "if (a and",
    "b):",
    '"""',
    "text",
    "# a remark",
    "",
    "x = [",
    "]",
    "else:",
    "y = 1 + \\",
    "%time 1",
    "y = '%s?' % y",
]


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "  ", "    ", "\t", "      "]), st.sampled_from(LINES)).map("".join), max_size=8
    ).map("\n".join)
)
def test_blocks_end_where_they_do_for_ipython(source: str) -> None:
    assert _transformed(ipython._TransformerManager(), source) == _transformed(TransformerManager(), source)


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r\n"])
def test_a_line_ends_where_it_does_for_ipython(end: str) -> None:
    source = f"# so{end}%time 1"
    assert _transformed(ipython._TransformerManager(), source) == _transformed(TransformerManager(), source)


def test_a_slip_of_the_indentation_is_told_as_in_a_kernel() -> None:
    source = "def f(x):\n    y = x\n  return y"
    told = _transformed(ipython._TransformerManager(), source)
    assert told == _transformed(TransformerManager(), source)
    assert told[0] is IndentationError


@pytest.mark.parametrize(
    "source",
    [
        "x = %time 1",
        "x = \\\n  %time 1",
        "x = !ls",
        "x=!ls",
        "if x:\n    !ls",
        "if x:\n\t%time 1",
        "int?",
        "  ?int",
        "x = f(\n%time)\n%time",
        "/f 1",
        ",f a",
        ";f a",
    ],
)
def test_syntax_of_ipythons_own_is_found(source: str) -> None:
    expected = TransformerManager().transform_cell(source)
    assert expected != f"{source}\n"
    assert ipython._TransformerManager().transform_cell(source) == expected


def test_a_transformer_of_the_learners_own_is_used() -> None:
    class Other(EscapedCommand):
        @classmethod
        def find(cls, tokens_by_line: list[list[Any]]) -> Any:
            return next((cls(line[0].start) for line in tokens_by_line if line[0].string == "other"), None)

        def transform(self, lines: list[str]) -> list[str]:
            return ["this\n", *lines[1:]]

    manager = ipython._TransformerManager()
    manager.token_transformers.append(Other)
    assert manager.transform_cell("other") == "this\n"


def _transformed(manager: TransformerManager, source: str) -> Any:
    """What becomes of a cell; the exception where that cannot be said."""
    try:
        return manager.transform_cell(source)
    except Exception as error:
        return type(error), str(error)
