"""The one formula of the welcome page."""

import numpy as np


def _composition() -> None:
    x = np.linspace(-2, 2, 9)
    u = 3 * x + 1
    y = u**2
    assert np.allclose(y, 9 * x**2 + 6 * x + 1)


FORMULAS = {r"u = 3x + 1, \qquad y = u^2.": _composition}
