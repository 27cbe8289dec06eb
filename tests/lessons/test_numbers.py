"""A lesson states no number that its code does not produce.

Every decimal number, percentage and power of ten in the prose has to stand in the outputs of the solved lesson, to the
digits that the prose gives, or in its code. Whole numbers are left out: most of them count things.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest

NUMBER = re.compile(
    r"(?<![\w.,/^_{])(?P<mantissa>\d+(?:\.\d+)?)"
    r"(?:e(?P<exponent>[-+]?\d+)|\s*(?:\\cdot|\\times|×|·)\s*10\^\{?(?P<power>[-−]?\d+)\}?)?"
    r"(?P<percent>\s?\\?%)?(?![\w/]|\.\d)"
)
POWER = re.compile(r"(?<![\w.])(?<![×·] )(?<!\\cdot )(?<!\\times )10\^\{(?P<power>[-−]\d+)\}")


def stated(prose: str) -> Iterator[tuple[str, float, float]]:
    """The numbers of a text as they are written, with their value and half a unit of their last digit."""
    prose = re.split(r"^## Sources", prose, flags=re.MULTILINE)[0]
    prose = re.sub(r"\]\([^)]*\)|https?://\S+|doi \S+|arXiv \S+|§\s?[\d.]+|(?:[Ss]ection|chapter)s? [\d.]+", " ", prose)
    prose = re.sub(r"```.*?```|\d{4}(?:,|\))", " ", prose, flags=re.DOTALL)
    # Code claims nothing, unless it is a number.
    prose = re.sub(r"`([^`]*)`", lambda code: code[1] if NUMBER.fullmatch(code[1]) else " ", prose)
    for match in NUMBER.finditer(prose):
        digits, exponent = match["mantissa"], match["exponent"] or match["power"]
        if "." not in digits and not exponent and not match["percent"]:
            continue
        scale = 10.0 ** int((exponent or "0").replace("−", "-"))
        unit = 10.0 ** -len(digits.partition(".")[2]) * scale
        yield match[0], float(digits) * scale, unit / 2
    for match in POWER.finditer(prose):
        value = 10.0 ** int(match["power"].replace("−", "-"))
        yield match[0], value, value / 2


def produced(cells: list[Any]) -> list[float]:
    """Every number in the outputs and in the code of a lesson."""
    texts = []
    for cell in cells:
        if cell.cell_type != "code":
            continue
        texts.append(cell.source)
        for output in cell.get("outputs", []):
            texts.append(output.get("text", ""))
            data = output.get("data", {})
            texts += [
                data.get("text/plain", ""),
                re.sub(r"<[^>]*>|base64,\S+", " ", unescape(data.get("text/html", ""))),
            ]
    found = re.findall(r"\d+(?:_\d+)*(?:\.\d+)?(?:[eE][-+]?\d+)?", "\n".join(texts))
    return [float(number) for number in found]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_number_in_the_prose_is_produced_by_the_lesson(
    lesson: str, solved: Callable[[str], Any], prose_of: Callable[[str], str]
) -> None:
    numbers = produced(solved(lesson).notebook.cells)
    missing = [
        text
        for text, value, half_a_unit in stated(prose_of(lesson))
        if not any(
            abs(number - wanted) <= half_a_unit * (1 + 1e-9) * wanted / (value or 1)
            for number in numbers
            for wanted in ((value, value / 100) if text.endswith("%") else (value,))
        )
    ]
    assert missing == [], "stated, and neither printed nor in the code"


def test_a_number_that_nothing_produces_is_found() -> None:
    text = "It reaches 97.3 % after 12 epochs, an error of 3.1e-8, 2.5 × 10^{-3} or 10^{-9}; see section 6.5 (2016)."
    assert [number for number, _, _ in stated(text)] == ["97.3 %", "3.1e-8", "2.5 × 10^{-3}", "10^{-9}"]
