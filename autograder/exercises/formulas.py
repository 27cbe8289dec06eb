"""Formulas: functions whose parameters are named after the values they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Formula = Callable[..., Any]
"""A function whose parameters are named after the values it needs."""

Environment = dict[str, Any]
"""The values known so far, by name: first the inputs of a case, then one step after the other."""


def constant(value: float) -> Formula:
    """A formula that needs nothing and gives this number."""
    return lambda: value


def apply(formula: Formula, environment: Mapping[str, Any]) -> Any:
    """Evaluate a formula with the values of its parameters' names."""
    return formula(*(environment[name] for name in needs(formula)))


def needs(formula: Formula) -> tuple[str, ...]:
    """The names a formula depends on, in the order of its parameters; a class, as a class's parts are, on none."""
    if isinstance(formula, type):
        return ()
    code = formula.__code__
    return code.co_varnames[: code.co_argcount]
