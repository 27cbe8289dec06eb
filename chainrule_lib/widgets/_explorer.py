"""What all explorers are built from: controls, a picture with its text, and a table, renewed together.

An explorer is a list of controls and a function from their values to a `View`.
"""

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple

import ipywidgets
from IPython.display import HTML
from matplotlib import pyplot
from matplotlib.figure import Figure

# Distinct to people who see fewer colours (Okabe, Ito, Color Universal Design, 2008), and never the only difference.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"
LABEL_BOX = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"}


class View(NamedTuple):
    """What an explorer shows for one setting of its controls."""

    figure: Figure
    alternative: str
    description: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def explorer(controls: Sequence[Any], view: Callable[..., View]) -> Any:
    """A box with the controls, and under them the view of their values, drawn anew whenever one changes."""
    picture, table = ipywidgets.HTML(), ipywidgets.HTML()

    def show(_: object = None) -> None:
        shown = view(*(control.value for control in controls))
        picture.value = _picture_html(shown)
        table.value = _table_html(shown.header, shown.rows)

    for control in controls:
        control.observe(show, names="value")
    show()
    return ipywidgets.VBox([ipywidgets.HBox(list(controls), layout={"flex_flow": "row wrap"}), picture, table])


def picture(figure: Figure, alternative: str) -> HTML:
    """A finished figure as an image with a text for those who cannot see it.

    A plain matplotlib picture has none in a notebook. A pyplot figure is closed, so that it is not shown twice.

    Args:
        figure: any matplotlib figure.
        alternative: what the picture shows, in words.

    Returns:
        What to leave as the last value of a cell.
    """
    pyplot.close(figure)
    return HTML(_image(figure, alternative))


def _image(figure: Figure, alternative: str) -> str:
    svg = io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    data = base64.b64encode(svg.getvalue()).decode()
    return f'<img style="max-width:100%" src="data:image/svg+xml;base64,{data}" alt="{escape(alternative)}">'


def _picture_html(view: View) -> str:
    return (
        f'<figure style="margin:0">{_image(view.figure, view.alternative)}'
        f'<figcaption aria-live="polite">{escape(view.description)}</figcaption></figure>'
    )


def _table_html(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col" style="text-align:left;padding-right:2em">{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left;padding-right:2em;font-weight:normal">{escape(first)}</th>'
        + "".join(f'<td style="font-family:monospace;padding-right:2em">{escape(cell)}</td>' for cell in others)
        + "</tr>"
        for first, *others in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def slider(description: str, value: float, low: float, high: float, step: float) -> Any:
    return ipywidgets.FloatSlider(description=description, value=value, min=low, max=high, step=step)


def signed(value: float) -> str:
    """Six digits and always a sign, so that the sign is never told by colour alone."""
    return f"{value:+.6g}"


def new_figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")
