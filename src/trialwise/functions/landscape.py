"""The values of a function of two numbers on a grid, for its contour plot."""

from typing import Any

import numpy as np

from trialwise.functions.testbed import Problem
from trialwise.tuning.spaces import Float

POINTS = 101


def landscape(problem: Problem) -> dict[str, Any] | None:
    """The function on a grid of 101 x 101 points over its box; None unless it is known and has two parameters.

    A callable of the user's is not called outside its trials: it may be slow, and it may do things.

    Returns:
        "names" (x, y), "x" and "y" (101,), "values" (101, 101) with one row for each y, and the "minimizers".
    """
    if problem.minimum is None or len(problem.space) != 2:
        return None
    (x_name, x_range), (y_name, y_range) = problem.space.items()
    assert isinstance(x_range, Float)
    assert isinstance(y_range, Float)
    x = np.linspace(x_range.low, x_range.high, POINTS)
    y = np.linspace(y_range.low, y_range.high, POINTS)
    values = np.array([[problem.function(**{x_name: float(a), y_name: float(b)}) for a in x] for b in y])
    return {
        "names": [x_name, y_name],
        "x": x,
        "y": y,
        "values": np.round(values, 6),
        "minimizers": [[point[x_name], point[y_name]] for point in problem.minimizers],
    }
