"""The interactive explorers of the lessons: sliders, a picture, and the numbers in it.

Each function `<topic>_explorer` returns an ipywidgets box to be displayed as the last value of a cell. The numbers come
from functions without any drawing (`chain_rule_values`, `sigmoid_values`, `network_values`), which the tests check by
themselves.

Every picture is followed by a sentence that says what it shows and a table of its numbers, both renewed with it, and
differences are told by line style, marker and sign as well as by colour. The explorers' figures are made without
pyplot, so that none stays open and none needs a display. `picture` gives a lesson's own figure its text.

The explorers of the later lessons are modules beside these, each imported by the lesson that shows it.
"""

from chainrule_lib.widgets._explorer import picture
from chainrule_lib.widgets.scalar import (
    FUNCTIONS,
    chain_rule_explorer,
    chain_rule_values,
    sigmoid_explorer,
    sigmoid_values,
)
from chainrule_lib.widgets.two_layers import backprop_explorer, forward_explorer, network_values

__all__ = [
    "FUNCTIONS",
    "backprop_explorer",
    "chain_rule_explorer",
    "chain_rule_values",
    "forward_explorer",
    "network_values",
    "picture",
    "sigmoid_explorer",
    "sigmoid_values",
]
