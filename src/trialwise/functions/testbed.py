"""Functions with a known minimum, to try an optimiser on."""

import dataclasses
import math
from collections.abc import Callable

from trialwise.base.errors import UserError
from trialwise.base.settings import unknown_name
from trialwise.tuning.spaces import Float, Space

DEFAULT_CENTER = (3.7, -2.1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """A function to be minimised, its space, and its lowest value there where that is known.

    Attributes:
        name: As it is called on the command line.
        function: Takes the parameters by name.
        space: What the parameters may be.
        minimum: The lowest value, where it is known.
        minimizers: Every point that has it.
    """

    name: str
    function: Callable[..., float]
    space: Space
    minimum: float | None = None
    minimizers: tuple[dict[str, float], ...] = ()


def known_problem(name: str, *, center: tuple[float, ...] | None = None) -> Problem:
    """The known function of this name; `center` moves the minimum of the quadratic.

    Raises:
        UserError: There is no such function, it has no center, or the center lies outside the box.
    """
    if name not in NAMES:
        raise unknown_name("function", name, NAMES)
    if name == "quadratic":
        return _quadratic(DEFAULT_CENTER if center is None else center)
    if center is not None:
        raise UserError("--center: only quadratic has a center to move")
    return {"rosenbrock": _ROSENBROCK, "branin": _BRANIN, "hartmann6": _HARTMANN6}[name]


NAMES = ("quadratic", "rosenbrock", "branin", "hartmann6")


def _quadratic(center: tuple[float, ...]) -> Problem:
    if len(center) != 2 or not all(-10 <= coordinate <= 10 for coordinate in center):
        raise UserError(f"--center: expected two numbers in [-10, 10], got {','.join(f'{c:g}' for c in center)}")
    x0, y0 = center

    def quadratic(x: float, y: float) -> float:
        return (x - x0) ** 2 + (y - y0) ** 2

    return Problem(
        name="quadratic",
        function=quadratic,
        space={"x": Float(low=-10, high=10), "y": Float(low=-10, high=10)},
        minimum=0.0,
        minimizers=({"x": x0, "y": y0},),
    )


def _rosenbrock(x: float, y: float) -> float:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


_ROSENBROCK = Problem(
    name="rosenbrock",
    function=_rosenbrock,
    space={"x": Float(low=-5, high=10), "y": Float(low=-5, high=10)},
    minimum=0.0,
    minimizers=({"x": 1.0, "y": 1.0},),
)


def _branin(x: float, y: float) -> float:
    """Branin 1972; the form of Dixon & Szegoe 1978."""
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    return (y - b * x**2 + c * x - 6) ** 2 + 10 * (1 - t) * math.cos(x) + 10


_BRANIN = Problem(
    name="branin",
    function=_branin,
    space={"x": Float(low=-5, high=10), "y": Float(low=0, high=15)},
    minimum=0.39788735772973816,
    minimizers=({"x": -math.pi, "y": 12.275}, {"x": math.pi, "y": 2.275}, {"x": 3 * math.pi, "y": 2.475}),
)

_HARTMANN6_WEIGHTS = (1.0, 1.2, 3.0, 3.2)
_HARTMANN6_SCALES = (
    (10.0, 3.0, 17.0, 3.5, 1.7, 8.0),
    (0.05, 10.0, 17.0, 0.1, 8.0, 14.0),
    (3.0, 3.5, 1.7, 10.0, 17.0, 8.0),
    (17.0, 8.0, 0.05, 10.0, 0.1, 14.0),
)
_HARTMANN6_CENTERS = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def _hartmann6(**point: float) -> float:
    """Hartmann 1973, in six dimensions; the constants of Dixon & Szegoe 1978."""
    x = [point[f"x{i}"] for i in range(1, 7)]
    total = 0.0
    for weight, scales, centers in zip(_HARTMANN6_WEIGHTS, _HARTMANN6_SCALES, _HARTMANN6_CENTERS, strict=True):
        distance = sum(a * (xi - p) ** 2 for a, xi, p in zip(scales, x, centers, strict=True))
        total += weight * math.exp(-distance)
    return -total


_HARTMANN6 = Problem(
    name="hartmann6",
    function=_hartmann6,
    space={f"x{i}": Float(low=0, high=1) for i in range(1, 7)},
    minimum=-3.322368011415511,
    minimizers=(
        {"x1": 0.20168952, "x2": 0.15001069, "x3": 0.47687398, "x4": 0.27533243, "x5": 0.31165162, "x6": 0.65730053},
    ),
)
