"""A result as HTML for a notebook and for nbgrader's feedback page.

Self-contained: inline styles and no scripts, since feedback pages are opened as files and notebooks are shown
untrusted. Colours are JupyterLab's own where it defines them, so that dark themes work; every colour goes with a sign
or a word.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from autograder.feedback import wording

if TYPE_CHECKING:
    from autograder.checking.result import CheckResult, Part

LARGEST = 10
"""Rows and columns of the error picture at most."""

_GREEN = "color-mix(in srgb, var(--jp-success-color1, #1a7f37) 80%, currentColor)"
_RED = "color-mix(in srgb, var(--jp-error-color1, #b3261e) 80%, currentColor)"
_GREY = "var(--jp-content-font-color2, #6a6a6a)"
_CELL = "padding:3px 12px 3px 0;text-align:left;vertical-align:top;white-space:nowrap"


def render(result: CheckResult) -> str:
    """The verdict, what explains it, a row for every returned array and a picture of its errors."""
    colour = {"correct": _GREEN, "not attempted": _GREY}.get(result.verdict, _RED)
    mark = {"correct": "✔", "not attempted": "○"}.get(result.verdict, "✘")
    body = [
        f'<div style="font-size:1.1em"><strong style="color:{colour}">{mark} '
        f"{escape(wording.HEADLINES[result.verdict])}</strong> · {escape(result.title)} · "
        f"<strong>{wording.points(result)}</strong></div>",
        _paragraph(result.message),
        _explanations(result),
        _list([*result.observations, wording.cause(result), *wording.side_notes(result)]),
        _derivation(result),
        _table(result),
    ]
    return (
        f'<div class="chainrule-check" data-verdict="{escape(result.verdict)}" style="border-left:5px solid {colour};'
        'padding:8px 14px;margin:6px 0;line-height:1.5;overflow-x:auto">' + "".join(body) + "</div>"
    )


def _paragraph(sentence: str) -> str:
    return f'<p style="margin:6px 0">{escape(sentence)}</p>' if sentence else ""


def _explanations(result: CheckResult) -> str:
    """A block for every mistake; several possible explanations are separated by an "or"."""
    blocks = []
    for explanation in result.explained:
        items = "".join(
            f'<li style="margin:4px 0"><strong>{escape(wording.place(explained))}</strong><br>'
            f"{escape(explained.explanation)}</li>"
            for explained in explanation
        )
        blocks.append(f'<ul style="margin:4px 0;padding-left:22px">{items}</ul>')
    return '<div style="margin-left:6px"><em>or</em></div>'.join(blocks)


def _list(sentences: list[str]) -> str:
    items = "".join(f'<li style="white-space:pre-wrap">{escape(sentence)}</li>' for sentence in sentences if sentence)
    return f'<ul style="margin:4px 0;padding-left:22px">{items}</ul>' if items else ""


def _derivation(result: CheckResult) -> str:
    """The steps as a chain: wrong ones marked, and what they carry into the steps behind them."""
    if not result.lines:
        return ""
    style = {
        "right": ("", "border:1px solid currentColor;opacity:.7"),
        "wrong": (" ✘", f"border:2px solid {_RED};color:{_RED};font-weight:bold"),
        "carried": (" ~", f"border:1px dashed {_RED}"),
    }
    chain = " → ".join(
        f'<code style="padding:1px 6px;border-radius:4px;background:none;{style[line.state][1]}">'
        f"{escape(line.name)}{style[line.state][0]}</code>"
        for line in result.lines
    )
    legend = "✘ the wrong step · ~ right in itself, but the wrong value reaches it"
    return (
        f'<p style="margin:8px 0 2px;line-height:2">{chain}</p>'
        f'<p style="margin:0;font-size:.9em;opacity:.8">{legend}</p>'
    )


def _table(result: CheckResult) -> str:
    if not result.parts:
        return ""
    wrong = [part for part in result.parts if not part.right and part.signed is not None]
    head = ["", "shape", "worst entry", "yours", escape(wording.against(result)), "relative error"]
    head += ["+ too large, − too small"] if wrong else []
    rows = [_row(part, picture=bool(wrong)) for part in result.parts]
    shown = [column for column in range(len(head)) if any(row[column] for row in rows)]
    titles = "".join(f'<th scope="col" style="{_CELL};font-weight:600">{head[column]}</th>' for column in shown)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{row[column]}</td>' for column in shown) + "</tr>" for row in rows
    )
    return (
        '<table style="border-collapse:collapse;margin:8px 0;font-size:.95em">'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    )


def _row(part: Part, picture: bool) -> list[str]:
    colour, mark = (_GREEN, "✔") if part.right else (_RED, "✘")
    cells = [
        f'<strong style="color:{colour}">{mark}</strong> <code style="background:none">{escape(part.name)}</code>',
        escape(wording.shape(part)),
        escape(wording.entry(part)) if part.signed is not None else "",
        wording.yours(part),
        wording.beside(part),
        wording.error(part),
    ]
    return [*cells, "" if part.right else _picture(part)] if picture else cells


def _picture(part: Part) -> str:
    """The signed error of every entry as a small grid: a sign for its direction, a shade for its size."""
    if part.signed is None or part.signed.size == 0:
        return ""
    signed = part.signed if part.signed.ndim > 1 else part.signed.reshape(1, -1)
    signed = signed.reshape(-1, signed.shape[-1])
    largest = float(np.max(np.abs(signed[np.isfinite(signed)]), initial=0.0))
    rows = "".join(
        "<tr>" + "".join(_pixel(float(error), largest) for error in row[:LARGEST]) + "</tr>" for row in signed[:LARGEST]
    )
    more = "" if max(signed.shape) <= LARGEST else f'<span style="font-size:.85em">(first {LARGEST} of each)</span>'
    wrong = int(np.sum(~(np.abs(signed) <= 1e-9)))
    label = f"{wrong} of {signed.size} entries of {part.name} are off; the worst is {wording.entry(part)}"
    return (
        f'<table role="img" aria-label="{escape(label)}" title="{escape(label)}" '
        f'style="border-collapse:collapse;font-family:monospace;line-height:1">{rows}</table>{more}'
    )


def _pixel(error: float, largest: float) -> str:
    """One entry: + on orange where the answer is too large, − on blue where it is too small, · where it is right."""
    if not np.isfinite(error):
        sign, colour = "?", "rgba(120,120,120,.5)"
    elif abs(error) <= 1e-9:
        sign, colour = "·", "transparent"
    else:
        depth = 0.2 + 0.6 * abs(error) / largest
        sign, rgb = ("+", "224,123,0") if error > 0 else ("−", "38,110,204")
        colour = f"rgba({rgb},{depth:.2f})"
    return (
        f'<td style="width:1.3em;height:1.3em;padding:0;text-align:center;border:1px solid rgba(128,128,128,.4);'
        f'background:{colour}">{sign}</td>'
    )
